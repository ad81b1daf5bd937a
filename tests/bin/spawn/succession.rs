//! From SIGKILL of the only worker that serves to the next answer: its end is noticed, the spare one that has its place is bound
//! to the app, loads it and runs. Beside it, in turn, the first answer of an app for which nobody had to die before, and an
//! answer of one that a worker had loaded already.

use std::time::{Duration, Instant};

use fazt_tests::{
    farm::Farm,
    http::App,
    setup::Setup,
    wait::{eventually, seconds},
    wire::Wire,
};
use rustix::process::Signal;

use super::show;

const ROUNDS: usize = 300;

/// Answers, or never does.
const SOURCE: &str = "if (request.query.spin) { for (;;) {} } respond('here')";

/// Prints all three.
pub fn measure() {
    // One place: whoever comes while it is taken waits for the successor, and each of two apps in turn is a new one's.
    let setup = Setup::new(1).flag("--timeout", "30s").flag("--request-timeout", "60s").flag("--queue-timeout", "30s");
    let farm = setup.start();
    let (one, other) = (farm.script("one", SOURCE), farm.script("other", SOURCE));
    let (mut successions, mut firsts, mut usual) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        assert_eq!(one.get("/api/").status, 200);
        farm.settle();
        successions.push(kill_and_ask(&farm));
        farm.settle();
        firsts.push(answer_of(&other));
        usual.push(answer_of(&other));
        farm.settle();
    }
    show("kill to the next answer", successions);
    show("first answer of an app", firsts);
    show("answer of a loaded app", usual);
}

fn answer_of(app: &App) -> Duration {
    let began = Instant::now();
    assert_eq!(app.get("/api/").status, 200);
    began.elapsed()
}

/// The next request waits already when the worker is killed.
fn kill_and_ask(farm: &Farm) -> Duration {
    let ask = |target: &str| {
        let mut wire = Wire::open(farm.address);
        wire.send(format!("GET {target} HTTP/1.1\r\nHost: one.localhost\r\n\r\n"));
        wire
    };
    let spinning = ask("/api/?spin=1");
    let worker = farm.busy_worker("one");
    let mut waiting = ask("/api/");
    eventually(seconds(10), "it waits", || farm.runtime()["queued"] == 1);
    let killed = Instant::now();
    worker.signal(Signal::KILL);
    let answer = waiting.answer();
    let span = killed.elapsed();
    assert_eq!(answer.map(|answer| answer.status), Some(200));
    drop(spinning);
    span
}
