//! Processes and descriptors before and after: whatever was done to a farm, nothing of it may remain.

use crate::{
    farm::Farm,
    process,
    wait::{eventually, seconds},
};

/// Descriptors more than before that are no leak: a connection that is still closing, a worker bound meanwhile.
const SLACK: usize = 6;

/// A farm at rest.
#[derive(Debug, Clone, Copy)]
pub struct Census {
    workers: usize,
    router: usize,
    store: usize,
}

impl Census {
    /// Counts, once the pool is at rest.
    #[must_use]
    pub fn take(farm: &Farm) -> Self {
        farm.settle();
        Self::count(farm)
    }

    /// Waits until all is as before: the same number of workers, no zombie, no descriptor more.
    pub fn holds(&self, farm: &Farm) {
        farm.settle();
        let mut now = *self;
        let what = "processes and descriptors are as before";
        let started = std::time::Instant::now();
        eventually(seconds(10), what, || {
            now = Self::count(farm);
            let zombies = process::children(farm.router().pid).iter().filter(|child| child.is_zombie()).count();
            let well = zombies == 0
                && now.workers == self.workers
                && now.router <= self.router.saturating_add(SLACK)
                && now.store <= self.store.saturating_add(SLACK);
            assert!(well || started.elapsed() < seconds(9), "before {self:?}, now {now:?}, {zombies} zombies");
            well
        });
    }

    fn count(farm: &Farm) -> Self {
        Self {
            workers: farm.children("fazt-worker").len(),
            router: farm.router().descriptors(),
            store: farm.child("fazt-store").descriptors(),
        }
    }
}
