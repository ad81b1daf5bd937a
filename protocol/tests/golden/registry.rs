//! Samples of the registry conversation.

use fazt_protocol::{
    body::Part,
    builder::{Encoding, Manifest},
    call::{Level, Source},
    op::{Code, Refusal},
    registry::{Answer, App, Ask, ContentEntry, FileEntry, FromStore, LogFilter, LogRecord, Status, ToStore, Version},
};

use super::{Samples, builder::manifest, pair, part, variants};

variants! {
    ToStore: Hello Ask Chunk;
    FromStore: Ready Refused Answer Chunk;
    Ask: Bind Apps App Versions Begin File Commit Abort Remove Index Content SetEnv Env AppendLogs Logs Status Close;
    Answer: Done Flag Upload App Apps Versions Index Content Env Logs Status;
}

fn name() -> String {
    "momentum".to_owned()
}

fn ask(ask: Ask) -> ToStore {
    ToStore::Ask { correlation: 300, ask: Box::new(ask), body: Part::empty() }
}

fn answer(outcome: Result<Answer, Refusal>) -> FromStore {
    FromStore::Answer { correlation: 300, spent_us: 90, outcome: outcome.map(Box::new), body: Part::empty() }
}

fn app(manifest: Manifest) -> App {
    App {
        id: 4,
        name: name(),
        version: 12,
        newest: 13,
        manifest,
        env: vec![pair("MODE", "test")],
        handler: true,
        files: 9,
        bytes: 70_000,
        updated_at: 1_700_000_000_000,
    }
}

fn status() -> Status {
    Status {
        pid: 4711,
        path: "/srv/fazt.db".to_owned(),
        journal_mode: "wal".to_owned(),
        synchronous: "full".to_owned(),
        busy_timeout_ms: 5_000,
        readers: 3,
        binds: 10,
        wal_bytes: 1 << 20,
        file_bytes: 1 << 30,
        ops: 1_000_000,
        commits: 40_000,
        writes: 200_000,
        schema: 1,
        sandbox_missing: "landlock: ENOSYS".to_owned(),
    }
}

fn line() -> LogRecord {
    LogRecord {
        id: 8,
        app: 4,
        at: -1,
        level: Level::Warn,
        source: Source::Fazt,
        request: "req_golden".to_owned(),
        message: "slow".to_owned(),
    }
}

fn asks() -> Vec<Ask> {
    let filter = LogFilter {
        limit: 100,
        level: Level::Debug,
        since: Some(1_700_000_000_000),
        request: Some("req_golden".to_owned()),
        after: Some(7),
    };
    let all = LogFilter { limit: 250, level: Level::Error, since: None, request: None, after: None };
    vec![
        Ask::Bind { bind: 2, app: 4, version: 12, storage_ms: 500 },
        Ask::Apps { after: Some(name()) },
        Ask::Apps { after: None },
        Ask::App { name: name() },
        Ask::Versions { name: name(), before: Some(12) },
        Ask::Begin,
        Ask::File { upload: 6, path: "index.html".to_owned(), encoding: Encoding::Brotli },
        Ask::Commit { upload: 6, name: name(), manifest: manifest(), env: vec![pair("K", "V")], activate: true },
        Ask::Abort { upload: 6 },
        Ask::Remove { name: name() },
        Ask::Index { app: 4, version: 12, after: Some("index.html".to_owned()) },
        Ask::Content { hash: [9; 32] },
        Ask::SetEnv { name: name(), set: vec![pair("K", "V")], unset: vec!["MODE".to_owned()] },
        Ask::Env { name: name() },
        Ask::AppendLogs { lines: vec![line()] },
        Ask::Logs { name: name(), filter },
        Ask::Logs { name: name(), filter: all },
        Ask::Status,
        Ask::Close,
    ]
}

fn answers() -> Vec<Answer> {
    let version = Version { version: 12, created_at: 1_700_000_000_000, files: 9, bytes: 70_000 };
    let content = |encoding, size| ContentEntry { encoding, hash: [9; 32], size };
    let contents = vec![content(Encoding::Identity, 300), content(Encoding::Gzip, 200)];
    vec![
        Answer::Done,
        Answer::Flag(false),
        Answer::Upload(6),
        Answer::App(Some(app(manifest()))),
        Answer::App(None),
        Answer::Apps(vec![app(Manifest::default())]),
        Answer::Versions(vec![version]),
        Answer::Index(vec![FileEntry { path: "index.html".to_owned(), contents }]),
        Answer::Content { found: true },
        Answer::Env(vec![pair("MODE", "test")]),
        Answer::Logs(vec![line()]),
        Answer::Status(status()),
    ]
}

pub(super) fn add(samples: &mut Samples) {
    let asked = vec![
        ToStore::Hello { protocol: 1, grant_key: [7; 32] },
        ask(Ask::Begin),
        ToStore::Chunk { correlation: 300, part: part() },
    ];
    samples.add("registry.to_store", asked, |said| said);
    samples.add("registry.to_store.Ask", asks(), ask);
    let said = vec![
        FromStore::Ready { protocol: 1, status: Box::new(status()) },
        FromStore::Refused { reason: "the file is newer than this program".to_owned() },
        answer(Ok(Answer::Done)),
        answer(Err(Refusal::new(Code::InvalidArgument, "no such app"))),
        FromStore::Chunk { correlation: 300, part: part() },
    ];
    samples.add("registry.from_store", said, |said| said);
    samples.add("registry.from_store.Answer", answers(), |found| answer(Ok(found)));
}
