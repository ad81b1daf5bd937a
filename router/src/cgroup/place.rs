//! Where this process lies among the kernel's control groups (version 2), and whether what is below is its own to
//! divide.
//!
//! Looks and changes nothing. A group is ours where we may write in it, nobody else lies in it, and it is not one that
//! a service manager keeps for itself: systemd rewrites the groups that it has not delegated whenever it likes.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{Access, access, getxattr},
    process::geteuid,
};

/// What we use, in the order in which it is told.
const WANTED: [&str; 3] = ["memory", "pids", "cpu"];
/// How systemd marks a group that it has delegated: the first since version 251, the second before, which root alone
/// reads.
const MARKS: [&str; 2] = ["user.delegate", "trusted.delegate"];
/// There where systemd is the machine's service manager.
const SYSTEMD: &str = "/run/systemd/system";

/// A group that is ours to divide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its folder.
    pub path: PathBuf,
    /// The controllers that it offers, of those that we use.
    pub controllers: Vec<&'static str>,
}

/// Why there are no groups for workers and store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Absence {
    /// The kernel has no such hierarchy, or none is mounted where we can see it.
    #[error("no cgroup v2 hierarchy is mounted here")]
    Unmounted,
    /// As in a container that sees the machine's groups and lies elsewhere.
    #[error("our group {0} lies outside of the cgroup v2 hierarchy that is mounted here")]
    Outside(String),
    /// The root group of a machine whose controllers are bound to version 1.
    #[error(
        "no controllers: this machine's cgroup v2 hierarchy has none of memory, pids and cpu (cgroup v1 has them?)"
    )]
    OldController,
    /// The root group is the machine's.
    #[error("not delegated: we lie in the machine's root group")]
    Root,
    /// We may not write in it, or a service manager keeps it.
    #[error("not delegated: {} is not ours to divide", .0.display())]
    Foreign(PathBuf),
    /// The kernel gives controllers to none but the leaves of the tree, so processes beside us would have to move too.
    #[error("not delegated: other processes lie in {} beside us", .0.display())]
    Shared(PathBuf),
    /// There is nothing to limit with.
    #[error("no controllers: {} is ours, and offers none of memory, pids and cpu", .0.display())]
    Bare(PathBuf),
    /// The kernel refused something on the way.
    #[error("failed to divide {}: {why}", path.display())]
    Refused {
        /// The group.
        path: PathBuf,
        /// What the kernel said.
        why: String,
    },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}", self.controllers.join(", "), self.path.display())?;
        let missing: Vec<_> = WANTED.into_iter().filter(|name| !self.controllers.contains(name)).collect();
        if missing.is_empty() { Ok(()) } else { write!(f, " (not delegated: {})", missing.join(", ")) }
    }
}

impl Absence {
    /// How an operator gets what is missing.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Unmounted | Self::Outside(_) => {
                "mount it at /sys/fs/cgroup, in a container in a namespace of its own"
            }
            Self::OldController => "start the machine with systemd.unified_cgroup_hierarchy=1",
            Self::Root | Self::Foreign(_) | Self::Shared(_) | Self::Bare(_) | Self::Refused { .. } => {
                "start it by systemd, with Delegate=yes under [Service] in its unit (scripts/fazt-router.service)"
            }
        }
    }
}

/// The group that this process lies in, where it can be divided.
///
/// # Errors
/// [`Absence`], in words for operators.
pub fn find() -> Result<Place, Absence> {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let groups = read("/proc/self/cgroup");
    let own = own_group(&groups).ok_or(Absence::Unmounted)?;
    examine(locate(&read("/proc/self/mountinfo"), own)?)
}

/// The path of the line of version 2, which has the number 0 and names no controllers.
fn own_group(text: &str) -> Option<&str> {
    text.lines().find_map(|line| line.strip_prefix("0::"))
}

/// The folder of a group. A mount may show a part of the hierarchy only, and there may be several.
fn locate(mounts: &str, own: &str) -> Result<PathBuf, Absence> {
    let mut seen = mounts.lines().filter_map(mount).peekable();
    if seen.peek().is_none() {
        return Err(Absence::Unmounted);
    }
    let below = |(root, point): (PathBuf, PathBuf)| Some(point.join(Path::new(own).strip_prefix(root).ok()?));
    // A path with `..` leads out of our namespace of groups.
    let inside = !Path::new(own).components().any(|part| part == std::path::Component::ParentDir);
    let found = if inside { seen.find_map(below) } else { None };
    found.ok_or_else(|| Absence::Outside(own.to_owned()))
}

/// Root and mount point of a line of mountinfo, where it is one of this hierarchy: number, parent, device, root, point,
/// options, any number of tags, a dash, type.
fn mount(line: &str) -> Option<(PathBuf, PathBuf)> {
    let (front, back) = line.split_once(" - ")?;
    let mut fields = front.split(' ').skip(3);
    let (root, point) = (fields.next()?, fields.next()?);
    (back.split(' ').next()? == "cgroup2").then(|| (unescape(root), unescape(point)))
}

