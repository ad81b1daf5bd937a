//! Conditional requests (RFC 9110, 13): whether what the client has, or demands, is still what it would get.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, header};

/// Whether the file is what the client demands: else 412. The tag decides where one was sent, else the date.
pub(super) fn holds(headers: &HeaderMap, etag: &str, modified: SystemTime) -> bool {
    if headers.contains_key(header::IF_MATCH) {
        // A weak tag never matches here: it promises no bytes.
        return tags(headers, header::IF_MATCH).any(|tag| tag == "*" || tag == etag);
    }
    // What is no date demands nothing.
    date(headers, header::IF_UNMODIFIED_SINCE).is_none_or(|since| whole_seconds(modified) <= since)
}

/// Whether the client has it already: 304. The tag decides where one was sent, else the date.
pub(super) fn is_known(headers: &HeaderMap, etag: &str, modified: SystemTime) -> bool {
    if headers.contains_key(header::IF_NONE_MATCH) {
        return tags(headers, header::IF_NONE_MATCH).any(|tag| tag == "*" || strong(tag) == etag);
    }
    date(headers, header::IF_MODIFIED_SINCE).is_some_and(|since| whole_seconds(modified) <= since)
}

/// Whether a range of what the client began with is a range of what there is now.
pub(super) fn may_resume(headers: &HeaderMap, etag: &str, modified: SystemTime) -> bool {
    match headers.get(header::IF_RANGE).map(|value| value.to_str().unwrap_or_default()) {
        None => true,
        // A weak tag never matches here: it promises no bytes.
        Some(tag) if tag.starts_with('"') => tag == etag,
        Some(_) => date(headers, header::IF_RANGE) == Some(whole_seconds(modified)),
    }
}

/// Unix time in milliseconds as a time.
pub(super) fn moment(unix_ms: i64) -> SystemTime {
    let since = Duration::from_millis(u64::try_from(unix_ms).unwrap_or_default());
    SystemTime::UNIX_EPOCH.checked_add(since).unwrap_or(SystemTime::UNIX_EPOCH)
}

/// All tags of the headers of that name.
fn tags(headers: &HeaderMap, name: header::HeaderName) -> impl Iterator<Item = &str> {
    let lists = headers.get_all(name).into_iter().filter_map(|list| list.to_str().ok());
    lists.flat_map(|list| list.split(',').map(str::trim))
}

fn strong(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag)
}

fn date(headers: &HeaderMap, name: http::HeaderName) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get(name)?.to_str().ok()?).ok()
}

/// Dates of HTTP know no fractions.
fn whole_seconds(time: SystemTime) -> SystemTime {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(since.as_secs())).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const TAG: &str = "\"abc\"";
    const DATE: &str = "Sun, 09 Sep 2001 01:46:40 GMT";

    fn known(lines: &[(http::HeaderName, &str)]) -> bool {
        is_known(&headers(lines), TAG, moment(1_000_000_000_500))
    }

    fn headers(lines: &[(http::HeaderName, &str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap())).collect()
    }

    #[test]
    fn a_tag_decides_before_a_date() {
        use header::{IF_MODIFIED_SINCE, IF_NONE_MATCH};
        let long = "\"x\", ".repeat(2_000) + TAG;
        for tag in [TAG, "W/\"abc\"", "*", "\"x\", \"abc\"", &long] {
            assert!(known(&[(IF_NONE_MATCH, tag)]), "{tag}");
        }
        assert!(!known(&[(IF_NONE_MATCH, "\"x\""), (IF_MODIFIED_SINCE, DATE)]));
        assert!(known(&[(IF_MODIFIED_SINCE, DATE)]));
        assert!(known(&[(IF_MODIFIED_SINCE, "Fri, 31 Dec 9999 23:59:59 GMT")]));
        for old in ["Sun, 09 Sep 2001 01:46:39 GMT", "Mon, 01 Jan 1601 00:00:00 GMT", "yesterday", ""] {
            assert!(!known(&[(IF_MODIFIED_SINCE, old)]), "{old}");
        }
    }

    #[test]
    fn what_is_demanded_holds_or_does_not() {
        use header::{IF_MATCH, IF_UNMODIFIED_SINCE};
        let holds = |lines: &[_]| holds(&headers(lines), TAG, moment(1_000_000_000_500));
        let old = (IF_UNMODIFIED_SINCE, "Sun, 09 Sep 2001 01:46:39 GMT");
        assert!(holds(&[]) && holds(&[(IF_UNMODIFIED_SINCE, DATE)]) && holds(&[(IF_UNMODIFIED_SINCE, "yesterday")]));
        for tag in [TAG, "*", "\"x\", \"abc\""] {
            assert!(holds(&[(IF_MATCH, tag), old.clone()]), "{tag}");
        }
        for tag in ["\"x\"", "W/\"abc\"", ""] {
            assert!(!holds(&[(IF_MATCH, tag), (IF_UNMODIFIED_SINCE, DATE)]), "{tag}");
        }
        assert!(!holds(&[old]));
    }

    #[test]
    fn a_range_resumes_only_the_same_content() {
        let resumes = |value| may_resume(&headers(&[(header::IF_RANGE, value)]), TAG, moment(1_000_000_000_500));
        assert!(may_resume(&HeaderMap::new(), TAG, moment(0)) && resumes(TAG) && resumes(DATE));
        for other in ["\"x\"", "W/\"abc\"", "Sun, 09 Sep 2001 01:46:41 GMT", ""] {
            assert!(!resumes(other), "{other}");
        }
    }
}
