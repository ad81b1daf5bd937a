//! The soft clock: when a run began and when it must end, asked by the engine every ten thousand steps.
//!
//! Once it has fired it goes on firing until it is wound again: a script may turn the first interruption into a rejection
//! of a promise and run on, but then only to the next poll. It stops no single long native call: that takes the keeper's
//! hard clock.

use core::ffi::{c_int, c_void};
use std::{
    cell::Cell,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use rquickjs::qjs;
use rustix::{event::poll, time::Timespec};

/// A clock that lies outside the heap, at one address for the engine's life.
#[derive(Debug)]
pub(crate) struct Clock {
    began: Cell<Instant>,
    /// Unix time of that moment, in milliseconds.
    origin_ms: Cell<f64>,
    deadline: Cell<Option<Instant>>,
    fired: Cell<bool>,
}

impl Clock {
    /// A clock that never fires.
    pub(crate) fn new() -> Self {
        Self {
            began: Cell::new(Instant::now()),
            origin_ms: Cell::new(0.0),
            deadline: Cell::new(None),
            fired: Cell::new(false),
        }
    }

    /// A run begins now and may take `limit`.
    pub(crate) fn wind(&self, limit: Duration) {
        let now = Instant::now();
        self.began.set(now);
        self.origin_ms.set(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64() * 1000.0);
        self.deadline.set(now.checked_add(limit));
        self.fired.set(false);
    }

    /// The run is over: nothing is interrupted any more.
    pub(crate) fn stop(&self) {
        self.deadline.set(None);
        self.fired.set(false);
    }

    /// Whether the deadline has passed; from then on the clock has fired.
    pub(crate) fn is_over(&self) -> bool {
        if !self.fired.get() && self.deadline.get().is_some_and(|deadline| Instant::now() >= deadline) {
            self.fired.set(true);
        }
        self.fired.get()
    }

    /// Whether it has fired, without looking at the time.
    pub(crate) fn has_fired(&self) -> bool {
        self.fired.get()
    }

    /// Milliseconds since the run began.
    pub(crate) fn elapsed_ms(&self) -> f64 {
        self.began.get().elapsed().as_secs_f64() * 1000.0
    }

    /// When the run began, as Unix time in milliseconds.
    pub(crate) fn origin_ms(&self) -> f64 {
        self.origin_ms.get()
    }

    /// What is left of the run.
    pub(crate) fn left(&self) -> Duration {
        self.deadline.get().map_or(Duration::MAX, |deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// Sleeps until that many milliseconds after the run's beginning, or the deadline if that is sooner.
    pub(crate) fn wait_until(&self, due_ms: f64) {
        let wanted =
            Duration::try_from_secs_f64((due_ms - self.elapsed_ms()).max(0.0) / 1000.0).unwrap_or(Duration::MAX);
        // A poll of nothing: the jail has no other sleep that it needs. An interrupted one is asked for again by the caller.
        let span = Timespec::try_from(wanted.min(self.left())).unwrap_or_default();
        let _ = poll(&mut [], Some(&span));
    }
}

/// Makes local time UTC for this process and its children. Apps are the same wherever they run, and the C library reads no
/// file at an app's first local time, which a jail would answer with death.
#[expect(unsafe_code, reason = "the environment is the process's, and the C library's zone with it")]
pub(super) fn make_local_time_utc() {
    unsafe extern "C" {
        fn tzset();
    }
    // SAFETY: called while the process has one thread, so nobody reads the environment meanwhile.
    unsafe {
        std::env::set_var("TZ", "UTC0");
        tzset();
    }
}

/// What the engine asks every so often; `clock` is the [`Clock`].
#[expect(unsafe_code, reason = "the engine hands back the pointer that it was given")]
pub(super) unsafe extern "C" fn poll_clock(_runtime: *mut qjs::JSRuntime, clock: *mut c_void) -> c_int {
    // SAFETY: the clock outlives the runtime, which is dropped before it.
    c_int::from(unsafe { (*clock.cast::<Clock>()).is_over() })
}
