//! One end of everything: a [`Farm`] plays the router, a [`Worker`] plays a worker. Every wait has a deadline.

use std::{
    os::fd::AsFd,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    time::{Duration, Instant},
};

use fazt_protocol::{
    body::{Assembly, Part, parts},
    builder::{Encoding, Manifest},
    clock, fd,
    grant::{Grant, GrantKey},
    id::RequestId,
    op::{self, Found, Op, Refusal, ds, kv, s3},
    pipe::{Pipe, PipeError},
    registry::{Answer, App, Ask, FromStore, Status, ToStore},
    version,
};
use serde_json::Value;
use tempfile::TempDir;

pub const KEY: [u8; 32] = [7; 32];
/// Longer than a busy machine's disk may take to flush.
const PATIENCE: Duration = Duration::from_secs(60);

pub fn soon() -> Option<Instant> {
    Instant::now().checked_add(PATIENCE)
}

/// A store and its router's side.
pub struct Farm {
    pub child: Child,
    pub registry: Pipe<FromStore, ToStore>,
    pub status: Status,
    correlation: u64,
    bind: u64,
    folder: Option<TempDir>,
    path: PathBuf,
}

/// How a store is started.
#[derive(Default)]
pub struct Start<'a> {
    pub arguments: &'a [&'a str],
    pub environment: &'a [(&'a str, &'a str)],
}

impl Farm {
    pub fn start() -> Self {
        Self::with(&Start::default())
    }

    pub fn with(start: &Start<'_>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut farm = Self::on(folder.path(), start).unwrap();
        farm.folder = Some(folder);
        farm
    }

    /// One that waits for no disk: what is counted beside its writes is to be the store's doing.
    pub fn unflushed() -> Self {
        Self::with(&Start { arguments: &["--durability", "normal"], environment: &[] })
    }

    /// A store on that folder, or why it does not start.
    pub fn on(path: &Path, start: &Start<'_>) -> Result<Self, String> {
        let (ours, theirs) = fd::pair().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_fazt-store"))
            .args(["--registry-fd", "0", "--parent", &std::process::id().to_string(), "--sandbox", "best-effort"])
            .arg("--data-dir")
            .arg(path)
            .args(start.arguments)
            .envs(start.environment.iter().copied())
            .stdin(Stdio::from(theirs))
            .spawn()
            .unwrap();
        let mut registry = Pipe::new(ours);
        match greet(&mut registry) {
            Ok(status) => {
                let path = path.to_owned();
                Ok(Self { child, registry, status, correlation: 0, bind: 0, folder: None, path })
            }
            Err(reason) => {
                child.wait().unwrap();
                Err(reason)
            }
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn database(&self) -> PathBuf {
        self.path.join("fazt.db")
    }

    pub fn ask(&mut self, ask: Ask) -> Result<Answer, Refusal> {
        self.ask_with(ask, &[]).map(|(answer, _)| answer)
    }

    /// Asks without waiting for the answer; returns its number.
    pub fn send(&mut self, ask: Ask) -> u64 {
        self.correlation += 1;
        let ask = ToStore::Ask { correlation: self.correlation, ask: Box::new(ask), body: Part::empty() };
        self.registry.send(&ask, soon()).unwrap();
        self.correlation
    }

    pub fn ask_with(&mut self, ask: Ask, body: &[u8]) -> Result<(Answer, Vec<u8>), Refusal> {
        self.correlation += 1;
        let correlation = self.correlation;
        let (first, rest) = parts(body);
        self.registry.send(&ToStore::Ask { correlation, ask: Box::new(ask), body: first }, soon()).unwrap();
        for part in rest {
            self.registry.send(&ToStore::Chunk { correlation, part }, soon()).unwrap();
        }
        self.hear(correlation)
    }

    fn hear(&mut self, wanted: u64) -> Result<(Answer, Vec<u8>), Refusal> {
        let FromStore::Answer { correlation, outcome, body, .. } = self.registry.receive(soon()).unwrap() else {
            panic!("no answer");
        };
        assert_eq!(correlation, wanted);
        let answer = outcome?;
        let mut body = Assembly::begin(body, usize::MAX).unwrap();
        while !body.is_whole() {
            match self.registry.receive(soon()).unwrap() {
                FromStore::Chunk { part, .. } => body.push(part).unwrap(),
                other => panic!("{other:?}"),
            }
        }
        Ok((*answer, body.into_bytes()))
    }

    /// An app of one file.
    pub fn app(&mut self, name: &str) -> App {
        self.deploy(name, &[("api/main.js", b"respond(1)")])
    }

    pub fn upload(&mut self, files: &[(&str, &[u8])]) -> u64 {
        let Ok(Answer::Upload(upload)) = self.ask(Ask::Begin) else { panic!("no upload") };
        for (path, content) in files {
            let ask = Ask::File { upload, path: (*path).to_owned(), encoding: Encoding::Identity };
            assert_eq!(self.ask_with(ask, content).unwrap().0, Answer::Done);
        }
        upload
    }

    pub fn deploy(&mut self, name: &str, files: &[(&str, &[u8])]) -> App {
        let upload = self.upload(files);
        let (manifest, env) = (Manifest::default(), Vec::new());
        match self.ask(Ask::Commit { upload, name: name.to_owned(), manifest, env, activate: true }) {
            Ok(Answer::App(Some(app))) => app,
            other => panic!("{other:?}"),
        }
    }

    pub fn worker(&mut self, app: &App) -> Worker {
        self.worker_within(app, 30_000)
    }

    pub fn worker_within(&mut self, app: &App, storage_ms: u32) -> Worker {
        let (ours, theirs) = fd::pair().unwrap();
        self.bind += 1;
        self.correlation += 1;
        let ask = Box::new(Ask::Bind { bind: self.bind, app: app.id, version: app.version, storage_ms });
        let ask = ToStore::Ask { correlation: self.correlation, ask, body: Part::empty() };
        self.registry.send_with(&ask, &[theirs.as_fd()], soon()).unwrap();
        drop(theirs);
        let answer = self.hear(self.correlation);
        assert_eq!(answer.unwrap().0, Answer::Done);
        Worker::new(Pipe::new(ours), self.bind)
    }

    /// Closes the store in order and waits for its end.
    pub fn close(&mut self) {
        assert_eq!(self.ask(Ask::Close), Ok(Answer::Done));
        assert!(self.wait().success());
    }

    /// kill -9.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn wait(&mut self) -> std::process::ExitStatus {
        eventually(|| self.child.try_wait().unwrap())
    }
}

fn greet(registry: &mut Pipe<FromStore, ToStore>) -> Result<Status, String> {
    registry.send(&ToStore::Hello { protocol: version::PROTOCOL, grant_key: KEY }, soon()).unwrap();
    match registry.receive(soon()).unwrap() {
        FromStore::Ready { status, .. } => Ok(*status),
        FromStore::Refused { reason } => Err(reason),
        other => panic!("{other:?}"),
    }
}

impl Drop for Farm {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _collected = self.child.wait();
    }
}

