//! What a request must be before anybody looks for its app: all that the HTTP library leaves to us.
//!
//! Pure: a head in, what it is aimed at or a fault out. The library itself refuses broken lines, headers and lengths, more
//! than 64 headers and what does not fit its buffer; [`super::heads`] refuses bare line feeds and doubled lengths.

use fazt_protocol::limit::{ARCHIVE_BYTES, HEADERS_BYTES, URL_BYTES};
use http::{HeaderMap, Method, Uri, Version, header};

use super::{Target, entry::Entry, host::Host, path};
use crate::fault::{Code, Fault};

/// What an app can be asked with.
pub(super) const METHODS: [Method; 7] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];
/// Scheme and host stand before the target in the URL that an app sees.
const TARGET_BYTES: usize = URL_BYTES - 512;

/// What the request is aimed at.
///
/// # Errors
/// The fault to answer with; the connection cannot be used further.
pub(super) fn check(entry: &Entry, headers: &HeaderMap) -> Result<Target, Fault> {
    check_method(&entry.method)?;
    let body_bytes = entry.house.config.edge.body_bytes;
    aim(&entry.uri, entry.version, headers, body_bytes)
}

fn aim(uri: &Uri, version: Version, headers: &HeaderMap, body_bytes: usize) -> Result<Target, Fault> {
    if uri.path_and_query().map_or(0, |target| target.as_str().len()) > TARGET_BYTES {
        return Err(Fault::new(Code::UriTooLong, format!("the target is longer than {TARGET_BYTES} bytes")));
    }
    let size: usize = headers.iter().map(|(name, value)| name.as_str().len().saturating_add(value.len())).sum();
    if size > HEADERS_BYTES {
        return Err(Fault::new(Code::HeadersTooLarge, format!("the headers are larger than {HEADERS_BYTES} bytes")));
    }
    let host = host(uri, version, headers)?;
    let path = path::decode(uri.path()).map_err(|error| invalid(&error.to_string()))?.into_owned();
    check_framing(headers, if path.starts_with("/api/_admin/") { ARCHIVE_BYTES } else { body_bytes })?;
    Ok(Target { host, path })
}

fn check_method(method: &Method) -> Result<(), Fault> {
    if METHODS.contains(method) {
        return Ok(());
    }
    let known = [Method::TRACE, Method::CONNECT].contains(method);
    Err(Fault::new(Code::NotSupported, "this method is not supported").with_status(if known { 405 } else { 501 }))
}

/// Exactly one host, and where the target names one too, the same.
fn host(uri: &Uri, version: Version, headers: &HeaderMap) -> Result<Host, Fault> {
    let mut all = headers.get_all(header::HOST).iter();
    let host = match (all.next(), all.next()) {
        (Some(value), None) => {
            value.to_str().ok().and_then(Host::parse).ok_or_else(|| invalid("the Host header is not a host"))?
        }
        (Some(_), Some(_)) => return Err(invalid("there is more than one Host header")),
        // HTTP/1.0 knows no hosts: such a request gets what a host that names no app gets.
        (None, _) if version == Version::HTTP_10 => Host { name: "localhost".to_owned(), port: None },
        (None, _) => return Err(invalid("there is no Host header")),
    };
    match uri.authority() {
        Some(target) if Host::parse(target.as_str()).as_ref() != Some(&host) => {
            Err(invalid("the target names another host than the Host header"))
        }
        _ => Ok(host),
    }
}

