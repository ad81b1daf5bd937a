//! Socket activation: a service manager listens, before a farm is there and after it has ended.

use std::{
    fs::{self, File},
    net::{Ipv4Addr, TcpListener},
    os::unix::net::{UnixListener, UnixStream},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    thread,
};

use fazt_tests::{
    http::{App, Request},
    setup::Setup,
    wait::{Over, PATIENCE, eventually, seconds},
};
use rustix::process::{Signal, geteuid};

/// P-09: farms that follow each other on one listener refuse nobody.
#[test]
fn a_farm_that_is_started_anew_refuses_nobody_who_knocks_meanwhile() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    // The address of the flags is not bound: it would be another one.
    let setup = Setup::new(2).lent(listener.into());
    let mut farm = setup.start();
    assert_eq!(farm.address, address);
    assert_eq!(farm.script("app", "respond(200, 'here')").get("/api/").status, 200);
    let (served, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        let _over = Over::when_left(&over);
        for _ in 0..4 {
            scope.spawn(|| {
                let app = App::at(address, "app.localhost");
                while !over.load(SeqCst) {
                    // One that is refused, reset or cut off is an error here.
                    let answer = app.try_send(&Request::new("GET", "/api/")).unwrap();
                    assert_eq!((answer.status, answer.text().as_str()), (200, "here"));
                    served.fetch_add(1, SeqCst);
                }
            });
        }
        for _restart in 0..5 {
            let before = served.load(SeqCst);
            eventually(PATIENCE, "there is load", || served.load(SeqCst) > before + 40);
            farm.signal(Signal::TERM);
            assert_eq!(farm.ended(seconds(8)).code(), Some(0), "{}", farm.log.text());
            farm = setup.start();
        }
        let before = served.load(SeqCst);
        eventually(PATIENCE, "the last one serves", || served.load(SeqCst) > before + 40);
    });
}

#[test]
fn a_socket_file_that_was_lent_stays() {
    let setup = Setup::new(1);
    let path = setup.data().above().join("lent.sock");
    let listener = UnixListener::bind(&path).unwrap();
    // Whoever knocks before there is a farm waits for one.
    let _early = UnixStream::connect(&path).unwrap();
    let mut starting = setup.lent(listener.into()).spawn();
    let log = fazt_tests::log::Log::follow(starting.errors());
    let ready = eventually(seconds(20), "the farm is ready", || {
        log.said("ready").into_iter().find(|event| event["listen"].is_string())
    });
    assert_eq!(ready["listen"], format!("unix:{}", path.display()));
    starting.signal(Signal::TERM);
    let status = eventually(PATIENCE, "the farm has ended", || starting.ended());
    assert_eq!((status.code(), path.exists()), (Some(0), true), "{}", log.text());
}

/// A process that believed them would take one of its own descriptors for a listener.
#[test]
fn no_child_hears_of_the_listeners_that_were_lent() {
    if !geteuid().is_root() {
        println!("not tried: only root may read the environment of the store");
        return;
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let farm = Setup::new(1).lent(listener.into()).start();
    let environment = |pid| String::from_utf8_lossy(&fs::read(format!("/proc/{pid}/environ")).unwrap()).into_owned();
    assert!(environment(farm.router().pid).contains("LISTEN_FDNAMES="), "it was not started as a service manager does");
    let pids = ["fazt-store", "fazt-zygote"].map(|name| farm.child(name).pid);
    for pid in pids.into_iter().chain(farm.workers()) {
        assert!(!environment(pid).contains("LISTEN_"), "process {pid}: {}", environment(pid));
    }
}

#[test]
fn what_is_no_listener_is_refused_by_its_number() {
    let bound = rustix::net::socket(rustix::net::AddressFamily::INET, rustix::net::SocketType::STREAM, None).unwrap();
    for descriptor in [File::open("/dev/null").unwrap().into(), bound] {
        let refusal = Setup::new(1).lent(descriptor).refused();
        assert_eq!(refusal.code, Some(2), "{}", refusal.said);
        assert!(refusal.said.contains("descriptor 3 is no listener"), "{}", refusal.said);
        assert!(refusal.said.contains("ListenStream="), "{}", refusal.said);
    }
}
