//! kill -9 under write load: what was acknowledged is there, what was not is whole or absent, the file is sound.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use fazt_protocol::op::ds::Verb;
use serde_json::json;

use crate::harness::{Farm, Start, Worker, eventually};

const WRITERS: usize = 6;

/// What one writer knows: its documents that were acknowledged, its last value that was, and the one that may be.
#[derive(Debug, Default)]
struct Known {
    documents: u64,
    value: u64,
    attempted: u64,
}

/// Writes until the store is gone; counts what was acknowledged.
fn write(mut worker: Worker, at: usize, mut known: Known, acknowledged: &AtomicU64) -> Known {
    loop {
        known.attempted = known.value + 1;
        let body = known.attempted.to_string();
        if worker.send(set(at), body.as_bytes()).is_err() {
            return known;
        }
        match worker.hear() {
            Ok(Ok(_)) => known.value = known.attempted,
            _ => return known,
        }
        acknowledged.fetch_add(1, SeqCst);
        let op = fazt_protocol::op::ds::Op { collection: format!("c{at}"), verb: Verb::InsertMany };
        let pair = json!([{"n": known.documents}, {"n": known.documents}]).to_string();
        if worker.send(fazt_protocol::op::Op::Ds(op), pair.as_bytes()).is_err() {
            return known;
        }
        match worker.hear() {
            Ok(Ok(_)) => known.documents += 1,
            _ => return known,
        }
        acknowledged.fetch_add(1, SeqCst);
    }
}

fn set(at: usize) -> fazt_protocol::op::Op {
    let condition = fazt_protocol::op::kv::Condition::Always;
    fazt_protocol::op::Op::Kv(fazt_protocol::op::kv::Op::Set { key: format!("k{at}"), ttl_ms: None, condition })
}

#[test]
fn kill_loses_nothing_that_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let mut known: Vec<Known> = (0..WRITERS).map(|_| Known::default()).collect();
    let mut app = None;
    for round in 0..20_u64 {
        let mut farm = Farm::on(folder.path(), &Start::default()).unwrap();
        let app = app.get_or_insert_with(|| farm.app("a")).clone();
        check(&mut farm.worker(&app), &mut known);
        let acknowledged = Arc::new(AtomicU64::new(0));
        let writers: Vec<_> = std::mem::take(&mut known)
            .into_iter()
            .enumerate()
            .map(|(at, known)| {
                let (worker, acknowledged) = (farm.worker(&app), Arc::clone(&acknowledged));
                thread::spawn(move || write(worker, at, known, &acknowledged))
            })
            .collect();
        // However slow the disk is, there is load; and then somewhere in a group, a flush, a checkpoint: wherever that many
        // milliseconds lead.
        eventually(|| (acknowledged.load(SeqCst) > WRITERS as u64 + round % 7).then_some(()));
        thread::sleep(Duration::from_millis(20 + round * 7 % 50));
        farm.kill();
        known = writers.into_iter().map(|writer| writer.join().unwrap()).collect();
    }
    let file = rusqlite::Connection::open(folder.path().join("fazt.db")).unwrap();
    let sound: String = file.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(sound, "ok");
    let counted = "SELECT sum(documents) - (SELECT count(*) FROM document) FROM collection";
    assert_eq!(file.query_row(counted, [], |row| row.get::<_, i64>(0)).unwrap(), 0);
    let used = "SELECT bytes - (SELECT sum(2 * length(key) + length(value) + 64) FROM kv)
        - (SELECT sum(bytes) FROM document) - (SELECT sum(2 * length(name) + 64) FROM collection) FROM usage";
    assert_eq!(file.query_row(used, [], |row| row.get::<_, i64>(0)).unwrap(), 0);
    assert!(known.iter().map(|known| known.documents).sum::<u64>() > 10, "there was load");
}

/// Every acknowledged write is there; the one that was under way is there or not, and never in part.
fn check(worker: &mut Worker, known: &mut [Known]) {
    for (at, known) in known.iter_mut().enumerate() {
        let value = worker.get(&format!("k{at}")).unwrap().as_u64().unwrap_or_default();
        assert!(value == known.value || value == known.attempted, "{value} of {known:?}");
        known.value = value;
        let documents = worker.number(&format!("c{at}"), Verb::Count, "{}").unwrap();
        let pairs = (documents / 2.0) as u64;
        assert!(documents % 2.0 == 0.0, "half of an insertMany");
        assert!(pairs == known.documents || pairs == known.documents + 1, "{pairs} of {known:?}");
        known.documents = pairs;
    }
}
