//! Writes with a token: done once, and answered with the first result again.

use std::{path::Path, thread};

use fazt_protocol::op::{
    Code, Found, Op, Refusal,
    ds::Verb,
    kv::{self, Condition},
    s3,
};
use serde_json::json;

use crate::harness::{Farm, Start, Worker, eventually};

const DAY_MS: i64 = 24 * 3600 * 1000;

fn incr(worker: &mut Worker, key: &str) -> Result<f64, Refusal> {
    match worker.ask(Op::Kv(kv::Op::Incr { key: key.to_owned(), by: 1.0.into() }), b"")?.0 {
        Found::Number(number) => Ok(number.get()),
        other => panic!("{other:?}"),
    }
}

fn delete(key: &str) -> Op {
    Op::Kv(kv::Op::Delete { key: key.to_owned() })
}

/// Makes every token of the file that much older.
fn age(database: &Path, by_ms: i64) {
    let file = rusqlite::Connection::open(database).unwrap();
    file.busy_timeout(std::time::Duration::from_secs(5)).unwrap();
    assert!(file.execute("UPDATE once SET at = at - ?1", [by_ms]).unwrap() > 0, "there is no token");
}

#[test]
fn each_write_is_done_once_and_answered_again() {
    let mut farm = Farm::start();
    let app = farm.app("a");
    let (mut first, mut second) = (farm.worker(&app), farm.worker(&app));
    let absent = (None, Condition::IfAbsent);
    for worker in [&mut first, &mut second] {
        assert_eq!(incr(worker.once("incr"), "n").unwrap(), 1.0);
        assert_eq!(worker.once("set").set("s", b"1").unwrap(), Found::Done);
        assert_eq!(worker.once("applied").set_if("c", b"1", absent).unwrap(), Found::Flag(true));
        assert_eq!(worker.once("not").set_if("c", b"2", absent).unwrap(), Found::Flag(false));
        assert_eq!(worker.once("delete").ask(delete("c"), b"").unwrap().0, Found::Flag(true));
        // Would hold by now, and did not the first time.
        assert_eq!(worker.once("not").set_if("c", b"2", absent).unwrap(), Found::Flag(false));
        worker.set("s", b"2").unwrap();
        assert_eq!(worker.once("set").set("s", b"3").unwrap(), Found::Done);
        assert_eq!(worker.get("s").unwrap(), json!(2), "done again");
    }
    assert_eq!(first.get("n").unwrap(), json!(1));
    let ids: Vec<String> = [&mut first, &mut second].map(|worker| worker.once("doc").insert("d", "{}").unwrap()).into();
    assert_eq!(ids[0], ids[1]);
    for worker in [&mut first, &mut second] {
        let (_, many) = worker.once("many").ds("d", Verb::InsertMany, r#"[{"a":1},{"a":2}]"#).unwrap();
        assert_eq!(serde_json::from_slice::<Vec<String>>(&many).unwrap().len(), 2);
        assert_eq!(worker.number("d", Verb::Count, "{}").unwrap(), 3.0);
    }
    for worker in [&mut first, &mut second] {
        let changes = r#"{"query":{"a":1},"changes":{"$inc":{"a":1}}}"#;
        assert_eq!(worker.once("update").number("d", Verb::Update, changes).unwrap(), 1.0);
        assert_eq!(worker.once("remove").number("d", Verb::Delete, r#"{"a":2}"#).unwrap(), 2.0);
        let blob = worker.once("put").put("p", b"first").unwrap();
        assert_eq!(blob["size"], json!(5));
        let gone = worker.once("gone").ask(Op::S3(s3::Op::Delete { path: "p".to_owned() }), b"").unwrap().0;
        assert_eq!(gone, Found::Flag(true));
    }
    assert!(first.blob("p", None).unwrap().is_none());
}

#[test]
fn a_token_is_the_apps_own() {
    let mut farm = Farm::start();
    let (app, other) = (farm.app("a"), farm.app("b"));
    let (mut ours, mut theirs) = (farm.worker(&app), farm.worker(&other));
    incr(&mut ours, "n").unwrap();
    assert_eq!(incr(ours.once("t"), "n").unwrap(), 2.0);
    assert_eq!(incr(theirs.once("t"), "n").unwrap(), 1.0);
    assert_eq!(incr(ours.once("t"), "n").unwrap(), 2.0);
    // Removed and made again, an app begins anew, and nothing of it is left.
    farm.ask(fazt_protocol::registry::Ask::Remove { name: "a".to_owned() }).unwrap();
    let again = farm.app("a");
    assert_eq!(incr(farm.worker(&again).once("t"), "n").unwrap(), 1.0);
    let file = rusqlite::Connection::open(farm.database()).unwrap();
    let tokens = || file.query_row("SELECT count(*) FROM once", [], |row| row.get::<_, i64>(0)).unwrap();
    eventually(|| (tokens() == 2).then_some(()));
}

#[test]
fn at_once_from_many_workers_it_is_still_done_once() {
    let mut farm = Farm::start();
    let app = farm.app("a");
    let workers: Vec<Worker> = (0..8).map(|_| farm.worker(&app)).collect();
    let threads: Vec<_> = workers
        .into_iter()
        .enumerate()
        .map(|(at, mut worker)| {
            thread::spawn(move || {
                let counted = (0..50).map(|round| incr(worker.once(&format!("t{round}")), "n").unwrap()).collect();
                // Large enough for several steps, of which another worker's may come in between.
                let blob = worker.once("blob").put("p", &vec![u8::try_from(at).unwrap(); 3 << 20]).unwrap();
                (counted, blob["etag"].as_str().unwrap().to_owned())
            })
        })
        .collect();
    let answers: Vec<(Vec<f64>, String)> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    for answer in &answers {
        assert_eq!(answer, &answers[0]);
    }
    let mut worker = farm.worker(&app);
    assert_eq!(worker.get("n").unwrap(), json!(50));
    let (head, bytes) = worker.blob("p", None).unwrap().unwrap();
    assert_eq!(format!("\"{}\"", head.hash), answers[0].1);
    assert_eq!(bytes.len(), 3 << 20);
}

#[test]
fn a_crash_between_the_write_and_its_answer_does_it_once_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let mut app = None;
    for round in 0..10_u32 {
        let mut farm = Farm::on(folder.path(), &Start::default()).unwrap();
        let app = app.get_or_insert_with(|| farm.app("a")).clone();
        let token = format!("t{round}");
        let mut worker = farm.worker(&app);
        // In every other round it is answered before the end; in the others nobody knows what came of it.
        worker.once(&token).send(Op::Kv(kv::Op::Incr { key: "n".to_owned(), by: 1.0.into() }), b"").unwrap();
        if round % 2 == 0 {
            worker.hear().unwrap().unwrap();
        }
        farm.kill();
        let mut farm = Farm::on(folder.path(), &Start::default()).unwrap();
        let mut worker = farm.worker(&app);
        assert_eq!(incr(worker.once(&token), "n").unwrap(), f64::from(round + 1));
        assert_eq!(worker.get("n").unwrap(), json!(round + 1));
    }
}

#[test]
fn what_was_refused_may_be_asked_again() {
    let mut farm = Farm::start();
    let app = farm.app("a");
    let mut worker = farm.worker(&app);
    worker.set("n", b"\"text\"").unwrap();
    assert_eq!(incr(worker.once("t"), "n").unwrap_err().code, Code::InvalidArgument);
    worker.set("n", b"1").unwrap();
    assert_eq!(incr(worker.once("t"), "n").unwrap(), 2.0);
    worker.insert("c", r#"{"id":"taken"}"#).unwrap();
    let batch = r#"[{"id":"new"},{"id":"taken"}]"#;
    assert_eq!(worker.once("m").ds("c", Verb::InsertMany, batch).unwrap_err().code, Code::Conflict);
    worker.number("c", Verb::Delete, r#""taken""#).unwrap();
    worker.once("m").ds("c", Verb::InsertMany, batch).unwrap();
    assert_eq!(worker.number("c", Verb::Count, "{}").unwrap(), 2.0);
}

#[test]
fn a_token_that_meant_something_else_is_refused_by_name() {
    let mut farm = Farm::start();
    let app = farm.app("a");
    let mut worker = farm.worker(&app);
    incr(worker.once("t"), "n").unwrap();
    let other_key = incr(worker.once("t"), "m").unwrap_err();
    let other_call = worker.once("t").ask(delete("n"), b"").unwrap_err();
    for refused in [other_key, other_call] {
        assert!(refused.code == Code::InvalidArgument && !refused.unknown, "{refused}");
        assert!(refused.message.contains("once") && refused.message.contains("kv.incr(\"n\")"), "{refused}");
    }
    assert_eq!(worker.get("n").unwrap(), json!(1));
    let read = worker.once("t").get("n").unwrap_err();
    assert!(read.code == Code::InvalidArgument && read.message.contains("changes nothing"), "{read}");
    let empty = incr(worker.once(""), "n").unwrap_err();
    assert!(empty.code == Code::InvalidArgument && empty.message.contains("empty"), "{empty}");
    // More than a token may have is no message at all.
    worker.once(&"x".repeat(129)).send(delete("n"), b"").unwrap();
    assert!(worker.is_closed());
    assert_eq!(farm.worker(&app).get("n").unwrap(), json!(1));
}

#[test]
fn after_a_day_it_is_forgotten_and_its_room_given_back() {
    let mut farm = Farm::start();
    let app = farm.app("a");
    let mut worker = farm.worker(&app);
    worker.set("kept", b"1").unwrap();
    let file = rusqlite::Connection::open(farm.database()).unwrap();
    let number = |sql: &str| file.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    let used = "SELECT bytes FROM usage";
    let before = number(used);
    assert_eq!(worker.once("t").ask(delete("none"), b"").unwrap().0, Found::Flag(false));
    // A row, the token in two places, and what it was done to.
    assert_eq!(number(used), before + 64 + 2 + 4);
    age(&farm.database(), DAY_MS - 60_000);
    worker.set("none", b"1").unwrap();
    assert_eq!(worker.once("t").ask(delete("none"), b"").unwrap().0, Found::Flag(false), "a day is not over");
    age(&farm.database(), 60_001);
    assert_eq!(worker.once("t").ask(delete("none"), b"").unwrap().0, Found::Flag(true));
    assert_eq!(number(used), before + 64 + 2 + 4, "a token that takes the place of an old one counts once");
    age(&farm.database(), DAY_MS + 1);
    eventually(|| (number("SELECT count(*) FROM once") == 0).then_some(()));
    eventually(|| (number(used) == before).then_some(()));
}

#[test]
fn a_write_whose_token_has_no_room_is_not_done() {
    let mut farm = Farm::with(&Start { arguments: &["--app-storage-bytes", "1000"], environment: &[] });
    let app = farm.app("a");
    let mut worker = farm.worker(&app);
    let value = [b"\"".as_slice(), &[b'x'; 800], b"\""].concat();
    let refused = worker.once(&"t".repeat(100)).set("k", &value).unwrap_err();
    assert!(refused.code == Code::QuotaExceeded && !refused.unknown, "{refused}");
    assert_eq!(worker.get("k").unwrap(), json!(null));
    worker.set("k", &value).unwrap();
    // What makes room is never refused for want of room.
    for key in ["none", "k"] {
        worker.once(&format!("{key}{}", "t".repeat(100))).ask(delete(key), b"").unwrap();
    }
    worker.once("t").set("k", b"1").unwrap();
}

#[test]
fn what_was_written_of_a_blob_that_is_not_published_goes_at_once() {
    let mut farm = Farm::with(&Start { arguments: &["--app-storage-bytes", "9000000"], environment: &[] });
    let app = farm.app("a");
    let workers: Vec<Worker> = (0..4).map(|_| farm.worker(&app)).collect();
    // Two of them have room, one after the other's end; all together have not, and one token is two workers'.
    let threads: Vec<_> = workers
        .into_iter()
        .enumerate()
        .map(|(at, mut worker)| {
            thread::spawn(move || {
                let (path, blob) = (format!("p{at}"), vec![b'x'; 4 << 20]);
                let same = worker.once("same").put("same", &blob[..3 << 20]).is_ok();
                (same, worker.put(&path, &blob).is_ok())
            })
        })
        .collect();
    let stored: Vec<(bool, bool)> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    assert!(stored.iter().all(|(same, _)| *same), "{stored:?}");
    assert!(stored.iter().filter(|(_, own)| *own).count() <= 1, "{stored:?}");
    let file = rusqlite::Connection::open(farm.database()).unwrap();
    let count = |sql: &str| file.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    eventually(|| (count("SELECT count(*) FROM upload WHERE state <> 1") == 0).then_some(()));
    let used = "SELECT sum(size) FROM blob";
    let kept = "SELECT sum(length(bytes)) FROM chunk WHERE id >> 20 IN (SELECT upload FROM blob)";
    assert_eq!(count(used), count(kept));
}
