//! What the store keeps in memory of what it was asked.

use std::thread;

use fazt_protocol::op::ds::Verb;

use crate::harness::{Farm, Worker};

/// What a process has in memory; `statm` is open to everybody.
fn resident_mib(farm: &Farm) -> usize {
    let statm = std::fs::read_to_string(format!("/proc/{}/statm", farm.status.pid)).unwrap();
    let pages: usize = statm.split(' ').nth(1).unwrap().parse().unwrap();
    (pages * rustix::param::page_size()) >> 20
}

/// A query of so many conditions, of one shape for each number.
fn shape(conditions: u32, number: u32) -> String {
    let condition = |at: u32| if number >> (at % 16) & 1 == 0 { r#"{"a":1}"# } else { r#"{"a":"x"}"# };
    let conditions: Vec<&str> = (0..conditions).map(condition).collect();
    format!(r#"{{"$or":[{}]}}"#, conditions.join(","))
}

/// Sixteen apps scan at once, each with queries that were never asked before.
fn grown_mib(conditions: u32) -> usize {
    let mut farm = Farm::start();
    let mut workers: Vec<Worker> = (0..16)
        .map(|at| {
            let app = farm.app(&format!("a{at}"));
            let mut worker = farm.worker(&app);
            worker.insert("c", r#"{"a":true}"#).unwrap();
            worker
        })
        .collect();
    let mut ask = |from: u32, count: u32| {
        thread::scope(|scope| {
            for (worker, at) in workers.iter_mut().zip(0..) {
                scope.spawn(move || {
                    for number in (0..count).map(|number| from + at * count + number) {
                        assert_eq!(worker.number("c", Verb::Count, &shape(conditions, number)), Ok(0.0));
                    }
                });
            }
        });
    };
    ask(0, 4);
    let before = resident_mib(&farm);
    // More than a connection ever kept.
    ask(1_000, 150);
    let after = resident_mib(&farm);
    eprintln!("{conditions} conditions: {before} MiB, then {after}");
    // It may have given some back.
    after.saturating_sub(before)
}

#[test]
fn queries_of_many_shapes_leave_little_in_memory() {
    let grown: Vec<usize> = [4, 12, 20, 60].map(grown_mib).into();
    assert!(grown.iter().all(|grown| *grown < 24), "MiB more in memory: {grown:?}");
}
