//! Native code tries the kernel: nothing is reached, nobody else notices, and without the jail the same attempts succeed.

use std::{
    fs::File,
    net::{TcpListener, UdpSocket},
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixListener},
    },
    path::PathBuf,
};

use fazt_tests::{
    farm::Farm,
    http::Answer,
    oracle::Watch,
    wait::{eventually, seconds},
};

use rustix::{
    net::{AddressFamily, SocketType, socket},
    process::geteuid,
};

use crate::impostor::farm;

/// Who must not hear from a worker.
struct Listeners {
    tcp: TcpListener,
    udp: UdpSocket,
    named: UnixListener,
    name: String,
    at_path: UnixListener,
    path: PathBuf,
}

impl Listeners {
    fn new(farm: &Farm) -> Self {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let name = format!("fazt-test-{}", tcp.local_addr().unwrap().port());
        let named = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        let path = farm.data().above().join("listener");
        let at_path = UnixListener::bind(&path).unwrap();
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        tcp.set_nonblocking(true).unwrap();
        udp.set_nonblocking(true).unwrap();
        named.set_nonblocking(true).unwrap();
        at_path.set_nonblocking(true).unwrap();
        Self { tcp, udp, named, name, at_path, path }
    }

    /// How many have connected, or sent something, since the last look.
    fn accepted(&self) -> usize {
        let tcp = std::iter::from_fn(|| self.tcp.accept().ok()).count();
        let udp = std::iter::from_fn(|| self.udp.recv(&mut [0; 8]).ok()).count();
        let by_name = |listener: &UnixListener| std::iter::from_fn(|| listener.accept().ok()).count();
        tcp + udp + by_name(&self.named) + by_name(&self.at_path)
    }
}

/// One attempt, and whether it is harmless where nothing stops it.
struct Row {
    label: &'static str,
    name: &'static str,
    query: String,
    is_harmless: bool,
}

fn row(label: &'static str, name: &'static str, query: impl ToString, is_harmless: bool) -> Row {
    Row { label, name, query: query.to_string(), is_harmless }
}

/// What the test may open itself, a worker without a jail may.
fn opening(label: &'static str, path: &str) -> Row {
    row(label, "open", path, File::open(path).is_ok())
}

/// As above, of a family of sockets that this machine has.
fn family(label: &'static str, number: u16) -> Row {
    let kinds = [SocketType::STREAM, SocketType::RAW, SocketType::SEQPACKET];
    let is_there = kinds.into_iter().any(|kind| socket(AddressFamily::from_raw(number), kind, None).is_ok());
    row(label, "socket", number, is_there)
}

fn rows(farm: &Farm, listeners: &Listeners) -> Vec<Row> {
    let (router, store) = (farm.router().pid, farm.child("fazt-store").pid);
    // Whoever serves the neighbour is alive at least until its next answer.
    let sibling = farm.worker_of(&farm.app("echo").get("/api/?here"));
    let data = farm.data().path();
    let file = |name: &str| data.join(name).display().to_string();
    vec![
        // The bound on processes always stands, and root alone is not bound by it.
        row("N-03 a thread", "thread", "", geteuid().is_root()),
        row("N-05 every process", "kill", -1, false),
        row("N-05 the router", "kill", router, false),
        row("N-05 the store", "kill", store, false),
        row("N-05 a sibling", "kill", sibling, false),
        row("N-05 a sibling's thread", "tgkill", sibling, false),
        row("N-06 the router's memory", "peek", router, false),
        row("N-06 a sibling's memory", "peek", sibling, false),
        row("N-06 the router traced", "trace", router, false),
        row("N-06 a sibling traced", "trace", sibling, false),
        row("N-06 a descriptor of the router's", "take", router, false),
        row("N-09 whether a process is there", "exists", router, true),
        row("N-09 the list of processes", "open", "/proc", true),
        family("N-10 inet", 2),
        family("N-10 inet6", 10),
        family("N-10 netlink", 16),
        // It takes a capability that the router has given up, as the kernel's log does.
        row("N-10 packet", "socket", 17, false),
        family("N-10 vsock", 40),
        family("N-10 alg", 38),
        family("N-10 unix", 1),
        row("N-11 the router's own port", "connect", farm.address, true),
        row("N-11 somebody's port", "connect", listeners.tcp.local_addr().unwrap(), true),
        // Without a jail somebody might answer.
        row("N-11 who tells a cloud's machines of themselves", "connect", "169.254.169.254:80", false),
        row("N-11 an abstract socket", "abstract", &listeners.name, true),
        row("N-11 a socket with a path", "path", listeners.path.display(), true),
        row("N-13 somebody who resolves names", "datagram", listeners.udp.local_addr().unwrap(), true),
        opening("N-13 who resolves names", "/etc/resolv.conf"),
        row("N-14 accounts", "open", "/etc/passwd", true),
        row("N-14 an environment", "open", "/proc/self/environ", true),
        opening("N-14 the first process's memory", "/proc/1/mem"),
        row("N-14 the kernel's log", "open", "/dev/kmsg", false),
        row("N-14 the database", "open", file("fazt.db"), true),
        row("N-14 its log", "open", file("fazt.db-wal"), true),
        row("N-14 the admin token", "open", file("admin.token"), true),
        row("N-19 memory to write and run", "run-memory", "", true),
        row("N-19 memory made to run", "make-run", "", true),
        row("N-19 a file in memory", "file-run", "", true),
        row("N-22 a crash", "crash", "", false),
    ]
}

