//! What native code tries at the kernel. Whoever is still there afterwards says what came of it: `through`, or the error.

#![expect(unsafe_code, reason = "calls that the jail must refuse")]

use std::{
    ffi::CString,
    hint::black_box,
    io,
    os::fd::{FromRawFd, OwnedFd},
    ptr,
};

use fazt_jail::Layer;
use fazt_protocol::call::Call;
use nix::libc;

use crate::life::Impostor;

/// What a crash must leave nowhere.
const MARKER: &[u8] = b"CANARY_IN_THE_CORE";

pub(crate) fn attempt(name: &str, liar: &mut Impostor, call: &Call, query: &str) {
    let number: i32 = query.parse().unwrap_or_default();
    let outcome = match name {
        "kill" | "tgkill" => signal(name, liar, number),
        "socket" => socket(number).map(drop),
        "connect" => connect(query),
        "datagram" => ask_by_datagram(query),
        "abstract" => connect_by_name(query),
        "path" => connect_by_path(query),
        // SAFETY: no memory is involved; signal 0 only asks whether there is such a process.
        "exists" => checked(unsafe { libc::kill(number, 0) }.into()),
        "open" => open(query),
        "peek" => peek(number),
        // SAFETY: no memory of ours is involved.
        "trace" => checked(unsafe { libc::ptrace(libc::PTRACE_SEIZE, number, 0, 0) }),
        "take" => take(number),
        "run-memory" => map(libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC).map(drop),
        "make-run" => map(libc::PROT_READ).and_then(make_executable),
        // SAFETY: the name lives through the call.
        "file-run" => made(unsafe { libc::memfd_create(c"x".as_ptr(), 0) }).map(drop),
        "thread" => std::thread::Builder::new().spawn(|| ()).map(drop),
        "crash" => crash(),
        _ => panic!("no attempt {name}"),
    };
    let said = outcome.map_or_else(|error| error.kind().to_string(), |()| "through".to_owned());
    liar.answer(call.number, &said);
}

fn checked(outcome: i64) -> io::Result<()> {
    if outcome < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn made(descriptor: i32) -> io::Result<OwnedFd> {
    checked(descriptor.into())?;
    // SAFETY: the kernel has just made it, for nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// Only where no process but this one can be meant: a test without a jail would end the machine.
fn signal(name: &str, liar: &Impostor, pid: i32) -> io::Result<()> {
    assert!(liar.layers.contains(Layer::PidNamespace), "not where others could be hit");
    // SAFETY: no memory is involved.
    checked(unsafe {
        match name {
            "kill" => libc::kill(pid, libc::SIGKILL).into(),
            _ => libc::syscall(libc::SYS_tgkill, pid, pid, libc::SIGABRT),
        }
    })
}

/// A stream, or where the family has none whatever it has.
fn socket(family: i32) -> io::Result<OwnedFd> {
    // SAFETY: no memory is involved.
    made(unsafe { libc::socket(family, libc::SOCK_STREAM, 0) })
        .or_else(|_| made(unsafe { libc::socket(family, libc::SOCK_RAW, 0) }))
        .or_else(|_| made(unsafe { libc::socket(family, libc::SOCK_SEQPACKET, 0) }))
}

fn connect(address: &str) -> io::Result<()> {
    let socket = socket(libc::AF_INET)?;
    rustix::net::connect(&socket, &address.parse::<std::net::SocketAddr>().unwrap())?;
    Ok(())
}

/// As whoever resolves a name.
fn ask_by_datagram(address: &str) -> io::Result<()> {
    std::net::UdpSocket::bind("127.0.0.1:0")?.send_to(b"?", address).map(drop)
}

fn connect_by_path(path: &str) -> io::Result<()> {
    let socket = socket(libc::AF_UNIX)?;
    rustix::net::connect(&socket, &rustix::net::SocketAddrUnix::new(path)?)?;
    Ok(())
}

fn connect_by_name(name: &str) -> io::Result<()> {
    let socket = socket(libc::AF_UNIX)?;
    rustix::net::connect(&socket, &rustix::net::SocketAddrUnix::new_abstract_name(name.as_bytes())?)?;
    Ok(())
}

fn open(path: &str) -> io::Result<()> {
    let path = CString::new(path).unwrap();
    // SAFETY: the path lives through the call.
    made(unsafe { libc::open(path.as_ptr(), libc::O_RDONLY) }).map(drop)
}

fn peek(pid: i32) -> io::Result<()> {
    let mut byte = 0_u8;
    let here = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    // Any address would do: who may not look is told so before it is looked at.
    let there = libc::iovec { iov_base: ptr::without_provenance_mut(4_096), iov_len: 1 };
    // SAFETY: the kernel writes one byte here at most.
    checked(unsafe { libc::process_vm_readv(pid, &raw const here, 1, &raw const there, 1, 0) }.try_into().unwrap())
}

fn take(pid: i32) -> io::Result<()> {
    // SAFETY: no memory is involved.
    checked(unsafe {
        let pidfd = libc::syscall(libc::SYS_pidfd_open, pid, 0);
        libc::syscall(libc::SYS_pidfd_getfd, pidfd, 0, 0)
    })
}

fn map(protection: i32) -> io::Result<*mut libc::c_void> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a new mapping, which nobody uses.
    let page = unsafe { libc::mmap(ptr::null_mut(), 4_096, protection, flags, -1, 0) };
    if page == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(page) }
}

fn make_executable(page: *mut libc::c_void) -> io::Result<()> {
    // SAFETY: the page is a new mapping, which nobody uses.
    checked(unsafe { libc::mprotect(page, 4_096, libc::PROT_READ | libc::PROT_EXEC) }.into())
}

/// Ends as a memory bug does, with something in memory that must not reach a disk.
fn crash() -> ! {
    black_box(MARKER.repeat(100));
    // SAFETY: it is not; that is the attempt. Nobody maps page zero.
    unsafe { ptr::read_volatile(ptr::without_provenance::<u8>(8)) };
    unreachable!()
}
