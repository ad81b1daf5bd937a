//! The end of a child, waited for no longer than a test has patience.

use std::os::fd::{AsFd, BorrowedFd};

use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::wait::{Id, WaitPidFlag, WaitStatus, waitid},
};

/// How long a step may take before the test has failed.
pub(crate) const PATIENCE_MS: u16 = 10_000;

/// Whether the process ends within so long; it stays to be reaped.
pub(crate) fn ends_within(pidfd: BorrowedFd<'_>, milliseconds: u16) -> bool {
    poll(&mut [PollFd::new(pidfd, PollFlags::POLLIN)], PollTimeout::from(milliseconds)) == Ok(1)
}

/// Waits for its end and reaps it, as only its parent can: how it ended, or in words that it does not.
pub(crate) fn reap(pidfd: &impl AsFd) -> Result<WaitStatus, String> {
    if !ends_within(pidfd.as_fd(), PATIENCE_MS) {
        return Err(format!("it did not end within {PATIENCE_MS} ms"));
    }
    waitid(Id::PIDFd(pidfd.as_fd()), WaitPidFlag::WEXITED).map_err(|errno| errno.to_string())
}
