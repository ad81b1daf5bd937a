//! multipart/form-data (RFC 7578) in a body that is whole: parts as slices of it.
//!
//! Nothing interrupts it, so it takes time by the body's length alone, whatever stands in it, and gives a bounded number of parts.

use memchr::memmem::{Finder, find};

/// Fields of one form, of either kind. Each becomes a property of an object, at some microseconds; PHP takes as many.
pub(super) const FIELDS: usize = 1_000;
/// A part's headers.
const HEADERS_BYTES: usize = 8 * 1024;

/// One part.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part<'a> {
    /// The field's name.
    pub(super) name: String,
    /// The file's name, where it is a file.
    pub(super) file: Option<String>,
    /// What the part says it is; `text/plain` where it says nothing.
    pub(super) kind: String,
    /// Its bytes.
    pub(super) content: &'a [u8],
}

/// Why bytes are no such body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum FormError {
    #[error("the Content-Type of the form has no valid boundary")]
    NoBoundary,
    #[error("the form does not begin with its boundary")]
    NoStart,
    #[error("the form ends before its last boundary")]
    Cut,
    #[error("a part of the form has headers that cannot be read")]
    BadHeaders,
    #[error("a part of the form has no name")]
    NoName,
    #[error("the form has more than {FIELDS} fields: so many are sent as JSON")]
    TooMany,
}

/// Cuts a body into its parts. `header` is the whole `Content-Type`.
pub(super) fn parse<'a>(header: &str, body: &'a [u8]) -> Result<Vec<Part<'a>>, FormError> {
    let boundary =
        parameter(header, "boundary").filter(|text| (1..=70).contains(&text.len())).ok_or(FormError::NoBoundary)?;
    let line = format!("\r\n--{boundary}").into_bytes();
    let first = line.get(2..).unwrap_or_default();
    // What stands before the first boundary counts for nothing.
    let finder = Finder::new(&line);
    let start =
        if body.starts_with(first) { first.len() } else { finder.find(body).ok_or(FormError::NoStart)? + line.len() };
    let mut rest = body.get(start..).unwrap_or_default();
    let mut parts = Vec::new();
    loop {
        if rest.starts_with(b"--") {
            return Ok(parts);
        }
        let end_of_line = find(rest, b"\r\n").ok_or(FormError::Cut)?;
        if !rest.get(..end_of_line).unwrap_or_default().iter().all(|byte| matches!(byte, b' ' | b'\t')) {
            return Err(FormError::BadHeaders);
        }
        if parts.len() == FIELDS {
            return Err(FormError::TooMany);
        }
        let after = rest.get(end_of_line..).unwrap_or_default();
        let end = finder.find(after).ok_or(FormError::Cut)?;
        parts.push(part(after.get(..end).unwrap_or_default())?);
        rest = after.get(end + line.len()..).unwrap_or_default();
    }
}

/// One part, from the line break behind its boundary to the one before the next.
fn part(bytes: &[u8]) -> Result<Part<'_>, FormError> {
    let most = bytes.len().min(HEADERS_BYTES + 4);
    let end = find(bytes.get(..most).unwrap_or_default(), b"\r\n\r\n").ok_or(FormError::BadHeaders)?;
    let (headers, content) = bytes.split_at_checked(end + 4).ok_or(FormError::BadHeaders)?;
    let headers = std::str::from_utf8(headers).map_err(|_| FormError::BadHeaders)?;
    let header = |wanted: &str| {
        let mut lines = headers.split("\r\n").filter_map(|line| line.split_once(':'));
        lines.find(|(name, _)| name.trim().eq_ignore_ascii_case(wanted)).map(|(_, value)| value.trim())
    };
    let disposition = header("content-disposition").ok_or(FormError::BadHeaders)?;
    Ok(Part {
        name: parameter(disposition, "name").ok_or(FormError::NoName)?,
        file: parameter(disposition, "filename"),
        kind: header("content-type").unwrap_or("text/plain").to_owned(),
        content,
    })
}

/// A parameter of a header's value: `; name=token` or `; name="text"`, quotes and line breaks in it written as browsers do.
fn parameter(header: &str, wanted: &str) -> Option<String> {
    let mut rest = header.split_once(';')?.1;
    loop {
        let (name, after) = rest.split_once('=')?;
        let (value, next) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => after.split_at(after.find(';').unwrap_or(after.len())),
        };
        if name.trim().eq_ignore_ascii_case(wanted) {
            return Some(value.trim().replace("%22", "\"").replace("%0D", "\r").replace("%0A", "\n"));
        }
        rest = next.split_once(';')?.1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEADER: &str = "multipart/form-data; boundary=xyz";

    #[test]
    fn fields_and_files_are_told_apart() {
        let body = b"--xyz\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\none\r\n--xyz\r\nContent-Disposition: form-data; \
            name=\"f\"; filename=\"x;y.txt\"\r\nContent-Type: text/css\r\n\r\n\r\n--xy\r\n--xyz--\r\n";
        let parts = parse(HEADER, body).unwrap();
        let [a, f] = parts.as_slice() else { panic!("{parts:?}") };
        assert_eq!((a.name.as_str(), a.file.as_deref(), a.content), ("a", None, b"one".as_slice()));
        assert_eq!((f.name.as_str(), f.file.as_deref(), f.kind.as_str()), ("f", Some("x;y.txt"), "text/css"));
        assert_eq!(f.content, b"\r\n--xy");
    }

    #[test]
    fn what_is_no_form_is_refused() {
        let cases: [(&str, &[u8], FormError); 6] = [
            ("multipart/form-data", b"", FormError::NoBoundary),
            (HEADER, b"nothing", FormError::NoStart),
            (HEADER, b"--xyz\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\none", FormError::Cut),
            (HEADER, b"--xyz\r\nnothing\r\n--xyz--", FormError::BadHeaders),
            (HEADER, b"--xyz\r\nContent-Disposition: form-data\r\n\r\n\r\n--xyz--", FormError::NoName),
            (HEADER, b"--xyz junk\r\n", FormError::BadHeaders),
        ];
        for (header, body, error) in cases {
            assert_eq!(parse(header, body), Err(error), "{}", String::from_utf8_lossy(body));
        }
        let many = "--xyz\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n".repeat(FIELDS + 1) + "--xyz--";
        assert_eq!(parse(HEADER, many.as_bytes()), Err(FormError::TooMany));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_form_or_an_error(body: Vec<u8>, header: String) {
            let _parts = parse(&header, &body);
            let mut framed = b"--xyz\r\n".to_vec();
            framed.extend(&body);
            framed.extend(b"\r\n--xyz--");
            let _parts = parse(HEADER, &framed);
        }
    }
}
