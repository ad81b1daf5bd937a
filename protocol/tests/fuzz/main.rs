//! Golden messages, changed at random, to every decoder: none may panic, take memory that was only promised, or decode to
//! what cannot be said again.
//!
//! A bounded run is part of the ordinary tests. `scripts/fuzz` makes a long one of it, or has cargo-fuzz look for new
//! paths where that is installed, and keeps what reached them in `protocol/fuzz/corpus`: those are seeds here as well.
//! A finding prints the bytes; they belong into `hostile.rs` as a test.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on ends")]

#[path = "../directions/mod.rs"]
mod directions;
mod mutation;

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant, SystemTime},
};

use directions::{ALL, Direction, golden, sources_withstand, unhexed};
use fazt_protocol::op::files::write_source;
use mutation::Mutator;

/// Largest input: some limits lie beyond it, and are in `limits/`.
const LARGEST: usize = 16 * 1024;

/// Panics where these bytes are not withstood.
type Withstand = Box<dyn Fn(&[u8])>;

/// What is fuzzed, by name: its seeds, and what must hold.
struct Target {
    name: &'static str,
    seeds: Vec<Vec<u8>>,
    withstand: Withstand,
}

fn targets() -> Vec<Target> {
    let decoder = |direction: Direction| Target {
        name: direction.name,
        seeds: [golden(&direction), kept(direction.name)].concat(),
        withstand: Box::new(move |bytes| {
            direction.withstand(bytes);
            direction.withstand_stream(bytes);
        }),
    };
    let mut all: Vec<Target> = ALL.into_iter().map(decoder).collect();
    let mut sources = Vec::new();
    write_source("api/main.js", b"respond(1)", &mut sources);
    write_source("api/lib.json", b"{}", &mut sources);
    let seeds = [vec![sources], kept("sources")].concat();
    all.push(Target { name: "sources", seeds, withstand: Box::new(sources_withstand) });
    all
}

/// What libFuzzer's runs have kept for a target: a line of hex for each input that reaches code which no other does.
fn kept(name: &str) -> Vec<Vec<u8>> {
    let file = format!("{}/fuzz/corpus/{}.txt", env!("CARGO_MANIFEST_DIR"), name.replace('.', "_"));
    fs::read_to_string(file).unwrap().lines().map(unhexed).collect()
}

/// Runs one target until `go_on` says no. Returns how often, and the bytes of each finding.
fn run(target: &Target, seed: u64, mut go_on: impl FnMut(u64) -> bool) -> (u64, Vec<Vec<u8>>) {
    let mut mutator = Mutator::new(seed, &target.seeds, LARGEST);
    let (mut executions, mut findings) = (0, Vec::new());
    while go_on(executions) && findings.len() < 10 {
        executions += 1;
        let input = mutator.next();
        if catch_unwind(AssertUnwindSafe(|| (target.withstand)(&input))).is_err() {
            findings.push(input);
        }
    }
    (executions, findings)
}

#[test]
fn seeds_are_there_and_hold() {
    for target in targets() {
        assert!(!target.seeds.is_empty(), "{}", target.name);
        target.seeds.iter().for_each(|seed| (target.withstand)(seed));
    }
}

#[test]
fn a_bounded_run_finds_nothing() {
    for target in targets() {
        let (_, findings) = run(&target, 1, |executions| executions < 1_500);
        assert!(findings.is_empty(), "{}: {findings:02x?}", target.name);
    }
}

/// The fuzzer itself: a decoder that takes whatever comes is found out.
#[test]
fn a_fault_is_found() {
    let seeds = vec![vec![1, 2, 3, 4, 5, 6, 7, 8]];
    let withstand = Box::new(|bytes: &[u8]| assert!(!bytes.windows(5).any(|five| five == [0xfd, 0, 0, 0, 0])));
    let target = Target { name: "faulty", seeds, withstand };
    let (_, findings) = run(&target, 1, |executions| executions < 5_000);
    assert!(!findings.is_empty());
}

/// `FAZT_FUZZ_SECONDS` in total, shared by all targets.
#[test]
#[ignore = "takes as long as it is told to: scripts/fuzz"]
fn long() {
    let seconds = std::env::var("FAZT_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(60u64);
    let seed = std::env::var("FAZT_FUZZ_SEED")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(|| SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs());
    let all = targets();
    let each = Duration::from_secs(seconds) / u32::try_from(all.len()).unwrap();
    let mut found = 0;
    println!("seed {seed}");
    for target in &all {
        let until = Instant::now() + each;
        let (executions, findings) = run(target, seed, |_| Instant::now() < until);
        println!("{:<24} {executions:>12} executions {:>4} findings", target.name, findings.len());
        findings.iter().for_each(|bytes| println!("    {bytes:02x?}"));
        found += findings.len();
    }
    assert_eq!(found, 0, "findings with seed {seed}");
}
