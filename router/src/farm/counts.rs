//! What the farm counts. Relaxed atomics: each is read by itself, for people.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counters since the router's start.
#[derive(Debug, Default)]
pub struct Counts {
    /// Calls that a worker was given.
    pub executions: AtomicU64,
    /// Microseconds that they ran.
    pub execute_us: AtomicU64,
    /// Ended by the soft clock.
    pub interrupted: AtomicU64,
    /// Killed for time.
    pub killed: AtomicU64,
    /// Workers that ended by themselves or broke the protocol.
    pub crashes: AtomicU64,
    /// Workers born after the first ones.
    pub respawns: AtomicU64,
    /// Log lines of apps that found no room.
    pub lost_logs: AtomicU64,
}

/// Adds one.
pub fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}

/// Reads one.
#[must_use]
pub fn read(counter: &AtomicU64) -> u64 {
    counter.load(Relaxed)
}
