//! Inserts: one document, or many of which all are inserted or none. A long list is read and converted by a reader (plan.rs).

use fazt_protocol::{
    limit::INSERT_MANY,
    op::{Code, Refusal},
};
use rusqlite::{Connection, ErrorCode, ToSql, params};
use serde_json::value::RawValue;

use super::{
    collection::{self, Collection},
    document::{self, cost},
};
use crate::{
    json::push_string,
    question::Reply,
    refusal::{OpError, invalid},
    writer::Hand,
};

const INSERT: &str = "INSERT INTO document (id, collection, name, created_at, updated_at, bytes, body)
    VALUES (?1, ?2, ?3, ?4, ?4, ?5, jsonb(?6))";

/// A list of documents that was read: what is left to do is to insert rows.
#[derive(Debug)]
pub(crate) struct List(Vec<Ready>);

#[derive(Debug)]
struct Ready {
    id: String,
    /// What the quota counts.
    cost: u64,
    /// JSONB.
    body: Vec<u8>,
}

/// What becomes a row; the body may be text or JSONB.
struct New<'a> {
    id: &'a str,
    cost: u64,
    body: &'a dyn ToSql,
}

/// Inserts one document; the answer is its id.
pub(super) fn one(hand: &mut Hand<'_>, app: u64, name: &str, body: &[u8]) -> Result<Reply, OpError> {
    let given = document::read(body)?;
    let new = || std::iter::once(New { id: &given.id, cost: cost(&given.id, &given.body), body: &given.body });
    match collection::find(hand.sql(), app, name)? {
        // One statement that may refuse, then the counters: no savepoint is needed.
        Some(collection) => add(hand, app, collection, new())?,
        None => hand.all_or_none(|hand| {
            let collection = collection::make(hand, app, name)?;
            add(hand, app, collection, new())
        })?,
    }
    let mut out = Vec::new();
    push_string(&given.id, &mut out);
    Ok(Reply::json(out))
}

/// Reads an array of documents, on whatever connection is at hand.
pub(super) fn read(sql: &Connection, body: &[u8]) -> Result<List, OpError> {
    let documents: Vec<&RawValue> =
        serde_json::from_slice(body).map_err(|error| invalid(format!("docs: not an array of documents: {error}")))?;
    if documents.len() > INSERT_MANY {
        return Err(Refusal::new(Code::TooLarge, format!("docs: at most {INSERT_MANY} a call")).into());
    }
    let mut jsonb = sql.prepare_cached("SELECT jsonb(?1)")?;
    let read = |text: &&RawValue| {
        let given = document::read(text.get().as_bytes())?;
        let body = jsonb.query_row([&given.body], |row| row.get(0)).map_err(super::unreadable)?;
        Ok(Ready { cost: cost(&given.id, &given.body), id: given.id, body })
    };
    documents.iter().map(read).collect::<Result<_, OpError>>().map(List)
}

/// Inserts a list of documents; the answer is their ids.
pub(super) fn many(hand: &mut Hand<'_>, app: u64, name: &str, List(list): &List) -> Result<Reply, OpError> {
    if !list.is_empty() {
        hand.all_or_none(|hand| {
            let found = collection::find(hand.sql(), app, name)?;
            let collection = match found {
                Some(collection) => collection,
                None => collection::make(hand, app, name)?,
            };
            add(hand, app, collection, list.iter().map(|Ready { id, cost, body }| New { id, cost: *cost, body }))
        })?;
    }
    let ids: Vec<&str> = list.iter().map(|ready| ready.id.as_str()).collect();
    Ok(Reply::json(serde_json::to_vec(&ids).unwrap_or_default()))
}

fn add<'a>(
    hand: &mut Hand<'_>,
    app: u64,
    mut collection: Collection,
    documents: impl Iterator<Item = New<'a>>,
) -> Result<(), OpError> {
    let mut account = hand.account(app)?;
    let mut statement = hand.sql().prepare_cached(INSERT)?;
    for New { id, cost, body } in documents {
        hand.in_turn()?;
        if collection.documents >= hand.limits.documents {
            let message = format!("the collection has {} documents, which is the most", collection.documents);
            return Err(Refusal::new(Code::QuotaExceeded, message).into());
        }
        account.charge(0, cost, hand.limits.app_bytes)?;
        let row = collection.next_row()?;
        collection.documents = collection.documents.saturating_add(1);
        let inserted = statement.execute(params![row, collection.id, id, hand.now_ms, cost, body]);
        inserted.map_err(|error| taken(error, id))?;
    }
    hand.ledger.set(app, account);
    collection.save(hand.sql())
}

impl List {
    /// What it takes of memory.
    pub(super) fn bytes(&self) -> usize {
        let one = |ready: &Ready| size_of::<Ready>().saturating_add(ready.id.len()).saturating_add(ready.body.len());
        self.0.iter().map(one).sum()
    }
}

fn taken(error: rusqlite::Error, id: &str) -> OpError {
    match error.sqlite_error_code() {
        Some(ErrorCode::ConstraintViolation) => {
            Refusal::new(Code::Conflict, format!("doc.id: there is a document with the id {id:?}")).into()
        }
        _ => super::unreadable(error),
    }
}
