//! Inserts: one document, or many of which all are inserted or none.

use fazt_protocol::{
    limit::INSERT_MANY,
    op::{Code, Refusal},
};
use rusqlite::{ErrorCode, params};
use serde_json::value::RawValue;

use super::{
    collection::{self, Collection},
    document::{self, Given, cost},
};
use crate::{
    json::push_string,
    question::Reply,
    refusal::{OpError, invalid},
    writer::Hand,
};

const INSERT: &str = "INSERT INTO document (id, collection, name, created_at, updated_at, bytes, body)
    VALUES (?1, ?2, ?3, ?4, ?4, ?5, jsonb(?6))";

/// Inserts one document; the answer is its id.
pub(super) fn one(hand: &mut Hand<'_>, app: u64, name: &str, body: &[u8]) -> Result<Reply, OpError> {
    let given = document::read(body)?;
    match collection::find(hand.sql(), app, name)? {
        // One statement that may refuse, then the counters: no savepoint is needed.
        Some(collection) => add(hand, app, collection, std::slice::from_ref(&given))?,
        None => hand.all_or_none(|hand| {
            let collection = collection::make(hand, app, name)?;
            add(hand, app, collection, std::slice::from_ref(&given))
        })?,
    }
    let mut out = Vec::new();
    push_string(&given.id, &mut out);
    Ok(Reply::json(out))
}

/// Inserts an array of documents; the answer is their ids.
pub(super) fn many(hand: &mut Hand<'_>, app: u64, name: &str, body: &[u8]) -> Result<Reply, OpError> {
    let documents: Vec<&RawValue> =
        serde_json::from_slice(body).map_err(|error| invalid(format!("docs: not an array of documents: {error}")))?;
    if documents.len() > INSERT_MANY {
        return Err(Refusal::new(Code::TooLarge, format!("docs: at most {INSERT_MANY} a call")).into());
    }
    let read = |text: &&RawValue| {
        hand.in_turn()?;
        Ok(document::read(text.get().as_bytes())?)
    };
    let given: Vec<Given> = documents.iter().map(read).collect::<Result<_, OpError>>()?;
    if !given.is_empty() {
        hand.all_or_none(|hand| {
            let found = collection::find(hand.sql(), app, name)?;
            let collection = match found {
                Some(collection) => collection,
                None => collection::make(hand, app, name)?,
            };
            add(hand, app, collection, &given)
        })?;
    }
    let ids: Vec<&str> = given.iter().map(|given| given.id.as_str()).collect();
    Ok(Reply::json(serde_json::to_vec(&ids).unwrap_or_default()))
}

fn add(hand: &mut Hand<'_>, app: u64, mut collection: Collection, given: &[Given]) -> Result<(), OpError> {
    let mut account = hand.account(app)?;
    let mut statement = hand.sql().prepare_cached(INSERT)?;
    for given in given {
        hand.in_turn()?;
        if collection.documents >= hand.limits.documents {
            let message = format!("the collection has {} documents, which is the most", collection.documents);
            return Err(Refusal::new(Code::QuotaExceeded, message).into());
        }
        let bytes = cost(&given.id, &given.body);
        account.charge(0, bytes, hand.limits.app_bytes)?;
        let row = collection.next_row()?;
        collection.documents = collection.documents.saturating_add(1);
        let inserted = statement.execute(params![row, collection.id, given.id, hand.now_ms, bytes, given.body]);
        inserted.map_err(|error| taken(error, &given.id))?;
    }
    hand.ledger.set(app, account);
    collection.save(hand.sql())
}

fn taken(error: rusqlite::Error, id: &str) -> OpError {
    match error.sqlite_error_code() {
        Some(ErrorCode::ConstraintViolation) => {
            Refusal::new(Code::Conflict, format!("doc.id: there is a document with the id {id:?}")).into()
        }
        _ => super::unreadable(error),
    }
}
