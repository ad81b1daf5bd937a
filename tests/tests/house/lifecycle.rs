//! Signals, and the end of a farm: what was accepted is answered, and then there is nothing left.

use std::{
    io::ErrorKind,
    net::{SocketAddr, TcpStream},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    thread,
};

use fazt_tests::{
    farm::Farm,
    http::{App, Request},
    oracle::Watch,
    process,
    setup::Setup,
    wait::{Over, PATIENCE, eventually, millis, promised, seconds},
};
use rustix::process::Signal;

#[test]
fn a_dump_comes_at_once_under_full_load() {
    let farm = Setup::new(3).start();
    let app = farm.script("app", "for(;;){}");
    let watch = Watch::without_neighbour(&farm);
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let _over = Over::when_left(&over);
        for _ in 0..10 {
            let (app, over) = (app.again(), &over);
            scope.spawn(move || {
                while !over.load(SeqCst) {
                    let _loaded = app.get("/api/");
                }
            });
        }
        farm.busy_worker("app");
        for _round in 1..=3 {
            let before = farm.log.mark();
            farm.signal(Signal::USR1);
            eventually(promised(millis(100)), "the dump", || {
                farm.log.events(before).iter().any(|event| event["message"] == "totals")
            });
            let lines = eventually(promised(millis(500)), "the whole dump", || {
                let lines: Vec<_> =
                    farm.log.events(before).into_iter().filter(|event| event["target"] == "dump").collect();
                lines.iter().any(|line| line["message"] == "store").then_some(lines)
            });
            let workers: Vec<_> = lines.iter().filter(|line| line["message"] == "worker").collect();
            assert_eq!(workers.len(), 3, "{lines:?}");
            let busy: Vec<_> = workers.iter().filter(|line| line["state"] == "busy").collect();
            assert!(!busy.is_empty(), "{lines:?}");
            assert!(
                busy.iter()
                    .all(|line| line["request_id"].as_str().unwrap().starts_with("req_") && line["app"] == "app"),
                "{busy:?}"
            );
        }
    });
    watch.close();
}

#[test]
fn a_thousand_dumps_hurt_nobody() {
    let farm = Setup::new(2).start();
    let app = farm.script("app", "respond(200, 1)");
    let watch = Watch::over(&farm);
    // Signals that come while one waits count for nothing: in rounds there are as many dumps at least.
    for _round in 0..20 {
        let before = farm.log.mark();
        for _ in 0..50 {
            farm.signal(Signal::USR1);
        }
        let is_told = || farm.log.events(before).iter().any(|event| event["message"] == "totals");
        eventually(seconds(5), "a dump", is_told);
    }
    assert_eq!(app.get("/api/").status, 200);
    watch.close();
}

/// What became of requests under a farm that was told to end.
#[derive(Default)]
struct Load {
    answered: AtomicUsize,
    reset: AtomicUsize,
}

impl Load {
    /// Asks until it is over, or nobody takes a connection any more. One that was taken must be served.
    fn ask(&self, app: &App, address: SocketAddr, over: &AtomicBool) {
        while !over.load(SeqCst) && TcpStream::connect(address).is_ok() {
            match app.try_send(&Request::new("GET", "/api/")) {
                Ok(answer) if answer.status == 200 => {
                    self.answered.fetch_add(1, SeqCst);
                }
                Ok(answer) => assert_eq!(answer.code(), "shutting_down", "{}", answer.text()),
                // The listener closed between the two: nobody accepted this one.
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => return,
                // So the kernel answers to connections that it had queued and nobody had accepted.
                Err(error) if error.kind() == ErrorKind::ConnectionReset => {
                    self.reset.fetch_add(1, SeqCst);
                }
                Err(error) => panic!("an accepted request was lost: {error}"),
            }
        }
    }
}

/// A request is accepted once its connection is: it is answered, whole, whenever its end is asked for.
fn ends_well(to: impl Fn(&Farm)) {
    let mut farm = Setup::new(4).start();
    let source =
        "const until = Date.now() + 30; while (Date.now() < until) {}\nfazt.storage.kv.incr('n'); respond('done')";
    let app = farm.script("app", source);
    let children = process::children(farm.router().pid);
    let (load, over) = (Load::default(), AtomicBool::new(false));
    let status = thread::scope(|scope| {
        let _over = Over::when_left(&over);
        for _ in 0..8 {
            let (app, address, load, over) = (app.again(), farm.address, &load, &over);
            scope.spawn(move || load.ask(&app, address, over));
        }
        eventually(PATIENCE, "there is load", || load.answered.load(SeqCst) > 30);
        to(&farm);
        farm.ended(seconds(8))
    });
    assert_eq!(status.code(), Some(0), "{}", farm.log.text());
    assert!(load.reset.load(SeqCst) <= 8, "{} connections were reset", load.reset.load(SeqCst));
    // The kernel takes them along, and some may still be on their way.
    eventually(promised(seconds(1)), "no child is left", || !children.iter().any(process::Process::is_alive));
    let said = farm.log.said("request");
    let finished = said.iter().filter(|event| event["app"] == "app" && event["status"] == 200).count();
    assert!(finished >= load.answered.load(SeqCst), "{finished} logged of {}", load.answered.load(SeqCst));
}

#[test]
fn a_farm_that_is_told_to_end_answers_what_it_accepted() {
    ends_well(|farm| farm.signal(Signal::TERM));
}

/// As Ctrl-C reaches every process of a terminal, and a service manager's SIGTERM every one of a service.
#[test]
fn a_signal_to_all_of_a_farm_is_one_to_its_router() {
    for signal in [Signal::INT, Signal::TERM] {
        ends_well(|farm| {
            let children = process::children(farm.router().pid);
            children.iter().filter(|child| child.name != "fazt-worker").for_each(|child| child.signal(signal));
            farm.signal(signal);
        });
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let mut farm = Setup::new(2).flag("--timeout", "5s").start();
    let app = farm.script("app", "for(;;){}");
    let asking = thread::spawn(move || app.try_send(&Request::new("GET", "/api/")).is_err());
    farm.busy_worker("app");
    let children = process::children(farm.router().pid);
    farm.signal(Signal::TERM);
    farm.log.heard("closing");
    farm.signal(Signal::INT);
    let status = farm.ended(seconds(1));
    assert_eq!(status.code(), Some(130));
    assert!(asking.join().unwrap());
    eventually(promised(seconds(1)), "no process is left", || !children.iter().any(process::Process::is_alive));
}

#[test]
fn an_idle_farm_ends_at_once_and_cleanly() {
    let setup = Setup::new(2);
    let mut farm = setup.start();
    assert_eq!(farm.script("app", "fazt.storage.kv.set('k', 1); respond(200, 1)").get("/api/").status, 200);
    let _idle_connection = TcpStream::connect(farm.address).unwrap();
    farm.signal(Signal::INT);
    assert_eq!(farm.ended(seconds(3)).code(), Some(0));
    let wal = setup.data().path().join("fazt.db-wal");
    assert!(wal.metadata().map_or(0, |file| file.len()) == 0, "a clean end leaves no log to recover");
}

#[test]
fn a_hangup_does_not_end_a_farm() {
    let farm = Setup::new(2).start();
    let watch = Watch::over(&farm);
    farm.signal(Signal::HUP);
    farm.log.heard("SIGHUP changes nothing: restart the farm to read its configuration again");
    assert_eq!(App::at(farm.address, "localhost").get("/healthz").status, 200);
    watch.close();
}
