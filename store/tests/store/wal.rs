//! SQLite's log beside readers: it has an end, and they have their answers.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    thread,
};

use fazt_protocol::op::ds::Verb;

use crate::harness::{Farm, Over, Worker, eventually};

/// A document of most of a mebibyte, in so many fields that looking for one of them takes SQLite a millisecond.
fn large() -> String {
    let fields: Vec<String> = (0..60_000).map(|at| format!(r#""f{at:06}":1"#)).collect();
    format!("{{{}}}", fields.join(","))
}

/// A query of so many conditions, of which a large document meets the last.
fn wide(conditions: u32) -> String {
    let conditions: Vec<String> = (1..conditions).map(|at| format!(r#"{{"none{at}":"x"}}"#)).collect();
    format!(r#"{{"$or":[{},{{"f059999":1}}]}}"#, conditions.join(","))
}

/// Writes large values until all who do so have written that much.
fn write(worker: &mut Worker, at: u32, (bytes, written): (u64, &AtomicU64)) {
    const VALUE: usize = 800_000;
    for round in 0_u32.. {
        if written.fetch_add(VALUE as u64, SeqCst) > bytes {
            break;
        }
        let value = format!("\"{}\"", format!("{:08}", round * 2 + at).repeat(VALUE / 8));
        worker.set(&format!("k{}", round % 4), value.as_bytes()).unwrap();
    }
}

/// One row of such a scan takes SQLite a quarter of a second, and its snapshot is in the log's way.
#[test]
fn the_log_has_an_end_beside_wide_scans_of_large_documents() {
    const MIB: u64 = 1 << 20;
    let mut farm = Farm::start();
    let app = farm.app("a");
    let mut scanning: Vec<Worker> = (0..6)
        .map(|at| {
            let app = farm.app(&format!("scans{at}"));
            let mut worker = farm.worker(&app);
            (0..2).for_each(|_| drop(worker.insert("c", &large()).unwrap()));
            worker
        })
        .collect();
    let mut writing = [farm.worker(&app), farm.worker(&app)];
    let log = farm.path().join("fazt.db-wal");
    let (written, over) = (AtomicU64::new(0), AtomicBool::new(false));
    let mut longest = 0;
    thread::scope(|scope| {
        let _over = Over(&over);
        for worker in &mut scanning {
            let over = &over;
            scope.spawn(move || {
                while !over.load(SeqCst) {
                    assert_eq!(worker.number("c", Verb::Count, &wide(480)), Ok(2.0));
                }
            });
        }
        let written = &written;
        let writing = writing.iter_mut().zip(0..);
        let writing = writing.map(|(worker, at)| scope.spawn(move || write(worker, at, (200 * MIB, written))));
        let writing: Vec<_> = writing.collect();
        eventually(|| {
            longest = longest.max(std::fs::metadata(&log).map_or(0, |log| log.len()));
            writing.iter().all(|writing| writing.is_finished()).then_some(())
        });
    });
    assert!(longest < 130 * MIB, "the log had {} MiB", longest / MIB);
}
