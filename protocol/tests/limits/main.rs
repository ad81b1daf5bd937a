//! Each bounded field at its limit comes back, and one beyond is refused by decoding; the largest legal messages fit.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on ends"
)]

mod blank;
mod largest;

use blank::{addressed, answered, asked, bound, built, called, faulted, given, logged, once, replied, traced, worked};
use fazt_protocol::{
    Message,
    body::Part,
    builder::{Cors, File, FromBuilder, Manifest},
    call::{Assigned, FromWorker, LoadFailure, Place, ToWorker},
    decode, encode,
    limit::*,
    op::{self, Found, Op, ds, files, kv, s3},
    registry::{self, Ask},
    spawn::{FromZygote, Jail},
};

/// `make` at the limit must come back, and one beyond must not decode.
fn edge<M: Message + PartialEq + std::fmt::Debug>(what: &str, most: usize, make: impl Fn(usize) -> M) {
    let mut bytes = Vec::new();
    encode(&make(most), &mut bytes).unwrap();
    assert!(bytes.len() <= M::FRAME_BYTES, "{what} at its limit takes {} bytes", bytes.len());
    assert_eq!(decode::<M>(&bytes).as_ref(), Ok(&make(most)), "{what} at its limit");
    bytes.clear();
    encode(&make(most + 1), &mut bytes).unwrap();
    let refused = decode::<M>(&bytes).expect_err(what).to_string();
    assert!(refused.contains("more than"), "{what} one beyond: {refused}");
}

fn x(count: usize) -> String {
    "x".repeat(count)
}

fn some(count: usize) -> Option<String> {
    Some(x(count))
}

/// `count` empty pairs.
fn empties(count: usize) -> Vec<(String, String)> {
    vec![(String::new(), String::new()); count]
}

/// One pair of `bytes` in all.
fn pair(bytes: usize) -> Vec<(String, String)> {
    vec![(x(bytes / 2), x(bytes - bytes / 2))]
}

#[test]
fn of_the_call_conversation() {
    edge("app", APP_NAME_BYTES, |n| bound(|assign| assign.app = x(n)));
    edge("env count", ENV_VARIABLES, |n| bound(|assign| assign.env = empties(n)));
    edge("env bytes", ENV_BYTES, |n| bound(|assign| assign.env = pair(n)));
    edge("method", 16, |n| worked(|request| request.method = x(n)));
    edge("url", URL_BYTES, |n| worked(|request| request.url = x(n)));
    edge("path", URL_BYTES, |n| worked(|request| request.path = x(n)));
    edge("query", URL_BYTES, |n| worked(|request| request.query = x(n)));
    edge("host", 256, |n| worked(|request| request.host = x(n)));
    edge("ip", 64, |n| worked(|request| request.ip = x(n)));
    edge("headers", HEADERS, |n| worked(|request| request.headers = empties(n)));
    edge("header bytes", HEADERS_GIVEN_BYTES, |n| worked(|request| request.headers = pair(n)));
    edge("body", CHUNK_BYTES, |n| called(|call| call.body = Part::whole(vec![7; n])));
    edge("chunk", CHUNK_BYTES, |n| ToWorker::Chunk(Part { bytes: vec![7; n], last: false }));
    let failed = |failure| FromWorker::Assigned(Assigned { spent_us: 0, handler: true, failure: Some(failure) });
    edge("failure", ERROR_TEXT_BYTES, |n| failed(LoadFailure::Worker { reason: x(n) }));
    edge("store's failure", ERROR_TEXT_BYTES, |n| {
        failed(LoadFailure::Store(op::Refusal::new(op::Code::Timeout, x(n))))
    });
    edge("log line", LOG_LINE_BYTES, |n| FromWorker::Log(logged(x(n))));
    edge("answer's headers", HEADERS, |n| replied(|reply| reply.headers = empties(n)));
    edge("answer's header bytes", HEADERS_BYTES, |n| replied(|reply| reply.headers = pair(n)));
    edge("answer's body", CHUNK_BYTES, |n| replied(|reply| reply.body = Part::whole(vec![7; n])));
    edge("error", ERROR_TEXT_BYTES, |n| faulted(|fault| fault.message = x(n)));
    let place = |set: &dyn Fn(&mut Place)| {
        faulted(|fault| {
            let mut place =
                Place { stack: String::new(), file: String::new(), line: 1, column: 1, context: String::new() };
            set(&mut place);
            fault.place = Some(place);
        })
    };
    edge("stack", ERROR_TEXT_BYTES, |n| place(&|place| place.stack = x(n)));
    edge("file", FILE_PATH_BYTES, |n| place(&|place| place.file = x(n)));
    edge("context", 512, |n| place(&|place| place.context = x(n)));
    edge("traced ops", TRACED_OPS, |n| traced(n, 1));
    edge("traced name", TRACED_NAME_BYTES, |n| traced(1, n));
}

