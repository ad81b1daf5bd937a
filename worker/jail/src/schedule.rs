//! Gives a process a time slice of its own length.
//!
//! A longer slice for those who compute means that whoever is woken between two of them runs sooner: with 20 ms for the
//! children and the default for everybody else, the tail under runaways fell to a third. Anybody may ask for it.

#![expect(unsafe_code, reason = "sched_setattr(2) has no wrapper")]

use std::time::Duration;

use nix::errno::Errno;
use rustix::process::getpriority_process;

/// `struct sched_attr` as of its first version, which every kernel takes.
#[repr(C)]
#[derive(Default)]
struct Attributes {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    runtime_ns: u64,
    deadline_ns: u64,
    period_ns: u64,
}

/// Sets the slice of the calling thread under the ordinary policy; its children inherit it. Kernels before 6.12 take the
/// call and do nothing.
///
/// # Errors
/// What sched_setattr(2) says.
pub(crate) fn set_slice(slice: Duration) -> Result<(), Errno> {
    let attributes = Attributes {
        size: u32::try_from(size_of::<Attributes>()).unwrap_or(0),
        policy: libc::SCHED_OTHER.unsigned_abs(),
        // The call sets both; an ordinary process that names a lower value than it has is refused.
        nice: getpriority_process(None).unwrap_or(0),
        runtime_ns: u64::try_from(slice.as_nanos()).unwrap_or(u64::MAX),
        ..Attributes::default()
    };
    // SAFETY: the kernel reads `size` bytes of a structure that lives until the call returns.
    let outcome = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
    Errno::result(outcome).map(drop)
}
