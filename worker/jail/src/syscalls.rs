//! The system calls that a jailed process may make, each with its reason. All others end it.
//!
//! The list itself is `syscalls.json` beside `Cargo.toml`, one entry a permission, with the reason for each and for each
//! bound on an argument; it is in the form that seccompiler reads. The build takes it in, `filter.rs` compiles it, once,
//! before the first child. Deliberately absent: everything that opens, makes, runs or names something (open, socket,
//! connect, bind, execve, fork, clone, kill, ptrace, memfd_create, userfaultfd, bpf, io_uring …), everything that changes
//! how others are scheduled, and prctl. clone3 is answered with ENOSYS.

use libc::c_long;

/// A bound on one argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Argument {
    /// The 32-bit argument has this value.
    Is(u32),
    /// The 32-bit argument, masked by the first, has the second value.
    Masked(u32, u32),
    /// The 64-bit argument has this value: a pointer is null, flags that the kernel keeps in 64 bits have none above 32.
    Whole(u32),
}

/// One permission: a call, where an argument is bound its position (from 0) and bound, and why it is needed.
#[derive(Debug, Clone, Copy)]
pub struct Allowed {
    /// The call's name, as strace(1) has it.
    pub name: &'static str,
    /// Its number on this machine.
    pub number: c_long,
    /// What its arguments must be, all of it. A call that is listed twice may be made either way.
    pub only: &'static [(u8, Argument)],
    /// Why a jailed process cannot do without.
    pub reason: &'static str,
}

/// The list for this machine.
pub const ALLOWED: &[Allowed] = include!(concat!(env!("OUT_DIR"), "/syscalls.rs"));

/// The list of the process that owns the data folder: files, threads and what came to it by message, but no new socket, no
/// program, no other process. What is not on it fails with EPERM: nothing hostile runs there unless it was captured, and a
/// rare call that nobody foresaw must not cost the data's only owner its life.
pub const STORE_ALLOWED: &[Allowed] = include!(concat!(env!("OUT_DIR"), "/store-syscalls.rs"));

impl Argument {
    /// Whether an argument keeps to it.
    #[must_use]
    pub const fn holds(self, argument: u64) -> bool {
        match self {
            Self::Is(value) => argument as u32 == value,
            Self::Masked(mask, value) => argument as u32 & mask == value,
            Self::Whole(value) => argument == value as u64,
        }
    }
}

impl Allowed {
    /// Whether this permits the call of that number with these arguments.
    #[must_use]
    pub fn permits(&self, number: c_long, arguments: &[u64; 6]) -> bool {
        let argument = |position: u8| arguments.get(usize::from(position)).copied().unwrap_or_default();
        self.number == number && self.only.iter().all(|(position, bound)| bound.holds(argument(*position)))
    }
}
