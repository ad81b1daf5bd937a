//! The one way to wait: for a condition, up to a deadline. Who sleeps for another reason stands in `tidy/sleeps.rs`.

use std::{
    fs,
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    thread,
    time::{Duration, Instant},
};

/// How long what has no promised time may take: neither a busy machine nor a slow disk is a reason to fail.
pub const PATIENCE: Duration = seconds(30);
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// What a condition comes to: `true`, or a value that is there.
pub trait Condition {
    /// What it gives once it holds.
    type Value;

    /// The value, where it holds.
    fn held(self) -> Option<Self::Value>;
}

impl Condition for bool {
    type Value = ();

    fn held(self) -> Option<()> {
        self.then_some(())
    }
}

impl<T> Condition for Option<T> {
    type Value = T;

    fn held(self) -> Option<T> {
        self
    }
}

/// Looks until `condition` holds; panics with `what` where it does not within `deadline`.
pub fn eventually<C: Condition>(deadline: Duration, what: &str, mut condition: impl FnMut() -> C) -> C::Value {
    let started = Instant::now();
    loop {
        // The deadline is read first, so that a condition that comes to hold with it is not missed.
        let late = started.elapsed() > deadline;
        if let Some(value) = condition().held() {
            return value;
        }
        assert!(!late, "not within {deadline:?}: {what}");
        thread::sleep(LOOK_EVERY);
    }
}

/// Whole seconds, for deadlines.
#[must_use]
pub const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// Milliseconds, for deadlines.
#[must_use]
pub const fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// A promised time, stretched where others hold the machine: promises are made for cores that are free, and what the tests
/// themselves put on them is half a core each.
#[must_use]
pub fn promised(time: Duration) -> Duration {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: f64 = text.split(' ').next().and_then(|load| load.parse().ok()).unwrap_or_default();
    let cores = thread::available_parallelism().map_or(1.0, |cores| f64::from(u32::try_from(cores.get()).unwrap_or(1)));
    time.mul_f64((load / cores / 1.5).clamp(1.0, 8.0))
}

/// Says that it is over when it is left, also where an assertion fails: else a scope would wait for its threads for ever.
#[derive(Debug)]
pub struct Over<'a>(&'a AtomicBool);

impl<'a> Over<'a> {
    /// Sets the flag when this is dropped.
    #[must_use]
    pub fn when_left(flag: &'a AtomicBool) -> Self {
        Self(flag)
    }
}

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}
