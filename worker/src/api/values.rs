//! Leaves that look at values without running anything of the app: what kind they are, bytes as text.

use super::Call;
use crate::engine::{realm::Thrown, value::Value};

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// (value): `proxy`, `error`, `array`, … or `object`.
pub(super) fn kind<'a>(call: &Call<'a, '_>) -> Result<Value<'a>, Thrown> {
    call.realm.string(call.argument(0).kind())
}

/// (proxy): what it stands before.
pub(super) fn proxy_target<'a>(call: &Call<'a, '_>) -> Result<Value<'a>, Thrown> {
    call.argument(0).proxy_target()
}

/// (buffer): its bytes as text.
pub(super) fn decode_utf8<'a>(call: &Call<'a, '_>) -> Result<Value<'a>, Thrown> {
    let text = call.argument(0).with_bytes(|bytes| String::from_utf8_lossy(bytes).into_owned());
    call.realm.string(&text.unwrap_or_default())
}

/// (buffer): its bytes in base64.
pub(super) fn base64<'a>(call: &Call<'a, '_>) -> Result<Value<'a>, Thrown> {
    let text = call.argument(0).with_bytes(|bytes| encode(bytes));
    call.realm.string(&text.unwrap_or_default())
}

fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3).saturating_mul(4));
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0u32, |group, byte| group << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let digit = DIGITS.get((group >> (18 - 6 * place) & 63) as usize).copied().unwrap_or(b'A');
            text.push(if place > chunk.len() { '=' } else { char::from(digit) });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::encode;

    #[test]
    fn base64_of_each_length() {
        let cases =
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("foobar", "Zm9vYmFy")];
        for (plain, coded) in cases {
            assert_eq!(encode(plain.as_bytes()), coded);
        }
    }
}
