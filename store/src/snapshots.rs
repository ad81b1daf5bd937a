//! Whose snapshot is how old, and the writer's wish that old ones end: as long as one is read from SQLite's log, the log cannot
//! start over.
//!
//! The writer's wishes are numbered. A read keeps the number of the newest one from before its snapshot: only a later wish is
//! meant for it, and whoever begins after a wish is left alone.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::SeqCst},
};

use parking_lot::Mutex;

/// Nothing is read.
const IDLE: u64 = u64::MAX;

/// Those of all connections to one file.
#[derive(Debug, Default)]
pub(crate) struct Snapshots {
    wishes: AtomicU64,
    since: Mutex<Vec<Arc<AtomicU64>>>,
}

/// That of one connection.
#[derive(Debug)]
pub(crate) struct Snapshot {
    all: Arc<Snapshots>,
    since: Arc<AtomicU64>,
}

impl Snapshots {
    /// A place for one more connection's, for as long as the process lives.
    pub(crate) fn place(self: &Arc<Self>) -> Snapshot {
        let since = Arc::new(AtomicU64::new(IDLE));
        self.since.lock().push(Arc::clone(&since));
        Snapshot { all: Arc::clone(self), since }
    }

    /// All snapshots of now are to end.
    pub(crate) fn end_old(&self) {
        self.wishes.fetch_add(1, SeqCst);
    }

    /// Whether one is still read from that was to end.
    pub(crate) fn has_old(&self) -> bool {
        let wishes = self.wishes.load(SeqCst);
        self.since.lock().iter().any(|since| since.load(SeqCst) < wishes)
    }
}

impl Snapshot {
    /// One is about to begin.
    pub(crate) fn begin(&self) {
        loop {
            let wishes = self.all.wishes.load(SeqCst);
            self.since.store(wishes, SeqCst);
            // Else the writer may have looked before the number stood there, and taken us for somebody else's process.
            if self.all.wishes.load(SeqCst) == wishes {
                return;
            }
        }
    }

    /// It has ended.
    pub(crate) fn end(&self) {
        self.since.store(IDLE, SeqCst);
    }

    /// Whether it is to end.
    pub(crate) fn is_old(&self) -> bool {
        self.since.load(SeqCst) < self.all.wishes.load(SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_for_those_that_were_there() {
        let all = Arc::new(Snapshots::default());
        let (old, new, idle) = (all.place(), all.place(), all.place());
        old.begin();
        all.end_old();
        new.begin();
        assert!(old.is_old() && !new.is_old() && !idle.is_old() && all.has_old());
        old.begin();
        assert!(!old.is_old() && !all.has_old(), "who began anew is not old");
        all.end_old();
        assert!(old.is_old() && new.is_old());
        old.end();
        assert!(all.has_old() && !old.is_old());
        new.end();
        assert!(!all.has_old());
    }
}
