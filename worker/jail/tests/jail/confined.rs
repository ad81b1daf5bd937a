//! The role of the process that owns a folder: confines itself and says what it can still do.

use std::{
    fs::{self, File},
    io,
    net::{TcpListener, TcpStream},
    os::unix::{
        fs::symlink,
        net::{UnixListener, UnixStream},
    },
    path::Path,
    process::{Command, ExitCode},
};

use fazt_jail::{Strictness, confine_store};
use libc::c_long;

pub(crate) fn run(arguments: &[String]) -> ExitCode {
    let [folder] = arguments else { panic!("confined FOLDER") };
    let folder = Path::new(folder);
    let port = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = port.local_addr().unwrap();
    let confined = confine_store(folder, Strictness::Strict).unwrap();
    println!("confined {:?} {:?}", confined.layers(), confined.missing());
    tell("own-files", own_files(folder));
    tell("randomness", File::open("/dev/urandom").map(drop));
    tell("read-elsewhere", fs::read("/etc/passwd").map(drop));
    tell("list-elsewhere", fs::read_dir("/").map(drop));
    tell("write-elsewhere", fs::write(folder.with_extension("outside"), "x"));
    tell("run", Command::new("/proc/self/exe").arg("--help").status().map(drop));
    tell("connect", TcpStream::connect(address).map(drop));
    tell("listen", TcpListener::bind("127.0.0.1:0").map(drop));
    tell("socket-file", UnixListener::bind(folder.join("socket")).map(drop));
    tell("link", symlink("/etc/passwd", folder.join("link")));
    tell("thread", std::thread::Builder::new().spawn(|| ()).map(|thread| thread.join().unwrap()));
    tell("pair", UnixStream::pair().map(drop));
    for (what, number, arguments) in CALLS {
        tell(what, call(*number, *arguments));
    }
    ExitCode::SUCCESS
}

/// Calls that a captured store would want, with arguments that would be in order.
const CALLS: &[(&str, c_long, [c_long; 4])] = &[
    ("call socket", libc::SYS_socket, [1, 1, 0, 0]),
    ("call fork", libc::SYS_clone, [17, 0, 0, 0]),
    ("call tgkill", libc::SYS_tgkill, [1, 1, 6, 0]),
    ("call fcntl", libc::SYS_fcntl, [0, 8, 1, 0]),
    ("call fchmod", libc::SYS_fchmod, [0, 0o4755, 0, 0]),
    ("call kill", libc::SYS_kill, [0, 0, 0, 0]),
    ("call ptrace", libc::SYS_ptrace, [0, 0, 0, 0]),
    ("call prctl", libc::SYS_prctl, [4, 1, 0, 0]),
    ("call unshare", libc::SYS_unshare, [0, 0, 0, 0]),
    ("call memfd_create", libc::SYS_memfd_create, [0, 0, 0, 0]),
    ("call io_uring_setup", libc::SYS_io_uring_setup, [1, 0, 0, 0]),
    ("call bpf", libc::SYS_bpf, [0, 0, 0, 0]),
    ("call prlimit64", libc::SYS_prlimit64, [0, 7, 1, 0]),
    ("call pidfd_open", libc::SYS_pidfd_open, [1, 0, 0, 0]),
    ("call mmap", libc::SYS_mmap, [0, 4096, 5, 34]),
    ("call socketpair", libc::SYS_socketpair, [2, 1, 0, 0]),
    // What it may call, with flags that it has no use for.
    ("call recvmsg", libc::SYS_recvmsg, [0, 0, (libc::MSG_CMSG_CLOEXEC | libc::MSG_DONTWAIT | libc::MSG_OOB) as _, 0]),
    ("call recvfrom", libc::SYS_recvfrom, [0, 0, 0, libc::MSG_PEEK as _]),
    ("call getsockopt", libc::SYS_getsockopt, [0, 1, libc::SO_PEERCRED as _, 0]),
    ("call socketpair", libc::SYS_socketpair, [1, libc::SOCK_DGRAM as _, 0, 0]),
    ("call mmap", libc::SYS_mmap, [1 << 40, 4096, 3, (34 | libc::MAP_FIXED_NOREPLACE) as _]),
    ("call mprotect", libc::SYS_mprotect, [0, 0, (1 | libc::PROT_GROWSDOWN) as _, 0]),
    ("call mremap", libc::SYS_mremap, [0, 4096, 4096, (libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED) as _]),
    ("call madvise", libc::SYS_madvise, [0, 4096, libc::MADV_MERGEABLE as _, 0]),
    ("call clone", libc::SYS_clone, [(libc::CLONE_THREAD | libc::CLONE_NEWNET) as _, 0, 0, 0]),
    ("call futex", libc::SYS_futex, [0, libc::FUTEX_LOCK_PI as _, 0, 0]),
    ("call clock_gettime", libc::SYS_clock_gettime, [-6, 0, 0, 0]),
    ("call setpriority", libc::SYS_setpriority, [libc::PRIO_PROCESS as _, 1, 5, 0]),
    ("call setpriority", libc::SYS_setpriority, [libc::PRIO_PROCESS as _, 0, 19, 0]),
    ("call getrandom", libc::SYS_getrandom, [0, 0, libc::GRND_RANDOM as _, 0]),
];

fn call(number: c_long, [a, b, c, d]: [c_long; 4]) -> io::Result<()> {
    // SAFETY: refused before any argument is looked at; where it is not, the test has failed and the process ends.
    let answer = unsafe { libc::syscall(number, a, b, c, d, -1, 0) };
    if answer == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// What a database does in its folder.
fn own_files(folder: &Path) -> io::Result<()> {
    fs::create_dir(folder.join("sub"))?;
    fs::write(folder.join("sub/one"), "1234")?;
    File::options().write(true).open(folder.join("sub/one"))?.set_len(2)?;
    fs::rename(folder.join("sub/one"), folder.join("two"))?;
    assert_eq!(fs::read(folder.join("two"))?, b"12");
    fs::remove_file(folder.join("two"))?;
    fs::read_dir(folder)?.count();
    fs::remove_dir(folder.join("sub"))
}

fn tell(what: &str, outcome: io::Result<()>) {
    match outcome {
        Ok(()) => println!("{what} done"),
        Err(error) => println!("{what} {:?}", error.kind()),
    }
}
