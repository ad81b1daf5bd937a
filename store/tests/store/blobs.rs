//! Blobs, as the contract says.

use std::{
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    thread,
};

use fazt_protocol::op::{Code, Found, Op, s3};
use serde_json::{Value, json};

use crate::harness::{Farm, Over, Start, Worker, eventually};

fn list(worker: &mut Worker, prefix: &str, limit: u32, after: Option<&str>) -> Vec<String> {
    let op = s3::Op::List { prefix: prefix.to_owned(), limit, after: after.map(str::to_owned) };
    let listed = worker.json(Op::S3(op), b"").unwrap();
    listed.as_array().unwrap().iter().map(|entry| entry["path"].as_str().unwrap().to_owned()).collect()
}

fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 7 + at / 251) as u8).collect()
}

#[test]
fn a_blob_comes_back_whole_and_in_part() {
    let mut farm = Farm::start();
    let app = farm.app("a");
    let mut worker = farm.worker(&app);
    // Around the edges of a chunk and of a step of the writer.
    for length in [0, 1, 262_143, 262_144, 262_145, 1_048_576, 1_048_577, 10 * 1024 * 1024, 16 * 1024 * 1024] {
        let content = bytes(length);
        let hash = blake3::hash(&content).to_hex().to_string();
        let put = worker.put("p", &content).unwrap();
        assert_eq!(put, json!({"etag": format!("\"{hash}\""), "size": length}));
        let (head, got) = worker.blob("p", None).unwrap().unwrap();
        assert!(got == content, "{length}");
        assert_eq!(
            (head.size, head.hash.as_str(), head.mime.as_str()),
            (length as u64, hash.as_str(), "application/octet-stream")
        );
        if length > 1_000_000 {
            for (start, end) in [(0, 1), (262_143, 262_145), (262_144, 524_288), (1_000_000, 99_999_999), (500, 500)] {
                let (head, got) = worker.blob("p", Some((start as u64, end as u64))).unwrap().unwrap();
                assert!(got == content[start..end.min(length)], "{length}: {start} to {end}");
                assert_eq!(head.size, length as u64);
            }
        }
    }
    for range in [(5, 4), (u64::MAX, u64::MAX), (20_000_000, 20_000_001)] {
        assert_eq!(worker.blob("p", Some(range)).unwrap_err().code, Code::InvalidArgument);
    }
    assert_eq!(worker.put("", b"x").unwrap_err().code, Code::InvalidArgument);
    assert_eq!(worker.blob("none", None).unwrap(), None);
}

#[test]
fn heads_lists_and_deletes() {
    let mut farm = Farm::start();
    let app = farm.app("a");
    let mut worker = farm.worker(&app);
    for path in ["img/b.png", "img/a.png", "doc", "img%"] {
        let op = s3::Op::Put { path: path.to_owned(), mime: Some("image/png".to_owned()) };
        worker.ask(Op::S3(op), path.as_bytes()).unwrap();
    }
    assert_eq!(list(&mut worker, "", 100, None), ["doc", "img%", "img/a.png", "img/b.png"]);
    assert_eq!(list(&mut worker, "img/", 100, None), ["img/a.png", "img/b.png"]);
    assert_eq!(list(&mut worker, "img/", 1, Some("img/a.png")), ["img/b.png"]);
    let entry = worker.json(Op::S3(s3::Op::List { prefix: "doc".to_owned(), limit: 1, after: None }), b"").unwrap();
    assert_eq!((&entry[0]["mime"], &entry[0]["size"]), (&json!("image/png"), &json!(3)));
    assert!(entry[0]["etag"].as_str().unwrap().starts_with('"') && entry[0]["updatedAt"].is_i64());
    let head =
        |worker: &mut Worker, path: &str| worker.ask(Op::S3(s3::Op::Head { path: path.to_owned() }), b"").unwrap();
    let (Found::Blob(found), body) = head(&mut worker, "doc") else { panic!("no blob") };
    assert_eq!((found.size, body.len()), (3, 0));
    let delete = |worker: &mut Worker| worker.ask(Op::S3(s3::Op::Delete { path: "doc".to_owned() }), b"").unwrap().0;
    assert_eq!((delete(&mut worker), delete(&mut worker)), (Found::Flag(true), Found::Flag(false)));
    assert_eq!(head(&mut worker, "doc").0, Found::Nothing);
}

