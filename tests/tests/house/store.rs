//! Storage from outside: deadlines that hold whatever the store does, and a file that others may read and lock.

use std::{sync::mpsc, thread};

use fazt_tests::{
    http::App,
    setup::Setup,
    wait::{PATIENCE, eventually, millis, promised, seconds},
};
use rusqlite::Connection;

/// What one slow write came to: its number, what it said, and how long that took in milliseconds.
struct Slow {
    number: usize,
    said: String,
    took: f64,
}

const SLOW: &str = "
const began = Date.now()
let said = 'done'
try { fazt.storage.kv.set('k:' + request.query.n, 1) } catch (e) { said = e.code + ' ' + e.outcome }
respond({ said, took: Date.now() - began })";

/// One write a number; those whose worker could not load the app come to nothing.
fn write_slowly(app: &App, numbers: impl Iterator<Item = usize>) -> Vec<Slow> {
    let ask = |number: usize| {
        let answer = app.get(&format!("/api/?n={number}"));
        if answer.status == 200 {
            let (said, took) = (answer.json()["said"].clone(), answer.json()["took"].as_f64().unwrap());
            return Some(Slow { number, said: said.as_str().unwrap().to_owned(), took });
        }
        // A worker that could not load the app in time: that is the store's slowness too.
        assert_eq!((answer.status, answer.code().as_str()), (504, "storage_timeout"), "{}", answer.text());
        None
    };
    numbers.filter_map(ask).collect()
}

/// Ops are held up for a random time, up to past their deadline: each is done within it or says TIMEOUT, and what said
/// TIMEOUT is not done afterwards.
#[test]
fn a_slow_store_meets_every_deadline() {
    let farm = Setup::new(4)
        .flag("--storage-timeout", "100ms")
        .flag("--timeout", "400ms")
        .variable("FAZT_STORE_TEST_DELAY", "0..120ms")
        .start();
    let app = farm.script("app", SLOW);
    let all: Vec<Slow> = thread::scope(|scope| {
        let asking: Vec<_> = (0..2)
            .map(|client| {
                let app = app.keeping();
                scope.spawn(move || write_slowly(&app, (client..60).step_by(2)))
            })
            .collect();
        asking.into_iter().flat_map(|asking| asking.join().unwrap()).collect()
    });
    let done = all.iter().filter(|slow| slow.said == "done").count();
    assert!(done > 5 && done < all.len(), "{done} of {} were done: the delays do not cross the deadline", all.len());
    let kept = eventually(seconds(20), "the keys can be listed", || {
        let listed = farm.script("app", "respond(fazt.storage.kv.list('k:').map((e) => e.key))").get("/api/");
        (listed.status == 200).then(|| listed.text())
    });
    for Slow { number, said, took } in all {
        assert!(
            took <= promised(millis(160)).as_secs_f64() * 1_000.0,
            "op {number} took {took} ms where 100 are the most"
        );
        let is_kept = kept.contains(&format!("\"k:{number}\""));
        match said.as_str() {
            "done" => assert!(is_kept, "k:{number} was acknowledged"),
            "TIMEOUT none" => assert!(!is_kept, "k:{number} said that nothing was done"),
            other => assert_eq!(other, "TIMEOUT unknown", "k:{number}"),
        }
    }
}

#[test]
fn an_uncaught_storage_timeout_is_the_requests_end() {
    let farm = Setup::new(2).flag("--storage-timeout", "50ms").variable("FAZT_STORE_TEST_DELAY", "0..120ms").start();
    let app = farm.script("app", "fazt.storage.kv.set('k', 1); respond('done')");
    let answer = eventually(seconds(20), "one that is too slow", || {
        Some(app.get("/api/")).filter(|answer| answer.status != 200)
    });
    assert_eq!((answer.status, answer.code().as_str()), (504, "storage_timeout"), "{}", answer.text());
    assert!(answer.json()["error"].as_str().unwrap().contains("TIMEOUT"), "{}", answer.text());
}

/// It brings all of an app's sources at once, and has its own time for that.
#[test]
fn an_app_may_take_longer_to_be_loaded_than_one_storage_call() {
    let farm = Setup::new(1).flag("--storage-timeout", "100ms").variable("FAZT_STORE_TEST_DELAY", "300..300ms").start();
    let app = farm.script("app", "if (request.query.get) fazt.storage.kv.get('k'); respond('here')");
    assert_eq!(app.get("/api/").text(), "here");
    assert_eq!(app.get("/api/?get=1").code(), "storage_timeout");
}

