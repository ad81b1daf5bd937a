//! Deadlines: an op that is late is answered TIMEOUT, leaves no lock behind, and is not executed afterwards.

use std::{
    thread,
    time::{Duration, Instant},
};

use fazt_protocol::op::{Code, ds::Verb, kv::Condition};
use serde_json::{Value, json};

use crate::harness::{Farm, Start, Worker};

/// Documents enough that a scan of them takes far longer than a millisecond.
fn fill(worker: &mut Worker, thousands: u32) {
    for thousand in 0..thousands {
        let document =
            |n: u32| format!(r#"{{"n":{},"text":"some text to make it a little longer"}}"#, thousand * 1_000 + n);
        let documents: Vec<String> = (0..1_000).map(document).collect();
        worker.ds("c", Verb::InsertMany, &format!("[{}]", documents.join(","))).unwrap();
    }
}

#[test]
fn a_millisecond_is_not_enough_for_a_scan_and_leaves_nothing_locked() {
    let mut farm = Farm::start();
    let app = farm.app("a");
    let mut worker = farm.worker(&app);
    fill(&mut worker, 50);
    let slow = r#"{"$or":[{"text":"x"},{"a.b.c":1},{"n":-1},{"text":"y"},{"d":2}]}"#;
    let changes = format!(r#"{{"query":{slow},"changes":{{"n":0}}}}"#);
    worker.within_ms = 1;
    for (verb, body) in [(Verb::Count, slow), (Verb::Update, &changes), (Verb::Delete, slow), (Verb::Delete, "{}")] {
        let began = Instant::now();
        let late = worker.ds("c", verb.clone(), body).unwrap_err();
        assert_eq!(late.code, Code::Timeout, "{verb:?}");
        assert!(began.elapsed() < Duration::from_secs(1), "{verb:?} took {:?}", began.elapsed());
    }
    worker.within_ms = 30_000;
    worker.set("k", b"1").unwrap();
    assert_eq!(worker.number("c", Verb::Count, r#"{"n":{"$exists":true}}"#).unwrap(), 50_000.0, "nothing was removed");
}

#[test]
fn the_shortest_of_three_deadlines_counts() {
    let mut farm = Farm::start();
    let app = farm.app("a");
    let mut worker = farm.worker(&app);
    worker.within_ms = 0;
    assert_eq!(worker.get("k").unwrap_err().code, Code::Timeout);
    let late = worker.set("k", b"1").unwrap_err();
    assert!(late.code == Code::Timeout && !late.unknown, "it was never begun");
    worker.within_ms = u32::MAX;
    assert_eq!(worker.get("k").unwrap(), Value::Null);
    worker.begin(Duration::from_nanos(1));
    assert_eq!(worker.set("k", b"1").unwrap_err().code, Code::Timeout);
    worker.begin(Duration::from_secs(5));
    assert_eq!(worker.get("k").unwrap(), Value::Null);
    let mut hurried = farm.worker_within(&app, 0);
    assert_eq!(hurried.get("k").unwrap_err().code, Code::Timeout);
}

#[test]
fn a_foreign_lock_is_waited_for() {
    let mut farm = Farm::start();
    let app = farm.app("a");
    let (mut worker, mut hurried, mut reader) = (farm.worker(&app), farm.worker_within(&app, 100), farm.worker(&app));
    worker.set("read", b"1").unwrap();
    let foreign = rusqlite::Connection::open(farm.database()).unwrap();
    foreign.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let (release, released) = std::sync::mpsc::channel();
    let holder = thread::spawn(move || {
        released.recv().unwrap();
        foreign.execute_batch("COMMIT").unwrap();
    });
    let began = Instant::now();
    hurried.send(kv_set("late"), b"1").unwrap();
    worker.send(kv_set("patient"), b"1").unwrap();
    let late = hurried.hear().unwrap().unwrap_err();
    assert!(late.code == Code::Timeout && !late.unknown, "{late:?}");
    assert!(began.elapsed() >= Duration::from_millis(100), "{:?}", began.elapsed());
    // Reads go on meanwhile, and the patient one still waits.
    assert_eq!(reader.get("read").unwrap(), json!(1));
    thread::sleep(Duration::from_millis(300).saturating_sub(began.elapsed()));
    assert!(worker.pipe.try_receive().unwrap().is_none());
    release.send(()).unwrap();
    worker.hear().unwrap().unwrap();
    holder.join().unwrap();
    assert_eq!(worker.get("patient").unwrap(), json!(1));
    assert_eq!(worker.get("late").unwrap(), Value::Null, "what was late is not done afterwards");
}

fn kv_set(key: &str) -> fazt_protocol::op::Op {
    let op = fazt_protocol::op::kv::Op::Set { key: key.to_owned(), ttl_ms: None, condition: Condition::Always };
    fazt_protocol::op::Op::Kv(op)
}

#[test]
fn delayed_ops_end_in_time_and_are_not_executed_afterwards() {
    // Not flushed: a disk that is slow for a second would leave nothing that was done in time.
    let start = Start { arguments: &["--durability", "normal"], environment: &[("FAZT_STORE_TEST_DELAY", "0..60 ms")] };
    let mut farm = Farm::with(&start);
    let app = farm.app("a");
    let workers: Vec<Worker> = (0..6).map(|_| farm.worker_within(&app, 40)).collect();
    let threads: Vec<_> =
        workers.into_iter().enumerate().map(|(at, worker)| thread::spawn(move || race(at, worker))).collect();
    let outcomes: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    assert!(
        outcomes.iter().any(|(_, outcome)| *outcome == Some(true))
            && outcomes.iter().any(|(_, outcome)| *outcome != Some(true))
    );
    // The truth is in the file: what was acknowledged is there, what surely was not done is not.
    farm.close();
    let file = rusqlite::Connection::open(farm.database()).unwrap();
    for (key, outcome) in outcomes {
        let count = "SELECT count(*) FROM kv WHERE key = CAST(?1 AS BLOB)";
        let there: bool = file.query_row(count, [&key], |row| row.get(0)).unwrap();
        assert!(outcome.is_none_or(|done| done == there), "{key}: {outcome:?}, there: {there}");
    }
}

/// Sets keys: done, not done, or unknown.
fn race(at: usize, mut worker: Worker) -> Vec<(String, Option<bool>)> {
    let set = |n| {
        let key = format!("{at}:{n}");
        let began = Instant::now();
        let outcome = match worker.set(&key, b"1") {
            Ok(_) => Some(true),
            Err(refused) => {
                assert_eq!(refused.code, Code::Timeout);
                (!refused.unknown).then_some(false)
            }
        };
        assert!(began.elapsed() < Duration::from_secs(1), "{:?} for 40 ms", began.elapsed());
        (key, outcome)
    };
    (0..25).map(set).collect()
}

#[test]
fn a_scan_holds_up_neither_reads_nor_writes() {
    let mut farm = Farm::unflushed();
    let (app, other) = (farm.app("a"), farm.app("b"));
    let mut filler = farm.worker(&app);
    fill(&mut filler, 100);
    let scanners: Vec<Worker> = (0..4).map(|_| farm.worker(&app)).collect();
    let scans: Vec<_> = scanners
        .into_iter()
        .map(|mut worker| {
            thread::spawn(move || {
                for _ in 0..5 {
                    worker.number("c", Verb::Count, r#"{"$or":[{"text":"x"},{"n":-1}]}"#).unwrap();
                }
            })
        })
        .collect();
    let mut neighbour = farm.worker(&other);
    let mut rounds = 0;
    while scans.iter().any(|scan| !scan.is_finished()) {
        neighbour.set("k", b"1").unwrap();
        neighbour.get("k").unwrap();
        neighbour.find("none", "{}").unwrap();
        rounds += 1;
    }
    for scan in scans {
        scan.join().unwrap();
    }
    // Behind the scans, each of its three ops would wait for one: twenty scans, seven rounds at most.
    assert!(rounds > 20, "{rounds} rounds beside twenty scans");
}

#[test]
fn a_worker_that_dies_takes_its_scan_with_it() {
    let mut farm = Farm::start();
    let (app, other) = (farm.app("a"), farm.app("b"));
    let mut filler = farm.worker(&app);
    fill(&mut filler, 100);
    let mut doomed = farm.worker(&app);
    // A query that takes many times as long as one scan.
    let branches: Vec<String> = (0..400).map(|n| format!(r#"{{"f{n}":1}}"#)).collect();
    let op = fazt_protocol::op::ds::Op { collection: "c".to_owned(), verb: Verb::Count };
    doomed.send(fazt_protocol::op::Op::Ds(op), format!(r#"{{"$or":[{}]}}"#, branches.join(",")).as_bytes()).unwrap();
    drop(doomed);
    let began = Instant::now();
    assert_eq!(filler.number("c", Verb::Count, r#"{"n":5}"#).unwrap(), 1.0);
    // The scan alone would take several seconds.
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    farm.worker(&other).set("k", b"1").unwrap();
}
