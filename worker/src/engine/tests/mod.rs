//! The engine from outside: apps in, outcomes out, with a host that keeps keys and values in a map.

mod basics;
mod console;
mod isolation;
mod limits;
mod outcomes;
mod patched;
mod public;
mod require;
mod scarce;
mod storage;
mod sweep;

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
    time::Duration,
};

use fazt_protocol::{
    board::Phase,
    call::{Limits, LogLine, Request, Work},
    op::{Code, Found, Op, Refusal, ds, kv},
};

use super::*;
use crate::outcome::Answer;

static STANDARD: LazyLock<Standard> = LazyLock::new(|| Standard::compile().unwrap());

pub(super) const LIMITS: Limits =
    Limits { heap_bytes: 32 << 20, stack_bytes: 512 << 10, answer_bytes: 1 << 20, storage_calls: 100, storage_ms: 100 };

/// A host that writes everything down.
#[derive(Default)]
pub(super) struct Probe {
    pub(super) lines: Vec<LogLine>,
    pub(super) phases: Vec<Phase>,
    pub(super) keys: BTreeMap<String, String>,
    pub(super) asked: Vec<(Op, String)>,
    pub(super) tokens: Vec<Option<String>>,
    pub(super) refusal: Option<Refusal>,
    pub(super) delay: Duration,
}

impl Host for Probe {
    fn ask(&mut self, question: &Question<'_>) -> Result<OpReply, Refusal> {
        let Question { op, once, body } = *question;
        self.tokens.push(once.map(str::to_owned));
        self.asked.push((op.clone(), String::from_utf8_lossy(body).into_owned()));
        let until = std::time::Instant::now() + self.delay;
        while std::time::Instant::now() < until {
            std::hint::spin_loop();
        }
        if let Some(refusal) = &self.refusal {
            return Err(refusal.clone());
        }
        let json = |text: String| (Found::Json, text.into_bytes());
        let (found, body) = match op.clone() {
            Op::Kv(kv::Op::Get { key }) => {
                self.keys.get(&key).map_or((Found::Nothing, Vec::new()), |value| json(value.clone()))
            }
            Op::Kv(kv::Op::Set { key, condition, .. }) => {
                self.keys.insert(key, String::from_utf8(body.to_vec()).unwrap());
                (if condition == kv::Condition::Always { Found::Done } else { Found::Flag(true) }, Vec::new())
            }
            Op::Kv(kv::Op::Incr { by, .. }) => (Found::Number(by), Vec::new()),
            Op::Kv(kv::Op::Delete { key }) => (Found::Flag(self.keys.remove(&key).is_some()), Vec::new()),
            Op::Kv(_) => json("[]".to_owned()),
            Op::Ds(ds::Op { verb: ds::Verb::FindOne, .. }) => (Found::Nothing, Vec::new()),
            Op::Ds(ds::Op { verb: ds::Verb::Insert, .. }) => json("\"id1\"".to_owned()),
            Op::Ds(ds::Op { verb: ds::Verb::Find { .. }, .. }) => json("[]".to_owned()),
            Op::Ds(_) => (Found::Number(1.0.into()), Vec::new()),
            _ => return Err(Refusal::new(Code::Unavailable, "not in this test")),
        };
        Ok(OpReply { found, body, store_us: 1 })
    }

    fn log(&mut self, line: LogLine) {
        self.lines.push(line);
    }

    fn phase(&mut self, phase: Phase) {
        self.phases.push(phase);
    }
}

impl Probe {
    pub(super) fn text(&self) -> Vec<&str> {
        self.lines.iter().map(|line| line.message.as_str()).collect()
    }
}

/// An engine, its host, and a request to change.
pub(super) struct Bench {
    pub(super) engine: Engine,
    pub(super) probe: Probe,
    pub(super) request: Request,
    pub(super) body: Vec<u8>,
    pub(super) run: Duration,
}

pub(super) fn get() -> Request {
    Request {
        method: "GET".to_owned(),
        url: "http://app.localhost/api/x?a=1&a=2&b=%C3%A9".to_owned(),
        path: "/api/x".to_owned(),
        query: "a=1&a=2&b=%C3%A9".to_owned(),
        host: "app.localhost".to_owned(),
        ip: "127.0.0.1".to_owned(),
        headers: vec![("accept".to_owned(), "*/*".to_owned()), ("cookie".to_owned(), "s=1; t=%20x".to_owned())],
        has_body: false,
    }
}

impl Bench {
    pub(super) fn new(main: &str) -> Self {
        Self::with(&[("api/main.js", main)], FreshState::Image, LIMITS)
    }

    pub(super) fn with(files: &[(&str, &str)], fresh_state: FreshState, limits: Limits) -> Self {
        let config = Config { fresh_state, heap_bytes_most: 64 << 20 };
        let mut engine = Engine::new(&Jailed::for_tests(), Blank::make(&STANDARD, config).unwrap());
        let files = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        let env = vec![("GREETING".to_owned(), "hi".to_owned())];
        engine.load(App { name: "app".to_owned(), version: 7, env, files, limits }).unwrap();
        let (probe, request) = (Probe::default(), get());
        Self { engine, probe, request, body: Vec::new(), run: Duration::from_secs(5) }
    }

    pub(super) fn serve(&mut self) -> Finished {
        let work = Work::Request(Arc::new(self.request.clone()));
        let job = Job { id: "req_test", work: &work, body: &self.body, run: self.run };
        self.engine.serve(&job, &mut self.probe)
    }

    pub(super) fn execute(&mut self, code: &str) -> Finished {
        let job = Job { id: "req_test", work: &Work::Execute, body: code.as_bytes(), run: self.run };
        self.engine.serve(&job, &mut self.probe)
    }

    pub(super) fn post(&mut self, kind: &str, body: &[u8]) -> Finished {
        self.request.has_body = true;
        self.request.headers = vec![("content-type".to_owned(), kind.to_owned())];
        self.body = body.to_vec();
        self.serve()
    }

    /// Serves once and expects an answer.
    pub(super) fn answer(&mut self) -> Answer {
        match self.serve().outcome {
            Outcome::Reply(answer) => answer,
            other => panic!("{other:?}"),
        }
    }

    /// The same as text.
    pub(super) fn text(&mut self) -> String {
        String::from_utf8(self.answer().body).unwrap()
    }
}

/// What a script answers, as text.
pub(super) fn text_of(main: &str) -> String {
    Bench::new(main).text()
}

/// How a script ends.
pub(super) fn end_of(main: &str) -> Outcome {
    Bench::new(main).serve().outcome
}