#[test]
fn slow_ops_are_logged_with_their_request() {
    let farm = Setup::new(2).variable("FAZT_STORE_TEST_DELAY", "120..130ms").start();
    let answer = farm.script("app", "respond(fazt.storage.kv.get('k') === undefined)").get("/api/");
    assert_eq!(answer.text(), "true");
    let id = answer.id();
    eventually(PATIENCE, "a slow_op line with the request's id", || {
        farm.log.text().lines().any(|line| line.contains("slow_op") && line.contains(&id))
    });
}

/// Reads go on while another process holds the file's lock, and writes wait for it within their deadline.
#[test]
fn a_foreign_lock_holds_up_writes_only_and_only_so_long() {
    // What is waited for is the lock, and not a disk.
    let setup = Setup::new(3).flag("--storage-timeout", "800ms").flag("--timeout", "3s");
    let farm = setup.flag("--durability", "normal").start();
    let reader = farm.script("reader", "respond(fazt.storage.kv.get('k') ?? null)");
    let writer = farm.script("writer", "fazt.storage.kv.incr('n'); respond('written')");
    assert_eq!((reader.get("/api/").status, writer.get("/api/").status), (200, 200));
    let lock = |hold: u64, work: &dyn Fn()| {
        let (held, holding) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let database = farm.data().database();
        let holder = thread::spawn(move || {
            let foreign = Connection::open(database).unwrap();
            foreign.busy_timeout(seconds(5)).unwrap();
            foreign.execute_batch("BEGIN IMMEDIATE").unwrap();
            held.send(()).unwrap();
            // It lets go after its time, or when told to.
            let _time = released.recv_timeout(millis(hold));
            foreign.execute_batch("COMMIT").unwrap();
        });
        holding.recv().unwrap();
        work();
        drop(release);
        holder.join().unwrap();
    };
    lock(150, &|| {
        let answer = writer.get("/api/");
        assert_eq!((answer.status, answer.text().as_str()), (200, "written"));
    });
    lock(10_000, &|| {
        let failed = writer.get("/api/");
        assert_eq!((failed.status, failed.code().as_str()), (504, "storage_timeout"), "{}", failed.text());
        assert!(failed.took < promised(millis(1_300)), "{:?}", failed.took);
        assert_eq!(reader.get("/api/").status, 200, "reads do not wait for a writer's lock");
    });
    assert_eq!(writer.get("/api/").text(), "written");
    let count = farm.script("writer", "respond(200, fazt.storage.kv.get('n'))").get("/api/").text();
    assert_eq!(count, "3", "the write that timed out was not done afterwards");
}

/// Whoever balances load is told that a farm cannot write, and that it can again; what only reads goes on.
#[test]
fn a_farm_that_cannot_write_is_not_ready() {
    let farm = Setup::new(2).start();
    let reader = farm.script("reader", "respond(fazt.storage.kv.get('k') ?? null)");
    let ready = || App::at(farm.address, "localhost").get("/readyz");
    assert_eq!((reader.get("/api/").status, ready().status, ready().text().as_str()), (200, 200, "ok\n"));
    let foreign = Connection::open(farm.data().database()).unwrap();
    foreign.busy_timeout(seconds(5)).unwrap();
    foreign.execute_batch("BEGIN IMMEDIATE").unwrap();
    let told = eventually(seconds(20), "it is told", || Some(ready()).filter(|answer| answer.status != 200));
    assert_eq!((told.status, told.text().as_str()), (503, "not ready: the store does not write\n"));
    assert_eq!(reader.get("/api/").status, 200, "reads do not wait for a writer's lock");
    foreign.execute_batch("COMMIT").unwrap();
    eventually(seconds(20), "it is ready again", || ready().status == 200);
}

/// One farm's file is an ordinary SQLite file, and what an app has put there can be read by its tools.
#[test]
fn the_file_is_what_it_says() {
    let farm = Setup::new(2).start();
    assert_eq!(farm.script("app", "fazt.storage.kv.set('k', 1); respond(200, 1)").get("/api/").status, 200);
    let file = Connection::open(farm.data().database()).unwrap();
    let ask = |pragma: &str| file.query_row(pragma, [], |row| row.get::<_, String>(0)).unwrap();
    assert_eq!((ask("PRAGMA journal_mode").as_str(), ask("PRAGMA integrity_check").as_str()), ("wal", "ok"));
    let version: i64 = file.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    assert!(version >= 1, "migrations are numbered");
}
