//! Not a test but a measurement, by hand and in a release build:
//! `cargo test --release -p fazt-store --test store -- --ignored --nocapture throughput`.

use std::{
    thread,
    time::{Duration, Instant},
};

use fazt_protocol::op::ds;

use crate::harness::{Farm, Start, Worker};

const SPAN: Duration = Duration::from_secs(3);

/// Runs `each` in a loop in every worker; returns operations a second.
fn run(workers: Vec<Worker>, each: impl Fn(&mut Worker, usize, u64) + Copy + Send + 'static) -> f64 {
    let began = Instant::now();
    let threads: Vec<_> = workers
        .into_iter()
        .enumerate()
        .map(|(at, mut worker)| {
            thread::spawn(move || {
                let mut count = 0_u64;
                while began.elapsed() < SPAN {
                    each(&mut worker, at, count);
                    count += 1;
                    if count.is_multiple_of(5_000) {
                        worker.begin(Duration::from_secs(60));
                    }
                }
                count
            })
        })
        .collect();
    let total: u64 = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    total as f64 / began.elapsed().as_secs_f64()
}

fn cpu_seconds(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let after = stat.rsplit_once(')').unwrap().1;
    let ticks: Vec<f64> = after.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse().unwrap()).collect();
    (ticks[0] + ticks[1]) / 100.0
}

#[test]
#[ignore = "a measurement"]
fn throughput() {
    let value = format!("\"{}\"", "x".repeat(1_022)).into_bytes();
    let value: &'static [u8] = Box::leak(value.into_boxed_slice());
    for durability in ["full", "normal"] {
        for sessions in [10, 64] {
            for (what, reads) in [("set", 0), ("get", 100), ("80 % get", 80), ("insert", 200)] {
                let mut farm = Farm::with(&Start { arguments: &["--durability", durability], environment: &[] });
                let app = farm.app("a");
                for at in 0..64 {
                    let mut worker = farm.worker(&app);
                    worker.set(&format!("key{at}"), value).unwrap();
                }
                let workers = (0..sessions).map(|_| farm.worker(&app)).collect();
                let before = cpu_seconds(farm.child.id());
                let rate = run(workers, move |worker, at, count| {
                    if reads == 200 {
                        worker
                            .ds("tasks", ds::Verb::Insert, r#"{"session":"test","text":"Task","done":false}"#)
                            .unwrap();
                    } else if count % 100 < reads {
                        worker.get(&format!("key{}", count % 64)).unwrap();
                    } else {
                        worker.set(&format!("key{at}:{}", count % 500), value).unwrap();
                    }
                });
                let cpu_us = (cpu_seconds(farm.child.id()) - before) / (rate * SPAN.as_secs_f64()) * 1e6;
                let status = farm.ask(fazt_protocol::registry::Ask::Status).unwrap();
                let fazt_protocol::registry::Answer::Status(status) = status else { panic!("{status:?}") };
                let group = status.writes as f64 / status.commits as f64;
                let wal = status.wal_bytes as f64 / 1e6;
                println!(
                    "{durability:6} {sessions:2} sessions {what:8} {rate:8.0}/s, {cpu_us:3.0} µs CPU, {group:4.1} a commit, log {wal:.1} MB"
                );
            }
        }
    }
}