#[test]
fn of_the_op_conversation() {
    let kv = |op| asked(Op::Kv(op));
    edge("kv.get", KV_KEY_BYTES, |n| kv(kv::Op::Get { key: x(n) }));
    edge("kv.getVersion", KV_KEY_BYTES, |n| kv(kv::Op::GetVersion { key: x(n) }));
    edge("kv.getMany", KV_KEYS, |n| kv(kv::Op::GetMany { keys: vec![kv::Key(x(3)); n] }));
    edge("kv.getMany's key", KV_KEY_BYTES, |n| kv(kv::Op::GetMany { keys: vec![kv::Key(x(n))] }));
    let condition = kv::Condition::Always;
    edge("kv.set", KV_KEY_BYTES, |n| kv(kv::Op::Set { key: x(n), ttl_ms: None, condition }));
    edge("kv.delete", KV_KEY_BYTES, |n| kv(kv::Op::Delete { key: x(n) }));
    edge("kv.incr", KV_KEY_BYTES, |n| kv(kv::Op::Incr { key: x(n), by: 1.0.into() }));
    edge("kv.list", KV_KEY_BYTES, |n| kv(kv::Op::List { prefix: x(n), limit: 1, after: None }));
    edge("kv.list after", KV_KEY_BYTES, |n| kv(kv::Op::List { prefix: x(1), limit: 1, after: some(n) }));
    let ds = |collection, verb| asked(Op::Ds(ds::Op { collection, verb }));
    let find = |order| ds(x(1), ds::Verb::Find { limit: 1, offset: 0, order });
    let order = |path| ds::Order { path, descending: true };
    edge("collection", COLLECTION_BYTES, |n| ds(x(n), ds::Verb::Count));
    edge("order", ORDER_FIELDS, |n| find(vec![order(x(1)); n]));
    edge("order's path", FIELD_PATH_BYTES, |n| find(vec![order(x(n))]));
    let s3 = |op| asked(Op::S3(op));
    edge("s3.put", BLOB_PATH_BYTES, |n| s3(s3::Op::Put { path: x(n), mime: None }));
    edge("mime", MIME_BYTES, |n| s3(s3::Op::Put { path: x(1), mime: some(n) }));
    edge("s3.get", BLOB_PATH_BYTES, |n| s3(s3::Op::Get { path: x(n), range: None }));
    edge("s3.head", BLOB_PATH_BYTES, |n| s3(s3::Op::Head { path: x(n) }));
    edge("s3.delete", BLOB_PATH_BYTES, |n| s3(s3::Op::Delete { path: x(n) }));
    edge("s3.list", BLOB_PATH_BYTES, |n| s3(s3::Op::List { prefix: x(n), limit: 1, after: None }));
    edge("s3.list after", BLOB_PATH_BYTES, |n| s3(s3::Op::List { prefix: x(1), limit: 1, after: some(n) }));
    edge("files.read", FILE_PATH_BYTES, |n| asked(Op::Files(files::Op::Read { path: x(n) })));
    edge("token", TOKEN_BYTES, |n| once(x(n)));
    edge("op's body", CHUNK_BYTES, |n| op::ToStore::Chunk(Part { bytes: vec![7; n], last: true }));
    let refuse = |n| answered(Err(op::Refusal::new(op::Code::Timeout, x(n))));
    edge("refusal", ERROR_TEXT_BYTES, refuse);
    let blob = |mime, hash| answered(Ok(Found::Blob(s3::Head { mime, size: 1, hash, updated_at: 0 })));
    edge("blob's mime", MIME_BYTES, |n| blob(x(n), x(64)));
    edge("blob's hash", 64, |n| blob(x(1), x(n)));
}

