//! Leaves of `Math.random` and `crypto`.

use super::Call;
use crate::engine::{
    realm::{ErrorKind, Thrown},
    value::Value,
};

/// A number from 0 to below 1.
pub(super) fn random<'a>(call: &Call<'a, '_>) -> Result<Value<'a>, Thrown> {
    let turn = call.turn()?;
    let number = turn.chance().map_err(|_| no_randomness(call))?;
    Ok(call.realm.number(number))
}

/// (array, most bytes): fills it. -1 where it is no array of integers, -2 where it is too large.
pub(super) fn fill<'a>(call: &Call<'a, '_>) -> Result<Value<'a>, Thrown> {
    call.turn()?;
    let (array, most) = (call.argument(0), call.number(1));
    if !array.is_array_of_integers() {
        return Ok(call.realm.number(-1.0));
    }
    let filled = array.with_bytes(|bytes| {
        if bytes.len() as f64 > most {
            return Ok(-2.0);
        }
        // By way of a buffer of our own: the kernel does not write into memory that is watched for writes.
        let mut random = vec![0; bytes.len()];
        getrandom::fill(&mut random).map(|()| {
            bytes.copy_from_slice(&random);
            0.0
        })
    });
    let filled = filled.unwrap_or(Ok(-1.0)).map_err(|_| no_randomness(call))?;
    Ok(call.realm.number(filled))
}

/// A version 4 UUID.
pub(super) fn uuid<'a>(call: &Call<'a, '_>) -> Result<Value<'a>, Thrown> {
    call.turn()?;
    let mut bytes = [0u8; 16];
    getrandom::fill(&mut bytes).map_err(|_| no_randomness(call))?;
    let number = u128::from_be_bytes(bytes);
    // Version 4 in the thirteenth digit, variant 10 in the seventeenth.
    let number = (number & !(0xf << 76) | 0x4 << 76) & !(0x3 << 62) | 0x2 << 62;
    let (a, b, c, d) = (number >> 96, number >> 80 & 0xffff, number >> 64 & 0xffff, number >> 48 & 0xffff);
    call.realm.string(&format!("{a:08x}-{b:04x}-{c:04x}-{d:04x}-{:012x}", number & 0xffff_ffff_ffff))
}

fn no_randomness(call: &Call<'_, '_>) -> Thrown {
    call.realm.throw_error(ErrorKind::Plain, "the system has no random bytes")
}
