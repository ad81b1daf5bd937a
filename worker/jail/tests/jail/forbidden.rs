//! Calls that no child may make: a name for each, and how it is made.

use std::ptr;

/// Every call that must end a child, as root and as anybody.
pub(crate) const FORBIDDEN: &[&str] = &[
    "socket",
    "socketpair",
    "connect",
    "bind",
    "open",
    "stat",
    "getdents",
    "ioctl",
    "fcntl",
    "fork",
    "vfork",
    "exec",
    "kill",
    "tgkill-other",
    "tgkill-kill",
    "pidfd",
    "ptrace",
    "prctl",
    "unshare",
    "mount",
    "bpf",
    "io_uring",
    "memfd",
    "userfaultfd",
    "perf",
    "keyctl",
    "setuid",
    "setpriority",
    "sched",
    "prlimit",
    "setsid",
    "uname",
    "getuid",
    "sigaction-term",
    "futex-requeue",
    "futex-wait",
    "futex-pi",
    "sendto-address",
    "sendto-oob",
    "sendto-pages",
    "sendto-signal",
    "recvmsg-oob",
    "recvmsg-peek",
    "recvmsg-wait",
    "mmap-exec",
    "mmap-file",
    "mmap-shared",
    "mmap-none",
    "mmap-fixed",
    "mmap-huge",
    "mmap-locked",
    "mmap-down",
    "mmap-filled",
    "mremap-fixed",
    "mremap-kept",
    "madvise-free",
    "madvise-huge",
    "madvise-merge",
    "mprotect-none",
    "mprotect-down",
    "mprotect-exec",
    "random-blocking",
    "clock-of-another",
    #[cfg(target_arch = "x86_64")]
    "x32",
    #[cfg(target_arch = "x86_64")]
    "int80",
];

