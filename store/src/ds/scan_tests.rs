//! Scans that are in the writer's way again and again.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use fazt_protocol::op::{
    Found,
    ds::{Op, Verb},
};

use crate::{ds, leash::Leash, open::Opened, question::Reply, readers::Reading};

const APP: u64 = 1;

/// A collection of so many documents.
fn fill(sql: &rusqlite::Connection, bodies: &[String]) {
    sql.execute("INSERT INTO collection VALUES (1, 1, 'c', ?1, ?1)", [bodies.len() as i64]).unwrap();
    for (body, at) in bodies.iter().zip(1..) {
        insert(sql, at, body);
    }
}

fn insert(sql: &rusqlite::Connection, at: i64, body: &str) {
    let row = ((1_i64 << 36) + at, at.to_string(), body);
    sql.execute("INSERT INTO document VALUES (?1, 1, ?2, 7, 7, 1, jsonb(?3))", row).unwrap();
}

fn ask(reading: &Reading<'_>, leash: &Arc<Leash>, verb: Verb, query: &str) -> Result<Reply, String> {
    let op = Op { collection: "c".to_owned(), verb };
    let answer = reading.connection.read(leash, |_sql| ds::find::answer(reading, &op, query.as_bytes()));
    answer.map_err(|error| error.to_string())
}

fn find() -> Verb {
    Verb::Find { limit: u32::MAX, offset: 0, order: Vec::new() }
}

fn ids(reply: &Reply) -> Vec<i64> {
    let documents: Vec<serde_json::Value> = serde_json::from_slice(&reply.body).unwrap();
    documents.iter().map(|document| document["id"].as_str().unwrap().parse().unwrap()).collect()
}

/// The writer needs the log after every few documents, and changes some meanwhile: begun anew, no scan would ever end.
#[test]
fn a_scan_that_is_always_in_the_way_goes_on_and_has_each_document_once() {
    const DOCUMENTS: i64 = 500;
    let folder = tempfile::tempdir().unwrap();
    let (config, mut opened) = Opened::anew(folder.path());
    let bodies: Vec<String> = (0..DOCUMENTS).map(|at| format!(r#"{{"n":{at}}}"#)).collect();
    fill(&opened.writer.sql, &bodies);
    let (snapshots, foreign) =
        (Arc::clone(&opened.writer.snapshots), rusqlite::Connection::open(config.database()).unwrap());
    let (mut looks, mut wishes) = (0_u32, 0_i64);
    let look = move || {
        looks += 1;
        if !looks.is_multiple_of(4) {
            return false;
        }
        snapshots.end_old();
        wishes += 1;
        // One goes at the far end of the scan, one comes behind its beginning.
        foreign.execute("DELETE FROM document WHERE name = ?1", [(wishes * 7 % DOCUMENTS).to_string()]).unwrap();
        insert(&foreign, DOCUMENTS + wishes, "{}");
        true
    };
    opened.reader.sql.progress_handler(25, Some(look)).unwrap();
    let reading = Reading::new(&opened.reader, APP);
    let leash = Leash::lasting(Duration::from_secs(20));
    let found = ids(&ask(&reading, &leash, find(), r#"{"n":{"$gte":0}}"#).unwrap());
    assert!(found.is_sorted_by(|one, next| one > next) && found.iter().all(|id| *id <= DOCUMENTS), "{found:?}");
    assert!(found.len() as i64 > DOCUMENTS / 4, "{} documents", found.len());
    let skipped = Verb::Find { limit: 3, offset: 2, order: Vec::new() };
    let all = ids(&ask(&reading, &leash, find(), "{}").unwrap());
    let page = ids(&ask(&reading, &leash, skipped, &format!(r#"{{"id":{{"$ne":"{}"}}}}"#, all[0])).unwrap());
    assert_eq!(page.len(), 3);
    for (verb, query) in [(Verb::Count, r#"{"n":{"$gte":0}}"#), (Verb::FindOne, r#"{"n":{"$lt":5}}"#)] {
        ask(&reading, &leash, verb, query).unwrap();
    }
}

#[test]
fn parts_leave_nothing_out_and_have_nothing_twice() {
    let folder = tempfile::tempdir().unwrap();
    let (_config, opened) = Opened::anew(folder.path());
    let bodies: Vec<String> = (1..=3_000).map(|at| format!(r#"{{"n":{at},"even":{}}}"#, at % 2 == 0)).collect();
    fill(&opened.writer.sql, &bodies);
    opened.writer.sql.execute("DELETE FROM document WHERE name LIKE '9%'", []).unwrap();
    let expected: Vec<i64> = (1..=3_000).rev().filter(|at| at % 2 == 0 && !at.to_string().starts_with('9')).collect();
    let reading = Reading::new(&opened.reader, APP);
    let leash = Leash::until(u64::MAX);
    let query = r#"{"even":true}"#;
    assert_eq!(ids(&ask(&reading, &leash, find(), query).unwrap()), expected);
    for (limit, offset) in [(1, 0), (10, 0), (10, 7), (2_000, 100), (5, 5_000), (0, 3)] {
        let page: Vec<i64> = expected.iter().copied().skip(offset as usize).take(limit as usize).collect();
        let verb = Verb::Find { limit, offset, order: Vec::new() };
        assert_eq!(ids(&ask(&reading, &leash, verb, query).unwrap()), page, "{limit} from {offset}");
    }
    let count = ask(&reading, &leash, Verb::Count, query).unwrap().found;
    assert_eq!(count, Found::Number((expected.len() as f64).into()));
    assert_eq!(ids(&ask(&reading, &leash, find(), r#"{"id":"4","n":4}"#).unwrap()), [4]);
}

/// SQLite itself does not look at the clock before all conditions have been evaluated for a document.
#[test]
fn a_wide_query_ends_with_its_time_in_the_middle_of_a_document() {
    let folder = tempfile::tempdir().unwrap();
    let (_config, opened) = Opened::anew(folder.path());
    let fields: Vec<String> = (0..60_000).map(|at| format!(r#""f{at:06}":1"#)).collect();
    fill(&opened.writer.sql, &[format!("{{{}}}", fields.join(","))]);
    let conditions: Vec<String> = (0..480).map(|at| format!(r#"{{"none{at}":"x"}}"#)).collect();
    let query = format!(r#"{{"$or":[{}]}}"#, conditions.join(","));
    let reading = Reading::new(&opened.reader, APP);
    let took = |leash: &Arc<Leash>| {
        let began = Instant::now();
        (ask(&reading, leash, Verb::Count, &query).is_ok(), began.elapsed())
    };
    let (done, whole) = took(&Leash::until(u64::MAX));
    assert!(done);
    let (done, cut) = took(&Leash::lasting(whole / 8));
    assert!(!done && cut < whole / 2, "{cut:?} of {whole:?}");
}
