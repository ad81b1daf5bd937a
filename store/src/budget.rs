//! The bytes of bodies that may be in this process at once, coming and going, for all channels together.
//!
//! What one app's bodies hold is a part of what the others left: workers who leave their answers unread, or send bodies that
//! nobody can take in at once, use up their own app's share, and the next app finds room whatever they do.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;

/// One app may have one of so many parts of what the others left: with half of it, an app's every worker may move much at
/// once where nobody else does.
const PARTS: usize = 2;

/// All of it.
#[derive(Debug)]
pub(crate) struct Budget {
    bytes: usize,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    all: usize,
    by_app: HashMap<u64, usize>,
}

/// Some of it, given back when dropped.
#[derive(Debug)]
pub(crate) struct Lease {
    budget: Arc<Budget>,
    /// Whose it is; nobody's where it is the registry's.
    app: Option<u64>,
    bytes: usize,
}

impl Budget {
    pub(crate) fn new(bytes: usize) -> Arc<Self> {
        Arc::new(Self { bytes, held: Mutex::default() })
    }

    /// A lease of nothing yet, for an app.
    pub(crate) fn lease(self: &Arc<Self>, app: u64) -> Lease {
        Lease { budget: Arc::clone(self), app: Some(app), bytes: 0 }
    }

    /// The same for the registry, which has no share: what the router asks is the operator's.
    pub(crate) fn lease_for_registry(self: &Arc<Self>) -> Lease {
        Lease { budget: Arc::clone(self), app: None, bytes: 0 }
    }

    fn take(&self, app: Option<u64>, bytes: usize) -> bool {
        let mut held = self.held.lock();
        let own = app.and_then(|app| held.by_app.get(&app)).copied().unwrap_or_default();
        let left = self.bytes.saturating_sub(held.all).saturating_add(own);
        let most = if app.is_some() { left / PARTS } else { left };
        if own.saturating_add(bytes) > most {
            return false;
        }
        held.all = held.all.saturating_add(bytes);
        if let Some(app) = app.filter(|_| bytes > 0) {
            held.by_app.insert(app, own.saturating_add(bytes));
        }
        true
    }

    fn give(&self, app: Option<u64>, bytes: usize) {
        let mut held = self.held.lock();
        held.all = held.all.saturating_sub(bytes);
        let Some(app) = app else { return };
        match held.by_app.get_mut(&app) {
            Some(own) if *own > bytes => *own = own.saturating_sub(bytes),
            _ => drop(held.by_app.remove(&app)),
        }
    }
}

impl Lease {
    /// Takes what is missing to that many bytes.
    pub(crate) fn reach(&mut self, bytes: usize) -> bool {
        self.grow(bytes.saturating_sub(self.bytes))
    }

    /// Takes that much more; `false` where it is not to be had.
    pub(crate) fn grow(&mut self, bytes: usize) -> bool {
        let taken = bytes == 0 || self.budget.take(self.app, bytes);
        if taken {
            self.bytes = self.bytes.saturating_add(bytes);
        }
        taken
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.budget.give(self.app, self.bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_has_a_share_of_what_the_others_left() {
        let budget = Budget::new(16);
        let (mut one, mut two, mut registry) = (budget.lease(1), budget.lease(2), budget.lease_for_registry());
        assert!(one.grow(8) && !one.grow(1) && !budget.lease(1).grow(1), "half of it, whoever asks for the app");
        assert!(two.grow(4) && !two.grow(1), "half of what is left");
        assert!(!registry.grow(5) && registry.grow(4), "all that is left");
        assert!(!budget.lease(3).grow(1));
        drop(one);
        assert!(two.grow(2) && !two.grow(1));
        drop((two, registry));
        assert!(budget.held.lock().all == 0 && budget.held.lock().by_app.is_empty());
    }
}
