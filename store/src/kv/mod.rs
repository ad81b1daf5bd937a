//! Keys and values: `read` for what readers and the reactor answer, `write` for what the writer does.

pub(crate) mod read;
pub(crate) mod write;

/// What the quota counts for an entry beside its key and its value: about what a row costs.
const ROW_BYTES: u64 = 64;

/// What the quota counts for an entry. The key stands in the table and in the index that finds it.
pub(crate) fn cost(key_bytes: u64, value_bytes: u64) -> u64 {
    key_bytes.saturating_mul(2).saturating_add(value_bytes).saturating_add(ROW_BYTES)
}

/// The end of the range of keys that begin with `prefix`: the first key after it, or none where it is open.
pub(crate) fn range_end(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if let Some(next) = last.checked_add(1) {
            end.push(next);
            return Some(end);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_range_holds_exactly_what_begins_with_the_prefix(prefix: Vec<u8>, key: Vec<u8>) {
            let within = key >= prefix && range_end(&prefix).is_none_or(|end| key < end);
            prop_assert_eq!(within, key.starts_with(&prefix));
        }
    }
}
