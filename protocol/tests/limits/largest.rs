//! The largest messages that the limits allow: each fits its frame with a full piece of a body beside it, and decodes.
//!
//! Batches and pages of log lines are the exception: their count and their length together do not fit, so whoever makes
//! one sizes it by its bytes, and a frame that grew too large is refused where it is written.

use std::sync::Arc;

use fazt_protocol::{
    Message,
    body::Part,
    builder::{Cors, Manifest},
    call::{Place, ToWorker, Work},
    decode, encode,
    frame::{self, FrameError},
    limit::*,
    op::{Op, ds, kv, s3},
    registry::{self, Answer, Ask},
};

use super::{blank, x};

fn fits<M: Message + PartialEq + std::fmt::Debug>(what: &str, message: &M) -> usize {
    let mut framed = Vec::new();
    frame::write(message, &mut framed).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(decode::<M>(&framed[4..]).as_ref(), Ok(message), "{what}");
    framed.len()
}

fn chunk() -> Part {
    Part { bytes: vec![0xff; CHUNK_BYTES], last: false }
}

/// As many names and values as there may be, of `bytes` together.
fn full(count: usize, bytes: usize) -> Vec<(String, String)> {
    let each = bytes / count;
    let mut all = vec![(x(each / 2), x(each - each / 2)); count];
    all[0].1 += &x(bytes - each * count);
    all
}

fn manifest() -> Manifest {
    let origins = vec![x(ORIGINS_BYTES / ORIGINS); ORIGINS];
    Manifest {
        name: Some(x(APP_NAME_BYTES)),
        spa: true,
        timeout_ms: Some(u32::MAX),
        memory_mb: Some(u32::MAX),
        env: full(ENV_VARIABLES, ENV_BYTES),
        cors: Some(Cors { origins, credentials: true, max_age: u32::MAX }),
    }
}

#[test]
fn calls_and_answers_fit_beside_their_bodies() {
    let assign = blank::bound(|assign| {
        assign.app = x(APP_NAME_BYTES);
        assign.env = full(ENV_VARIABLES, ENV_BYTES);
    });
    fits("assign", &assign);
    let mut request = blank::request();
    request.method = x(16);
    (request.url, request.path, request.query) = (x(URL_BYTES), x(URL_BYTES), x(URL_BYTES));
    (request.host, request.ip) = (x(256), x(64));
    request.headers = full(HEADERS, HEADERS_GIVEN_BYTES);
    let call = blank::called(|call| {
        call.work = Work::Request(Arc::new(request.clone()));
        call.body = chunk();
    });
    fits("call", &call);
    fits("chunk", &ToWorker::Chunk(chunk()));
    let reply = blank::replied(|reply| {
        reply.headers = full(HEADERS, HEADERS_BYTES);
        reply.body = chunk();
    });
    fits("reply", &reply);
    let fault = blank::faulted(|fault| {
        fault.message = x(ERROR_TEXT_BYTES);
        let (stack, file, context) = (x(ERROR_TEXT_BYTES), x(FILE_PATH_BYTES), x(512));
        fault.place = Some(Place { stack, file, line: u32::MAX, column: u32::MAX, context });
    });
    fits("fault", &fault);
    fits("done", &blank::traced(TRACED_OPS, TRACED_NAME_BYTES));
}

#[test]
fn ops_fit_beside_their_bodies() {
    let order = vec![ds::Order { path: x(FIELD_PATH_BYTES), descending: true }; ORDER_FIELDS];
    let find = ds::Verb::Find { limit: u32::MAX, offset: u32::MAX, order };
    let ops = [
        Op::Kv(kv::Op::GetMany { keys: vec![kv::Key(x(KV_KEY_BYTES)); KV_KEYS] }),
        Op::Ds(ds::Op { collection: x(COLLECTION_BYTES), verb: find }),
        Op::S3(s3::Op::List { prefix: x(BLOB_PATH_BYTES), limit: u32::MAX, after: Some(x(BLOB_PATH_BYTES)) }),
    ];
    for op in ops {
        let mut asked = blank::asked(op);
        if let fazt_protocol::op::ToStore::Ask(ask) = &mut asked {
            ask.body = chunk();
            ask.once = Some(x(TOKEN_BYTES));
        }
        fits("op", &asked);
    }
}

#[test]
fn deploys_and_pages_fit() {
    let commit = Ask::Commit {
        upload: u64::MAX,
        name: x(APP_NAME_BYTES),
        manifest: manifest(),
        env: full(ENV_VARIABLES, ENV_BYTES),
        activate: true,
    };
    let registry_ask = |ask| registry::ToStore::Ask { correlation: u64::MAX, ask: Box::new(ask), body: chunk() };
    fits("commit", &registry_ask(commit));
    let unset = vec![x(ENV_BYTES / ENV_VARIABLES); ENV_VARIABLES];
    let set = full(ENV_VARIABLES, ENV_BYTES);
    fits("set env", &registry_ask(Ask::SetEnv { name: x(APP_NAME_BYTES), set, unset }));
    let mut app = blank::app();
    (app.manifest, app.env) = (manifest(), full(ENV_VARIABLES, ENV_BYTES));
    fits("app", &blank::given(Answer::App(Some(app))));
    fits("apps", &blank::given(Answer::Apps(vec![blank::app(); PAGE_ENTRIES])));
    fits("versions", &blank::given(Answer::Versions(vec![blank::version(); PAGE_ENTRIES])));
    fits("index", &blank::given(Answer::Index(vec![blank::file(4); PAGE_ENTRIES])));
    fits("status", &blank::given(Answer::Status(blank::status(4096, 16, 1024))));
    fits("built", &blank::built(manifest(), vec![x(WARNINGS_BYTES / WARNINGS); WARNINGS]));
}

#[test]
fn a_message_that_outgrew_its_frame_is_refused_where_it_is_written() {
    let line = blank::record(&x(REQUEST_ID_BYTES), &x(LOG_LINE_BYTES));
    let page = blank::given(Answer::Logs(vec![line; PAGE_ENTRIES]));
    let mut out = b"before".to_vec();
    let refused = frame::write(&page, &mut out);
    assert!(matches!(refused, Err(FrameError::TooLong { limit: FRAME_BYTES, .. })), "{refused:?}");
    assert_eq!(out, b"before", "what was queued before it stays");
    let mut bytes = Vec::new();
    encode(&page, &mut bytes).unwrap();
    assert!(decode::<registry::FromStore>(&bytes).is_err(), "nor is it taken without its frame");
}
