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

/// Where the string that begins at `at` ends; none where there is no string.
pub(crate) fn string_end(text: &[u8], at: usize) -> Option<usize> {
    let mut at = at.checked_add(1).filter(|_| text.get(at) == Some(&b'"'))?;
    loop {
        let left = text.get(at..)?;
        let next = left.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
        let step = if left.get(next) == Some(&b'"') { 1 } else { 2 };
        at = at.checked_add(next)?.checked_add(step)?;
        if step == 1 {
            return Some(at);
        }
    }
}

/// Where the value that begins at `at` ends, in text without space; none where there is no value.
pub(crate) fn value_end(text: &[u8], at: usize) -> Option<usize> {
    let is_plain = |byte: &u8| !matches!(byte, b'"' | b'{' | b'[' | b'}' | b']' | b',' | b':');
    let (mut at, mut depth) = (at, 0_usize);
    loop {
        match text.get(at)? {
            b'"' => at = string_end(text, at)?,
            b'{' | b'[' => (at, depth) = (at.checked_add(1)?, depth.checked_add(1)?),
            b'}' | b']' => (at, depth) = (at.checked_add(1)?, depth.checked_sub(1)?),
            b',' | b':' if depth > 0 => at = at.checked_add(1)?,
            b',' | b':' => return None,
            _ => at = at.checked_add(text.get(at..)?.iter().take_while(|byte| is_plain(byte)).count())?,
        }
        if depth == 0 {
            return Some(at);
        }
    }
}

/// The same JSON without the space between its parts.
pub(crate) fn without_space(text: &str) -> String {
    let (mut within, mut escaped) = (false, false);
    let is_kept = |character: &char| {
        let is_quote = *character == '"' && !escaped;
        escaped = *character == '\\' && !escaped;
        within ^= is_quote;
        within || !matches!(character, ' ' | '\t' | '\n' | '\r')
    };
    text.chars().filter(is_kept).collect()
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
    fn a_value_ends_where_it_ends() {
        for (text, value) in [
            (r#"{"a":[1,{"b":"]\\\"}"}]},7"#, r#"{"a":[1,{"b":"]\\\"}"}]}"#),
            ("1.5e3,2", "1.5e3"),
            ("true}", "true"),
            (r#""\\","#, r#""\\""#),
            ("[]]", "[]"),
        ] {
            assert_eq!(value_end(text.as_bytes(), 0), Some(value.len()), "{text}");
        }
        for none in ["", "}", ",", "[1", r#""a"#, r#""a\"#] {
            assert_eq!(value_end(none.as_bytes(), 0), None, "{none}");
        }
        assert_eq!(string_end(b"1", 0), None);
        assert_eq!(without_space("{ \"a b\\\" \" :\n[ 1 ,\t2 ] }"), r#"{"a b\" ":[1,2]}"#);
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