/// The kernel writes blanks, tabs, line ends and backslashes of paths as three octal digits.
fn unescape(text: &str) -> PathBuf {
    let escapes = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")];
    escapes.iter().fold(text.to_owned(), |text, (escape, plain)| text.replace(escape, plain)).into()
}

fn examine(path: PathBuf) -> Result<Place, Absence> {
    let read = |name: &str| fs::read_to_string(path.join(name)).unwrap_or_default();
    let offered = read("cgroup.controllers");
    let controllers: Vec<_> =
        WANTED.into_iter().filter(|name| offered.split_whitespace().any(|one| one == *name)).collect();
    // Every group but the root of the machine has a type.
    if !path.join("cgroup.type").exists() {
        return Err(if controllers.is_empty() { Absence::OldController } else { Absence::Root });
    }
    if !is_ours(&path) {
        return Err(Absence::Foreign(path));
    }
    let own = std::process::id().to_string();
    if read("cgroup.procs").lines().any(|pid| pid != own) {
        return Err(Absence::Shared(path));
    }
    if controllers.is_empty() { Err(Absence::Bare(path)) } else { Ok(Place { path, controllers }) }
}

/// Whether we may write there; and, as root, who may write everywhere, whether systemd has left it to us.
fn is_ours(path: &Path) -> bool {
    let needed = ["", "cgroup.procs", "cgroup.subtree_control"];
    let writable = needed.iter().all(|name| access(path.join(name), Access::WRITE_OK).is_ok());
    let kept = geteuid().is_root() && Path::new(SYSTEMD).exists() && !is_marked(path);
    writable && !kept
}

fn is_marked(path: &Path) -> bool {
    let mut value = [0_u8; 1];
    MARKS.iter().any(|mark| getxattr(path, *mark, &mut value[..]) == Ok(1) && value == *b"1")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "24 1 0:22 / / rw - ext4 /dev/vda rw\n\
        30 24 0:26 / /sys/fs/cgroup ro,nosuid shared:9 - tmpfs tmpfs ro\n\
        31 30 0:27 / /sys/fs/cgroup/memory rw shared:10 - cgroup cgroup rw,memory\n\
        32 30 0:28 / /sys/fs/cgroup/unified rw,nosuid shared:10 master:2 - cgroup2 cgroup2 rw,nsdelegate\n";

    #[test]
    fn the_group_is_the_line_without_controllers() {
        assert_eq!(
            own_group("8:pids:/a\n1:name=systemd:/b\n0::/system.slice/x.service\n"),
            Some("/system.slice/x.service")
        );
        assert_eq!(own_group("0::/\n"), Some("/"));
        assert_eq!(own_group("10::/c\n8:pids:/a\n"), None);
        assert_eq!(own_group(""), None);
    }

    #[test]
    fn a_folder_is_found_below_its_mount() {
        let unified = Path::new("/sys/fs/cgroup/unified");
        assert_eq!(locate(MOUNTS, "/system.slice/x.service"), Ok(unified.join("system.slice/x.service")));
        assert_eq!(locate(MOUNTS, "/"), Ok(unified.to_owned()));
        assert_eq!(locate("", "/"), Err(Absence::Unmounted));
        assert_eq!(locate(MOUNTS.lines().next().unwrap(), "/"), Err(Absence::Unmounted));
        assert_eq!(locate(MOUNTS, "/../other"), Err(Absence::Outside("/../other".to_owned())));
    }

    #[test]
    fn a_mount_may_show_a_part_only() {
        let part = "40 1 0:28 /a\\040b/c /groups rw - cgroup2 none rw\n";
        assert_eq!(locate(part, "/a b/c/d"), Ok("/groups/d".into()));
        assert_eq!(locate(part, "/a b/cd"), Err(Absence::Outside("/a b/cd".to_owned())));
        assert_eq!(locate(&format!("{part}{MOUNTS}"), "/a b/cd"), Ok("/sys/fs/cgroup/unified/a b/cd".into()));
    }

    #[test]
    fn lines_that_are_none_are_passed_over() {
        for line in ["", "1", "1 2 3 / /x rw", "1 2 3 - cgroup2 x rw", "1 2 3 / /x rw - cgroup2fs x rw"] {
            assert_eq!(mount(line), None, "{line}");
        }
        assert_eq!(mount("1 2 0:1 / /x\\134040 rw - cgroup2 x rw"), Some(("/".into(), "/x\\040".into())));
    }

    #[test]
    fn a_folder_that_is_no_group_is_nobodys() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(examine(folder.path().to_owned()), Err(Absence::OldController));
        fs::write(folder.path().join("cgroup.controllers"), "cpuset cpu io\n").unwrap();
        assert_eq!(examine(folder.path().to_owned()), Err(Absence::Root));
    }
}