fn check_framing(headers: &HeaderMap, body_bytes: usize) -> Result<(), Fault> {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    if let Some(coding) = codings.next()
        && (codings.next().is_some() || !coding.as_bytes().eq_ignore_ascii_case(b"chunked"))
    {
        return Err(Fault::new(Code::NotSupported, "no transfer coding but chunked is supported"));
    }
    // The library has refused lengths that are no numbers or do not agree.
    let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.trim().parse::<u64>().ok());
    if length.is_some_and(|length| length > body_bytes as u64) {
        return Err(Fault::new(Code::BodyTooLarge, format!("the body is larger than {body_bytes} bytes")));
    }
    match headers.get(header::EXPECT) {
        Some(what) if !what.as_bytes().eq_ignore_ascii_case(b"100-continue") => {
            Err(Fault::new(Code::NotSupported, "no expectation but 100-continue is supported").with_status(417))
        }
        _ => Ok(()),
    }
}

fn invalid(detail: &str) -> Fault {
    Fault::new(Code::InvalidRequest, detail)
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn judge(method: &str, uri: &str, lines: &[(&str, &str)]) -> Result<(String, String), u16> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
        }
        check_method(&method.parse().unwrap())
            .and_then(|()| aim(&uri.parse().unwrap(), Version::HTTP_11, &headers, 1_000))
            .map(|target| (target.host.name, target.path))
            .map_err(|fault| fault.status)
    }

    #[test]
    fn a_plain_request_is_aimed_at_one_host_and_path() {
        let aimed = Ok(("a.localhost".to_owned(), "/x y".to_owned()));
        assert_eq!(judge("GET", "/x%20y?q=1", &[("host", "A.localhost:8080")]), aimed);
        assert_eq!(judge("GET", "http://a.localhost:8080/x%20y", &[("host", "a.localhost:8080")]), aimed);
    }

    #[test]
    fn what_breaks_a_rule_is_refused_with_its_status() {
        let host = ("host", "a");
        let long = format!("/{}", "x".repeat(TARGET_BYTES));
        let wide = "x".repeat(HEADERS_BYTES);
        type Row<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], u16);
        let rows: &[Row<'_>] = &[
            ("TRACE", "/", &[host], 405),
            ("CONNECT", "a:80", &[host], 405),
            ("BREW", "/", &[host], 501),
            ("get", "/", &[host], 501),
            ("OPTIONS", "*", &[host], 400),
            ("GET", "/", &[], 400),
            ("GET", "/", &[host, host], 400),
            ("GET", "/", &[("host", "a/@b#?")], 400),
            ("GET", "/", &[("host", "")], 400),
            ("GET", "http://b/", &[host], 400),
            ("GET", "http://a:81/", &[host], 400),
            ("GET", "/%2e%2e/x", &[host], 400),
            ("GET", &long, &[host], 414),
            ("GET", "/", &[host, ("x-wide", &wide)], 431),
            ("POST", "/", &[host, ("transfer-encoding", "gzip, chunked")], 501),
            ("POST", "/", &[host, ("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")], 501),
            ("POST", "/", &[host, ("content-length", "1001")], 413),
            ("POST", "/", &[host, ("content-length", "9223372036854775807")], 413),
            ("POST", "/", &[host, ("expect", "coffee")], 417),
        ];
        for (method, uri, headers, status) in rows {
            assert_eq!(judge(method, uri, headers), Err(*status), "{method} {uri} {headers:?}");
        }
    }

    #[test]
    fn only_the_old_version_may_lack_a_host() {
        let uri = "/".parse().unwrap();
        assert!(aim(&uri, Version::HTTP_10, &HeaderMap::new(), 0).is_ok());
        assert!(aim(&uri, Version::HTTP_11, &HeaderMap::new(), 0).is_err());
    }

    #[test]
    fn what_keeps_them_passes() {
        let host = ("host", "a");
        for (method, uri, headers) in [
            ("POST", "/", &[host, ("transfer-encoding", "Chunked")][..]),
            ("POST", "/", &[host, ("content-length", "1000")]),
            ("PUT", "/api/_admin/apps/a/deploy", &[host, ("content-length", "100000")]),
            ("POST", "/", &[host, ("expect", "100-Continue")]),
        ] {
            assert!(judge(method, uri, headers).is_ok(), "{method} {uri} {headers:?}");
        }
    }
}
