//! Builds the filter of system calls once, and installs it in each child.
//!
//! The filter looks at the architecture first, so the 32-bit entry (int 0x80) is a killed process; numbers of the x32
//! kind are on no list. The kernel remembers which numbers pass whatever their arguments, so those cost nothing.

#![expect(unsafe_code, reason = "seccomp(2) takes the program by pointer")]

use nix::errno::Errno;

use crate::{
    error::JailError,
    filter::{self, Filter},
    syscalls::{ALLOWED, STORE_ALLOWED},
};

/// In the nest, for all its children.
pub(crate) fn compile() -> Result<Filter, JailError> {
    filter::compile(ALLOWED).map_err(|_| JailError::Seccomp(Errno::E2BIG))
}

/// The same but for one line, by its place, to see what needs it.
#[cfg(feature = "ablation")]
pub(crate) fn compile_without(place: Option<usize>) -> Result<Filter, JailError> {
    let rest = ALLOWED.iter().enumerate().filter(|(number, _)| Some(*number) != place).map(|(_, allowed)| allowed);
    filter::compile(rest).map_err(|_| JailError::Seccomp(Errno::E2BIG))
}

/// The list of the process that owns the data folder.
pub(crate) fn compile_for_store() -> Result<Filter, JailError> {
    let refuse = libc::SECCOMP_RET_ERRNO | libc::EPERM.cast_unsigned();
    filter::compile_or(STORE_ALLOWED, refuse).map_err(|_| JailError::Seccomp(Errno::E2BIG))
}

/// The last step of all: from here on the list holds.
pub(crate) fn install(Filter(program): &Filter) -> Result<(), JailError> {
    let length = u16::try_from(program.len()).map_err(|_| JailError::Seccomp(Errno::E2BIG))?;
    let program = libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut() };
    // SAFETY: the kernel copies `len` instructions, which live until the call returns, and writes to none.
    let outcome = unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program) };
    Errno::result(outcome).map(drop).map_err(JailError::Seccomp)
}

#[cfg(test)]
#[path = "seccomp_tests.rs"]
mod tests;
