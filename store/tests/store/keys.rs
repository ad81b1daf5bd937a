//! Keys and values, as the contract says.

use fazt_protocol::op::{
    Code, Found, Op, Refusal,
    kv::{self, Condition, Key},
};
use serde_json::{Value, json};

use crate::harness::{Farm, Worker, eventually};

fn kv(op: kv::Op) -> Op {
    Op::Kv(op)
}

fn incr(worker: &mut Worker, key: &str, by: f64) -> Result<f64, Refusal> {
    match worker.ask(kv(kv::Op::Incr { key: key.to_owned(), by: by.into() }), b"")?.0 {
        Found::Number(number) => Ok(number.get()),
        other => panic!("{other:?}"),
    }
}

fn delete(worker: &mut Worker, key: &str) -> Found {
    worker.ask(kv(kv::Op::Delete { key: key.to_owned() }), b"").unwrap().0
}

fn list(worker: &mut Worker, prefix: &str, limit: u32, after: Option<&str>) -> Result<Value, Refusal> {
    worker.json(kv(kv::Op::List { prefix: prefix.to_owned(), limit, after: after.map(str::to_owned) }), b"")
}

fn version(worker: &mut Worker, key: &str) -> Value {
    worker.json(kv(kv::Op::GetVersion { key: key.to_owned() }), b"").unwrap()
}

