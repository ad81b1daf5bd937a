//! Requests changed at random, to a real farm: whatever comes, it is answered with HTTP or with the end of the
//! connection, in time, by the app that it names and by no other, and the farm is as before.
//!
//! The search is guided by what comes back: an input that brings answers which none brought before is changed further.
//! A bounded run is part of the ordinary tests, and begins with what long ones have kept; `scripts/fuzz SECONDS http`
//! makes a long one, and keeps what is new. A finding prints the bytes: they belong into the tables of `http/`.

mod corpus;
mod mutation;

use std::{
    env,
    fmt::Write,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::{Duration, Instant, SystemTime},
};

use corpus::{Corpus, signs};
use fazt_tests::{
    farm::Farm,
    oracle::Watch,
    setup::Setup,
    wait::{promised, seconds},
    wire::{Heard, Wire},
};
use mutation::{Mutator, cut};

/// What only the neighbour's app says.
const SECRET: &str = "SECRET-OF-THE-NEIGHBOUR";
/// Connections at one time.
const CLIENTS: u64 = 4;
/// Inputs of an ordinary run, each client's.
const INPUTS: u64 = 400;
/// How long a long run stays with one farm: what it has logged is compared at its end.
const ROUND: Duration = seconds(60);

/// What a client did, and what it has learned.
struct Tally {
    inputs: u64,
    corpus: Corpus,
    finding: Option<String>,
}

/// One farm's clients.
struct Round<'a> {
    farm: &'a Farm,
    seed: u64,
    corpus: &'a Corpus,
    failed: AtomicBool,
}

impl Round<'_> {
    /// One client's share: first what was kept, then inputs that are new, until `go_on` says no.
    fn client(&self, number: u64, go_on: impl Fn(u64) -> bool) -> Tally {
        let mut mutator = Mutator(self.seed.wrapping_add(number));
        let mut tally = Tally { inputs: 0, corpus: self.corpus.clone(), finding: None };
        let mut kept = self.corpus.kept().iter().skip(number as usize).step_by(CLIENTS as usize);
        // All that was kept is sent, however short the run: what shows nothing any more is not kept further.
        while !self.failed.load(Relaxed) && (kept.len() > 0 || go_on(tally.inputs)) {
            let input = kept.next().cloned().unwrap_or_else(|| mutator.input(&tally.corpus));
            tally.inputs += 1;
            let heard = send(self.farm, &input);
            tally.corpus.learn(&input, signs(&heard));
            if let Err(wrong) = judge(&input, &heard) {
                self.failed.store(true, Relaxed);
                tally.finding = Some(format!("{wrong}\n    {}", input.escape_ascii()));
            }
        }
        tally
    }
}

fn farm() -> Farm {
    let farm = Setup::new(3).start();
    farm.script("echo", "respond({ app: 'echo', method: request.method, path: request.path, host: request.host })");
    farm.script("other", &format!("respond('{SECRET}')"));
    farm.deploy("site", &[("index.html", "a page"), ("private/key", SECRET)]);
    farm
}

fn send(farm: &Farm, input: &[u8]) -> Heard {
    // Not from the address that the farm's own token comes from: wrong ones are among the inputs, and held against it.
    let mut wire = Wire::open_from(7, farm.address);
    let (first, second) = input.split_at(cut(input));
    // It may be closed before all is taken.
    if wire.send(first) && wire.send(second) {
        wire.finish();
    }
    wire.hear()
}

/// What is wrong with what came of an input, if anything.
fn judge(input: &[u8], heard: &Heard) -> Result<(), String> {
    let mut wrong = String::new();
    if heard.took > promised(seconds(8)) {
        write!(wrong, "it took {:?}; ", heard.took).unwrap();
    }
    let to_head = input.windows(4).any(|bytes| bytes == b"HEAD");
    if !heard.rest.is_empty() && !to_head {
        write!(wrong, "no HTTP: {:?}; ", String::from_utf8_lossy(&heard.rest)).unwrap();
    }
    for answer in &heard.answers {
        if answer.status != 100 && answer.header("x-request-id").is_none() {
            write!(wrong, "{} without an id; ", answer.status).unwrap();
        }
        if answer.status >= 500 && ![501, 505].contains(&answer.status) {
            write!(wrong, "{} {}; ", answer.status, answer.text()).unwrap();
        }
        let asked_for = String::from_utf8_lossy(input).to_ascii_lowercase().contains("other");
        if answer.text().contains(SECRET) && !asked_for {
            wrong.push_str("what is another app's; ");
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

/// One farm's time, until `go_on` says no: how many inputs. Panics with what was found.
fn run(seed: u64, corpus: &mut Corpus, go_on: impl Fn(u64) -> bool + Sync) -> u64 {
    let farm = farm();
    let watch = Watch::over(&farm).unheard(0);
    let round = Round { farm: &farm, seed, corpus, failed: AtomicBool::new(false) };
    let tallies: Vec<Tally> = thread::scope(|scope| {
        let (round, go_on) = (&round, &go_on);
        let clients: Vec<_> = (0..CLIENTS).map(|number| scope.spawn(move || round.client(number, go_on))).collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    let findings: Vec<&str> = tallies.iter().filter_map(|tally| tally.finding.as_deref()).collect();
    assert!(findings.is_empty(), "FAZT_FUZZ_SEED={seed} finds:\n{}", findings.join("\n"));
    // Said before what the watch may find.
    println!("FAZT_FUZZ_SEED={seed}");
    watch.close();
    let inputs = tallies.iter().map(|tally| tally.inputs).sum();
    corpus.take(tallies.into_iter().map(|tally| tally.corpus));
    inputs
}

/// Another one each time, said where something is found; `FAZT_FUZZ_SEED` gives one again.
fn seed() -> u64 {
    let given = env::var("FAZT_FUZZ_SEED").ok().map(|text| text.parse().unwrap());
    given.unwrap_or_else(|| SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64)
}

#[test]
fn requests_changed_at_random_are_withstood() {
    let mut corpus = Corpus::read();
    assert!(corpus.kept().len() as u64 <= CLIENTS * INPUTS / 2, "room for inputs that are new");
    assert_eq!(run(seed(), &mut corpus, |inputs| inputs < INPUTS), CLIENTS * INPUTS);
}

#[test]
#[ignore = "as long as FAZT_FUZZ_SECONDS says; run by scripts/fuzz"]
fn long() {
    let length = env::var("FAZT_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(60);
    let until = Instant::now() + Duration::from_secs(length);
    let seed = seed();
    let (mut corpus, mut inputs) = (Corpus::read(), 0);
    while Instant::now() < until {
        let end = until.min(Instant::now() + ROUND);
        inputs += run(seed.wrapping_add(inputs), &mut corpus, |_| Instant::now() < end);
        corpus.write();
        println!("http {inputs} inputs, 0 findings, {} signs, seed {seed}", corpus.len());
    }
}
