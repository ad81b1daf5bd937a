//! What a name in an archive means: a path of the app, something that is left out, or a rule that it breaks.
//!
//! Pure. Nothing is ever written under these names here; they are keys of the store and parts of URLs, and whoever takes
//! an app out of the farm again may write them to a disk that is less strict.

use fazt_protocol::limit::FILE_PATH_BYTES;

use super::refusal::Rule;

/// What the router takes as a file's name in a refusal.
const SHOWN_BYTES: usize = 2 * FILE_PATH_BYTES;

/// A name that breaks no rule.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Name<'a> {
    /// The app's folder itself.
    Top,
    /// A path of the app: relative, with `/`, without dot segments.
    Path(&'a str),
    /// Not for an app; the path of the file or folder that is left out, which may be this entry or one above it.
    LeftOut(&'a str),
}

/// Reads a name. A folder's may end with `/`.
pub(super) fn read(name: &[u8], is_folder: bool) -> Result<Name<'_>, Rule> {
    let name = std::str::from_utf8(name).map_err(|_| Rule::NotUtf8)?;
    if name.chars().any(char::is_control) {
        return Err(Rule::Control);
    }
    if name.contains('\\') {
        return Err(Rule::Backslash);
    }
    if name.starts_with('/') {
        return Err(Rule::Absolute);
    }
    let mut path = name;
    while let Some(rest) = path.strip_prefix("./") {
        path = rest;
    }
    if is_folder {
        path = path.strip_suffix('/').unwrap_or(path);
    }
    match path {
        "" if name.is_empty() => Err(Rule::NoName),
        "" | "." if is_folder => Ok(Name::Top),
        "" => Err(Rule::EmptySegment),
        path => walk(path),
    }
}

fn walk(path: &str) -> Result<Name<'_>, Rule> {
    let (mut end, mut left_out) = (0usize, None);
    for segment in path.split('/') {
        match segment {
            "" => return Err(Rule::EmptySegment),
            "." => return Err(Rule::DotSegment),
            ".." => return Err(Rule::Parent),
            _ => {}
        }
        end = end.saturating_add(segment.len());
        if left_out.is_none() && is_left_out(segment) {
            left_out = path.get(..end);
        }
        // The slash after it.
        end = end.saturating_add(1);
    }
    match left_out {
        Some(top) => Ok(Name::LeftOut(top)),
        None if path.len() > FILE_PATH_BYTES => Err(Rule::PathBytes),
        None => Ok(Name::Path(path)),
    }
}

/// What every folder has that a developer works in, and no app needs: secrets, history, packages, leftovers of macOS.
fn is_left_out(segment: &str) -> bool {
    segment.starts_with('.') || matches!(segment, "node_modules" | "__MACOSX")
}

/// A name as text for people: on one line, and not longer than the router takes.
pub(super) fn show(name: &[u8]) -> String {
    let mut shown = String::new();
    for character in String::from_utf8_lossy(name).chars() {
        let before = shown.len();
        match character {
            control if control.is_control() => shown.extend(control.escape_default()),
            plain => shown.push(plain),
        }
        if shown.len() > SHOWN_BYTES {
            shown.truncate(before);
            break;
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_name_means() {
        let rows = [
            ("index.html", Name::Path("index.html")),
            ("./api/main.js", Name::Path("api/main.js")),
            ("././a b/ü?#%.txt", Name::Path("a b/ü?#%.txt")),
            (".env", Name::LeftOut(".env")),
            ("a/.git/config", Name::LeftOut("a/.git")),
            ("./node_modules/.bin/x", Name::LeftOut("node_modules")),
            ("__MACOSX/a", Name::LeftOut("__MACOSX")),
            ("...", Name::LeftOut("...")),
        ];
        for (name, meaning) in rows {
            assert_eq!(read(name.as_bytes(), false), Ok(meaning), "{name}");
        }
        for (name, meaning) in
            [("./", Name::Top), (".", Name::Top), ("a/b/", Name::Path("a/b")), ("a", Name::Path("a"))]
        {
            assert_eq!(read(name.as_bytes(), true), Ok(meaning), "{name}");
        }
        let long = format!("node_modules/{}", "x".repeat(FILE_PATH_BYTES));
        assert_eq!(read(long.as_bytes(), false), Ok(Name::LeftOut("node_modules")));
    }

    #[test]
    fn what_a_name_may_not_be() {
        let longest = "a".repeat(FILE_PATH_BYTES);
        assert_eq!(read(longest.as_bytes(), false), Ok(Name::Path(&longest)));
        let longer = "a".repeat(FILE_PATH_BYTES + 1);
        let rows: [(&[u8], Rule); 18] = [
            (b"", Rule::NoName),
            (b"a\xff", Rule::NotUtf8),
            (b"a\0b", Rule::Control),
            (b"a\nb", Rule::Control),
            ("a\u{85}b".as_bytes(), Rule::Control),
            (b"a\\b", Rule::Backslash),
            (b"..\\b", Rule::Backslash),
            (b"/etc/passwd", Rule::Absolute),
            (b"//a", Rule::Absolute),
            (b"..", Rule::Parent),
            (b"a/../b", Rule::Parent),
            (b".git/../../b", Rule::Parent),
            (b"./../b", Rule::Parent),
            (b"a/./b", Rule::DotSegment),
            (b"a//b", Rule::EmptySegment),
            (b".//b", Rule::EmptySegment),
            (b"a/", Rule::EmptySegment),
            (longer.as_bytes(), Rule::PathBytes),
        ];
        for (name, rule) in rows {
            assert_eq!(read(name, false), Err(rule), "{}", show(name));
        }
    }

    #[test]
    fn a_shown_name_is_one_line_and_bounded() {
        assert_eq!(show(b"a\n\xff"), "a\\n\u{fffd}");
        assert!(show(&vec![0xff; 1 << 20]).len() <= SHOWN_BYTES);
        assert!(show(&[0; 4096]).len() <= SHOWN_BYTES);
    }
}
