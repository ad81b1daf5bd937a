//! How slowly a body may come: pure state, told of what came and when.
//!
//! It has patience for 5 s at first. Time spends it, and each 32 KiB that come earn a second of it, but never more than 10 s
//! together: a long upload at a steady pace is never given up, and one that stands still is within 10 s, however much of it came
//! before. What came is room in the budget of all bodies meanwhile.

use std::time::Duration;

use tokio::time::Instant;

/// What a body has at first.
const PATIENCE: Duration = Duration::from_secs(5);
/// The most that it may have.
const MOST: Duration = Duration::from_secs(10);
/// The slowest that one may come, in bytes a second.
const SLOWEST: u64 = 32 * 1024;

/// A body's pace so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    due: Instant,
}

impl Pace {
    /// Of a body that begins now.
    pub(super) fn new(now: Instant) -> Self {
        Self { due: now + PATIENCE }
    }

    /// When it is given up, where nothing comes until then.
    pub(super) fn due(self) -> Instant {
        self.due
    }

    /// So many bytes came. By the nanosecond, since pieces of a few bytes earn their part as well.
    pub(super) fn came(&mut self, bytes: usize, now: Instant) {
        let earned = Duration::from_nanos((bytes as u64).saturating_mul(1_000_000_000) / SLOWEST);
        self.due = self.due.checked_add(earned).unwrap_or(self.due).min(now + MOST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pieces of so many bytes, one every so many milliseconds: how many of the first `most` come before the body is given up.
    fn pieces(bytes: usize, every_ms: u64, most: usize) -> usize {
        let mut now = Instant::now();
        let mut pace = Pace::new(now);
        let mut come = || {
            now += Duration::from_millis(every_ms);
            let is_in_time = now < pace.due();
            pace.came(bytes, now);
            is_in_time
        };
        (0..most).take_while(|_| come()).count()
    }

    #[test]
    fn a_steady_body_may_take_as_long_as_it_likes() {
        assert_eq!(pieces(32 << 10, 1_000, 100_000), 100_000);
        assert_eq!(pieces(128 << 10, 4_000, 100_000), 100_000, "by fits and starts");
        assert_eq!(pieces(33, 1, 100_000), 100_000, "in small pieces");
        assert_eq!(pieces(16 << 10, 1_000, 100_000), 8, "half as fast spends half a second in each");
        assert_eq!(pieces(1, 1_000, 100_000), 5);
    }

    #[test]
    fn what_came_before_is_no_leave_to_stand_still() {
        let now = Instant::now();
        for (bytes, patience) in
            [(0, PATIENCE), (64 << 10, PATIENCE + Duration::from_secs(2)), (8 << 20, MOST), (usize::MAX, MOST)]
        {
            let mut pace = Pace::new(now);
            pace.came(bytes, now);
            assert_eq!(pace.due() - now, patience, "{bytes}");
        }
    }
}
