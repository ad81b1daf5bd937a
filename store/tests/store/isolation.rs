//! Two apps never see each other, whatever bytes they use for names.

use fazt_protocol::op::{
    Code, Op,
    ds::{Order, Verb},
    files, kv, s3,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::harness::{Farm, Worker};

const MARK: &str = "the-other-tenants-secret";

/// Strings that were meant for SQL, for JSON paths, or for somebody's file system.
const INJECTIONS: [&str; 22] = [
    "a') IS NOT NULL OR json_extract(data,'$.v",
    "') OR 1=1 --",
    "' OR ''='",
    "\" OR \"\"=\"",
    "x'; ATTACH 'fazt.db' AS y; --",
    "1; DROP TABLE document; --",
    "/* */ OR 1",
    "]",
    "\"a\"b\"",
    "a\\",
    "$",
    "$.v",
    "$[#-1]",
    "[0]",
    "*",
    "**",
    "%",
    "_",
    "?1",
    ":app",
    "@x",
    "../victim",
];

fn seed(worker: &mut Worker) {
    for key in ["", "k", "victim:", "v"] {
        worker.set(key, format!("\"{MARK}\"").as_bytes()).unwrap();
    }
    worker.ds("c", Verb::Insert, &json!({"id": "d", "v": MARK}).to_string()).unwrap();
    worker.put("p", MARK.as_bytes()).unwrap();
}

/// Everything that an op says, as text.
fn said(worker: &mut Worker, op: Op, body: &str) -> String {
    match worker.ask(op, body.as_bytes()) {
        Ok((found, body)) => format!("{found:?} {}", String::from_utf8_lossy(&body)),
        Err(refusal) => format!("{refusal:?}"),
    }
}

fn every_way_to_ask(name: &str) -> Vec<(Op, String)> {
    let name = name.to_owned();
    let ds = |collection: &str, verb: Verb, body: Value| {
        (Op::Ds(fazt_protocol::op::ds::Op { collection: collection.to_owned(), verb }), body.to_string())
    };
    let order = vec![Order { path: name.clone(), descending: true }];
    let kv = |op: kv::Op| (Op::Kv(op), String::new());
    let s3 = |op: s3::Op| (Op::S3(op), String::new());
    let field = |value: Value| json!({ name.clone(): value });
    vec![
        kv(kv::Op::Get { key: name.clone() }),
        kv(kv::Op::GetVersion { key: name.clone() }),
        kv(kv::Op::GetMany { keys: vec![kv::Key(name.clone())] }),
        kv(kv::Op::List { prefix: name.clone(), limit: 1_000, after: None }),
        kv(kv::Op::List { prefix: String::new(), limit: 1_000, after: Some(name.clone()) }),
        kv(kv::Op::Delete { key: name.clone() }),
        s3(s3::Op::Get { path: name.clone(), range: None }),
        s3(s3::Op::Head { path: name.clone() }),
        s3(s3::Op::List { prefix: name.clone(), limit: 1_000, after: None }),
        s3(s3::Op::Delete { path: name.clone() }),
        (Op::Files(files::Op::Read { path: format!("private/{name}") }), String::new()),
        ds(&name, Verb::Find { limit: 100, offset: 0, order: Vec::new() }, json!({})),
        ds("c", Verb::Find { limit: 100, offset: 0, order }, json!({})),
        ds("c", Verb::Find { limit: 100, offset: 0, order: Vec::new() }, field(json!(MARK))),
        ds("c", Verb::Find { limit: 100, offset: 0, order: Vec::new() }, field(json!({"$ne": 1}))),
        ds("c", Verb::Find { limit: 100, offset: 0, order: Vec::new() }, json!({ "v": name.clone() })),
        ds("c", Verb::FindOne, json!(name.clone())),
        ds("c", Verb::Count, field(Value::Null)),
        ds("c", Verb::Update, json!({"query": field(Value::Null), "changes": field(json!(1))})),
        ds("c", Verb::Update, json!({"query": {}, "changes": {"$unset": field(json!(1))}})),
        ds(&name, Verb::Delete, json!({})),
        ds("c", Verb::Delete, field(json!(MARK))),
    ]
}

#[test]
fn injections_are_data() {
    let mut farm = Farm::start();
    let (victim, evil) = (farm.app("victim"), farm.app("evil"));
    let (mut victim, mut evil) = (farm.worker(&victim), farm.worker(&evil));
    seed(&mut victim);
    evil.insert("c", r#"{"id":"mine","v":1}"#).unwrap();
    for name in INJECTIONS {
        for (op, body) in every_way_to_ask(name) {
            let shown = format!("{op:?}");
            let said = said(&mut evil, op, &body);
            assert!(
                !said.contains(MARK) && !said.contains("no such column") && !said.contains("SQL"),
                "{shown}: {said}"
            );
        }
        // As a key, as a field, as a value, they come back as they went in.
        evil.set(name, b"1").unwrap();
        assert_eq!(evil.get(name).unwrap(), json!(1), "{name}");
        let id = evil.insert("odd", &json!({ name: name }).to_string()).unwrap();
        let document = evil.find("odd", &json!({ "id": id }).to_string()).unwrap();
        assert_eq!(document[0][name], json!(name));
        if !name.starts_with('$') && !name.contains('.') {
            assert_eq!(evil.field("odd", &json!({ name: name }).to_string(), "id"), [json!(id)], "{name}");
        }
    }
    assert_eq!(victim.get("k").unwrap(), json!(MARK));
    assert_eq!(victim.field("c", "{}", "v"), [json!(MARK)]);
    assert!(victim.blob("p", None).unwrap().is_some());
}

#[test]
fn random_names_never_reach_another_app() {
    let mut farm = Farm::start();
    let apps = ["one", "two", "three"].map(|name| farm.app(name));
    let mut workers = apps.map(|app| farm.worker(&app));
    let cell = std::cell::RefCell::new(&mut workers);
    proptest!(ProptestConfig::with_cases(200), |(at in 0_usize..3, key in "\\PC{0,20}|[ab%_]{0,3}", value: u32)| {
        let mut workers = cell.borrow_mut();
        let mine = format!("\"{at}:{value}\"");
        workers[at].set(&key, mine.as_bytes()).unwrap();
        let collection = if key.is_empty() { "c".to_owned() } else { key.chars().take(8).collect() };
        workers[at].insert(&collection, &format!(r#"{{"owner":{at}}}"#)).unwrap();
        for (owner, worker) in workers.iter_mut().enumerate() {
            let seen = worker.get(&key).unwrap();
            prop_assert!(seen.is_null() || seen.as_str().unwrap().starts_with(&format!("{owner}:")), "{seen}");
            let owners = worker.field(&collection, "{}", "owner");
            prop_assert!(owners.iter().all(|found| *found == json!(owner)), "{owners:?}");
        }
    });
}

#[test]
fn a_worker_reads_the_files_of_its_version_only() {
    let mut farm = Farm::start();
    let first = farm
        .deploy("a", &[("api/main.js", b"1"), ("private/x", b"one"), ("api/lib/a.json", b"{}"), ("api/a.txt", b"t")]);
    let mut old = farm.worker(&first);
    let second = farm.deploy("a", &[("api/main.js", b"2"), ("private/x", b"two"), ("public.js", b"p")]);
    let mut new = farm.worker(&second);
    let read = |worker: &mut Worker, path: &str| worker.ask(Op::Files(files::Op::Read { path: path.to_owned() }), b"");
    assert_eq!(read(&mut old, "private/x").unwrap().1, b"one");
    assert_eq!(read(&mut new, "private/x").unwrap().1, b"two");
    for path in ["api/main.js", "../private/x", "public.js", ""] {
        assert_eq!(read(&mut new, path).unwrap_err().code, Code::InvalidArgument, "{path}");
    }
    let sources = |worker: &mut Worker| {
        let (_, body) = worker.ask(Op::Files(files::Op::Sources), b"").unwrap();
        files::read_sources(&body).unwrap()
    };
    let source = |path: &str, content: &[u8]| (path.to_owned(), content.to_vec());
    assert_eq!(sources(&mut old), [source("api/lib/a.json", b"{}"), source("api/main.js", b"1")]);
    assert_eq!(sources(&mut new), [source("api/main.js", b"2")]);
}
