//! Descriptors that a child process shall have: everything in this process is close-on-exec but for what is named here.

use std::{io, os::fd::OwnedFd};

use rustix::io::{FdFlags, fcntl_setfd};

/// Lets the next child inherit this descriptor under the same number. Drop it right after the child was started, so that no
/// other child gets it too: the router starts children from one thread only.
///
/// # Errors
/// What fcntl(2) says.
pub fn allow(descriptor: &OwnedFd) -> io::Result<()> {
    Ok(fcntl_setfd(descriptor, FdFlags::empty())?)
}
