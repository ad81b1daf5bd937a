//! One child's group: taken before its birth, given back when the process is collected.

use std::{
    fs, io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::Arc,
};

use fazt_protocol::spawn::Role;
use rustix::fs::{Mode, OFlags, open};

use super::Groups;

/// A group that holds one child, or will. Dropped, it goes to the next one, unless somebody is left in it.
#[derive(Debug)]
pub struct Group {
    groups: Arc<Groups>,
    pub(super) role: Role,
    pub(super) number: u64,
    path: PathBuf,
    /// Processes that the kernel had ended for its bound before this child.
    kills: u64,
}

impl Group {
    pub(super) fn new(groups: Arc<Groups>, role: Role, number: u64) -> Self {
        let path = groups.folder(role, number);
        let kills = kills(&path);
        Self { groups, role, number, path, kills }
    }

    /// The descriptor by which a child is born into it. Good for nothing else: nothing can be read or written through
    /// it.
    ///
    /// # Errors
    /// What open(2) says.
    pub fn open(&self) -> io::Result<OwnedFd> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(open(&self.path, flags, Mode::empty())?)
    }

    /// Whether this process lies in it, and no other.
    #[must_use]
    pub fn holds(&self, pid: i32) -> bool {
        fs::read_to_string(self.path.join("cgroup.procs")).is_ok_and(|all| all.trim_end() == pid.to_string())
    }

    /// Whether the kernel has ended its child because it had all the memory that it may have. Counted before the signal
    /// is sent, so it is true once the child's end is noticed.
    #[must_use]
    pub fn ran_out(&self) -> bool {
        kills(&self.path) > self.kills
    }

    fn is_empty(&self) -> bool {
        count(&self.path.join("cgroup.events"), "populated") == Some(0)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Nobody is born beside one who lives on; such a group is swept with the others at the end.
        if self.is_empty() {
            self.groups.take_back(self.role, self.number);
        }
    }
}

fn kills(group: &Path) -> u64 {
    // Without the memory controller there is no such file, and nobody is ended.
    count(&group.join("memory.events"), "oom_kill").unwrap_or_default()
}

/// The number behind a word, in a file of a word and a number a line.
fn count(file: &Path, word: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| line.strip_prefix(word)?.strip_prefix(' ')?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_counted_whole() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("memory.events");
        assert_eq!(kills(folder.path()), 0);
        fs::write(&file, "low 0\noom 3\noom_kill 2\noom_group_kill 7\n").unwrap();
        assert_eq!((kills(folder.path()), count(&file, "oom"), count(&file, "oo")), (2, Some(3), None));
    }
}
