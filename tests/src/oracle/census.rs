//! Processes, descriptors, memory and files before and after: whatever was done to a farm, nothing of it may remain.

use std::{collections::BTreeSet, fs, path::Path};

use crate::{
    farm::Farm,
    process,
    wait::{eventually, seconds},
};

/// Descriptors more than before that are no leak: a connection that is still closing, a worker bound meanwhile.
const SLACK: usize = 6;
/// Memory more than before that is no leak: what the allocator and SQLite keep to use again.
const SLACK_BYTES: u64 = 48 << 20;

/// A farm at rest.
#[derive(Debug, Clone)]
pub struct Census {
    workers: usize,
    router: usize,
    /// Of a process that no other one may look into an ordinary user learns nothing.
    store: Option<usize>,
    resident_bytes: u64,
    files: BTreeSet<String>,
}

impl Census {
    /// Counts, once the pool is at rest.
    #[must_use]
    pub fn take(farm: &Farm) -> Self {
        farm.settle();
        Self::count(farm)
    }

    /// Waits until all is as before: the same number of workers, no zombie, no descriptor, file or great piece of memory more.
    pub fn holds(&self, farm: &Farm) {
        farm.settle();
        let mut now = self.clone();
        let what = "processes, descriptors, memory and files are as before";
        let started = std::time::Instant::now();
        eventually(seconds(10), what, || {
            now = Self::count(farm);
            let zombies = process::children(farm.router().pid).iter().filter(|child| child.is_zombie()).count();
            let well = zombies == 0
                && now.workers == self.workers
                && now.router <= self.router.saturating_add(SLACK)
                && self.store.zip(now.store).is_none_or(|(before, now)| now <= before.saturating_add(SLACK))
                && now.resident_bytes <= self.resident_bytes.saturating_add(SLACK_BYTES)
                && now.files == self.files;
            assert!(well || started.elapsed() < seconds(9), "before {self:?}, now {now:?}, {zombies} zombies");
            well
        });
    }

    fn count(farm: &Farm) -> Self {
        let (router, store) = (farm.router(), farm.child("fazt-store"));
        let descriptors = router.descriptors().filter(|count| *count > 0);
        let mut files = BTreeSet::new();
        list(farm.data().above(), &mut files);
        Self {
            workers: farm.children("fazt-worker").len(),
            router: descriptors.expect("the router's descriptors can be counted"),
            store: store.descriptors(),
            resident_bytes: router.resident_bytes().saturating_add(store.resident_bytes()),
            files,
        }
    }
}

fn list(folder: &Path, files: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap().filter_map(Result::ok) {
        files.insert(entry.path().to_string_lossy().into_owned());
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            list(&entry.path(), files);
        }
    }
}
