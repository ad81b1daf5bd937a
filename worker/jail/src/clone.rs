//! Makes a child of the nest: clone3 into a pid namespace of its own.
//!
//! A sibling rather than a child where the nest is to be replaceable: CLONE_PARENT makes the nest's own parent its
//! parent, so the child outlives the nest, and that parent reaps it, through the pidfd that comes with it.

#![expect(unsafe_code, reason = "clone3(2) has no wrapper, and a copied process can have none that is safe")]

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;

use crate::{
    error::JailError,
    layers::Layer,
    ledger::{Ledger, Reason, Strictness},
    nest::Nest,
};

/// Who is to be the parent, and so reaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kin {
    /// The nest's own parent. It hears nothing of the birth: tell it.
    Sibling,
    /// The nest.
    Child,
}

/// Where a clone finds itself.
#[derive(Debug)]
pub enum Born<'nest> {
    /// In the nest: the new process, seen from outside.
    Outside(Offspring),
    /// In the new process. Never return from here to what the nest owns: [`crate::enter`], work, exit.
    Inside(Newborn<'nest>),
}

/// A new process, seen from outside.
#[derive(Debug)]
pub struct Offspring {
    /// Its number in the nest's pid namespace.
    pub pid: i32,
    /// A handle that names this process and no other, ever; close-on-exec.
    pub pidfd: OwnedFd,
}

/// A process that has just been born and is not jailed yet. Only [`clone`] makes one, and [`crate::enter`] takes it.
#[derive(Debug)]
pub struct Newborn<'nest> {
    pub(crate) nest: &'nest Nest,
    pub(crate) ledger: Ledger,
}

/// `struct clone_args` up to the group, which came with Linux 5.7.
#[repr(C)]
#[derive(Default)]
struct Arguments {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// The structure as of its first version, which every kernel that has the call takes.
const FIRST_VERSION_BYTES: usize = std::mem::offset_of!(Arguments, set_tid);
/// The child begins in the group of that descriptor (linux/sched.h); the crate `libc` has it as a signed number only.
const CLONE_INTO_CGROUP: u64 = 1 << 33;

/// Clones the nest. The calling process must have one thread.
///
/// # Errors
/// [`JailError::Clone`]: EAGAIN and ENOMEM where the machine is full, ENOSPC where no pid namespace is left, EPERM where
/// there may be none.
pub fn clone(nest: &Nest, kin: Kin) -> Result<Born<'_>, JailError> {
    clone_into(nest, kin, None)
}

/// As [`clone`], into the control group (version 2) that a descriptor of its folder names. Whoever can write the group's
/// `cgroup.procs` and that of the group above both may do so. Moving a living process costs a hundred times as much.
///
/// # Errors
/// As [`clone`]; EAGAIN too where the group may have no more processes, EACCES where we may not write there.
pub fn clone_into<'nest>(nest: &'nest Nest, kin: Kin, group: Option<BorrowedFd<'_>>) -> Result<Born<'nest>, JailError> {
    let mut ledger = nest.ledger().clone();
    let mut wanted = 0;
    ledger.step(Layer::PidNamespace, || {
        wanted = libc::CLONE_NEWPID;
        Ok(())
    })?;
    let born = match clone_with(wanted, kin, group) {
        Err(errno @ (Errno::EPERM | Errno::EINVAL | Errno::ENOSPC))
            if wanted != 0 && ledger.strictness() == Strictness::BestEffort =>
        {
            ledger.lacks(Layer::PidNamespace, Reason::Refused(errno));
            clone_with(0, kin, group)
        }
        born => born,
    };
    Ok(match born.map_err(JailError::Clone)? {
        Some(offspring) => Born::Outside(offspring),
        None => Born::Inside(Newborn { nest, ledger }),
    })
}

/// `None` is the new process.
fn clone_with(namespaces: i32, kin: Kin, group: Option<BorrowedFd<'_>>) -> Result<Option<Offspring>, Errno> {
    let (kinship, exit_signal) = match kin {
        // The kernel refuses a signal here: the child takes over the nest's own, which its parent chose.
        Kin::Sibling => (libc::CLONE_PARENT, 0),
        Kin::Child => (0, libc::SIGCHLD),
    };
    let mut pidfd: RawFd = -1;
    let mut arguments = Arguments {
        flags: u64::from((libc::CLONE_PIDFD | kinship | namespaces).cast_unsigned()),
        pidfd: (&raw mut pidfd).expose_provenance() as u64,
        exit_signal: u64::from(exit_signal.cast_unsigned()),
        ..Arguments::default()
    };
    let mut size = FIRST_VERSION_BYTES;
    if let Some(group) = group {
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = u64::from(group.as_raw_fd().cast_unsigned());
        size = size_of::<Arguments>();
    }
    // SAFETY: without CLONE_VM and with no stack given this is fork(2): the child has a copy of everything, and of the
    // only thread. The structure and the place for the pidfd live until the call returns.
    let outcome = match Errno::result(unsafe { libc::syscall(libc::SYS_clone3, &raw mut arguments, size) }) {
        // Containers refuse clone3(2) so, whose arguments no filter can read, and let through what clone(2) may do.
        Err(Errno::ENOSYS) if group.is_none() => {
            let flags = arguments.flags | arguments.exit_signal;
            // SAFETY: as above; of the five arguments the third is the place for the pidfd.
            Errno::result(unsafe { libc::syscall(libc::SYS_clone, flags, 0_u64, &raw mut pidfd, 0_u64, 0_u64) })
        }
        outcome => outcome,
    };
    match outcome? {
        0 => Ok(None),
        pid => {
            // SAFETY: the kernel has just opened it for us, and nobody else knows the number.
            let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
            Ok(Some(Offspring { pid: i32::try_from(pid).unwrap_or_default(), pidfd }))
        }
    }
}