fn attempt(farm: &Farm, row: &Row) -> Answer {
    let evil = farm.app("evil");
    eventually(seconds(20), "the app is served again", || evil.get("/api/honest?here").text() == "here");
    evil.once_started(&format!("/api/{}?{}", row.name, row.query))
}

#[test]
fn native_code_reaches_nothing() {
    let (farm, _programs) = farm("strict");
    let listeners = Listeners::new(&farm);
    let watch = Watch::over(&farm);
    let others = || [farm.router().pid, farm.child("fazt-store").pid, farm.child("fazt-zygote").pid];
    let (rows, before) = (rows(&farm, &listeners), others());
    let mut wrong = Vec::new();
    for row in &rows {
        let told = attempt(&farm, row);
        if (told.status, told.code().as_str()) != (502, "worker_crashed") {
            wrong.push(format!("{}: {} {}", row.label, told.status, told.text()));
        }
        if others() != before {
            wrong.push(format!("{}: {before:?} were there before, now {:?}", row.label, others()));
        }
    }
    watch.conclude(&wrong);
    assert_eq!(listeners.accepted(), 0, "somebody was called");
    // The kernel ended them: one that ended by itself would have said why.
    let ended_by_itself = farm.log.said("worker's last words");
    assert!(ended_by_itself.is_empty(), "an attempt was not made: {ended_by_itself:?}");
    no_core(&farm);
}

/// What is tried above and would harm nobody succeeds where there is no jail: so it is the jail that stops it.
#[test]
fn without_a_jail_what_is_harmless_succeeds() {
    let (farm, _programs) = farm("off");
    let listeners = Listeners::new(&farm);
    let (rows, mut wrong) = (rows(&farm, &listeners), Vec::new());
    let others: Vec<&str> = rows.iter().filter(|row| !row.is_harmless).map(|row| row.label).collect();
    eprintln!("not tried without a jail, here: {}", others.join("; "));
    for row in rows.iter().filter(|row| row.is_harmless) {
        let told = attempt(&farm, row);
        if told.text() != "through" {
            wrong.push(format!("{}: {} {}", row.label, told.status, told.text()));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert_eq!(listeners.accepted(), 4, "the ports, the name and the path of the test's own");
}

/// None may be made: a worker's root is empty and read-only, so that no look at files would find one that was. And none is
/// where the farm was started nor in its data, nor where the kernel would put one.
fn no_core(farm: &Farm) {
    for worker in farm.worker_processes() {
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", worker.pid)).unwrap();
        let core = limits.lines().find_map(|line| line.strip_prefix("Max core file size")).unwrap();
        assert_eq!(core.split_whitespace().take(2).collect::<Vec<_>>(), ["0", "0"], "{worker:?} may leave a core");
    }
    let pattern = std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap_or_default();
    let folder = std::path::Path::new(pattern.trim()).parent().filter(|folder| folder.is_absolute());
    for folder in [Some(farm.data().above()), Some(&farm.data().path()), folder].into_iter().flatten() {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let cores: Vec<_> =
            entries.map(|entry| entry.file_name()).filter(|name| name.to_string_lossy().contains("core")).collect();
        assert!(cores.is_empty(), "{cores:?} in {}", folder.display());
    }
}
