//! JSON text, composed piece by piece: what SQLite gives back as text is never parsed again.

use serde_json::value::RawValue;

/// Appends a string, quoted and escaped.
pub(crate) fn push_string(text: &str, out: &mut Vec<u8>) {
    // Writing into a vector does not fail, and every text has an encoding.
    let _written = serde_json::to_writer(out, text);
}

/// Appends a whole number.
pub(crate) fn push_number(number: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(number.to_string().as_bytes());
}

/// A double as JSON text, whole numbers without a fraction: JavaScript knows no other difference.
pub(crate) fn number(number: f64) -> String {
    const WHOLE: f64 = 9_007_199_254_740_992.0;
    if number.fract() == 0.0 && number.abs() < WHOLE {
        return (number as i64).to_string();
    }
    serde_json::to_string(&number).unwrap_or_else(|_infinite| "null".to_owned())
}

/// Whether the bytes are one JSON value. Looks at every byte and keeps none, however deep it is nested.
pub(crate) fn is_valid(bytes: &[u8]) -> bool {
    serde_json::from_slice::<&RawValue>(bytes).is_ok()
}

/// How deep the arrays and objects of a JSON text are nested.
pub(crate) fn depth(text: &str) -> usize {
    let (mut depth, mut deepest, mut within, mut escaped) = (0_usize, 0_usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if within => escaped = true,
            b'"' => within = !within,
            b'[' | b'{' if !within => {
                depth = depth.saturating_add(1);
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !within => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Whether a field's name holds U+0000, which SQLite takes for the end of a name: `a\0b` would be found as `a`.
pub(crate) fn has_nul_in_a_name(text: &str) -> bool {
    const NUL: &str = "\\u0000";
    if !text.contains(NUL) {
        return false;
    }
    let mut rest = text;
    while let Some((_, begun)) = rest.split_once('"') {
        let mut escaped = false;
        let end = begun.bytes().position(|byte| {
            let ends = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            ends
        });
        let Some((string, after)) = end.and_then(|end| begun.split_at_checked(end)) else { return false };
        rest = after.get(1..).unwrap_or_default();
        // An escaped backslash before `u0000` is no escape of U+0000, but such a name is rare enough to refuse as well.
        if string.contains(NUL) && rest.trim_start().starts_with(':') {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_javascript_writes_them() {
        assert_eq!(number(3.0), "3");
        assert_eq!(number(-0.0), "0");
        assert_eq!(number(0.1), "0.1");
        assert_eq!(number(1e300), "1e+300");
    }

    #[test]
    fn depth_counts_what_is_not_in_a_string() {
        assert_eq!(depth(r#"{"a[[":[{"b":"\"]}"}]}"#), 3);
        assert_eq!(depth("7"), 0);
    }

    #[test]
    fn only_names_are_looked_at_for_nul() {
        assert!(has_nul_in_a_name(r#"{"a":{"b\u0000c" : 1}}"#));
        assert!(!has_nul_in_a_name(r#"{"a":"\u0000","b":["\"\u0000\":",":"]}"#));
    }

    #[test]
    fn only_json_is_valid() {
        assert!(
            is_valid(b" {\"a\":[1,2,\"\\ud800\"]} ") && is_valid(&[b"[".repeat(9_999), b"]".repeat(9_999)].concat())
        );
        for bad in [&b""[..], b"{", b"{a:1}", b"1 2", b"NaN", b"\xff", b"'a'"] {
            assert!(!is_valid(bad), "{bad:?}");
        }
    }
}
