//! Ties a process to the life of the one that started it.
//!
//! Death of the parent is a SIGKILL from the kernel: nothing in the process has to run, so a stuck or captured one goes
//! too. The signal follows the parent's *thread*: who starts a process that calls this must do so from a thread that
//! never ends. There is a gap between birth and prctl in which the parent may die; both functions look again after it.

use std::os::fd::BorrowedFd;

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{prctl::set_pdeathsig, signal::Signal},
    unistd::{Pid, getppid},
};

use crate::error::JailError;

/// For a process that shares its parent's pid namespace: dies with it from now on.
///
/// # Errors
/// [`JailError::Orphaned`] where the parent is not the process `parent` any more.
pub fn die_with_parent(parent: i32) -> Result<(), JailError> {
    set_pdeathsig(Signal::SIGKILL).map_err(JailError::ParentDeath)?;
    if getppid() == Pid::from_raw(parent) { Ok(()) } else { Err(JailError::Orphaned) }
}

/// For a process in a pid namespace of its own, where getppid() is always 0: liveness is asked of an inherited pidfd,
/// which becomes readable when its process ends.
pub(crate) fn die_with_holder(pidfd: BorrowedFd<'_>) -> Result<(), JailError> {
    set_pdeathsig(Signal::SIGKILL).map_err(JailError::ParentDeath)?;
    let mut watched = [PollFd::new(pidfd, PollFlags::POLLIN)];
    loop {
        match poll(&mut watched, PollTimeout::ZERO) {
            Ok(0) => return Ok(()),
            Ok(_) => return Err(JailError::Orphaned),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(JailError::ParentDeath(errno)),
        }
    }
}
