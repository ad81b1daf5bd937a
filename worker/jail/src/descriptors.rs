//! Closes every descriptor that was not handed over.
//!
//! 0, 1 and 2 become /dev/null rather than nothing: the next descriptor received would take their place, and a panic's
//! message on 2 would be written into a conversation.

#![expect(
    unsafe_code,
    reason = "close_range and dup2 onto fixed numbers have no safe wrapper that leaves ownership alone"
)]

use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

use nix::errno::Errno;

use crate::error::JailError;

/// Leaves `keep` and three times `null` open and nothing else. Owners of other descriptors hold dead numbers afterwards:
/// whoever calls this must not return to them.
pub(crate) fn keep_only(null: BorrowedFd<'_>, keep: &[BorrowedFd<'_>]) -> Result<(), JailError> {
    for standard in 0..=2 {
        // SAFETY: both are plain numbers; what was open at 0, 1 and 2 is owned by nobody in this process.
        Errno::result(unsafe { libc::dup2(null.as_raw_fd(), standard) }).map_err(JailError::Descriptors)?;
    }
    close_others(keep)
}

/// Closes every descriptor above 2 that is not among `keep`, whoever believes to own it: only for a process that has just
/// started, or that will never return to what it owned.
///
/// # Errors
/// [`JailError::Descriptors`], on a kernel without close_range(2).
pub fn close_others(keep: &[BorrowedFd<'_>]) -> Result<(), JailError> {
    let mut kept: Vec<RawFd> = keep.iter().map(AsRawFd::as_raw_fd).filter(|number| *number > 2).collect();
    kept.sort_unstable();
    let mut first = 3;
    for number in kept {
        if first < number {
            close_between(first, number - 1)?;
        }
        first = number + 1;
    }
    close_between(first, RawFd::MAX)
}

/// Closes every open descriptor from `first` to `last`, both included.
fn close_between(first: RawFd, last: RawFd) -> Result<(), JailError> {
    // SAFETY: no memory is involved; see keep_only for who may hold these numbers.
    let outcome = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
    Errno::result(outcome).map(drop).map_err(JailError::Descriptors)
}
