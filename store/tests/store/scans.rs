//! Updates and deletes that must look for their documents: what they cost is their own app's affair.

use std::{
    sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst},
    thread,
    time::{Duration, Instant},
};

use fazt_protocol::op::{Code, Op, ds, ds::Verb};
use serde_json::{Map, Value, json};

use crate::harness::{Farm, Over, Worker, eventually};

/// Documents enough that a scan of them takes far longer than a write.
fn fill(worker: &mut Worker, thousands: u32) {
    for thousand in 0..thousands {
        let document = |n: u32| format!(r#"{{"n":{},"text":"some text, a little longer"}}"#, thousand * 1_000 + n);
        let documents: Vec<String> = (0..1_000).map(document).collect();
        worker.ds("c", Verb::InsertMany, &format!("[{}]", documents.join(","))).unwrap();
    }
}

fn update(query: &str, changes: &str) -> String {
    format!(r#"{{"query":{query},"changes":{changes}}}"#)
}

/// A document of that many fields, each a number.
fn wide(fields: usize) -> Value {
    Value::Object((0..fields).map(|at| (format!("f{at}"), json!(at))).collect::<Map<_, _>>())
}

#[test]
fn a_scan_for_a_write_holds_up_nobodys_writes() {
    let mut farm = Farm::unflushed();
    let (app, other) = (farm.app("a"), farm.app("b"));
    fill(&mut farm.worker(&app), 100);
    let mut neighbour = farm.worker(&other);
    let nothing = r#"{"$or":[{"text":"x"},{"n":-1}]}"#;
    let rounds = thread::scope(|scope| {
        let scans: Vec<_> = (0..4)
            .map(|at| {
                let mut worker = farm.worker(&app);
                scope.spawn(move || {
                    for _ in 0..5 {
                        let changed = match at % 2 {
                            0 => worker.number("c", Verb::Update, &update(nothing, r#"{"n":0}"#)),
                            _ => worker.number("c", Verb::Delete, nothing),
                        };
                        assert_eq!(changed.unwrap(), 0.0);
                    }
                })
            })
            .collect();
        let mut rounds = 0;
        while scans.iter().any(|scan| !scan.is_finished()) {
            neighbour.set("k", b"1").unwrap();
            rounds += 1;
        }
        rounds
    });
    // On the writer, each of its writes would wait for one of the twenty scans.
    assert!(rounds > 40, "{rounds} writes beside twenty scans");
}

#[test]
fn a_thousand_operators_cost_little_more_than_one() {
    let mut farm = Farm::start();
    let app = farm.app("a");
    let mut worker = farm.worker(&app);
    let mut took = |name: &str, changes: &Value| {
        worker
            .insert("c", &{
                let mut document = wide(20_000);
                document["id"] = json!(name);
                document.to_string()
            })
            .unwrap();
        let began = Instant::now();
        assert_eq!(worker.number("c", Verb::Update, &update(&json!(name).to_string(), &changes.to_string())), Ok(1.0));
        began.elapsed()
    };
    let names = |count: usize| Value::Object((0..count).map(|at| (format!("f{at}"), json!(7))).collect());
    let one = took("one", &json!({"$inc": {"f9": 1}}));
    let sums = took("sums", &json!({ "$inc": names(2_000) }));
    let removals = took("removals", &json!({ "$unset": names(2_000) }));
    assert!(sums < 20 * one && removals < 20 * one, "one sum {one:?}, 2,000 {sums:?}, 2,000 removals {removals:?}");
    let left = worker.find("c", r#"{"id":"removals"}"#).unwrap();
    assert_eq!((&left[0]["f1999"], &left[0]["f2000"]), (&Value::Null, &json!(2_000)));
    assert_eq!(worker.field("c", r#"{"id":"sums"}"#, "f1999"), [json!(2_006)]);
}

#[test]
fn what_no_longer_meets_the_query_is_not_changed() {
    let mut farm = Farm::start();
    let app = farm.app("a");
    let (mut first, mut second, mut third) = (farm.worker(&app), farm.worker(&app), farm.worker(&app));
    for id in ["kept", "taken", "gone"] {
        first.insert("c", &json!({"id": id, "state": "queued"}).to_string()).unwrap();
        first.insert("d", &json!({"id": id, "state": "queued"}).to_string()).unwrap();
    }
    // Nobody can write now; the readers find what they find.
    let foreign = rusqlite::Connection::open(farm.database()).unwrap();
    foreign.execute_batch("BEGIN IMMEDIATE").unwrap();
    let queued = r#"{"state":"queued"}"#;
    let ds = |collection: &str, verb| Op::Ds(ds::Op { collection: collection.to_owned(), verb });
    first.send(ds("c", Verb::Update), update(queued, r#"{"mine":true}"#).as_bytes()).unwrap();
    second.send(ds("d", Verb::Delete), queued.as_bytes()).unwrap();
    // One app's scans are done one after the other: once this one is answered the others have found theirs.
    assert_eq!(third.find("c", queued).unwrap().len(), 3);
    foreign.execute_batch("UPDATE document SET body = jsonb('{\"state\":\"other\"}') WHERE name = 'taken'").unwrap();
    foreign.execute_batch("DELETE FROM document WHERE name = 'gone'; COMMIT").unwrap();
    for worker in [&mut first, &mut second] {
        let (found, _) = worker.hear().unwrap().unwrap();
        assert_eq!(found, fazt_protocol::op::Found::Number(1.0.into()));
    }
    assert_eq!(third.field("c", r#"{"mine":true}"#, "id"), [json!("kept")]);
    assert_eq!(third.field("d", "{}", "id"), [json!("taken")]);
}

#[test]
fn a_write_of_very_many_documents_gives_way_to_others() {
    let mut farm = Farm::start();
    let (app, other) = (farm.app("a"), farm.app("b"));
    let mut worker = farm.worker(&app);
    fill(&mut worker, 150);
    let (over, rounds) = (AtomicBool::new(false), AtomicU32::new(0));
    let refused = thread::scope(|scope| {
        let _over = Over(&over);
        for _ in 0..4 {
            let (mut neighbour, over, rounds) = (farm.worker(&other), &over, &rounds);
            scope.spawn(move || {
                while !over.load(SeqCst) {
                    neighbour.set("k", b"1").unwrap();
                    rounds.fetch_add(1, SeqCst);
                }
            });
        }
        worker.ds("c", Verb::Delete, "{}").unwrap_err()
    });
    assert!(refused.code == Code::Timeout && !refused.unknown && refused.message.contains("fewer"), "{refused}");
    assert_eq!(worker.number("c", Verb::Count, r#"{"n":{"$exists":true}}"#).unwrap(), 150_000.0, "nothing was removed");
    // With nobody waiting it may take as long as any call.
    worker.begin(Duration::from_secs(60));
    assert_eq!(worker.number("c", Verb::Delete, "{}").unwrap(), 150_000.0);
}

#[test]
fn a_query_that_is_too_much_is_refused_by_what_is_too_much_of_it() {
    let mut farm = Farm::start();
    let app = farm.app("a");
    let mut worker = farm.worker(&app);
    worker.insert("c", r#"{"id":"x","a":1}"#).unwrap();
    let nested = |levels: usize| format!("{}{{\"a\":1}}{}", r#"{"$not":"#.repeat(levels), "}".repeat(levels));
    assert_eq!(worker.number("c", Verb::Count, &nested(32)), Ok(1.0));
    let branches = |count: usize| format!(r#"{{"$or":[{}]}}"#, vec!["{}"; count].join(","));
    let fields = |count: usize, test: &str| {
        let fields: Vec<String> = (0..count).map(|at| format!(r#""f{at}":{test}"#)).collect();
        format!("{{{}}}", fields.join(","))
    };
    for most in [fields(500, "null"), fields(100, r#"{"$nin":[1,"x",true]}"#)] {
        assert_eq!(worker.number("c", Verb::Count, &most), Ok(1.0));
    }
    let path = vec!["a"; 65].join(".");
    let set: Value = (0..2_001).map(|at| (format!("f{at}"), json!(1))).collect::<Map<_, _>>().into();
    for (query, changes, named) in [
        (nested(33), "{}".to_owned(), "32 levels"),
        (branches(501), "{}".to_owned(), "500 conditions"),
        (fields(501, "1"), "{}".to_owned(), "500 conditions"),
        (fields(101, r#"{"$in":[1,"x",true]}"#), "{}".to_owned(), "counts as 5"),
        ("\"x\"".to_owned(), json!({ path: 1 }).to_string(), "64 names"),
        ("\"x\"".to_owned(), set.to_string(), "2000 fields"),
    ] {
        let refused = worker.ds("c", Verb::Update, &update(&query, &changes)).unwrap_err();
        assert_eq!(refused.code, Code::InvalidArgument, "{refused}");
        assert!(refused.message.contains(named), "{refused}");
    }
}

/// SQLite's log starts over only when no reader needs it: scans that follow each other without a gap would let it grow to the
/// end of the disk, at no cost to their app.
#[test]
fn scans_without_a_gap_do_not_let_the_log_grow_without_an_end() {
    const MOST: u64 = 64 << 20;
    let mut farm = Farm::start();
    let app = farm.app("a");
    // As many apps as make a reader for each.
    let scanning: Vec<_> = (0..8)
        .map(|at| {
            let app = farm.app(&format!("scans{at}"));
            fill(&mut farm.worker(&app), 5);
            app
        })
        .collect();
    let log = farm.path().join("fazt.db-wal");
    let size = || std::fs::metadata(&log).map_or(0, |log| log.len());
    let written = AtomicU32::new(0);
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let _over = Over(&over);
        for app in &scanning {
            let (mut worker, over) = (farm.worker(app), &over);
            scope.spawn(move || {
                let branches: Vec<String> = (0..200).map(|at| format!(r#"{{"text":"{at}"}}"#)).collect();
                let query = format!(r#"{{"$or":[{}]}}"#, branches.join(","));
                while !over.load(SeqCst) {
                    // Its time may be over before it has seen all.
                    let _counted = worker.ds("c", Verb::Count, &query);
                }
            });
        }
        for at in 0..2_u32 {
            let (mut worker, over, written) = (farm.worker(&app), &over, &written);
            scope.spawn(move || {
                for round in 0.. {
                    if over.load(SeqCst) {
                        break;
                    }
                    let value = format!("\"{}\"", format!("{:08}", round * 2 + at).repeat(100_000));
                    worker.set(&format!("k{}", round % 4), value.as_bytes()).unwrap();
                    written.fetch_add(1, SeqCst);
                }
            });
        }
        // Five times what the log may have.
        eventually(|| (u64::from(written.load(SeqCst)) * 800_000 > 5 * MOST).then_some(()));
    });
    assert!(size() < 2 * MOST, "the log has {} MiB", size() >> 20);
}
