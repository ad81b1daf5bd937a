//! Messages in which everything is small, to be changed in one place.

use std::sync::Arc;

use fazt_protocol::{
    body::Part,
    builder::{Built, Encoding, FromBuilder, Manifest},
    call::{
        Assign, Before, Call, Done, Fault, FaultKind, FromWorker, Level, Limits, LogLine, OpSpan, Reply, Request,
        Source, Spans, ToWorker, Work,
    },
    grant::{Grant, GrantKey},
    id::RequestId,
    op,
    registry::{self, App, ContentEntry, FileEntry, LogFilter, LogRecord, Status, Version},
};

pub(super) fn grant() -> Grant {
    // The longest id and the longest numbers that there are.
    GrantKey::new([7; 32]).grant(u64::MAX, u64::MAX, RequestId::parse(&"r".repeat(64)).unwrap(), u64::MAX)
}

pub(super) fn bound(set: impl Fn(&mut Assign)) -> ToWorker {
    let limits = Limits { heap_bytes: 1, stack_bytes: 1, answer_bytes: 1, storage_calls: 1, storage_ms: 1 };
    let mut assign = Assign { protocol: 1, app: String::new(), version: 1, env: Vec::new(), limits, grant: grant() };
    set(&mut assign);
    ToWorker::Assign(Box::new(assign))
}

pub(super) fn called(set: impl Fn(&mut Call)) -> ToWorker {
    let mut call = Call {
        number: u64::MAX,
        grant: grant(),
        run_us: u64::MAX,
        work: Work::Execute,
        spent: Before { queue_us: u32::MAX, bind_us: u32::MAX },
        debug: true,
        body: Part::empty(),
    };
    set(&mut call);
    ToWorker::Call(Box::new(call))
}

pub(super) fn request() -> Request {
    let empty = String::new;
    Request {
        method: empty(),
        url: empty(),
        path: empty(),
        query: empty(),
        host: empty(),
        ip: empty(),
        headers: Vec::new(),
        has_body: true,
    }
}

pub(super) fn worked(set: impl Fn(&mut Request)) -> ToWorker {
    called(|call| {
        let mut request = request();
        set(&mut request);
        call.work = Work::Request(Arc::new(request));
    })
}

pub(super) fn spans() -> Spans {
    let most = u32::MAX;
    Spans { parse_us: most, inject_us: most, execute_us: most, respond_us: most, storage_us: most }
}

pub(super) fn replied(set: impl Fn(&mut Reply)) -> FromWorker {
    let mut reply = Reply { number: u64::MAX, status: 200, headers: Vec::new(), spans: spans(), body: Part::empty() };
    set(&mut reply);
    FromWorker::Reply(Box::new(reply))
}

pub(super) fn faulted(set: impl Fn(&mut Fault)) -> FromWorker {
    let mut fault =
        Fault { number: u64::MAX, kind: FaultKind::ScriptError, message: String::new(), place: None, spans: spans() };
    set(&mut fault);
    FromWorker::Fault(Box::new(fault))
}

/// So many operations with names of so many bytes.
pub(super) fn traced(ops: usize, name: usize) -> FromWorker {
    let name = "x".repeat(name);
    let op = OpSpan { op: name.clone(), micros: u32::MAX, store_us: u32::MAX, collection: Some(name) };
    FromWorker::Done(Box::new(Done {
        number: u64::MAX,
        cpu_us: u32::MAX,
        heap_peak: u64::MAX,
        spans: spans(),
        storage_ops: u32::MAX,
        ops: vec![op; ops],
        retire: true,
    }))
}

pub(super) fn logged(message: String) -> LogLine {
    LogLine { level: Level::Info, source: Source::Console, message }
}

pub(super) fn asked(op: op::Op) -> op::ToStore {
    let (grant, once, body) = (Some(grant()), None, Part::empty());
    op::ToStore::Ask(Box::new(op::Ask { number: u64::MAX, grant, until_ns: u64::MAX, once, op, body }))
}

/// A write with a token.
pub(super) fn once(token: String) -> op::ToStore {
    let op = op::Op::Kv(op::kv::Op::Delete { key: String::new() });
    match asked(op) {
        op::ToStore::Ask(ask) => op::ToStore::Ask(Box::new(op::Ask { once: Some(token), ..*ask })),
        chunk @ op::ToStore::Chunk(_) => chunk,
    }
}

pub(super) fn answered(outcome: Result<op::Found, op::Refusal>) -> op::FromStore {
    let body = Part::empty();
    op::FromStore::Answer(Box::new(op::Answer { number: u64::MAX, spent_us: u32::MAX, outcome, body }))
}

pub(super) fn addressed(ask: registry::Ask) -> registry::ToStore {
    registry::ToStore::Ask { correlation: u64::MAX, ask: Box::new(ask), body: Part::empty() }
}

pub(super) fn given(answer: registry::Answer) -> registry::FromStore {
    let (outcome, body) = (Ok(Box::new(answer)), Part::empty());
    registry::FromStore::Answer { correlation: u64::MAX, spent_us: u32::MAX, outcome, body }
}

pub(super) fn built(manifest: Manifest, warnings: Vec<String>) -> FromBuilder {
    FromBuilder::Built(Box::new(Built { manifest, warnings }))
}

pub(super) fn record(request: &str, message: &str) -> LogRecord {
    LogRecord {
        id: u64::MAX,
        app: u64::MAX,
        at: i64::MIN,
        level: Level::Info,
        source: Source::Fazt,
        request: request.to_owned(),
        message: message.to_owned(),
    }
}

pub(super) fn filter(request: Option<String>) -> LogFilter {
    LogFilter { limit: u32::MAX, level: Level::Debug, since: Some(i64::MIN), request, after: Some(u64::MAX) }
}

/// An app of a page: the longest name, and neither environment nor rules.
pub(super) fn app() -> App {
    App {
        id: u64::MAX,
        name: "x".repeat(63),
        version: u64::MAX,
        newest: u64::MAX,
        manifest: Manifest::default(),
        env: Vec::new(),
        handler: true,
        files: u32::MAX,
        bytes: u64::MAX,
        updated_at: i64::MIN,
    }
}

pub(super) fn version() -> Version {
    Version { version: u64::MAX, created_at: i64::MIN, files: u32::MAX, bytes: u64::MAX }
}

/// The longest path with so many contents.
pub(super) fn file(contents: usize) -> FileEntry {
    let content = ContentEntry { encoding: Encoding::Zstd, hash: [0xff; 32], size: u64::MAX };
    FileEntry { path: "x".repeat(512), contents: vec![content; contents] }
}

pub(super) fn status(path: usize, mode: usize, missing: usize) -> Status {
    Status {
        pid: i32::MAX,
        path: "x".repeat(path),
        journal_mode: "x".repeat(mode),
        synchronous: "full".to_owned(),
        busy_timeout_ms: u32::MAX,
        readers: u32::MAX,
        binds: u32::MAX,
        wal_bytes: u64::MAX,
        file_bytes: u64::MAX,
        ops: u64::MAX,
        commits: u64::MAX,
        writes: u64::MAX,
        schema: u32::MAX,
        sandbox_missing: "x".repeat(missing),
    }
}
