//! The one clock that deadlines are told in: CLOCK_MONOTONIC, in nanoseconds, the same for every process of a machine.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds of CLOCK_MONOTONIC. Comparable between processes, not between boots.
#[must_use]
pub fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    let nanoseconds = u64::try_from(now.tv_nsec).unwrap_or_default();
    seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds)
}

/// What is left until `deadline_ns`; zero once it has passed.
#[must_use]
pub fn left(deadline_ns: u64) -> Duration {
    Duration::from_nanos(deadline_ns.saturating_sub(now_ns()))
}

/// The same moment as an [`Instant`] of this process.
#[must_use]
pub fn instant(deadline_ns: u64) -> Instant {
    let now = Instant::now();
    now.checked_add(left(deadline_ns)).unwrap_or(now)
}

/// Whole microseconds, saturating: how spans travel.
#[must_use]
pub fn micros(span: Duration) -> u32 {
    u32::try_from(span.as_micros()).unwrap_or(u32::MAX)
}