#[test]
fn what_is_replaced_or_deleted_leaves_no_rows() {
    let mut farm = Farm::start();
    let app = farm.app("a");
    let mut worker = farm.worker(&app);
    for length in [3_000_000, 2_000_000, 10] {
        worker.put("p", &bytes(length)).unwrap();
    }
    worker.put("q", &bytes(3_000_000)).unwrap();
    worker.ask(Op::S3(s3::Op::Delete { path: "q".to_owned() }), b"").unwrap();
    let file = rusqlite::Connection::open(farm.database()).unwrap();
    let left = "SELECT (SELECT count(*) FROM chunk) + (SELECT count(*) FROM upload)";
    // The app's one file, the one blob: a row and an upload each.
    eventually(|| (file.query_row(left, [], |row| row.get::<_, i64>(0)).unwrap() == 4).then_some(()));
    assert_eq!(worker.blob("p", None).unwrap().unwrap().1, bytes(10));
}

#[test]
fn quotas_fill_to_the_byte_and_never_over_it() {
    let mut farm = Farm::with(&Start { arguments: &["--app-storage-bytes", "10000"], environment: &[] });
    let (app, other) = (farm.app("a"), farm.app("b"));
    let mut workers: Vec<Worker> = (0..8).map(|_| farm.worker(&app)).collect();
    let threads: Vec<_> = workers
        .drain(..)
        .enumerate()
        .map(|(at, mut worker)| {
            thread::spawn(move || {
                let set = |key| worker.set(&format!("{at}:{key}"), b"1234567890").is_ok();
                (0..100).map(set).filter(|done| *done).count()
            })
        })
        .collect();
    let stored: usize = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    // A key of three or four bytes in two places, a value of ten, sixty-four for the row.
    assert!((10_000 / 82..=10_000 / 80).contains(&stored), "{stored}");
    let mut worker = farm.worker(&app);
    let full = worker.put("p", &bytes(1_000)).unwrap_err();
    assert!(full.code == Code::QuotaExceeded && !full.unknown, "{full}");
    assert_eq!(
        worker.insert("c", r#"{"a":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}"#).unwrap_err().code,
        Code::QuotaExceeded
    );
    farm.worker(&other).set("k", b"1").unwrap();
    // Overwriting by no more is allowed at the brim, and deleting makes room.
    worker.set("0:0", b"9987654321").unwrap();
    for key in 0..100 {
        worker.ask(Op::Kv(fazt_protocol::op::kv::Op::Delete { key: format!("0:{key}") }), b"").unwrap();
    }
    worker.put("p", &bytes(100)).unwrap();
    let usage = "SELECT bytes FROM usage WHERE app = ?1";
    let counted = "SELECT ifnull((SELECT sum(2 * length(key) + length(value) + 64) FROM kv WHERE app = ?1), 0)
        + ifnull((SELECT sum(length(path) + length(mime) + size + 128) FROM blob WHERE app = ?1), 0)
        + ifnull((SELECT sum(bytes) FROM document), 0)
        + ifnull((SELECT sum(2 * length(name) + 64) FROM collection), 0)";
    let file = rusqlite::Connection::open(farm.database()).unwrap();
    let number = |sql: &str| file.query_row(sql, [app.id], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(number(usage), number(counted));
}

#[test]
fn a_collection_has_a_most() {
    let mut farm = Farm::with(&Start { arguments: &["--collection-documents", "3"], environment: &[] });
    let app = farm.app("a");
    let mut worker = farm.worker(&app);
    worker.ds("c", fazt_protocol::op::ds::Verb::InsertMany, "[{},{}]").unwrap();
    let full = worker.ds("c", fazt_protocol::op::ds::Verb::InsertMany, "[{},{}]").unwrap_err();
    assert_eq!(full.code, Code::QuotaExceeded);
    worker.insert("c", "{}").unwrap();
    assert_eq!(worker.insert("c", "{}").unwrap_err().code, Code::QuotaExceeded);
    worker.insert("d", "{}").unwrap();
    assert_eq!(worker.field("c", "{}", "none"), vec![Value::Null; 3]);
}

/// Bytes that were replaced cost their app nothing, so they must go as quickly as new ones come.
#[test]
fn who_replaces_a_blob_without_a_pause_does_not_outrun_the_sweeping() {
    let mut farm = Farm::unflushed();
    let app = farm.app("a");
    let sql = rusqlite::Connection::open(farm.database()).unwrap();
    let marked =
        || sql.query_row("SELECT count(*) FROM upload WHERE state = 2", [], |row| row.get::<_, u64>(0)).unwrap();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let _over = Over(&over);
        for at in 0..8 {
            let (mut worker, over) = (farm.worker(&app), &over);
            scope.spawn(move || {
                while !over.load(SeqCst) {
                    worker.put(&format!("p{at}"), b"1234567890").unwrap();
                }
            });
        }
        // Nothing is looked for in the first seconds; then all that has come is to be swept, and what comes meanwhile.
        eventually(|| (marked() > 500).then_some(()));
        eventually(|| (marked() < 50).then_some(()));
    });
}
