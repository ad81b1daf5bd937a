//! A worker's channel as every thread sees it: whose it is, the question in hand, the way out.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::SeqCst},
};

use fazt_protocol::{clock, op::Op};
use tokio::{net::UnixStream, sync::Notify};

use super::outlet::Outlet;

/// No question is in hand.
const NONE: u64 = u64::MAX;

#[derive(Debug)]
pub(crate) struct Channel {
    /// The channel's number, which grants name.
    pub(crate) bind: u64,
    pub(crate) app: u64,
    pub(crate) app_name: String,
    /// The version whose files it may read.
    pub(crate) version: u64,
    /// One op, in milliseconds, at most.
    storage_ms: u32,
    pub(crate) outlet: Outlet,
    /// Tells the session to end.
    pub(crate) end: Notify,
    in_hand: AtomicU64,
}

/// What a channel is bound to.
#[derive(Debug)]
pub(crate) struct Bound {
    pub(crate) bind: u64,
    pub(crate) app: u64,
    pub(crate) app_name: String,
    pub(crate) version: u64,
    pub(crate) storage_ms: u32,
}

impl Channel {
    pub(crate) fn new(bound: Bound, socket: Arc<UnixStream>) -> Self {
        let Bound { bind, app, app_name, version, storage_ms } = bound;
        let (outlet, end, in_hand) = (Outlet::new(socket), Notify::new(), AtomicU64::new(NONE));
        Self { bind, app, app_name, version, storage_ms, outlet, end, in_hand }
    }

    /// A question begins.
    pub(crate) fn begin(&self, number: u64) {
        self.in_hand.store(number, SeqCst);
    }

    /// The right to answer it, given once.
    pub(crate) fn claim(&self, number: u64) -> bool {
        self.in_hand.compare_exchange(number, NONE, SeqCst, SeqCst).is_ok()
    }

    /// The latest deadline of an op, or of one part of it, that begins now: of a load its request's end.
    pub(crate) fn latest_ns(&self, op: &Op, request_ends_ns: u64) -> u64 {
        if op.is_load() {
            return request_ends_ns;
        }
        let most_ns = u64::from(self.storage_ms).saturating_mul(1_000_000);
        clock::now_ns().saturating_add(most_ns).min(request_ends_ns)
    }

    /// Whether that question still waits for its answer.
    pub(crate) fn is_in_hand(&self, number: u64) -> bool {
        self.in_hand.load(SeqCst) == number
    }

    /// Whether any question does.
    pub(crate) fn is_busy(&self) -> bool {
        self.in_hand.load(SeqCst) != NONE
    }
}