#[test]
fn what_was_set_is_there_until_it_is_deleted() {
    let mut farm = Farm::start();
    let app = farm.app("a");
    let mut worker = farm.worker(&app);
    assert_eq!(worker.get("k").unwrap(), Value::Null);
    assert_eq!(worker.set("k", br#"{"a":[1,null,"x"]}"#).unwrap(), Found::Done);
    assert_eq!(worker.get("k").unwrap(), json!({"a": [1, null, "x"]}));
    worker.set("k", b"2").unwrap();
    assert_eq!(worker.get("k").unwrap(), json!(2));
    assert_eq!(delete(&mut worker, "k"), Found::Flag(true));
    assert_eq!(delete(&mut worker, "k"), Found::Flag(false));
    assert_eq!(worker.get("k").unwrap(), Value::Null);
    for odd in ["", "a\0b", "%", "_", "'", "ключ", "\u{10ffff}"] {
        worker.set(odd, b"1").unwrap();
        assert_eq!(worker.get(odd).unwrap(), json!(1), "{odd:?}");
    }
}

#[test]
fn conditions_hold_or_nothing_happens() {
    let mut farm = Farm::start();
    let app = farm.app("a");
    let mut worker = farm.worker(&app);
    let absent = (None, Condition::IfAbsent);
    assert_eq!(worker.set_if("k", b"1", absent).unwrap(), Found::Flag(true));
    assert_eq!(worker.set_if("k", b"2", absent).unwrap(), Found::Flag(false));
    let first = version(&mut worker, "k")["version"].as_u64().unwrap();
    assert_eq!(version(&mut worker, "none"), Value::Null);
    assert_eq!(worker.set_if("k", b"3", (None, Condition::IfVersion(first))).unwrap(), Found::Flag(true));
    assert_eq!(worker.set_if("k", b"4", (None, Condition::IfVersion(first))).unwrap(), Found::Flag(false));
    let second = version(&mut worker, "k");
    assert_eq!(second["value"], json!(3));
    // A key that was deleted and made again never has a version that it had before.
    delete(&mut worker, "k");
    assert_eq!(worker.set_if("k", b"5", (None, Condition::IfVersion(first))).unwrap(), Found::Flag(false));
    worker.set("k", b"6").unwrap();
    assert!(version(&mut worker, "k")["version"].as_u64() > second["version"].as_u64());
}

#[test]
fn an_expired_key_is_gone_at_once_and_swept_later() {
    let mut farm = Farm::start();
    let app = farm.app("a");
    let mut worker = farm.worker(&app);
    worker.set_if("short", b"1", (Some(2_000), Condition::Always)).unwrap();
    worker.set_if("long", b"2", (Some(3_600_000), Condition::Always)).unwrap();
    assert_eq!(worker.get("short").unwrap(), json!(1));
    eventually(|| (worker.get("short").unwrap() == Value::Null).then_some(()));
    let listed = list(&mut worker, "", 10, None).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert!(listed[0]["expiresAt"].is_i64() && listed[0]["key"] == json!("long"));
    assert_eq!(worker.set_if("short", b"3", (None, Condition::IfAbsent)).unwrap(), Found::Flag(true));
    worker.set_if("swept", b"4", (Some(1), Condition::Always)).unwrap();
    let file = rusqlite::Connection::open(farm.database()).unwrap();
    let count = "SELECT count(*) FROM kv WHERE key = CAST('swept' AS BLOB)";
    let rows = || file.query_row(count, [], |row| row.get::<_, i64>(0)).unwrap();
    eventually(|| (rows() == 0).then_some(()));
    let refused = worker.set_if("k", b"1", (Some(0), Condition::Always)).unwrap_err();
    assert!(refused.code == Code::InvalidArgument && refused.message.contains("ttlMs"));
}

#[test]
fn a_counter_counts_in_doubles() {
    let mut farm = Farm::start();
    let app = farm.app("a");
    let mut worker = farm.worker(&app);
    assert_eq!(incr(&mut worker, "n", 1.0).unwrap(), 1.0);
    assert_eq!(incr(&mut worker, "n", 0.5).unwrap(), 1.5);
    assert_eq!(incr(&mut worker, "n", -3.0).unwrap(), -1.5);
    assert_eq!(worker.get("n").unwrap(), json!(-1.5));
    worker.set("text", br#""7""#).unwrap();
    for (key, by) in [("text", 1.0), ("n", f64::NAN), ("n", f64::INFINITY)] {
        assert_eq!(incr(&mut worker, key, by).unwrap_err().code, Code::InvalidArgument, "{key} {by}");
    }
    worker.set("large", b"1.7e308").unwrap();
    assert_eq!(incr(&mut worker, "large", 1.7e308).unwrap_err().code, Code::InvalidArgument);
}

#[test]
fn lists_are_in_key_order_and_page() {
    let mut farm = Farm::start();
    let app = farm.app("a");
    let mut worker = farm.worker(&app);
    for key in ["b", "a:2", "a:1", "a:10", "a;", "ä", "a"] {
        worker.set(key, b"0").unwrap();
    }
    let mut keys = |prefix: &str, limit, after: Option<&str>| -> Vec<String> {
        let listed = list(&mut worker, prefix, limit, after).unwrap();
        listed.as_array().unwrap().iter().map(|entry| entry["key"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(keys("", 100, None), ["a", "a:1", "a:10", "a:2", "a;", "b", "ä"]);
    assert_eq!(keys("a:", 100, None), ["a:1", "a:10", "a:2"]);
    assert_eq!(keys("a:", 2, None), ["a:1", "a:10"]);
    assert_eq!(keys("a:", 2, Some("a:10")), ["a:2"]);
    assert_eq!(keys("%", 100, None), [""; 0]);
    assert_eq!(keys("", 0, None), [""; 0]);
    assert_eq!(list(&mut worker, "", 1_001, None).unwrap_err().code, Code::InvalidArgument);
}

#[test]
fn many_keys_at_once() {
    let mut farm = Farm::start();
    let app = farm.app("a");
    let mut worker = farm.worker(&app);
    worker.set("a", b"1").unwrap();
    worker.set("\"b\"", b"[2]").unwrap();
    // Few are looked up in the reactor, many by a reader.
    for filler in [0, 100] {
        let mut keys = vec![Key("a".to_owned()), Key("\"b\"".to_owned()), Key("none".to_owned())];
        keys.extend((0..filler).map(|at| Key(format!("filler{at}"))));
        let found = worker.json(kv(kv::Op::GetMany { keys }), b"").unwrap();
        assert_eq!(found, json!({"a": 1, "\"b\"": [2]}));
    }
}

#[test]
fn sizes_and_forms_are_refused_by_name() {
    let mut farm = Farm::start();
    let app = farm.app("a");
    let mut worker = farm.worker(&app);
    let text = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2)).into_bytes();
    worker.set("k", &text(1024 * 1024)).unwrap();
    assert_eq!(worker.set("k", &text(1024 * 1024 + 1)).unwrap_err().code, Code::TooLarge);
    assert_eq!(worker.set("k", &text(10_000_000)).unwrap_err().code, Code::TooLarge);
    assert_eq!(worker.get("k").unwrap().as_str().unwrap().len(), 1024 * 1024 - 2);
    for bad in [&b""[..], b"{", b"undefined", b"1 2", b"\xff\xfe", b"{a:1}"] {
        let refused = worker.set("bad", bad).unwrap_err();
        assert!(refused.code == Code::InvalidArgument && refused.message.contains("value"), "{refused}");
    }
    worker.set("deep", &[b"[".repeat(10_000), b"]".repeat(10_000)].concat()).unwrap();
    assert_eq!(worker.get("bad").unwrap(), Value::Null);
    assert_eq!(worker.ask(kv(kv::Op::Get { key: "k".to_owned() }), b"body").unwrap_err().code, Code::InvalidArgument);
}
