//! What the caller of the jail decides: which descriptors stay, which ids, how much of everything.
//!
//! Plain values. What cannot be decided (the layers themselves) is not here.

use std::{os::fd::BorrowedFd, time::Duration};

/// How one process is jailed.
#[derive(Debug, Clone)]
pub struct Policy<'a> {
    /// The descriptors that stay open. 0, 1 and 2 become /dev/null in any case; all others are closed.
    pub keep: &'a [BorrowedFd<'a>],
    /// Which of the [`ID_COUNT`](crate::ID_COUNT) ids it gets where root started the nest: slots that differ by less than that differ in
    /// their id. Give each process the next number.
    pub slot: u64,
    /// Its bounds for life.
    pub limits: Limits,
    /// Its time slice: how long it runs before others of the same weight take their turn (kernel 6.12 and later).
    pub slice: Duration,
}

/// Bounds that the kernel keeps for the life of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// RLIMIT_AS, in bytes: everything mapped, the program itself included.
    pub address_space_bytes: u64,
    /// RLIMIT_DATA, in bytes: everything mapped that can be written and is nobody else's, the stack apart. What a process can make
    /// the machine give it.
    pub data_bytes: u64,
    /// RLIMIT_CPU, in seconds for the whole life: process 1 of a namespace ignores SIGXCPU, so only the hard value
    /// counts, and it kills.
    pub cpu_seconds: u64,
    /// RLIMIT_STACK, in bytes, for the only thread. At most 128 MiB, the gap that every layout leaves below the stack.
    pub stack_bytes: u64,
}
