//! Documents put in an order: the keys of as many as are asked for are kept, up to a bound of memory, and of no others.
//!
//! SQLite's own sorter knows no bound: a million keys of a mebibyte each would be its to keep. A document's keys and
//! its number are one string of bytes here, and these compare as the documents do: null, then numbers, then texts.

use std::collections::BinaryHeap;

use fazt_protocol::{
    limit::OP_BODY_BYTES,
    op::{Code, Refusal, ds::Order},
};
use rusqlite::{Row, types::ValueRef};

use crate::refusal::OpError;

/// Bytes of keys that one call may have kept: as many as its answer may have.
const MOST_BYTES: usize = OP_BODY_BYTES;
/// What a key takes beside its bytes.
const KEY_BYTES: usize = 48;

/// The first so many documents of those that were looked at.
#[derive(Debug)]
pub(super) struct First<'a> {
    order: &'a [Order],
    most: usize,
    kept: BinaryHeap<Box<[u8]>>,
    bytes: usize,
    key: Vec<u8>,
}

impl<'a> First<'a> {
    pub(super) fn new(order: &'a [Order], most: usize) -> Self {
        Self { order, most, kept: BinaryHeap::new(), bytes: 0, key: Vec::new() }
    }

    /// Looks at a document: its number, then its keys.
    ///
    /// # Errors
    /// `TOO_LARGE` where the keys to keep come to more than may be kept.
    pub(super) fn look(&mut self, row: &Row<'_>) -> Result<(), OpError> {
        self.key.clear();
        for (order, at) in self.order.iter().zip(1_usize..) {
            push_key(row.get_ref(at)?, order.descending, &mut self.key);
        }
        // The newest first, which has the largest number.
        self.key.extend_from_slice(&(!row.get::<_, i64>(0)?).to_be_bytes());
        if self.kept.len() >= self.most {
            if self.kept.peek().is_none_or(|last| **last <= *self.key) {
                return Ok(());
            }
            let last = self.kept.pop().map_or(0, |last| last.len());
            self.bytes = self.bytes.saturating_sub(last.saturating_add(KEY_BYTES));
        }
        self.bytes = self.bytes.saturating_add(self.key.len()).saturating_add(KEY_BYTES);
        if self.bytes > MOST_BYTES {
            let message = format!(
                "order: what has to be put in order comes to more than {MOST_BYTES} bytes: ask for fewer documents \
                 with limit, pass over fewer with offset, or narrow the query"
            );
            return Err(Refusal::new(Code::TooLarge, message).into());
        }
        self.kept.push(self.key.as_slice().into());
        Ok(())
    }

    /// Their numbers in order, without the first `offset`.
    pub(super) fn rows(self, offset: usize) -> Vec<i64> {
        let number = |key: &[u8]| key.last_chunk().map(|number| !i64::from_be_bytes(*number));
        self.kept.into_sorted_vec().iter().skip(offset).filter_map(|key| number(key)).collect()
    }
}

fn push_key(value: ValueRef<'_>, descending: bool, out: &mut Vec<u8>) {
    let begun = out.len();
    match value {
        ValueRef::Null => out.push(0),
        ValueRef::Integer(number) => push_number(number as f64, out),
        ValueRef::Real(number) => push_number(number, out),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
            out.push(2);
            for byte in bytes {
                // A zero within a text is told from its end by what follows.
                out.extend_from_slice(if *byte == 0 { &[0, 255] } else { std::slice::from_ref(byte) });
            }
            out.extend_from_slice(&[0, 0]);
        }
    }
    if descending {
        out.iter_mut().skip(begun).for_each(|byte| *byte = !*byte);
    }
}

/// A double's bits rise with it once the sign is turned around, and all others too where it is negative.
fn push_number(number: f64, out: &mut Vec<u8>) {
    const SIGN: u64 = 1 << 63;
    // -0 is 0.
    let bits = (number + 0.0).to_bits();
    out.push(1);
    out.extend_from_slice(&(if bits & SIGN == 0 { bits ^ SIGN } else { !bits }).to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_compare_as_what_they_are_of() {
        let rising = [
            ValueRef::Null,
            ValueRef::Real(f64::MIN),
            ValueRef::Integer(-7),
            ValueRef::Real(-0.5),
            ValueRef::Integer(0),
            ValueRef::Real(1e-300),
            ValueRef::Integer(3),
            ValueRef::Real(3.5),
            ValueRef::Real(f64::MAX),
            ValueRef::Text(b""),
            ValueRef::Text(b"\0"),
            ValueRef::Text(b"\0\0"),
            ValueRef::Text(b"\x01"),
            ValueRef::Text(b"a"),
            ValueRef::Text(b"a\0b"),
            ValueRef::Text(b"ab"),
            ValueRef::Text("\u{10ffff}".as_bytes()),
        ];
        let key = |value, descending| {
            let mut out = Vec::new();
            push_key(value, descending, &mut out);
            out
        };
        assert!(rising.map(|value| key(value, false)).is_sorted_by(|one, next| one < next));
        assert!(rising.map(|value| key(value, true)).is_sorted_by(|one, next| one > next));
        assert_eq!(key(ValueRef::Real(-0.0), false), key(ValueRef::Integer(0), false));
    }
}