#[test]
fn of_the_registry_conversation() {
    let ask = addressed;
    edge("apps after", APP_NAME_BYTES, |n| ask(Ask::Apps { after: some(n) }));
    edge("app", APP_NAME_BYTES, |n| ask(Ask::App { name: x(n) }));
    edge("versions", APP_NAME_BYTES, |n| ask(Ask::Versions { name: x(n), before: None }));
    edge("remove", APP_NAME_BYTES, |n| ask(Ask::Remove { name: x(n) }));
    edge("env", APP_NAME_BYTES, |n| ask(Ask::Env { name: x(n) }));
    let encoding = fazt_protocol::builder::Encoding::Gzip;
    edge("file", FILE_PATH_BYTES, |n| ask(Ask::File { upload: 1, path: x(n), encoding }));
    edge("index after", FILE_PATH_BYTES, |n| ask(Ask::Index { app: 1, version: 1, after: some(n) }));
    let commit = |name, env| Ask::Commit { upload: 1, name, manifest: Manifest::default(), env, activate: true };
    edge("commit", APP_NAME_BYTES, |n| ask(commit(x(n), Vec::new())));
    edge("commit's env", ENV_VARIABLES, |n| ask(commit(x(1), empties(n))));
    edge("commit's env bytes", ENV_BYTES, |n| ask(commit(x(1), pair(n))));
    let set = |name, set, unset| ask(Ask::SetEnv { name, set, unset });
    edge("set env", APP_NAME_BYTES, |n| set(x(n), Vec::new(), Vec::new()));
    edge("set env count", ENV_VARIABLES, |n| set(x(1), empties(n), Vec::new()));
    edge("set env bytes", ENV_BYTES, |n| set(x(1), pair(n), Vec::new()));
    edge("unset env count", ENV_VARIABLES, |n| set(x(1), Vec::new(), vec![x(3); n]));
    edge("unset env bytes", ENV_BYTES, |n| set(x(1), Vec::new(), vec![x(1), x(n - 1)]));
    edge("log lines", LOG_BATCH, |n| ask(Ask::AppendLogs { lines: vec![blank::record("r", "m"); n] }));
    edge("log line", LOG_LINE_BYTES, |n| ask(Ask::AppendLogs { lines: vec![blank::record("r", &x(n))] }));
    edge("log's request", REQUEST_ID_BYTES, |n| ask(Ask::AppendLogs { lines: vec![blank::record(&x(n), "m")] }));
    edge("logs", APP_NAME_BYTES, |n| ask(Ask::Logs { name: x(n), filter: blank::filter(None) }));
    edge("logs of request", REQUEST_ID_BYTES, |n| ask(Ask::Logs { name: x(1), filter: blank::filter(some(n)) }));
    edge("store's reason", 2048, |n| registry::FromStore::Refused { reason: x(n) });
    edge("apps", PAGE_ENTRIES, |n| given(registry::Answer::Apps(vec![blank::app(); n])));
    edge("versions", PAGE_ENTRIES, |n| given(registry::Answer::Versions(vec![blank::version(); n])));
    edge("files", PAGE_ENTRIES, |n| given(registry::Answer::Index(vec![blank::file(2); n])));
    edge("contents", 4, |n| given(registry::Answer::Index(vec![blank::file(n)])));
    edge("logs", PAGE_ENTRIES, |n| given(registry::Answer::Logs(vec![blank::record("r", "m"); n])));
    edge("env's count", ENV_VARIABLES, |n| given(registry::Answer::Env(empties(n))));
    edge("env's bytes", ENV_BYTES, |n| given(registry::Answer::Env(pair(n))));
    edge("store's path", 4096, |n| given(registry::Answer::Status(blank::status(n, 3, 3))));
    edge("journal mode", 16, |n| given(registry::Answer::Status(blank::status(3, n, 3))));
    edge("missing layers", 1024, |n| given(registry::Answer::Status(blank::status(3, 3, n))));
}

#[test]
fn of_spawn_and_build() {
    let ready = |tier, missing| FromZygote::Ready { protocol: 1, jail: Jail { layers: u32::MAX, tier, missing } };
    edge("tier", 32, |n| ready(x(n), Vec::new()));
    edge("missing layers", 32, |n| ready(x(1), empties(n)));
    edge("missing layers' bytes", 2048, |n| ready(x(32), pair(n)));
    edge("birth's failure", 512, |n| FromZygote::Failed { number: 1, reason: x(n) });
    edge("zygote's refusal", 2048, |n| FromZygote::Refused { reason: x(n) });
    let file = |path, bytes| {
        let body = Part::whole(vec![7; bytes]);
        FromBuilder::File(File { path, encoding: fazt_protocol::builder::Encoding::Zstd, body })
    };
    edge("path", FILE_PATH_BYTES, |n| file(x(n), 1));
    edge("content", CHUNK_BYTES, |n| file(x(1), n));
    edge("refused file", 2 * FILE_PATH_BYTES, |n| FromBuilder::Refused { file: x(n), rule: x(1) });
    edge("refused rule", ERROR_TEXT_BYTES, |n| FromBuilder::Refused { file: x(1), rule: x(n) });
    edge("warnings", WARNINGS, |n| built(Manifest::default(), vec![x(3); n]));
    edge("warnings' bytes", WARNINGS_BYTES, |n| built(Manifest::default(), vec![x(5), x(n - 5)]));
    let named = |n| Manifest { name: some(n), ..Manifest::default() };
    edge("manifest's name", APP_NAME_BYTES, |n| built(named(n), Vec::new()));
    let with_env = |env| Manifest { env, ..Manifest::default() };
    edge("manifest's env", ENV_VARIABLES, |n| built(with_env(empties(n)), Vec::new()));
    edge("manifest's env bytes", ENV_BYTES, |n| built(with_env(pair(n)), Vec::new()));
    let with_origins =
        |origins| Manifest { cors: Some(Cors { origins, credentials: true, max_age: 1 }), ..Manifest::default() };
    edge("origins", ORIGINS, |n| built(with_origins(vec![x(3); n]), Vec::new()));
    edge("origins' bytes", ORIGINS_BYTES, |n| built(with_origins(vec![x(n)]), Vec::new()));
}
