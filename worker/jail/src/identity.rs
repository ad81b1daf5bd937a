//! User and group ids: which there are to give, how they are mapped, and how a child takes its own.
//!
//! Started by root, a nest has a range of ids far from those that people and packages use; each child takes the next.
//! Started by anybody else only the caller's own id can be mapped, to 0 inside, and every child keeps it.

use nix::{
    errno::Errno,
    unistd::{Gid, Uid, setgroups, setresgid, setresuid},
};

use crate::error::JailError;

/// The first user and group id, outside, of children of a nest that root started: out of the way of people (below
/// 60,000), of systemd's dynamic users and containers (61,184–65,519 and 524,288–1,879,048,191) and of the sign bit.
pub const ID_BASE: u32 = 1_900_000_000;
/// How many ids the range has.
pub const ID_COUNT: u32 = 65_535;

/// A range of ids as the children see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ids {
    pub(crate) first: u32,
    pub(crate) count: u32,
}

impl Ids {
    /// The id of a slot, one number for user and group.
    fn of(self, slot: u64) -> u32 {
        let offset = slot.checked_rem(u64::from(self.count)).unwrap_or(0);
        self.first.saturating_add(u32::try_from(offset).unwrap_or(0))
    }

    /// Drops every supplementary group. Before the change of uid, which takes away the right to do it.
    pub(crate) fn drop_groups() -> Result<(), JailError> {
        setgroups(&[]).map_err(JailError::Groups)
    }

    /// Takes the slot's ids: real, effective and saved, so that there is no way back. The group first, since the change
    /// of uid takes away the right to change it.
    pub(crate) fn take(self, slot: u64) -> Result<(), JailError> {
        let id = self.of(slot);
        let (uid, gid) = (Uid::from_raw(id), Gid::from_raw(id));
        setresgid(gid, gid, gid).map_err(JailError::Ids)?;
        setresuid(uid, uid, uid).map_err(JailError::Ids)
    }
}

/// Whether the range exists where we stand: inside a rootless container, for one, it does not.
pub(crate) fn range_is_mapped() -> bool {
    ["/proc/self/uid_map", "/proc/self/gid_map"]
        .iter()
        .all(|path| std::fs::read_to_string(path).is_ok_and(|map| covers(&map, ID_BASE, ID_COUNT)))
}

/// Whether one line of an id map holds the whole range. Lines are: first inside, first outside, count.
fn covers(map: &str, first: u32, count: u32) -> bool {
    map.lines().any(|line| {
        let mut fields = line.split_whitespace().map(str::parse::<u64>);
        let (Some(Ok(inside)), Some(Ok(_)), Some(Ok(length))) = (fields.next(), fields.next(), fields.next()) else {
            return false;
        };
        inside <= u64::from(first) && u64::from(first) + u64::from(count) <= inside.saturating_add(length)
    })
}

/// What uid_map and gid_map say for the caller's own id, and the range behind it where there is one.
pub(crate) fn map_text(own: u32, with_range: bool) -> String {
    if with_range { format!("0 {own} 1\n1 {ID_BASE} {ID_COUNT}\n") } else { format!("0 {own} 1\n") }
}

/// An error of the standard library as the kernel's number.
pub(crate) fn errno_of(error: &std::io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_never_share_an_id() {
        let ids = Ids { first: 1, count: ID_COUNT };
        assert_eq!((ids.of(0), ids.of(1), ids.of(u64::from(ID_COUNT) - 1)), (1, 2, ID_COUNT));
        assert_eq!(ids.of(u64::from(ID_COUNT)), 1);
        assert_ne!(ids.of(u64::MAX), ids.of(u64::MAX - 1));
    }

    #[test]
    fn the_range_is_found_in_a_whole_map_alone() {
        assert!(covers("         0          0 4294967295\n", ID_BASE, ID_COUNT));
        assert!(covers("0 1000 1\n1899999999 100000 65536\n", ID_BASE, ID_COUNT));
        assert!(!covers("0 1000 1\n1 100000 65536\n", ID_BASE, ID_COUNT));
        assert!(!covers("1900000001 100000 65536\n", ID_BASE, ID_COUNT));
        assert!(!covers("", ID_BASE, ID_COUNT));
        assert!(!covers("0 0\n", ID_BASE, ID_COUNT));
    }
}
