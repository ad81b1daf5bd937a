//! A switch for tests: each op is held up for a random time, in the thread that executes it.
//!
//! `FAZT_STORE_TEST_DELAY="0..300 ms"`, read in builds with debug assertions only.

use std::{thread, time::Duration};

#[derive(Debug, Clone, Copy)]
pub(crate) struct Delay {
    least_ms: u64,
    most_ms: u64,
}

impl Delay {
    pub(crate) fn from_environment() -> Option<Self> {
        if !cfg!(debug_assertions) {
            return None;
        }
        let delay = Self::parse(&std::env::var("FAZT_STORE_TEST_DELAY").ok()?);
        tracing::warn!(?delay, "ops are delayed for a test");
        delay
    }

    fn parse(text: &str) -> Option<Self> {
        let (least, most) = text.trim().strip_suffix("ms")?.split_once("..")?;
        let (least_ms, most_ms) = (least.trim().parse().ok()?, most.trim().parse().ok()?);
        (least_ms <= most_ms).then_some(Self { least_ms, most_ms })
    }

    /// Waits.
    pub(crate) fn hold_up(self) {
        let span = self.most_ms.saturating_sub(self.least_ms).saturating_add(1);
        let random = (ulid::Ulid::generate().random() % u128::from(span)) as u64;
        thread::sleep(Duration::from_millis(self.least_ms.saturating_add(random)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_are_written_as_a_range() {
        let delay = Delay::parse("5..20 ms").unwrap();
        assert_eq!((delay.least_ms, delay.most_ms), (5, 20));
        assert!(Delay::parse("20..5 ms").is_none() && Delay::parse("soon").is_none());
    }
}
