//! Samples of the op conversation.

use fazt_protocol::{
    body::Part,
    op::{Answer, Ask, Code, Found, FromStore, Op, Refusal, ToStore, ds, files, kv, s3},
};

use super::{Samples, every::CODES, grant, part, variants};

variants! {
    ToStore: Ask Chunk;
    FromStore: Answer Chunk;
    Op: Files Kv Ds S3;
    files::Op: Sources Read;
    kv::Op: Get GetVersion GetMany Set Delete Incr List;
    kv::Condition: Always IfAbsent IfVersion;
    ds::Verb: Insert InsertMany Find FindOne Update Delete Count;
    s3::Op: Put Get Head Delete List;
    Found: Done Nothing Flag Number Json Bytes Blob;
    Code: Timeout QuotaExceeded TooLarge InvalidArgument Conflict RateLimited Unavailable;
}

fn ask(op: Op) -> ToStore {
    ask_once(op, None)
}

fn ask_once(op: Op, once: Option<String>) -> ToStore {
    let (grant, body) = (Some(grant()), Part::empty());
    ToStore::Ask(Box::new(Ask { number: 5, grant, until_ns: 500_000_000, once, op, body }))
}

fn answer(outcome: Result<Found, Refusal>) -> FromStore {
    FromStore::Answer(Box::new(Answer { number: 5, spent_us: 11, outcome, body: Part::whole(b"[1]".to_vec()) }))
}

fn key() -> String {
    "user:1".to_owned()
}

fn set(condition: kv::Condition) -> kv::Op {
    kv::Op::Set { key: key(), ttl_ms: Some(60_000), condition }
}

fn kv_ops() -> Vec<kv::Op> {
    vec![
        kv::Op::Get { key: key() },
        kv::Op::GetVersion { key: key() },
        kv::Op::GetMany { keys: vec![kv::Key(key()), kv::Key("ü".to_owned())] },
        set(kv::Condition::Always),
        kv::Op::Delete { key: key() },
        kv::Op::Incr { key: key(), by: (-0.5).into() },
        kv::Op::List { prefix: "user:".to_owned(), limit: 100, after: Some(key()) },
        kv::Op::List { prefix: String::new(), limit: 1_000, after: None },
    ]
}

fn verbs() -> Vec<ds::Verb> {
    let order = vec![ds::Order { path: "author.name".to_owned(), descending: true }];
    vec![
        ds::Verb::Insert,
        ds::Verb::InsertMany,
        ds::Verb::Find { limit: 20, offset: 300, order },
        ds::Verb::FindOne,
        ds::Verb::Update,
        ds::Verb::Delete,
        ds::Verb::Count,
    ]
}

fn s3_ops() -> Vec<s3::Op> {
    let path = || "photos/cat.png".to_owned();
    vec![
        s3::Op::Put { path: path(), mime: Some("image/png".to_owned()) },
        s3::Op::Put { path: path(), mime: None },
        s3::Op::Get { path: path(), range: Some((0, 1 << 20)) },
        s3::Op::Get { path: path(), range: None },
        s3::Op::Head { path: path() },
        s3::Op::Delete { path: path() },
        s3::Op::List { prefix: "photos/".to_owned(), limit: 10, after: None },
    ]
}

fn found() -> Vec<Found> {
    let head =
        s3::Head { mime: "image/png".to_owned(), size: 70_000, hash: "00ff".to_owned(), updated_at: 1_700_000_000_000 };
    vec![
        Found::Done,
        Found::Nothing,
        Found::Flag(true),
        Found::Number(42.0.into()),
        Found::Json,
        Found::Bytes,
        Found::Blob(head),
    ]
}

pub(super) fn add(samples: &mut Samples) {
    let ds = |verb| Op::Ds(ds::Op { collection: "tasks".to_owned(), verb });
    let set_always = || Op::Kv(set(kv::Condition::Always));
    let (once, op, body) = (None, ds(ds::Verb::Count), part());
    let bare = ToStore::Ask(Box::new(Ask { number: 6, grant: None, until_ns: 0, once, op, body }));
    let once = ask_once(set_always(), Some("order:7".to_owned()));
    samples.add("op.to_store", vec![ask(set_always()), bare, once, ToStore::Chunk(part())], |said| said);
    let each = vec![
        Op::Files(files::Op::Sources),
        Op::Kv(kv::Op::Get { key: key() }),
        ds(ds::Verb::Count),
        Op::S3(s3::Op::Head { path: "a".to_owned() }),
    ];
    samples.add("op.to_store.Ask", each, ask);
    let files = vec![files::Op::Sources, files::Op::Read { path: "private/key.txt".to_owned() }];
    samples.add("op.to_store.Ask.files", files, |op| ask(Op::Files(op)));
    samples.add("op.to_store.Ask.kv", kv_ops(), |op| ask(Op::Kv(op)));
    let conditions = vec![kv::Condition::Always, kv::Condition::IfAbsent, kv::Condition::IfVersion(7)];
    samples.add("op.to_store.Ask.kv.Set", conditions, |condition| ask(Op::Kv(set(condition))));
    samples.add("op.to_store.Ask.ds", verbs(), |verb| ask(ds(verb)));
    samples.add("op.to_store.Ask.s3", s3_ops(), |op| ask(Op::S3(op)));
    samples.add("op.from_store", vec![answer(Ok(Found::Json)), FromStore::Chunk(part())], |said| said);
    samples.add("op.from_store.Answer.found", found(), |found| answer(Ok(found)));
    let refuse = |code| answer(Err(Refusal::unknown(code, "the deadline passed")));
    samples.add("op.from_store.Answer.refused", CODES.to_vec(), refuse);
    // No message, but a body that both ends agree on.
    let mut sources = Vec::new();
    files::write_source("api/main.js", b"respond(1)", &mut sources);
    files::write_source("api/b.json", b"{}", &mut sources);
    samples.0.push(("op.sources".to_owned(), sources));
}
