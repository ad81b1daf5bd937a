//! Documents, as the contract says.

use fazt_protocol::op::{
    Code, Found, Refusal,
    ds::{Order, Verb},
};
use serde_json::{Value, json};

use crate::harness::{Farm, Worker};

fn find(limit: u32, offset: u32, order: &[(&str, bool)]) -> Verb {
    let order = order.iter().map(|(path, descending)| Order { path: (*path).to_owned(), descending: *descending });
    Verb::Find { limit, offset, order: order.collect() }
}

fn names(worker: &mut Worker, query: &str) -> Vec<String> {
    let mut names: Vec<String> =
        worker.field("c", query, "id").into_iter().map(|name| name.as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

fn one(worker: &mut Worker, which: &str) -> Value {
    match worker.ds("c", Verb::FindOne, which).unwrap() {
        (Found::Json, body) => serde_json::from_slice(&body).unwrap(),
        (Found::Nothing, _) => Value::Null,
        other => panic!("{other:?}"),
    }
}

fn update(worker: &mut Worker, query: &str, changes: &str) -> Result<f64, Refusal> {
    worker.number("c", Verb::Update, &format!(r#"{{"query":{query},"changes":{changes}}}"#))
}

#[test]
fn a_document_comes_back_with_its_id_and_times() {
    let mut farm = Farm::start();
    let app = farm.app("a");
    let mut worker = farm.worker(&app);
    let id = worker.insert("c", r#"{"text":"Task 1","n":1.50,"big":12345678901234567890,"o":{"id":3}}"#).unwrap();
    assert_eq!(id.len(), 26);
    let document = one(&mut worker, &json!(id).to_string());
    assert_eq!(document["id"], json!(id));
    assert_eq!((&document["text"], &document["o"]), (&json!("Task 1"), &json!({"id": 3})));
    assert!(document["_createdAt"].as_i64().unwrap() > 1_600_000_000_000);
    assert_eq!(document["_createdAt"], document["_updatedAt"]);
    // What was found may be inserted again under another id; its times are new.
    let mut again = document.clone();
    again["id"] = json!("mine");
    again["_createdAt"] = json!(5);
    assert_eq!(worker.insert("c", &again.to_string()).unwrap(), "mine");
    assert!(one(&mut worker, r#""mine""#)["_createdAt"].as_i64().unwrap() > 5);
    let taken = worker.insert("c", r#"{"id":"mine"}"#).unwrap_err();
    assert!(taken.code == Code::Conflict && taken.message.contains("mine"), "{taken}");
    assert_eq!(worker.number("c", Verb::Count, "{}").unwrap(), 2.0);
}

#[test]
fn many_are_inserted_or_none() {
    let mut farm = Farm::start();
    let app = farm.app("a");
    let mut worker = farm.worker(&app);
    let (_, ids) = worker.ds("c", Verb::InsertMany, r#"[{"id":"a"},{"id":"b"},{}]"#).unwrap();
    let ids: Vec<String> = serde_json::from_slice(&ids).unwrap();
    assert_eq!((ids[0].as_str(), ids[1].as_str(), ids.len()), ("a", "b", 3));
    for bad in [r#"[{"id":"c"},{"id":"a"}]"#, r#"[{"id":"c"},{"id":"c"}]"#] {
        assert_eq!(worker.ds("c", Verb::InsertMany, bad).unwrap_err().code, Code::Conflict);
    }
    for bad in [r#"[{"id":"c"},7]"#, "{}", r#"[{"id":"c"},{"id":1}]"#] {
        assert_eq!(worker.ds("c", Verb::InsertMany, bad).unwrap_err().code, Code::InvalidArgument, "{bad}");
    }
    assert_eq!(worker.number("c", Verb::Count, "{}").unwrap(), 3.0);
    assert_eq!(worker.ds("c", Verb::InsertMany, "[]").unwrap().1, b"[]");
    let many = format!("[{}]", vec!["{}"; 1_001].join(","));
    assert_eq!(worker.ds("c", Verb::InsertMany, &many).unwrap_err().code, Code::TooLarge);
    worker.ds("other", Verb::InsertMany, &format!("[{}]", vec!["{}"; 1_000].join(","))).unwrap();
    assert_eq!(worker.number("other", Verb::Count, "{}").unwrap(), 1_000.0);
}

/// Documents of all types under the same names.
const DOCUMENTS: [&str; 5] = [
    r#"{"id":"one","n":1,"s":"1","b":true,"address":{"city":"Oslo"},"tags":["x"]}"#,
    r#"{"id":"two","n":2,"s":"b","b":false,"address":{"city":"Rom"},"z":null}"#,
    r#"{"id":"three","n":"1","s":1,"b":1,"z":0}"#,
    r#"{"id":"four","n":true,"s":"{\"x\":1}","o":{"x":1},"address":"Oslo"}"#,
    r##"{"id":"five","n":null,"a.b":1,"$x":2,"":3,"a\"b":4,"a\\":5,"[0]":6,"*":7,"#-1":8,"😀":9}"##,
];

/// Queries, and the ids of the documents that they find.
const QUERIES: &[(&str, &[&str])] = &[
    (r#"{}"#, &["five", "four", "one", "three", "two"]),
    (r#"{"n":1}"#, &["one"]),
    (r#"{"n":"1"}"#, &["three"]),
    (r#"{"n":true}"#, &["four"]),
    (r#"{"n":1.0}"#, &["one"]),
    (r#"{"n":-0}"#, &[]),
    (r#"{"z":null}"#, &["five", "four", "one", "two"]),
    (r#"{"z":0}"#, &["three"]),
    (r#"{"address.city":"Oslo"}"#, &["one"]),
    (r#"{"address":"Oslo"}"#, &["four"]),
    (r#"{"address.city.x":"Oslo"}"#, &[]),
    (r#"{"o":"{\"x\":1}"}"#, &[]),
    (r#"{"s":"{\"x\":1}"}"#, &["four"]),
    (r#"{"tags":"[\"x\"]"}"#, &[]),
    (r#"{"id":"one"}"#, &["one"]),
    (r#"{"id":"one","n":2}"#, &[]),
    (r#"{"id":1}"#, &[]),
    (r#"{"n":1,"s":"1"}"#, &["one"]),
    (r#"{"_createdAt":{"$gt":1}}"#, &["five", "four", "one", "three", "two"]),
    (r#"{"_updatedAt":"x"}"#, &[]),
    (r#"{"":3}"#, &["five"]),
    (r#"{"a\"b":4}"#, &["five"]),
    (r#"{"a\\":5}"#, &["five"]),
    (r#"{"[0]":6}"#, &["five"]),
    (r##"{"#-1":8}"##, &["five"]),
    (r#"{"*":7}"#, &["five"]),
    (r#"{"😀":9}"#, &["five"]),
    (r#"{"a.b":1}"#, &[]),
    (r#"{"n":{"$eq":2}}"#, &["two"]),
    (r#"{"n":{"$ne":1}}"#, &["five", "four", "three", "two"]),
    (r#"{"z":{"$ne":null}}"#, &["three"]),
    (r#"{"n":{"$gt":0}}"#, &["one", "two"]),
    (r#"{"n":{"$gte":2,"$lt":3}}"#, &["two"]),
    (r#"{"n":{"$lte":1}}"#, &["one"]),
    (r#"{"n":{"$gt":""}}"#, &["three"]),
    (r#"{"b":{"$gte":false}}"#, &["one", "two"]),
    (r#"{"b":{"$gt":false}}"#, &["one"]),
    (r#"{"n":{"$in":[1,2]}}"#, &["one", "two"]),
    (r#"{"n":{"$in":[1,"1",true,null]}}"#, &["five", "four", "one", "three"]),
    (r#"{"n":{"$in":[]}}"#, &[]),
    (r#"{"n":{"$nin":[1,2]}}"#, &["five", "four", "three"]),
    (r#"{"n":{"$nin":[]}}"#, &["five", "four", "one", "three", "two"]),
    (r#"{"z":{"$exists":true}}"#, &["three", "two"]),
    (r#"{"z":{"$exists":false}}"#, &["five", "four", "one"]),
    (r#"{"n":{"$not":{"$gt":1}}}"#, &["five", "four", "one", "three"]),
    (r#"{"$or":[{"n":1},{"s":"b"}]}"#, &["one", "two"]),
    (r#"{"$or":[]}"#, &[]),
    (r#"{"$and":[{"n":1},{"b":true}]}"#, &["one"]),
    (r#"{"$and":[]}"#, &["five", "four", "one", "three", "two"]),
    (r#"{"$not":{"$or":[{"n":1},{"n":2}]}}"#, &["five", "four", "three"]),
    (r#"{"$not":{"n":1,"b":true}}"#, &["five", "four", "three", "two"]),
];

#[test]
fn queries_find_exactly_what_they_say() {
    let mut farm = Farm::start();
    let app = farm.app("a");
    let mut worker = farm.worker(&app);
    for document in DOCUMENTS {
        worker.insert("c", document).unwrap();
    }
    for (query, expected) in QUERIES {
        assert_eq!(names(&mut worker, query), *expected, "{query}");
        assert_eq!(worker.number("c", Verb::Count, query).unwrap(), expected.len() as f64, "{query}");
        assert_eq!(one(&mut worker, query) == Value::Null, expected.is_empty(), "{query}");
    }
}

#[test]
fn what_a_query_cannot_say_is_refused_by_name() {
    let mut farm = Farm::start();
    let app = farm.app("a");
    let mut worker = farm.worker(&app);
    worker.insert("c", "{}").unwrap();
    let long = format!(r#"{{"{}":1}}"#, "x".repeat(600));
    for (query, named) in [
        (r#"{"$where":"1"}"#, "$where"),
        (r#"{"n":{"$regex":"x"}}"#, "$regex"),
        (r#"{"n":{"$contains":"x"}}"#, "$contains"),
        (r#"{"a.$b":1}"#, "a.$b"),
        (r#"{"n":[1]}"#, "n"),
        (r#"{"n":{"x":1}}"#, "n"),
        (r#"{"n":{}}"#, "n"),
        (r#"{"n":{"$in":[[1]]}}"#, "$in"),
        (r#"{"a\u0000":1}"#, "U+0000"),
        (&long, "path"),
        ("", "query"),
        ("null", "query"),
        ("{", "query"),
    ] {
        for verb in [find(1, 0, &[]), Verb::Count, Verb::Delete] {
            let refused = worker.ds("c", verb.clone(), query).unwrap_err();
            assert_eq!(refused.code, Code::InvalidArgument, "{query}");
            assert!(refused.message.contains(named) && !refused.unknown, "{query}: {}", refused.message);
        }
    }
    assert_eq!(worker.ds("", Verb::Count, "{}").unwrap_err().code, Code::InvalidArgument);
    assert_eq!(worker.number("c", Verb::Count, "{}").unwrap(), 1.0);
}

#[test]
fn pages_and_orders() {
    let mut farm = Farm::start();
    let app = farm.app("a");
    let mut worker = farm.worker(&app);
    for (n, s) in [(3, "a"), (1, "b"), (2, "a")] {
        worker.insert("c", &json!({"n": n, "o": {"s": s}}).to_string()).unwrap();
    }
    let mut found = |verb: Verb| -> Vec<i64> {
        let documents: Vec<Value> = serde_json::from_slice(&worker.ds("c", verb, "{}").unwrap().1).unwrap();
        documents.iter().map(|document| document["n"].as_i64().unwrap()).collect()
    };
    assert_eq!(found(find(10, 0, &[])), [2, 1, 3]);
    assert_eq!(found(find(1, 1, &[])), [1]);
    assert_eq!(found(find(0, 0, &[])), [0_i64; 0]);
    assert_eq!(found(find(10, 5, &[])), [0_i64; 0]);
    assert_eq!(found(find(10, 0, &[("n", false)])), [1, 2, 3]);
    assert_eq!(found(find(2, 0, &[("n", true)])), [3, 2]);
    assert_eq!(found(find(10, 0, &[("o.s", false), ("n", true)])), [3, 2, 1]);
    assert_eq!(found(find(10, 0, &[("o.s", false)])), [2, 3, 1]);
    assert_eq!(found(find(10, 0, &[("_createdAt", false), ("id", false)])).len(), 3);
    let refused = worker.ds("c", find(1, 0, &[("$n", false)]), "{}").unwrap_err();
    assert_eq!(refused.code, Code::InvalidArgument);
}

#[test]
fn updates_change_what_they_name_and_nothing_else() {
    let mut farm = Farm::start();
    let app = farm.app("a");
    let mut worker = farm.worker(&app);
    worker
        .insert("c", r#"{"id":"x","n":1,"exact":1.10,"big":12345678901234567890,"o":{"a":1,"b":2},"t":"s"}"#)
        .unwrap();
    worker.insert("c", r#"{"id":"y","n":1}"#).unwrap();
    let before = one(&mut worker, r#""x""#);
    assert_eq!(update(&mut worker, r#""x""#, r#"{"n":1}"#).unwrap(), 0.0, "nothing changed");
    assert_eq!(one(&mut worker, r#""x""#), before);
    assert_eq!(update(&mut worker, r#""x""#, r#"{"n":2,"o.c":{"d":[1]},"p.q.r":true}"#).unwrap(), 1.0);
    let after = one(&mut worker, r#""x""#);
    assert_eq!(after["n"], json!(2));
    assert_eq!(after["o"], json!({"a": 1, "b": 2, "c": {"d": [1]}}));
    assert_eq!(after["p"], json!({"q": {"r": true}}));
    assert!(after["_updatedAt"].as_i64() >= before["_updatedAt"].as_i64());
    assert_eq!(after["_createdAt"], before["_createdAt"]);
    let (_, raw) = worker.ds("c", Verb::FindOne, r#""x""#).unwrap();
    let raw = String::from_utf8(raw).unwrap();
    assert!(raw.contains("1.10") && raw.contains("12345678901234567890"), "kept to the last digit: {raw}");

    let changes = r#"{"$set":{"t":"new"},"$unset":{"o.a":true,"none":1},"$inc":{"n":0.5,"fresh":3}}"#;
    assert_eq!(update(&mut worker, r#"{"id":"x"}"#, changes).unwrap(), 1.0);
    let after = one(&mut worker, r#""x""#);
    assert_eq!((&after["t"], &after["n"], &after["fresh"]), (&json!("new"), &json!(2.5), &json!(3)));
    assert_eq!(after["o"], json!({"b": 2, "c": {"d": [1]}}));
    update(&mut worker, r#""x""#, r#"{"$unset":["t"],"n":0.1}"#).unwrap();
    update(&mut worker, r#""x""#, r#"{"$inc":{"n":0.2}}"#).unwrap();
    assert_eq!(one(&mut worker, r#""x""#)["n"].as_f64().unwrap(), 0.1 + 0.2);
    assert_eq!(one(&mut worker, r#""x""#)["t"], Value::Null);

    assert_eq!(update(&mut worker, "{}", r#"{"all":1}"#).unwrap(), 2.0);
    assert_eq!(update(&mut worker, r#"{"n":99}"#, r#"{"all":2}"#).unwrap(), 0.0);
    assert_eq!(update(&mut worker, r#""none""#, r#"{"all":2}"#).unwrap(), 0.0);
    // A document that was found is given back whole.
    let mut whole = one(&mut worker, r#""y""#);
    whole["n"] = json!(7);
    assert_eq!(update(&mut worker, r#""y""#, &whole.to_string()).unwrap(), 1.0);
    assert_eq!(one(&mut worker, r#""y""#)["n"], json!(7));
    let wide: serde_json::Map<String, Value> = (0..300).map(|at| (format!("f{at}"), json!(at))).collect();
    assert_eq!(update(&mut worker, r#""y""#, &Value::Object(wide).to_string()).unwrap(), 1.0);
    assert_eq!(one(&mut worker, r#""y""#)["f299"], json!(299));
}

#[test]
fn a_wrong_update_changes_nothing() {
    let mut farm = Farm::start();
    let app = farm.app("a");
    let mut worker = farm.worker(&app);
    worker.insert("c", r#"{"id":"y","n":1}"#).unwrap();
    worker.insert("c", r#"{"id":"x","n":"text","o":[1]}"#).unwrap();
    let before = worker.find("c", "{}").unwrap();
    for (query, changes, named) in [
        (r#""x""#, r#"{"id":"other"}"#, "id"),
        ("{}", r#"{"$set":{"_createdAt":1}}"#, "_createdAt"),
        (r#""x""#, r#"{"$push":{"o":1}}"#, "$push"),
        (r#""x""#, r#"{"a.$b":1}"#, "a.$b"),
        // The first document it meets can take it, the second cannot.
        ("{}", r#"{"$inc":{"n":1}}"#, "n"),
        ("{}", r#"{"o.x":1}"#, "o"),
        (r#""x""#, r#"{"$inc":{"m":"1"}}"#, "m"),
        (r#""x""#, r#"{"$inc":5}"#, "$inc"),
        (r#""x""#, r#"{"$unset":"m"}"#, "$unset"),
        (r#""x""#, r#"{"a":1,"$set":{"a":2}}"#, "a"),
        (r#""x""#, "[]", "changes"),
        ("7", r#"{"a":1}"#, "query"),
    ] {
        let refused = update(&mut worker, query, changes).unwrap_err();
        assert_eq!(refused.code, Code::InvalidArgument, "{changes}");
        assert!(refused.message.contains(named), "{changes}: {}", refused.message);
        assert_eq!(worker.find("c", "{}").unwrap(), before, "{changes}");
    }
    assert_eq!(worker.ds("c", Verb::Update, "{}").unwrap_err().code, Code::InvalidArgument);
    let large = json!({"t": "x".repeat(1024 * 1024)}).to_string();
    assert_eq!(update(&mut worker, r#""x""#, &large).unwrap_err().code, Code::TooLarge);
}

#[test]
fn deletes_say_how_many() {
    let mut farm = Farm::start();
    let app = farm.app("a");
    let mut worker = farm.worker(&app);
    assert_eq!(worker.number("c", Verb::Delete, "{}").unwrap(), 0.0);
    for n in 0..10 {
        worker.insert("c", &json!({"id": format!("d{n}"), "n": n}).to_string()).unwrap();
    }
    assert_eq!(worker.number("c", Verb::Delete, r#""d0""#).unwrap(), 1.0);
    assert_eq!(worker.number("c", Verb::Delete, r#""d0""#).unwrap(), 0.0);
    assert_eq!(worker.number("c", Verb::Delete, r#"{"n":{"$lt":4}}"#).unwrap(), 3.0);
    assert_eq!(worker.number("c", Verb::Count, "{}").unwrap(), 6.0);
    assert_eq!(worker.number("c", Verb::Delete, "{}").unwrap(), 6.0);
    assert_eq!(worker.find("c", "{}").unwrap(), [Value::Null; 0]);
    worker.insert("c", r#"{"id":"d0"}"#).unwrap();
}

#[test]
fn large_and_deep_documents() {
    let mut farm = Farm::start();
    let app = farm.app("a");
    let mut worker = farm.worker(&app);
    let document = |bytes: usize| format!(r#"{{"t":"{}"}}"#, "x".repeat(bytes - 8));
    worker.insert("c", &document(1024 * 1024)).unwrap();
    for bytes in [1024 * 1024 + 1, 5_000_000] {
        assert_eq!(worker.insert("c", &document(bytes)).unwrap_err().code, Code::TooLarge);
    }
    let deep = |levels: usize| format!(r#"{{"a":{}1{}}}"#, "[".repeat(levels), "]".repeat(levels));
    worker.insert("c", &deep(100)).unwrap();
    worker.insert("c", &deep(499)).unwrap();
    for levels in [500, 10_000] {
        assert_eq!(worker.insert("c", &deep(levels)).unwrap_err().code, Code::InvalidArgument);
    }
    for bad in ["{a:1}", "{'a':1}", r#"{"a":NaN}"#, r#"{"a":0x1}"#, r#"{"a":1,}"#, r#"{"a\u0000b":1}"#, "\u{0}", "[]"] {
        assert_eq!(worker.insert("c", bad).unwrap_err().code, Code::InvalidArgument, "{bad}");
    }
    worker.insert("c", r#"{"lone":"\ud800","nul":"a\u0000b"}"#).unwrap();
    assert_eq!(worker.number("c", Verb::Count, r#"{"nul":"a\u0000b"}"#).unwrap(), 1.0);
    assert_eq!(worker.number("c", Verb::Count, "{}").unwrap(), 4.0);
}

#[test]
fn wide_queries_are_answered_in_time() {
    let mut farm = Farm::start();
    let app = farm.app("a");
    let mut worker = farm.worker(&app);
    let documents: Vec<String> = (0..1_000).map(|n| format!(r#"{{"n":{n},"s":"s{n}"}}"#)).collect();
    worker.ds("c", Verb::InsertMany, &format!("[{}]", documents.join(","))).unwrap();
    let numbers: Vec<String> = (500..5_500).map(|n| n.to_string()).collect();
    assert_eq!(
        worker.number("c", Verb::Count, &format!(r#"{{"n":{{"$in":[{}]}}}}"#, numbers.join(","))).unwrap(),
        500.0
    );
    let branches: Vec<String> = (0..500).map(|n| format!(r#"{{"s":"s{}"}}"#, n * 4)).collect();
    let or = format!(r#"{{"$or":[{}]}}"#, branches.join(","));
    assert_eq!(worker.number("c", Verb::Count, &or).unwrap(), 250.0);
    let too_many = format!(r#"{{"$or":[{}]}}"#, vec![r#"{"s":"x"}"#; 501].join(","));
    assert_eq!(worker.ds("c", Verb::Count, &too_many).unwrap_err().code, Code::InvalidArgument);
}
