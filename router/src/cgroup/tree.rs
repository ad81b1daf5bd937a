//! The part of the tree that is ours: divided at the start, put back at the end.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use fazt_protocol::spawn::Role;
use parking_lot::Mutex;
use tokio::time::sleep;

use super::{
    Absence, Group,
    bounds::{Bounds, weigh_trusted},
    place::Place,
};

const ROUTER: &str = "router";
const STORE: &str = "store";
const WORKER: &str = "worker-";
const BUILDER: &str = "builder-";
/// Which processes lie in a group; who is written there moves.
const PROCESSES: &str = "cgroup.procs";
/// What the groups below may be bound with.
const CONTROL: &str = "cgroup.subtree_control";
/// How long the last processes may take to be gone at the end, and how often that is looked at.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(1);
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// The groups of a farm.
#[derive(Debug)]
pub struct Groups {
    pub(super) place: Place,
    bounds: Bounds,
    children: Mutex<Children>,
}

/// Groups of children that have none, and the number of the next new one.
#[derive(Debug, Default)]
struct Children {
    free: Vec<(Role, u64)>,
    next: u64,
}

impl Groups {
    /// Divides that place. Children's groups are made when they are needed, but for a first one, which shows that they
    /// can be.
    ///
    /// # Errors
    /// [`Absence::Refused`]: everything is as it was.
    pub(super) fn settle(place: Place, bounds: Bounds) -> Result<Arc<Self>, Absence> {
        let groups = Arc::new(Self { place, bounds, children: Mutex::default() });
        groups.divide().and_then(|()| groups.child(Role::Worker)).map_err(|error| {
            groups.put_back();
            groups.sweep();
            Absence::Refused { path: groups.place.path.clone(), why: error.to_string() }
        })?;
        Ok(groups)
    }

    /// Moves a store that was just started into its own.
    ///
    /// # Errors
    /// ESRCH where it has ended, or what else write(2) says.
    pub fn admit_store(&self, pid: u32) -> io::Result<()> {
        fs::write(self.place.path.join(STORE).join(PROCESSES), pid.to_string())
    }

    /// A group for the next child: one that another has left, or a new one.
    ///
    /// # Errors
    /// EAGAIN where the tree may have no more groups, or what else mkdir(2) and write(2) say.
    pub fn child(self: &Arc<Self>, role: Role) -> io::Result<Group> {
        let number = self.children.lock().take(role);
        let number = number.map_or_else(|| self.found(role), Ok)?;
        Ok(Group::new(Arc::clone(self), role, number))
    }

    /// Removes all groups and takes the router back to where it was started. Whoever still lies in one is ended.
    pub async fn leave(&self) {
        let until = Instant::now().checked_add(LEAVE_TIMEOUT);
        for folder in self.folders().into_iter().filter(|folder| !folder.ends_with(ROUTER)) {
            // Kernels before 5.14 have no such file; then whoever is left there keeps its group.
            let _kept = fs::write(folder.join("cgroup.kill"), "1");
        }
        while !self.sweep() && until.is_some_and(|until| Instant::now() < until) {
            sleep(LOOK_EVERY).await;
        }
        self.put_back();
        if !self.sweep() {
            tracing::warn!("some groups are left in {}; the next start removes them", self.place.path.display());
        }
    }

    pub(super) fn folder(&self, role: Role, number: u64) -> PathBuf {
        self.place.path.join(format!("{}{number}", word(role)))
    }

    pub(super) fn take_back(&self, role: Role, number: u64) {
        self.children.lock().free.push((role, number));
    }

    /// The order is the kernel's: whoever lies here moves to a leaf before the leaves get controllers.
    fn divide(&self) -> io::Result<()> {
        let path = &self.place.path;
        self.sweep();
        let (router, store) = (path.join(ROUTER), path.join(STORE));
        make(&router)?;
        fs::write(router.join(PROCESSES), std::process::id().to_string())?;
        fs::write(path.join(CONTROL), signed('+', &self.place.controllers))?;
        make(&store)?;
        weigh_trusted(&router, &store, &self.place.controllers)
    }

    /// The same backwards. What fails leaves more behind than there was, and harms nobody.
    fn put_back(&self) {
        let path = &self.place.path;
        let _left = fs::write(path.join(CONTROL), signed('-', &self.place.controllers));
        let _left = fs::write(path.join(PROCESSES), std::process::id().to_string());
    }

    fn found(&self, role: Role) -> io::Result<u64> {
        loop {
            let number = self.children.lock().count();
            let folder = self.folder(role, number);
            match fs::create_dir(&folder) {
                // Of an earlier farm, with somebody in it who has not ended yet.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => {
                    made?;
                    let bound = self.bounds.bind_child(&folder, &self.place.controllers, role);
                    // One without its bounds is not to be taken for one with them.
                    return bound.map(|()| number).inspect_err(|_| drop(fs::remove_dir(&folder)));
                }
            }
        }
    }

    /// Removes what is empty of ours and of an earlier farm's. Whether nothing is left but the router's own.
    fn sweep(&self) -> bool {
        let left = self.folders().into_iter().filter(|folder| fs::remove_dir(folder).is_err());
        left.filter(|folder| !folder.ends_with(ROUTER)).count() == 0
    }

    fn folders(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.place.path).into_iter().flatten().filter_map(Result::ok);
        entries.map(|entry| entry.path()).filter(|path| is_ours(path)).collect()
    }
}

impl Children {
    fn take(&mut self, role: Role) -> Option<u64> {
        let at = self.free.iter().rposition(|(free, _)| *free == role)?;
        Some(self.free.swap_remove(at).1)
    }

    fn count(&mut self) -> u64 {
        self.next = self.next.saturating_add(1);
        self.next
    }
}

fn word(role: Role) -> &'static str {
    match role {
        Role::Worker => WORKER,
        Role::Builder => BUILDER,
    }
}

fn is_ours(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let number = [WORKER, BUILDER].iter().find_map(|word| name.strip_prefix(word));
    [ROUTER, STORE].contains(&name) || number.is_some_and(|number| number.parse::<u64>().is_ok())
}

fn make(folder: &Path) -> io::Result<()> {
    match fs::create_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// `+memory +pids`.
fn signed(sign: char, controllers: &[&str]) -> String {
    controllers.iter().map(|name| format!("{sign}{name}")).collect::<Vec<_>>().join(" ")
}
