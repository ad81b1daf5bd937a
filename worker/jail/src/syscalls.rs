//! The system calls that a jailed process may make, each with its reason. All others end it.
//!
//! Data only; `filter.rs` compiles it. Deliberately absent: everything that opens, makes, runs or names something
//! (open, socket, connect, bind, execve, fork, clone, kill, ptrace, memfd_create, userfaultfd, bpf, io_uring …),
//! everything that changes how others are scheduled, and prctl. clone3 is answered with ENOSYS.

use libc::c_long;

/// A bound on one argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Argument {
    /// The 32-bit argument has this value.
    Is(u32),
    /// The 32-bit argument, masked by the first, has the second value.
    Masked(u32, u32),
    /// The 64-bit argument is zero, a null pointer for one.
    Zero,
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

macro_rules! allowed {
    ($($name:ident $number:ident [$($only:expr),*] $reason:literal)*) => {
        /// The list.
        pub const ALLOWED: &[Allowed] = &[$(Allowed {
            name: stringify!($name), number: libc::$number, only: &[$($only),*], reason: $reason,
        }),*];
    };
}

const EXEC: u32 = libc::PROT_EXEC.cast_unsigned();
const ANONYMOUS: u32 = libc::MAP_ANONYMOUS.cast_unsigned();
/// The operation of futex(2) without its two flags (private, real-time clock).
const FUTEX_OPERATION: u32 = 0x7f;

use Argument::{Is, Masked, Zero};

allowed! {
    // Conversations. All descriptors came by inheritance or by message.
    read SYS_read [] "bytes of a conversation"
    write SYS_write [] "bytes of a conversation; a panic's message to /dev/null"
    readv SYS_readv [] "a frame in several pieces"
    writev SYS_writev [] "a frame in several pieces"
    recvfrom SYS_recvfrom [(4, Zero), (5, Zero)] "bytes of a conversation; nobody's address is asked for"
    sendto SYS_sendto [(4, Zero), (5, Zero)] "bytes of a conversation, without SIGPIPE; no address can be given"
    recvmsg SYS_recvmsg [] "the op descriptor comes beside a message"
    sendmsg SYS_sendmsg [] "a frame with MSG_NOSIGNAL; a descriptor sent this way is dropped by who receives it"
    ppoll SYS_ppoll [] "waits with a deadline"
    close SYS_close [] "an op descriptor that was replaced"
    fcntl SYS_fcntl [(1, Is(GETFD))] "a build with assertions looks whether a descriptor is open before it closes it"

    // Memory: never executable, never a file.
    brk SYS_brk [] "the allocator of the C library"
    mmap SYS_mmap [(2, Masked(EXEC, 0)), (3, Masked(ANONYMOUS, ANONYMOUS))] "memory for the heap and for big buffers"
    mprotect SYS_mprotect [(2, Masked(EXEC, 0))] "the tracker of written pages protects the arena"
    munmap SYS_munmap [] "memory given back"
    mremap SYS_mremap [] "a buffer that grows"
    madvise SYS_madvise [] "pages of a grown heap given back"

    // Time and chance.
    clock_gettime SYS_clock_gettime [] "clocks where the vDSO cannot answer: the CPU clock, some virtual machines"
    clock_nanosleep SYS_clock_nanosleep [] "a timer of the app while nothing else is awaited"
    gettimeofday SYS_gettimeofday [] "the engine's clock where the vDSO cannot answer"
    getrandom SYS_getrandom [] "seeds, afresh for each request"

    // Faults. A crash must look like one from outside, not like a forbidden call.
    rt_sigreturn SYS_rt_sigreturn [] "the way out of the page tracker's signal handler"
    rt_sigaction SYS_rt_sigaction [(0, Is(SEGV))] "the page tracker's handler, and a real crash handed on"
    rt_sigaction SYS_rt_sigaction [(0, Is(BUS))] "a real crash handed on to its default"
    rt_sigaction SYS_rt_sigaction [(0, Is(ABRT))] "abort(3) restores the default action"
    rt_sigprocmask SYS_rt_sigprocmask [] "abort(3) unblocks its signal"
    sigaltstack SYS_sigaltstack [] "the stack of the signal handlers, set and at exit released"
    getpid SYS_getpid [] "abort(3) names itself"
    gettid SYS_gettid [] "abort(3) names itself"
    tgkill SYS_tgkill [(0, Is(1)), (1, Is(1)), (2, Is(ABRT))] "abort(3): process 1, which each child is to itself, to itself"

    // Waiting within the process, and being stopped and continued by the router.
    futex SYS_futex [(1, Masked(FUTEX_OPERATION, WAIT))] "locks of the standard library"
    futex SYS_futex [(1, Masked(FUTEX_OPERATION, WAKE))] "locks of the standard library"
    futex SYS_futex [(1, Masked(FUTEX_OPERATION, WAIT_BITSET))] "locks of the standard library, with a deadline"
    futex SYS_futex [(1, Masked(FUTEX_OPERATION, WAKE_BITSET))] "locks of the standard library"
    restart_syscall SYS_restart_syscall [] "a wait that SIGSTOP and SIGCONT interrupted"

    exit SYS_exit [] "the end of the thread"
    exit_group SYS_exit_group [] "the end of the process"
}

/// Calls that only this architecture has; newer ones have their successors alone.
#[cfg(target_arch = "x86_64")]
pub const ALLOWED_HERE: &[Allowed] =
    &[Allowed { name: "poll", number: libc::SYS_poll, only: &[], reason: "waits with a deadline" }];
/// Calls that only this architecture has.
#[cfg(not(target_arch = "x86_64"))]
pub const ALLOWED_HERE: &[Allowed] = &[];

const GETFD: u32 = libc::F_GETFD.cast_unsigned();
const SEGV: u32 = libc::SIGSEGV.cast_unsigned();
const BUS: u32 = libc::SIGBUS.cast_unsigned();
const ABRT: u32 = libc::SIGABRT.cast_unsigned();
const WAIT: u32 = libc::FUTEX_WAIT.cast_unsigned();
const WAKE: u32 = libc::FUTEX_WAKE.cast_unsigned();
const WAIT_BITSET: u32 = libc::FUTEX_WAIT_BITSET.cast_unsigned();
const WAKE_BITSET: u32 = libc::FUTEX_WAKE_BITSET.cast_unsigned();
