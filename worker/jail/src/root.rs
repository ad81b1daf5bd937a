//! Moves the process into an empty, read-only root.
//!
//! Ten calls in one order, after Firecracker's jailer. Needs a mount namespace of its own; afterwards no path names
//! anything, so whatever the children need from files must be open or read by then.

use nix::{
    errno::Errno,
    mount::{MntFlags, MsFlags, mount, umount2},
    unistd::{chdir, pivot_root},
};

use crate::error::JailError;

/// Where the new root is mounted for a moment: a folder that every machine has and that this process has no use for
/// afterwards.
const STEP: &str = "/proc";

/// See the module. Leaves the working folder at the new root.
pub(crate) fn empty() -> Result<(), JailError> {
    change_root().map_err(JailError::EmptyRoot)
}

fn change_root() -> Result<(), Errno> {
    // Nothing that is mounted here may show in the namespace that this one was copied from, or pivot_root refuses.
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)?;
    // The new root: nothing can be made in it, run from it, or opened as a device; one inode is its folder.
    let flags = MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("none"), STEP, Some("tmpfs"), flags, Some("size=4k,nr_inodes=1,mode=0555"))?;
    // pivot_root wants the new root to be a place we can stand in.
    chdir(STEP)?;
    // The same folder twice stacks the old root on the new one, so no folder has to exist to put it in.
    pivot_root(".", ".")?;
    // The old root is on top: let go of it, and of everything below it.
    umount2(".", MntFlags::MNT_DETACH)?;
    // The working folder still points into what was let go.
    chdir("/")
}
