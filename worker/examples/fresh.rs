//! What a fresh heap costs a request: the heap put back from its image (hot pages, or all of it), a new context in the same
//! runtime, and, as a yardstick that no farm may use, the same heap used again.
//!
//! ```text
//! cargo run --release -p fazt-worker --example fresh
//! ```
//!
//! Prints p50 and p99 in microseconds of one whole request: body, request object, script, answer, and the heap put back.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use fazt_jail::Jailed;
use fazt_protocol::{
    board::Phase,
    call::{Limits, LogLine, Request, Work},
    op::{Code, Refusal},
};
use fazt_worker::{
    engine::{App, Blank, Config, Engine, EngineError, FreshState, Host, Job, OpReply, Question, Standard},
    outcome::Outcome,
};

const HANDLERS: [(&str, &str); 3] = [
    ("hello", "respond({ hello: request.query.name || 'world' })"),
    (
        "hello, async",
        "module.exports = async (request) => { await null; return respond({ hello: request.query.name }) }",
    ),
    (
        "10,000 objects",
        "var all = []; for (let i = 0; i < 10000; i++) all.push({ i, s: 'x' + i }); respond({ n: all.length })",
    ),
];

struct Nobody;

impl Host for Nobody {
    fn ask(&mut self, _question: &Question<'_>) -> Result<OpReply, Refusal> {
        Err(Refusal::new(Code::Unavailable, "there is no store here"))
    }

    fn log(&mut self, _line: LogLine) {}

    fn phase(&mut self, _phase: Phase) {}
}

fn request() -> Request {
    let headers =
        [("accept", "*/*"), ("user-agent", "bench"), ("accept-encoding", "gzip"), ("connection", "keep-alive")];
    Request {
        method: "GET".to_owned(),
        url: "http://app.localhost/api/hello?name=bench".to_owned(),
        path: "/api/hello".to_owned(),
        query: "name=bench".to_owned(),
        host: "app.localhost".to_owned(),
        ip: "127.0.0.1".to_owned(),
        headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
        has_body: false,
    }
}

fn engine(standard: &Standard, fresh_state: FreshState, main: &str) -> Result<Engine, EngineError> {
    let config = Config { fresh_state, heap_bytes_most: 64 << 20 };
    let mut engine = Engine::new(&Jailed::for_tests(), Blank::make(standard, config)?);
    let limits = Limits {
        heap_bytes: 64 << 20,
        stack_bytes: 512 << 10,
        answer_bytes: 10 << 20,
        storage_calls: 10_000,
        storage_ms: 500,
    };
    let files = BTreeMap::from([("api/main.js".to_owned(), main.to_owned())]);
    engine.load(App { name: "bench".to_owned(), version: 1, env: Vec::new(), files, limits })?;
    Ok(engine)
}

/// Times of whole requests, sorted; the first few, in which pages become hot, are left out.
fn measure(engine: &mut Engine, rounds: usize) -> Vec<Duration> {
    let work = Work::Request(Arc::new(request()));
    let job = Job { id: "req_01J0000000000000000000000", work: &work, body: &[], run: Duration::from_secs(1) };
    let mut times = Vec::with_capacity(rounds);
    for round in 0..rounds + 20 {
        let began = Instant::now();
        let finished = engine.serve(&job, &mut Nobody);
        engine.renew();
        let took = began.elapsed();
        assert!(matches!(finished.outcome, Outcome::Reply(_)), "{:?}", finished.outcome);
        if round >= 20 {
            times.push(took);
        }
    }
    times.sort_unstable();
    times
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let began = Instant::now();
    let standard = Standard::compile()?;
    let compiled = began.elapsed();
    let began = Instant::now();
    let blank = engine(&standard, FreshState::Image, "1")?;
    println!("prelude compiled {compiled:?}; engine, app and image ready {:?}", began.elapsed());
    drop(blank);
    println!("{:<16} {:<22} {:>9} {:>9}", "handler", "heap", "p50 µs", "p99 µs");
    for (name, main) in HANDLERS {
        let states = [
            ("image, hot pages", FreshState::Image),
            ("image, all pages", FreshState::WholeImage),
            ("new context", FreshState::Context),
            ("used again (unsafe)", FreshState::UsedAgain),
        ];
        for (heap, fresh_state) in states {
            let rounds = if name.starts_with("hello") { 20_000 } else { 1_000 };
            let times = measure(&mut engine(&standard, fresh_state, main)?, rounds);
            let at = |share: f64| {
                times.get((times.len() as f64 * share) as usize).map_or(0.0, |time| time.as_secs_f64() * 1e6)
            };
            println!("{name:<16} {heap:<22} {:>9.1} {:>9.1}", at(0.50), at(0.99));
        }
    }
    Ok(())
}
