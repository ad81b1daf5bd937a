//! A worker's memory stays as it is, whatever its app does: alone in a process, so that its size is the engine's alone.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use fazt_jail::Jailed;
use fazt_protocol::{
    board::Phase,
    call::{FaultKind, Limits, LogLine, Request, Work},
    op::{Code, Refusal},
};
use fazt_worker::engine::{App, Blank, Config, Engine, FreshState, Host, Job, OpReply, Question, Standard};

/// Scripts, and how each ends: with an answer, or so.
const SCRIPTS: [(&str, Option<FaultKind>); 6] = [
    ("respond({ hello: request.query.name })", None),
    ("const all = []; for (let i = 0; i < 3000; i++) all.push({ i, s: 'x' + i }); respond(200, all.length)", None),
    (
        "for (let i = 0; i < 300; i++) new Promise(() => {}).then(() => i); globalThis.leak = new Uint8Array(300000); throw new Error('x')",
        Some(FaultKind::ScriptError),
    ),
    ("fazt.storage.kv.set('k', 'v'.repeat(10000)); 1", Some(FaultKind::StorageUnavailable)),
    ("const f = () => f(); f()", Some(FaultKind::Stack)),
    (
        "try { const a = []; for (;;) a.push(new ArrayBuffer(1e6)) } catch {} new RegExp('a+').test('aaa'); console.log({ a: [1, 2, 3] })",
        None,
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

fn resident_bytes() -> Option<usize> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    statm.split_whitespace().nth(1)?.parse::<usize>().ok().map(|pages| pages * 4096)
}

#[test]
fn thousands_of_requests_leave_memory_as_it_was() {
    let config = Config { fresh_state: FreshState::Image, heap_bytes_most: 16 << 20 };
    let mut engine = Engine::new(&Jailed::for_tests(), Blank::make(&Standard::compile().unwrap(), config).unwrap());
    let limits = Limits {
        heap_bytes: 16 << 20,
        stack_bytes: 512 << 10,
        answer_bytes: 1 << 20,
        storage_calls: 10,
        storage_ms: 100,
    };
    let files = BTreeMap::from([("api/main.js".to_owned(), "eval(request.headers.script)".to_owned())]);
    engine.load(App { name: "app".to_owned(), version: 1, env: Vec::new(), files, limits }).unwrap();
    let works = SCRIPTS.map(|(script, end)| (Work::Request(Arc::new(request(script))), end));
    let mut serve = |rounds: usize| {
        for (work, end) in works.iter().cycle().take(rounds) {
            let job = Job { id: "req_memory", work, body: &[], run: Duration::from_secs(5) };
            let finished = engine.serve(&job, &mut Nobody);
            assert_eq!(finished.outcome.fault(), *end, "{work:?} came to {:?}", finished.outcome);
            engine.renew();
        }
    };
    serve(600);
    let before = resident_bytes().unwrap();
    serve(6_000);
    let grown = resident_bytes().unwrap().saturating_sub(before);
    assert!(grown < 1 << 20, "grown by {grown} bytes");
}

fn request(script: &str) -> Request {
    Request {
        method: "GET".to_owned(),
        url: "http://app.localhost/".to_owned(),
        path: "/".to_owned(),
        query: "name=x".to_owned(),
        host: "app.localhost".to_owned(),
        ip: "127.0.0.1".to_owned(),
        headers: vec![("script".to_owned(), script.to_owned())],
        has_body: false,
    }
}
