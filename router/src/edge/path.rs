//! A request's path: percent-decoded once, and refused where any later reader might see another path in it.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// Why a path is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It does not begin with a slash.
    #[error("the target is not a path")]
    Relative,
    /// A percent sign without two hexadecimal digits.
    #[error("the path has a broken percent escape")]
    Escape,
    /// A control byte, a backslash, or an encoded slash or backslash.
    #[error("the path has a byte that no path may have")]
    Forbidden,
    /// Not UTF-8 after decoding.
    #[error("the path is not UTF-8")]
    Encoding,
    /// `.` or `..` as a segment.
    #[error("the path has dot segments")]
    Dots,
}

/// The decoded path.
///
/// # Errors
/// [`PathError`].
pub fn decode(raw: &str) -> Result<Cow<'_, str>, PathError> {
    if !raw.starts_with('/') {
        return Err(PathError::Relative);
    }
    let path = if raw.contains('%') { unescape(raw)? } else { Cow::Borrowed(raw) };
    if path.bytes().any(|byte| byte < 0x20 || byte == 0x7f || byte == b'\\') {
        return Err(PathError::Forbidden);
    }
    // The scan for a dot spares most paths the split.
    if path.contains("/.") && path.split('/').any(|segment| segment == "." || segment == "..") {
        return Err(PathError::Dots);
    }
    Ok(path)
}

fn unescape(raw: &str) -> Result<Cow<'_, str>, PathError> {
    for after in raw.split('%').skip(1) {
        match after.as_bytes() {
            // What decodes to a separator would change how many segments there are.
            [b'2', b'f' | b'F', ..] | [b'5', b'c' | b'C', ..] => return Err(PathError::Forbidden),
            [high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {}
            _ => return Err(PathError::Escape),
        }
    }
    percent_decode_str(raw).decode_utf8().map_err(|_| PathError::Encoding)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_paths_pass_as_they_are() {
        let rows = [
            ("/", "/"),
            ("/a/b.css", "/a/b.css"),
            ("/a%20b", "/a b"),
            ("/%C3%A4", "/ä"),
            ("/%252e%252e/x", "/%2e%2e/x"),
            ("/a/...", "/a/..."),
            ("/.well-known/x", "/.well-known/x"),
            ("//a", "//a"),
        ];
        for (raw, decoded) in rows {
            assert_eq!(decode(raw).unwrap(), decoded, "{raw}");
        }
    }

    #[test]
    fn what_another_reader_might_see_otherwise_is_refused() {
        use PathError::{Dots, Encoding, Escape, Forbidden, Relative};
        let rows = [
            ("*", Relative),
            ("a", Relative),
            ("/../etc/passwd", Dots),
            ("/%2e%2e/x", Dots),
            ("/.%2e/x", Dots),
            ("/a/./b", Dots),
            ("/a/..", Dots),
            ("/;/../x", Dots),
            ("/..%5cx", Forbidden),
            ("/..\\x", Forbidden),
            ("/a%2fb", Forbidden),
            ("/a%2Fb", Forbidden),
            ("/%00.html", Forbidden),
            ("/a%0d%0ab", Forbidden),
            ("/%7f", Forbidden),
            ("/%c0%ae%c0%ae/", Encoding),
            ("/%ff", Encoding),
            ("/%", Escape),
            ("/%2", Escape),
            ("/%zz", Escape),
            ("/%+1", Escape),
        ];
        for (raw, error) in rows {
            assert_eq!(decode(raw), Err(error), "{raw}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_decoded_path_has_a_way_up(raw in "/[a-z./%25ecECfF0\\\\]{0,24}") {
            if let Ok(path) = decode(&raw) {
                proptest::prop_assert!(path.split('/').all(|segment| segment != ".." && segment != "."));
                proptest::prop_assert!(!path.contains(['\\', '\0']));
                proptest::prop_assert_eq!(path.matches('/').count(), raw.matches('/').count());
            }
        }
    }
}
