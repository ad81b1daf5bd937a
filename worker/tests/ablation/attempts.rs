//! What is tried from inside, and which layers stop it: any one of them is enough, and nothing else does.

use std::{ffi::CString, mem::size_of, ptr};

use fazt_jail::{Layer, Layers};

use Layer::*;

/// What an attempt can aim at. Numbers and names travel to the nest as arguments.
#[derive(Debug, Clone)]
pub(crate) struct Scene {
    /// The router's process, which lets itself be looked into.
    pub(crate) router: i32,
    /// Where it listens on the loopback.
    pub(crate) port: u16,
    /// A System V segment of its making, open to all.
    pub(crate) segment: i32,
    /// An address within it.
    pub(crate) address: u64,
    /// A file that only its user may read.
    pub(crate) file: CString,
    /// The machine's name.
    pub(crate) host: CString,
    /// What the nest has left open.
    pub(crate) secret: i32,
    /// Where the child may speak.
    pub(crate) told: i32,
}

/// One attempt. `make` says whether it got through; a child that is killed did not.
pub(crate) struct Attempt {
    pub(crate) name: &'static str,
    pub(crate) stopped_by: &'static [Layer],
    pub(crate) make: fn(&Scene) -> bool,
    /// Whether it can come to anything at all in a child with these layers, of a nest that root started or not.
    pub(crate) is_possible: fn(Layers, bool) -> bool,
}

fn always(_: Layers, _: bool) -> bool {
    true
}

/// Without a namespace of its own an ordinary user's process has no capability to use.
fn has_privilege(layers: Layers, by_root: bool) -> bool {
    by_root || layers.contains(UserNamespace)
}

macro_rules! attempts {
    ($($name:literal by [$($layer:ident),*] if $possible:ident => $make:expr;)*) => {
        pub(crate) const ATTEMPTS: &[Attempt] =
            &[$(Attempt { name: $name, stopped_by: &[$($layer),*], make: $make, is_possible: $possible }),*];
    };
}

attempts! {
    "N-11 connects to the router's port" by [Seccomp, Landlock, NetNamespace] if always => connect;
    "N-10 opens a port of its own" by [Seccomp, Landlock] if always => listen;
    "N-14 reads a file of the router's user" by [Seccomp, Landlock, EmptyRoot, OwnIds] if always => read_file;
    "N-14 lists the root folder" by [Seccomp, Landlock] if always =>
        |_| passes(unsafe_open(c"/", libc::O_RDONLY | libc::O_DIRECTORY));
    "N-17 runs a program" by [Seccomp, Landlock, EmptyRoot] if always => run_program;
    "N-05 signals the router" by [Seccomp, Landlock, PidNamespace, OwnIds] if always =>
        // SAFETY: no memory is involved; signal 0 only asks whether one may.
        |scene| passes(unsafe { libc::kill(scene.router, 0) }.into());
    "N-06 reads the router's memory"
        by [Seccomp, Landlock, PidNamespace, OwnIds, UserNamespace, NoCapabilities] if always => read_memory;
    "N-06 takes a descriptor out of the router"
        by [Seccomp, Landlock, PidNamespace, OwnIds, UserNamespace, NoCapabilities] if always => take_descriptor;
    "attaches memory that the router shares" by [Seccomp, IpcNamespace] if always =>
        // SAFETY: no memory is involved.
        |scene| passes(unsafe { libc::shmget(scene.segment, 0, 0) }.into());
    "learns the machine's name" by [Seccomp, UtsNamespace] if always => learn_name;
    "N-07 uses a capability" by [Seccomp, NoCapabilities, OwnIds] if has_privilege =>
        // SAFETY: no memory is involved; a namespace more harms nobody.
        |_| passes(unsafe { libc::unshare(libc::CLONE_NEWUTS) }.into());
    "N-07 makes a user namespace" by [Seccomp] if always =>
        // SAFETY: as above.
        |_| passes(unsafe { libc::unshare(libc::CLONE_NEWUSER) }.into());
    "N-19 makes memory that can be run" by [Seccomp] if always => map_executable;
    "N-15 makes a file in memory" by [Seccomp] if always =>
        // SAFETY: the name lives through the call.
        |_| passes(unsafe { libc::memfd_create(c"x".as_ptr(), 0) }.into());
    "N-18 opens itself to debuggers" by [Seccomp] if always =>
        // SAFETY: no memory is involved.
        |_| passes(unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 1) }.into());
    "takes more memory than its share" by [ResourceLimits] if always =>
        |_| map(1 << 30, libc::PROT_READ | libc::PROT_WRITE);
    "reads what the zygote has open" by [Descriptors] if always => |scene| hear_one(scene.secret);
}

