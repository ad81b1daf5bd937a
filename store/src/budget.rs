//! The bytes of bodies that may be in this process at once, coming and going, for all channels together.
//!
//! What one app's bodies hold beyond a floor is a part of what the others left ([`fazt_protocol::share`]): workers who leave
//! their answers unread, or send bodies that nobody can take in at once, use up their own app's share, and the next app finds
//! room whatever they do. The registry has room of its own for what a deploy brings.

use std::sync::Arc;

use fazt_protocol::{
    limit::{APP_BYTES, KV_VALUE_BYTES},
    share::Shares,
};
use parking_lot::Mutex;

/// One app may have one of so many parts of what the others left: with half of it, an app's every worker may move much at
/// once where nobody else does.
const PARTS: usize = 2;
/// What each of so many apps is sure of: the largest value or document on its way in, and another on its way out.
const FLOOR: usize = 2 * KV_VALUE_BYTES;
/// See [`FLOOR`].
const FLOORS: usize = 32;

/// All of it.
#[derive(Debug)]
pub(crate) struct Budget(Mutex<Shares>);

/// Some of it, given back when dropped.
#[derive(Debug)]
pub(crate) struct Lease {
    budget: Arc<Budget>,
    /// Whose it is; nobody's where it is the registry's.
    app: Option<u64>,
    bytes: usize,
}

impl Budget {
    /// That many bytes beyond what is set aside for each app and for the registry.
    pub(crate) fn new(bytes: usize) -> Arc<Self> {
        Self::of(Shares::new(bytes, PARTS).with_floors(FLOOR, FLOORS).with_own(APP_BYTES))
    }

    fn of(shares: Shares) -> Arc<Self> {
        Arc::new(Self(Mutex::new(shares)))
    }

    /// A lease of nothing yet, for an app.
    pub(crate) fn lease(self: &Arc<Self>, app: u64) -> Lease {
        Lease { budget: Arc::clone(self), app: Some(app), bytes: 0 }
    }

    /// The same for the registry, which has no share: what the router asks is the operator's.
    pub(crate) fn lease_for_registry(self: &Arc<Self>) -> Lease {
        Lease { budget: Arc::clone(self), app: None, bytes: 0 }
    }
}

impl Lease {
    /// Takes what is missing to that many bytes.
    pub(crate) fn reach(&mut self, bytes: usize) -> bool {
        self.grow(bytes.saturating_sub(self.bytes))
    }

    /// Takes that much more; `false` where it is not to be had.
    pub(crate) fn grow(&mut self, bytes: usize) -> bool {
        let taken = bytes == 0 || self.budget.0.lock().take(self.app, bytes).is_ok();
        if taken {
            self.bytes = self.bytes.saturating_add(bytes);
        }
        taken
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.budget.0.lock().give(self.app, self.bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_has_a_share_of_what_the_others_left() {
        let budget = Budget::of(Shares::new(16, PARTS));
        let (mut one, mut two, mut registry) = (budget.lease(1), budget.lease(2), budget.lease_for_registry());
        assert!(one.grow(8) && !one.grow(1) && !budget.lease(1).grow(1), "half of it, whoever asks for the app");
        assert!(two.grow(4) && !two.grow(1), "half of what is left");
        assert!(!registry.grow(5) && registry.grow(4), "all that is left");
        assert!(!budget.lease(3).grow(1));
        drop(one);
        assert!(two.grow(2) && !two.grow(1));
        drop((two, registry));
        assert!(budget.0.lock().is_whole());
    }

    #[test]
    fn whoever_holds_nothing_has_room_for_a_value_and_the_registry_for_a_deploy() {
        let budget = Budget::new(64);
        let mut greedy = budget.lease(1);
        assert!(greedy.grow(FLOOR + 32) && !greedy.grow(1));
        let mut others: Vec<Lease> = (2..=FLOORS as u64).map(|app| budget.lease(app)).collect();
        assert!(others.iter_mut().all(|lease| lease.grow(FLOOR)));
        let mut registry = budget.lease_for_registry();
        assert!(registry.grow(APP_BYTES) && registry.grow(32) && !registry.grow(1));
        drop((greedy, others, registry));
        assert!(budget.0.lock().is_whole());
    }
}
