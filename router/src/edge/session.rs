//! One connection, as the two that share it see it: the wire below HTTP, and the service above.
//!
//! They run in one task; the atomics only spare a lock. The stage says whom a silent or closing client leaves waiting.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering::Relaxed},
    },
};

use super::body::Budget;

/// Requests that one connection may bring.
const REQUESTS: u32 = 1_000;

const WAITING: u8 = 0;
const READING: u8 = 1;
const WORKING: u8 = 2;

/// One connection.
#[derive(Debug)]
pub struct Session {
    /// The client's address; none over a socket file.
    pub peer: Option<IpAddr>,
    /// Room for bodies, for all connections.
    pub budget: Arc<Budget>,
    /// Whether its place is one of those that are kept for the farm's own pages.
    pub is_kept: bool,
    stage: AtomicU8,
    requests: AtomicU32,
    /// With which request the connection ends; with none that can come, where it is the largest number.
    last: AtomicU32,
    refusing: AtomicBool,
}

impl Session {
    /// A connection that has brought nothing yet.
    #[must_use]
    pub fn new(peer: Option<IpAddr>, budget: Arc<Budget>) -> Self {
        Self {
            peer,
            budget,
            is_kept: false,
            stage: AtomicU8::new(WAITING),
            requests: AtomicU32::new(0),
            last: AtomicU32::new(u32::MAX),
            refusing: AtomicBool::new(false),
        }
    }

    /// The same in a place that is kept for the farm's own pages, which others wait for.
    #[must_use]
    pub fn kept(self) -> Self {
        Self { is_kept: true, ..self }
    }

    /// A request's head is there, or, without a body, all of it.
    pub fn begin(&self, whole: bool) {
        self.stage.store(if whole { WORKING } else { READING }, Relaxed);
        let before = self.requests.fetch_add(1, Relaxed);
        if self.is_kept || before.saturating_add(1) >= REQUESTS {
            self.end_after_this();
        }
    }

    /// Its body is there too: from now on the client has only to wait, and may close its side meanwhile.
    pub fn work(&self) {
        self.stage.store(WORKING, Relaxed);
    }

    /// The answer is on its way whole.
    pub fn wait(&self) {
        self.stage.store(WAITING, Relaxed);
    }

    /// Nothing comes after the answer in hand.
    pub fn end_after_this(&self) {
        self.end_after(self.requests());
    }

    /// Nothing comes after the answer to that request, counted from one. Those before it may still be in hand.
    pub fn end_after(&self, request: u32) {
        self.last.fetch_min(request, Relaxed);
    }

    /// The farm is closing, and has waited long enough for what was on its way.
    pub fn refuse(&self) {
        self.refusing.store(true, Relaxed);
    }

    /// Whether a request that comes now comes too late.
    #[must_use]
    pub fn is_refusing(&self) -> bool {
        self.refusing.load(Relaxed)
    }

    /// Whether the connection ends with the answer in hand.
    #[must_use]
    pub fn is_last(&self) -> bool {
        self.requests() >= self.last.load(Relaxed)
    }

    /// Requests so far.
    #[must_use]
    pub fn requests(&self) -> u32 {
        self.requests.load(Relaxed)
    }

    /// Whether no request is in hand.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.stage.load(Relaxed) == WAITING
    }

    /// Whether a request is in hand whose body is not known to be there.
    #[must_use]
    pub fn is_reading(&self) -> bool {
        self.stage.load(Relaxed) == READING
    }

    /// Whether a whole request is in hand.
    #[must_use]
    pub fn is_working(&self) -> bool {
        self.stage.load(Relaxed) == WORKING
    }
}