fn passes(outcome: i64) -> bool {
    outcome >= 0
}

fn unsafe_open(path: &std::ffi::CStr, flags: i32) -> i64 {
    // SAFETY: the path lives through the call.
    unsafe { libc::open(path.as_ptr(), flags) }.into()
}

fn read_one(descriptor: i32) -> bool {
    let mut byte = 0_u8;
    // SAFETY: one byte, which lives through the call.
    unsafe { libc::read(descriptor, (&raw mut byte).cast(), 1) == 1 }
}

/// By the calls that a jailed process may wait and hear with.
fn hear_one(socket: i32) -> bool {
    let mut byte = 0_u8;
    let mut piece = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    // SAFETY: plain numbers, of which zero is nothing.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut piece;
    message.msg_iovlen = 1;
    let mut ready = libc::pollfd { fd: socket, events: libc::POLLIN, revents: 0 };
    // SAFETY: what is waited for, message, piece and byte live through the calls.
    unsafe {
        libc::ppoll(&raw mut ready, 1, ptr::null(), ptr::null());
        libc::recvmsg(socket, &raw mut message, libc::MSG_CMSG_CLOEXEC | libc::MSG_DONTWAIT) == 1
    }
}

fn read_file(scene: &Scene) -> bool {
    let file = unsafe_open(&scene.file, libc::O_RDONLY);
    passes(file) && read_one(i32::try_from(file).unwrap())
}

fn loopback(port: u16) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::AF_INET.try_into().unwrap(),
        sin_port: port.to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from_be_bytes([127, 0, 0, 1]).to_be() },
        sin_zero: [0; 8],
    }
}

fn connect(scene: &Scene) -> bool {
    let address = loopback(scene.port);
    let length = size_of::<libc::sockaddr_in>().try_into().unwrap();
    // SAFETY: the address lives through the call.
    unsafe {
        let socket = libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0);
        socket >= 0 && libc::connect(socket, (&raw const address).cast(), length) == 0
    }
}

/// On any address: a net namespace without an interface would still allow it.
fn listen(_: &Scene) -> bool {
    let mut address = loopback(0);
    address.sin_addr.s_addr = 0;
    let length = size_of::<libc::sockaddr_in>().try_into().unwrap();
    // SAFETY: the address lives through the call.
    unsafe {
        let socket = libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0);
        socket >= 0 && libc::bind(socket, (&raw const address).cast(), length) == 0 && libc::listen(socket, 1) == 0
    }
}

/// Speaks for itself where it runs.
fn run_program(scene: &Scene) -> bool {
    let arguments = [c"echo".as_ptr(), c"through".as_ptr(), ptr::null()];
    // SAFETY: strings and array live through the calls.
    unsafe {
        libc::dup2(scene.told, 1);
        libc::execve(c"/bin/echo".as_ptr(), arguments.as_ptr(), [ptr::null()].as_ptr());
    }
    false
}

fn read_memory(scene: &Scene) -> bool {
    let mut byte = 0_u8;
    let here = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    let there = libc::iovec { iov_base: ptr::with_exposed_provenance_mut(scene.address as usize), iov_len: 1 };
    // SAFETY: the kernel writes one byte here; the other address is another process's.
    unsafe { libc::process_vm_readv(scene.router, &raw const here, 1, &raw const there, 1, 0) == 1 }
}

fn take_descriptor(scene: &Scene) -> bool {
    // SAFETY: no memory is involved.
    unsafe {
        let pidfd = libc::syscall(libc::SYS_pidfd_open, scene.router, 0);
        pidfd >= 0 && passes(libc::syscall(libc::SYS_pidfd_getfd, pidfd, 0, 0))
    }
}

fn learn_name(scene: &Scene) -> bool {
    // SAFETY: plain numbers and bytes, which the kernel fills.
    let mut names: libc::utsname = unsafe { std::mem::zeroed() };
    // SAFETY: the structure lives through the call, and its fields end with a zero.
    unsafe {
        libc::uname(&raw mut names) == 0 && std::ffi::CStr::from_ptr(names.nodename.as_ptr()) == scene.host.as_c_str()
    }
}

fn map_executable(_: &Scene) -> bool {
    map(4_096, libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC)
}

fn map(bytes: usize, protection: i32) -> bool {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: a new mapping, which nobody uses.
    unsafe { libc::mmap(ptr::null_mut(), bytes, protection, flags, -1, 0) != libc::MAP_FAILED }
}