/// Waits for a condition, and fails when it does not come.
pub fn eventually<T>(mut condition: impl FnMut() -> Option<T>) -> T {
    let until = soon().unwrap();
    loop {
        if let Some(met) = condition() {
            return met;
        }
        assert!(Instant::now() < until, "it never came");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Says to others that it is over, however it is left.
pub struct Over<'a>(pub &'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

/// A worker's side of a channel.
pub struct Worker {
    pub pipe: Pipe<op::FromStore, op::ToStore>,
    pub bind: u64,
    pub number: u64,
    pub sequence: u64,
    pub within_ms: u32,
    /// With the next question.
    pub once: Option<String>,
    grant: Option<Grant>,
}

impl Worker {
    fn new(pipe: Pipe<op::FromStore, op::ToStore>, bind: u64) -> Self {
        let mut worker = Self { pipe, bind, number: 0, sequence: 0, within_ms: 30_000, once: None, grant: None };
        worker.begin(Duration::from_secs(300));
        worker
    }

    /// Over a socket of the test's own making.
    pub fn from_pipe(pipe: Pipe<op::FromStore, op::ToStore>) -> Self {
        Self::new(pipe, 0)
    }

    /// A new request of that length.
    pub fn begin(&mut self, length: Duration) {
        self.sequence += 1;
        let deadline = clock::now_ns() + u64::try_from(length.as_nanos()).unwrap();
        self.grant = Some(GrantKey::new(KEY).grant(self.bind, self.sequence, RequestId::generate(), deadline));
    }

    pub fn present(&mut self, grant: Option<Grant>) {
        self.grant = grant;
    }

    pub fn send(&mut self, op: Op, body: &[u8]) -> Result<(), PipeError> {
        self.number += 1;
        let (first, rest) = parts(body);
        let (number, grant, once) = (self.number, self.grant.take(), self.once.take());
        let until_ns = clock::now_ns() + u64::from(self.within_ms) * 1_000_000;
        let ask = op::Ask { number, grant, until_ns, once, op, body: first };
        self.pipe.send(&op::ToStore::Ask(Box::new(ask)), soon())?;
        for part in rest {
            self.pipe.send(&op::ToStore::Chunk(part), soon())?;
        }
        Ok(())
    }

    pub fn hear(&mut self) -> Result<Result<(Found, Vec<u8>), Refusal>, PipeError> {
        let answer = match self.pipe.receive(soon())? {
            op::FromStore::Answer(answer) => answer,
            op::FromStore::Chunk(part) => panic!("{part:?} before an answer"),
        };
        assert_eq!(answer.number, self.number);
        let mut body = Assembly::begin(answer.body, usize::MAX).unwrap();
        while !body.is_whole() {
            match self.pipe.receive(soon())? {
                op::FromStore::Chunk(part) => body.push(part).unwrap(),
                op::FromStore::Answer(answer) => panic!("{answer:?} within an answer"),
            }
        }
        Ok(answer.outcome.map(|found| (found, body.into_bytes())))
    }

    pub fn ask(&mut self, op: Op, body: &[u8]) -> Result<(Found, Vec<u8>), Refusal> {
        self.send(op, body).unwrap();
        self.hear().unwrap()
    }

    /// The next question has that token.
    pub fn once(&mut self, token: &str) -> &mut Self {
        self.once = Some(token.to_owned());
        self
    }

    pub fn is_closed(&mut self) -> bool {
        matches!(self.pipe.receive(soon()), Err(PipeError::Closed(_) | PipeError::Socket { .. }))
    }

    /// An op whose answer is JSON, or nothing.
    pub fn json(&mut self, op: Op, body: &[u8]) -> Result<Value, Refusal> {
        match self.ask(op, body)? {
            (Found::Json, body) => Ok(serde_json::from_slice(&body).unwrap()),
            (Found::Nothing, _) => Ok(Value::Null),
            other => panic!("{other:?}"),
        }
    }

    pub fn get(&mut self, key: &str) -> Result<Value, Refusal> {
        self.json(Op::Kv(kv::Op::Get { key: key.to_owned() }), b"")
    }

    pub fn set(&mut self, key: &str, value: &[u8]) -> Result<Found, Refusal> {
        self.set_if(key, value, (None, kv::Condition::Always))
    }

    pub fn set_if(
        &mut self,
        key: &str,
        value: &[u8],
        (ttl_ms, condition): (Option<u64>, kv::Condition),
    ) -> Result<Found, Refusal> {
        self.ask(Op::Kv(kv::Op::Set { key: key.to_owned(), ttl_ms, condition }), value).map(|(found, _)| found)
    }

    pub fn ds(&mut self, collection: &str, verb: ds::Verb, body: &str) -> Result<(Found, Vec<u8>), Refusal> {
        self.ask(Op::Ds(ds::Op { collection: collection.to_owned(), verb }), body.as_bytes())
    }

    pub fn insert(&mut self, collection: &str, document: &str) -> Result<String, Refusal> {
        let (found, id) = self.ds(collection, ds::Verb::Insert, document)?;
        assert_eq!(found, Found::Json);
        Ok(serde_json::from_slice(&id).unwrap())
    }

    pub fn find(&mut self, collection: &str, query: &str) -> Result<Vec<Value>, Refusal> {
        let verb = ds::Verb::Find { limit: u32::MAX, offset: 0, order: Vec::new() };
        let (_, documents) = self.ds(collection, verb, query)?;
        Ok(serde_json::from_slice(&documents).unwrap())
    }

    /// One field of all documents that are found, newest first.
    pub fn field(&mut self, collection: &str, query: &str, field: &str) -> Vec<Value> {
        self.find(collection, query).unwrap().into_iter().map(|document| document[field].clone()).collect()
    }

    pub fn number(&mut self, collection: &str, verb: ds::Verb, body: &str) -> Result<f64, Refusal> {
        match self.ds(collection, verb, body)?.0 {
            Found::Number(number) => Ok(number.get()),
            other => panic!("{other:?}"),
        }
    }

    pub fn put(&mut self, path: &str, bytes: &[u8]) -> Result<Value, Refusal> {
        self.json(Op::S3(s3::Op::Put { path: path.to_owned(), mime: None }), bytes)
    }

    pub fn blob(&mut self, path: &str, range: Option<(u64, u64)>) -> Result<Option<(s3::Head, Vec<u8>)>, Refusal> {
        match self.ask(Op::S3(s3::Op::Get { path: path.to_owned(), range }), b"")? {
            (Found::Blob(head), bytes) => Ok(Some((head, bytes))),
            (Found::Nothing, _) => Ok(None),
            other => panic!("{other:?}"),
        }
    }
}
