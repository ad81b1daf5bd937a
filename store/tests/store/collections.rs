//! Collections: what they cost, how many there may be, and whose documents are whose.

use fazt_protocol::op::{Code, ds::Verb};
use serde_json::{Value, json};

use crate::harness::{Farm, Start, Worker, eventually};

/// Inserts into collections with these names until the storage is full; returns how many were taken.
fn fill(worker: &mut Worker, name: impl Fn(u32) -> String) -> u32 {
    (0..)
        .find(|at| {
            let refused = worker.insert(&name(*at), &format!(r#"{{"id":"{at:08}"}}"#)).err();
            assert!(refused.as_ref().is_none_or(|refusal| refusal.code == Code::QuotaExceeded), "{refused:?}");
            refused.is_some()
        })
        .unwrap()
}

#[test]
fn a_collection_costs_its_app_what_it_takes() {
    let mut farm = Farm::with(&Start { arguments: &["--app-storage-bytes", "20000"], environment: &[] });
    let app = farm.app("a");
    let mut worker = farm.worker(&app);
    let in_one = fill(&mut worker, |_| "c".repeat(100));
    assert_eq!(worker.number(&"c".repeat(100), Verb::Delete, "{}").unwrap(), f64::from(in_one));
    let in_many = fill(&mut worker, |at| format!("{at:0100}"));
    assert!(in_many * 2 < in_one, "{in_one} documents in one collection, {in_many} in one each");
    // With its last document a collection gives back what it cost.
    for at in 0..in_many {
        assert_eq!(worker.number(&format!("{at:0100}"), Verb::Delete, "{}").unwrap(), 1.0);
    }
    assert_eq!(fill(&mut worker, |_| "c".repeat(100)), in_one);
}

#[test]
fn an_app_has_so_many_collections_and_no_more() {
    let mut farm = Farm::with(&Start { arguments: &["--app-collections", "3"], environment: &[] });
    let (app, other) = (farm.app("a"), farm.app("b"));
    let mut worker = farm.worker(&app);
    for name in ["one", "two", "three"] {
        worker.ds(name, Verb::InsertMany, r#"[{"id":"x"},{"id":"y"}]"#).unwrap();
    }
    for verb in [(Verb::Insert, "{}"), (Verb::InsertMany, "[{}]")] {
        let refused = worker.ds("four", verb.0, verb.1).unwrap_err();
        assert!(refused.code == Code::QuotaExceeded && refused.message.contains("3 collections"), "{refused}");
    }
    worker.insert("three", "{}").unwrap();
    farm.worker(&other).insert("four", "{}").unwrap();
    worker.number("one", Verb::Delete, r#""x""#).unwrap();
    worker.insert("four", "{}").unwrap_err();
    worker.number("one", Verb::Delete, r#"{"id":"y"}"#).unwrap();
    worker.insert("four", "{}").unwrap();
    assert_eq!(worker.find("one", "{}").unwrap(), [Value::Null; 0]);
}

#[test]
fn a_collection_that_comes_and_goes_uses_up_no_numbers() {
    let mut farm = Farm::start();
    let (app, other) = (farm.app("a"), farm.app("b"));
    let (mut worker, mut neighbour) = (farm.worker(&app), farm.worker(&other));
    for round in 0..50 {
        worker.insert("c", &json!({"id": "x", "round": round}).to_string()).unwrap();
        assert_eq!(worker.field("c", "{}", "round"), [json!(round)]);
        assert_eq!(worker.number("c", Verb::Delete, "{}").unwrap(), 1.0);
        neighbour.insert(&format!("c{}", round % 3), r#"{"mine":true}"#).unwrap();
        assert_eq!(worker.number("c", Verb::Count, "{}").unwrap(), 0.0);
    }
    let sql = rusqlite::Connection::open(farm.database()).unwrap();
    let newest = |sql: &rusqlite::Connection| {
        sql.query_row("SELECT seq FROM sqlite_sequence WHERE name = 'collection'", [], |row| row.get::<_, i64>(0))
    };
    assert!(newest(&sql).unwrap() <= 4, "{:?}", newest(&sql));
    // Those of a removed app are given out again as well, once nothing of it is left.
    farm.ask(fazt_protocol::registry::Ask::Remove { name: "b".to_owned() }).unwrap();
    eventually(|| {
        let left = "SELECT count(*) FROM removed_app";
        (sql.query_row(left, [], |row| row.get::<_, i64>(0)).unwrap() == 0).then_some(())
    });
    for name in ["c", "d", "e", "f"] {
        worker.insert(name, "{}").unwrap();
        assert_eq!(worker.field(name, "{}", "mine"), [Value::Null]);
    }
    assert!(newest(&sql).unwrap() <= 4, "{:?}", newest(&sql));
}

/// A scan that lets its snapshot go and reads on would else have found what is no document of the collection that it began with.
#[test]
fn no_number_is_ever_another_documents() {
    let mut farm = Farm::start();
    let (app, other) = (farm.app("a"), farm.app("b"));
    let (mut worker, mut neighbour) = (farm.worker(&app), farm.worker(&other));
    let sql = rusqlite::Connection::open(farm.database()).unwrap();
    let numbers = || {
        let all = "SELECT min(id), max(id), count(*) FROM document";
        sql.query_row(all, [], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, u64>(2)?))).unwrap()
    };
    let mut newest = 0;
    for round in 0..4 {
        let whose = if round % 2 == 0 { &mut worker } else { &mut neighbour };
        whose.ds("c", Verb::InsertMany, "[{},{},{}]").unwrap();
        let (first, last, count) = numbers();
        assert!(first > newest && first >> 36 == 1 && count == 3, "{first} after {newest}, round {round}");
        newest = last;
        // The last one's go with its app.
        if round < 3 {
            assert_eq!(whose.number("c", Verb::Delete, "{}").unwrap(), 3.0);
        }
    }
    farm.ask(fazt_protocol::registry::Ask::Remove { name: "b".to_owned() }).unwrap();
    eventually(|| {
        let left = "SELECT count(*) FROM removed_app";
        (sql.query_row(left, [], |row| row.get::<_, i64>(0)).unwrap() == 0).then_some(())
    });
    worker.insert("d", "{}").unwrap();
    assert!(numbers().0 > newest && numbers().0 >> 36 == 1, "{} after {newest}", numbers().0);
    // Of one that has used up half of them the number is not given out again.
    sql.execute_batch("UPDATE collection SET sequence = (1 << 35) + 1").unwrap();
    assert_eq!(worker.number("d", Verb::Delete, "{}").unwrap(), 1.0);
    worker.insert("e", "{}").unwrap();
    assert_eq!(numbers().0 >> 36, 2);
}

#[test]
fn a_number_that_would_be_another_ones_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut farm = Farm::on(folder.path(), &Start::default()).unwrap();
    let app = farm.app("a");
    let mut worker = farm.worker(&app);
    worker.insert("old", "{}").unwrap();
    worker.insert("full", "{}").unwrap();
    farm.close();
    let sql = rusqlite::Connection::open(farm.database()).unwrap();
    sql.execute_batch(
        "UPDATE sqlite_sequence SET seq = (1 << 27) - 1 WHERE name = 'collection';
         UPDATE collection SET sequence = (1 << 36) - 1 WHERE name = 'full';",
    )
    .unwrap();
    drop(sql);
    let mut farm = Farm::on(folder.path(), &Start::default()).unwrap();
    let mut worker = farm.worker(&app);
    for (collection, verb, body) in
        [("new", Verb::Insert, "{}"), ("new", Verb::InsertMany, "[{}]"), ("full", Verb::Insert, "{}")]
    {
        let refused = worker.ds(collection, verb, body).unwrap_err();
        assert!(refused.code == Code::Unavailable && !refused.unknown, "{refused}");
        assert!(refused.message.contains("no number left"), "{refused}");
    }
    worker.insert("old", "{}").unwrap();
    assert_eq!(worker.number("full", Verb::Count, "{}").unwrap(), 1.0);
}

#[test]
fn what_lies_among_an_apps_numbers_is_not_its_own_for_that() {
    let mut farm = Farm::start();
    let (app, other) = (farm.app("a"), farm.app("b"));
    let (mut worker, mut victim) = (farm.worker(&app), farm.worker(&other));
    worker.insert("c", r#"{"id":"mine","n":1}"#).unwrap();
    victim.insert("c", r#"{"id":"secret","n":1}"#).unwrap();
    // As a number that wrapped would have put it: the victim's document between the first app's.
    let sql = rusqlite::Connection::open(farm.database()).unwrap();
    let moved = "UPDATE document SET id = (SELECT id FROM document WHERE name = 'mine') + 5 WHERE name = 'secret'";
    assert_eq!(sql.execute(moved, []).unwrap(), 1);
    for query in ["{}", r#"{"n":1}"#, r#"{"id":{"$ne":"x"}}"#] {
        assert_eq!(worker.field("c", query, "id"), [json!("mine")], "{query}");
    }
    assert_eq!(worker.number("c", Verb::Count, r#"{"n":1}"#).unwrap(), 1.0);
    let changes = r#"{"query":{"n":1},"changes":{"n":2}}"#;
    assert_eq!(worker.number("c", Verb::Update, changes).unwrap(), 1.0);
    assert_eq!(worker.number("c", Verb::Delete, "{}").unwrap(), 1.0);
    let left: i64 = sql.query_row("SELECT count(*) FROM document WHERE name = 'secret'", [], |row| row.get(0)).unwrap();
    assert_eq!(left, 1);
}
