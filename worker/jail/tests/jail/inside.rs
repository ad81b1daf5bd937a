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

use crate::{forbidden, router::PATIENCE_MS};

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
            let outcome = forbidden::make(call);
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
    // Below both bounds, above that on data alone, above both.
    tell(out, &format!("reserved {} {} {}", reserve(64 << 20), reserve(160 << 20), reserve(1 << 30)));
}
