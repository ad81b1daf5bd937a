//! What a jailed child does in each scenario. Says `survived` where a call should have ended it.

use std::{
    collections::hash_map::RandomState, fs::File, hash::BuildHasher, hint::black_box, io::Write, os::fd::OwnedFd,
    panic::catch_unwind, ptr,
};

use fazt_jail::Jailed;
use rustix::{
    event::{PollFd, PollFlags, poll},
    time::Timespec,
};

use crate::router::PATIENCE_MS;

pub(crate) fn tell(out: &mut File, line: &str) {
    out.write_all(format!("{line}\n").as_bytes()).unwrap();
}

/// Returns the exit status of the child.
pub(crate) fn act(jailed: &Jailed, scenario: &str, hold: OwnedFd, mut out: File) -> i32 {
    tell(&mut out, &format!("layers {}", jailed.layers().bits()));
    match scenario {
        "many" => tell(&mut out, &format!("hash {}", RandomState::new().hash_one(1))),
        "look" => wait(hold, &mut out, "look now"),
        "orphan" => {
            tell(&mut out, "wait for ever");
            // Not on the router: its closed end must not be what ends this.
            rest(PATIENCE_MS.into());
        }
        "deeper" => deeper(&mut out),
        "pause" => {
            tell(&mut out, "pause me");
            rest(300);
            tell(&mut out, "went on");
        }
        "panic" => return if catch_unwind(|| panic!("on purpose")).is_err() { 101 } else { 0 },
        "abort" => std::process::abort(),
        "crash" => crash(),
        "spin" => spin(),
        "recurse" => tell(&mut out, &format!("depth {}", recurse(0))),
        "local-time" => tell(&mut out, &format!("zone-offset {}", local_offset())),
        "memory" => memory(&mut out),
        call => {
            let outcome = forbidden(call);
            tell(&mut out, &format!("survived {call} {outcome} {}", nix::errno::Errno::last_raw()));
        }
    }
    7
}

/// What stands behind the list of calls, where the kernel has no such list.
fn deeper(out: &mut File) {
    use std::os::fd::FromRawFd;
    let mut told = |what: &str, outcome: i64| {
        let errno = if outcome < 0 { nix::errno::Errno::last().to_string() } else { format!("gave {outcome}") };
        tell(out, &format!("{what} {}", errno.split(':').next().unwrap()));
    };
    // An address of any kind would do: landlock answers before it is looked at.
    let address = libc::sockaddr_in {
        sin_family: libc::AF_INET.try_into().unwrap(),
        sin_port: 8080_u16.to_be(),
        sin_addr: libc::in_addr { s_addr: 0 },
        sin_zero: [0; 8],
    };
    // SAFETY: the pointers live through their calls, and the one descriptor that is made is ours.
    unsafe {
        told("dumpable", libc::prctl(libc::PR_GET_DUMPABLE).into());
        told("root", libc::open(c"/".as_ptr(), libc::O_RDONLY).into());
        let socket = libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0);
        let length = size_of::<libc::sockaddr_in>().try_into().unwrap();
        told("bind", libc::bind(socket, (&raw const address).cast(), length).into());
        drop(OwnedFd::from_raw_fd(socket));
        told("groups", libc::getgroups(0, ptr::null_mut()).into());
        told("parent", libc::getppid().into());
        told("fork", libc::fork().into());
    }
}

fn wait(hold: OwnedFd, out: &mut File, line: &str) {
    tell(out, line);
    // Nothing comes; its other end is closed.
    poll(&mut [PollFd::new(&hold, PollFlags::IN)], None).unwrap();
}

fn rest(milliseconds: i64) {
    let time = Timespec { tv_sec: milliseconds / 1_000, tv_nsec: milliseconds % 1_000 * 1_000_000 };
    poll(&mut [], Some(&time)).unwrap();
}

fn crash() -> ! {
    // SAFETY: it is not; that is the scenario. Nobody maps page zero.
    unsafe { ptr::read_volatile(ptr::without_provenance::<u8>(8)) };
    unreachable!()
}

fn spin() -> ! {
    loop {
        black_box(1);
    }
}

#[expect(unconditional_recursion, reason = "the scenario")]
fn recurse(depth: u64) -> u64 {
    black_box([depth; 64]);
    recurse(depth + 1) + 1
}

fn local_offset() -> i64 {
    let now: libc::time_t = 1_700_000_000;
    let mut fields = std::mem::MaybeUninit::zeroed();
    // SAFETY: both pointers live through the call; the C library fills the structure, which is plain numbers anyway.
    unsafe {
        libc::localtime_r(&raw const now, fields.as_mut_ptr());
        fields.assume_init().tm_gmtoff
    }
}

/// An allocation past the bound is refused, one below it works, and the process lives.
fn memory(out: &mut File) {
    let reserve = |bytes| Vec::<u8>::new().try_reserve_exact(bytes).is_ok();
    tell(out, &format!("reserved {} {}", reserve(64 << 20), reserve(1 << 30)));
}

/// Makes the call that the jail should end. Returns what the kernel said if it did not.
#[expect(clippy::too_many_lines, reason = "one line a call")]
fn forbidden(call: &str) -> i64 {
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
            "kill" => syscall(SYS_kill, -1, SIGKILL),
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
            "sendto-address" => syscall(SYS_sendto, 3, none, 0, 0, c"x".as_ptr(), 2),
            "mmap-exec" => {
                syscall(SYS_mmap, none, page, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0_usize)
            }
            "mmap-file" => syscall(SYS_mmap, none, page, PROT_READ, MAP_PRIVATE, 0, 0_usize),
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
