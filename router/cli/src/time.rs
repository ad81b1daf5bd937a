//! Times as the interface gives them (Unix milliseconds, durations in milliseconds) as people read them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// `2026-03-01 12:00:00Z`.
pub(crate) fn moment(unix_ms: u64) -> String {
    let Some(at) = UNIX_EPOCH.checked_add(Duration::from_millis(unix_ms)) else {
        return "-".to_owned();
    };
    // Past the year 9999 humantime has no text.
    let year_10000 = 253_402_300_800_000;
    if unix_ms >= year_10000 {
        return "-".to_owned();
    }
    humantime::format_rfc3339_seconds(at).to_string().replace('T', " ")
}

/// `2026-03-01 12:00:00.123Z`.
pub(crate) fn instant(unix_ms: u64) -> String {
    let second = moment(unix_ms);
    match second.strip_suffix('Z') {
        Some(second) => format!("{second}.{:03}Z", unix_ms % 1000),
        None => second,
    }
}

/// The two largest units: `3h 20m`, `4s 100ms`, `12ms`.
pub(crate) fn span(ms: u64) -> String {
    let whole = humantime::format_duration(Duration::from_millis(ms)).to_string();
    let mut units = whole.split(' ');
    match (units.next(), units.next()) {
        (Some(first), Some(second)) => format!("{first} {second}"),
        _ => whole,
    }
}

/// The Unix time in milliseconds, so long ago.
pub(crate) fn ago(span: Duration) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.saturating_sub(span).as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_readable() {
        assert_eq!(moment(0), "1970-01-01 00:00:00Z");
        assert_eq!(instant(1_767_225_600_042), "2026-01-01 00:00:00.042Z");
        assert_eq!(moment(u64::MAX), "-");
        assert_eq!(instant(u64::MAX), "-");
        assert_eq!(span(12), "12ms");
        assert_eq!(span(3_723_004), "1h 2m");
        assert_eq!(span(0), "0s");
    }
}