/// Makes the call that the jail should end. Returns what the kernel said if it did not.
#[expect(clippy::too_many_lines, reason = "one line a call")]
pub(crate) fn make(call: &str) -> i64 {
    use libc::*;
    let none = ptr::null::<u8>();
    let page = 4096_usize;
    // SAFETY: every pointer is null or to a constant; a call that should die may fail as it likes.
    unsafe {
        match call {
            "socket" => syscall(SYS_socket, AF_INET, SOCK_STREAM, 0),
            "socketpair" => syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, none),
            "connect" => syscall(SYS_connect, 3, none, 0),
            "bind" => syscall(SYS_bind, 3, none, 0),
            "open" => syscall(SYS_openat, AT_FDCWD, c"/".as_ptr(), O_RDONLY),
            "stat" => syscall(SYS_newfstatat, AT_FDCWD, c"/".as_ptr(), none, 0),
            "getdents" => syscall(SYS_getdents64, 0, none, 0),
            "ioctl" => syscall(SYS_ioctl, 0, FIONREAD, none),
            "fcntl" => syscall(SYS_fcntl, 0, F_GETFL),
            "fork" => i64::from(fork()),
            "vfork" => syscall(SYS_clone, CLONE_VFORK | SIGCHLD, none),
            "clone3" => syscall(SYS_clone3, none, 0),
            "exec" => i64::from(execv(c"/proc/self/exe".as_ptr(), [ptr::null()].as_ptr())),
            // Asks only: where the jail does not end it, the machine lives on.
            "kill" => syscall(SYS_kill, 1, 0),
            "tgkill-other" => syscall(SYS_tgkill, 2, 2, SIGABRT),
            "tgkill-kill" => syscall(SYS_tgkill, 1, 1, SIGSTOP),
            "pidfd" => syscall(SYS_pidfd_open, 1, 0),
            "ptrace" => syscall(SYS_ptrace, PTRACE_TRACEME, 0, none, none),
            "prctl" => syscall(SYS_prctl, PR_SET_DUMPABLE, 1),
            "unshare" => syscall(SYS_unshare, CLONE_NEWUSER),
            "mount" => syscall(SYS_mount, none, none, none, 0, none),
            "bpf" => syscall(SYS_bpf, 0, none, 0),
            "io_uring" => syscall(SYS_io_uring_setup, 1, none),
            "memfd" => syscall(SYS_memfd_create, c"x".as_ptr(), 0),
            "userfaultfd" => syscall(SYS_userfaultfd, 0),
            "perf" => syscall(SYS_perf_event_open, none, 0, -1, -1, 0),
            "keyctl" => syscall(SYS_keyctl, 0, 0),
            "setuid" => syscall(SYS_setuid, 0),
            "setpriority" => syscall(SYS_setpriority, PRIO_PROCESS, 0, -5),
            "sched" => syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, none),
            "prlimit" => syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, none, none),
            "setsid" => syscall(SYS_setsid),
            "uname" => syscall(SYS_uname, none),
            "getuid" => syscall(SYS_getuid),
            "sigaction-term" => syscall(SYS_rt_sigaction, SIGTERM, none, none, 8),
            "futex-requeue" => syscall(SYS_futex, none, FUTEX_CMP_REQUEUE, 0, 0, none, 0),
            "futex-wait" => syscall(SYS_futex, none, FUTEX_WAIT, 0, none),
            "futex-pi" => syscall(SYS_futex, none, FUTEX_LOCK_PI, 0, none),
            "sendto-address" => syscall(SYS_sendto, 3, none, 0, MSG_NOSIGNAL, c"x".as_ptr(), 2_usize),
            "sendto-oob" => syscall(SYS_sendto, 3, c"x".as_ptr(), 1, MSG_NOSIGNAL | MSG_OOB, none, 0_usize),
            "sendto-pages" => syscall(SYS_sendto, 3, c"x".as_ptr(), 1, MSG_NOSIGNAL | MSG_ZEROCOPY, none, 0_usize),
            "sendto-signal" => syscall(SYS_sendto, 3, c"x".as_ptr(), 1, 0, none, 0_usize),
            "recvmsg-oob" => syscall(SYS_recvmsg, 3, none, MSG_DONTWAIT | MSG_CMSG_CLOEXEC | MSG_OOB),
            "recvmsg-peek" => syscall(SYS_recvmsg, 3, none, MSG_DONTWAIT | MSG_CMSG_CLOEXEC | MSG_PEEK),
            "recvmsg-wait" => syscall(SYS_recvmsg, 3, none, MSG_CMSG_CLOEXEC),
            "mmap-exec" => {
                syscall(SYS_mmap, none, page, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0_usize)
            }
            "mmap-file" => syscall(SYS_mmap, none, page, PROT_READ, MAP_PRIVATE, 0, 0_usize),
            "mmap-shared" => syscall(SYS_mmap, none, page, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0_usize),
            "mmap-none" => syscall(SYS_mmap, none, page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0_usize),
            "mmap-fixed" | "mmap-huge" | "mmap-locked" | "mmap-down" | "mmap-filled" => {
                let flag = match call {
                    "mmap-fixed" => MAP_FIXED_NOREPLACE,
                    "mmap-huge" => MAP_HUGETLB,
                    "mmap-locked" => MAP_LOCKED,
                    "mmap-down" => MAP_GROWSDOWN,
                    _ => MAP_POPULATE,
                };
                let flags = MAP_PRIVATE | MAP_ANONYMOUS | flag;
                syscall(SYS_mmap, 1_u64 << 40, page, PROT_READ | PROT_WRITE, flags, -1, 0_usize)
            }
            "mremap-fixed" => syscall(SYS_mremap, none, page, page, MREMAP_MAYMOVE | MREMAP_FIXED, 1_u64 << 40),
            "mremap-kept" => syscall(SYS_mremap, none, page, page, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, none),
            "madvise-free" => syscall(SYS_madvise, none, page, MADV_FREE),
            "madvise-huge" => syscall(SYS_madvise, none, page, MADV_HUGEPAGE),
            "madvise-merge" => syscall(SYS_madvise, none, page, MADV_MERGEABLE),
            "mprotect-none" => syscall(SYS_mprotect, none, 0_usize, PROT_NONE),
            "mprotect-down" => syscall(SYS_mprotect, none, 0_usize, PROT_READ | PROT_GROWSDOWN),
            "random-blocking" => syscall(SYS_getrandom, none, 0_usize, GRND_RANDOM),
            "clock-of-another" => syscall(SYS_clock_gettime, !1_i64 << 3 | 2, none),
            "mprotect-exec" => {
                let own = syscall(SYS_mmap, none, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0_usize);
                syscall(SYS_mprotect, own, page, PROT_READ | PROT_EXEC)
            }
            #[cfg(target_arch = "x86_64")]
            "x32" => syscall(SYS_getpid | 0x4000_0000),
            #[cfg(target_arch = "x86_64")]
            "int80" => {
                let outcome: i64;
                // getpid of the 32-bit table.
                std::arch::asm!("int 0x80", inout("rax") 20_i64 => outcome, out("r8") _, out("r9") _, out("r10") _, out("r11") _);
                outcome
            }
            other => panic!("no scenario {other}"),
        }
    }
}
