//! One deadline that every thread can see and move: an op's, from its arrival to its answer.
//!
//! Each connection carries a [`Tether`]: SQLite asks it every hundred steps of a statement, every few conditions of a wide
//! query, and while it waits for a lock, whether the work in hand is to end.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use fazt_protocol::clock;
use parking_lot::Mutex;

use crate::snapshots::Snapshot;

/// How long one piece of work may take, and whether it was begun.
#[derive(Debug)]
pub(crate) struct Leash {
    deadline_ns: AtomicU64,
    started: AtomicBool,
}

impl Leash {
    /// One that ends at this moment of CLOCK_MONOTONIC.
    pub(crate) fn until(deadline_ns: u64) -> Arc<Self> {
        Arc::new(Self { deadline_ns: AtomicU64::new(deadline_ns), started: AtomicBool::new(false) })
    }

    /// One that ends so long from now.
    pub(crate) fn lasting(span: Duration) -> Arc<Self> {
        Self::until(clock::now_ns().saturating_add(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)))
    }

    pub(crate) fn deadline_ns(&self) -> u64 {
        self.deadline_ns.load(SeqCst)
    }

    pub(crate) fn is_past(&self) -> bool {
        clock::now_ns() >= self.deadline_ns()
    }

    /// Gives a piece of work that goes on in steps more time, unless it was cut.
    pub(crate) fn extend(&self, deadline_ns: u64) {
        let _cut = self.deadline_ns.fetch_update(SeqCst, SeqCst, |now| (now > 0).then_some(deadline_ns));
    }

    /// Nobody waits for it any more: what runs is interrupted, what waits is not begun.
    pub(crate) fn cut(&self) {
        self.deadline_ns.store(0, SeqCst);
    }

    /// From here on the work may have an effect.
    pub(crate) fn start(&self) {
        self.started.store(true, SeqCst);
    }

    pub(crate) fn has_started(&self) -> bool {
        self.started.load(SeqCst)
    }
}

/// What a connection's callbacks look at.
#[derive(Debug, Default)]
pub(crate) struct Tether {
    leash: Mutex<Option<Arc<Leash>>>,
    /// The writer has none: nobody waits for the end of what it reads.
    snapshot: Option<Snapshot>,
}

impl Tether {
    pub(crate) fn new(snapshot: Option<Snapshot>) -> Self {
        Self { leash: Mutex::default(), snapshot }
    }

    /// A piece of work begins.
    pub(crate) fn hold(&self, leash: &Arc<Leash>) {
        *self.leash.lock() = Some(Arc::clone(leash));
        self.begin_anew();
    }

    /// It goes on in a new snapshot.
    pub(crate) fn begin_anew(&self) {
        if let Some(snapshot) = &self.snapshot {
            snapshot.begin();
        }
    }

    /// It is done.
    pub(crate) fn let_go(&self) {
        if let Some(snapshot) = &self.snapshot {
            snapshot.end();
        }
        *self.leash.lock() = None;
    }

    /// Whether its time is over.
    pub(crate) fn is_past(&self) -> bool {
        self.leash.lock().as_ref().is_some_and(|leash| leash.is_past())
    }

    /// Whether the writer needs its snapshot gone.
    pub(crate) fn is_in_the_way(&self) -> bool {
        self.snapshot.as_ref().is_some_and(Snapshot::is_old)
    }

    /// Whether a statement is to end.
    pub(crate) fn must_end(&self) -> bool {
        self.is_in_the_way() || self.is_past()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_cut_stays_cut() {
        let leash = Leash::until(u64::MAX);
        assert!(!leash.is_past());
        leash.cut();
        assert!(leash.is_past());
        leash.extend(u64::MAX);
        assert!(leash.is_past());
    }
}
