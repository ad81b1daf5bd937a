//! Updates: fields set, removed, or added to, in a document or in all that meet a query.

mod changes;
mod edit;

use fazt_protocol::{
    limit::DOCUMENT_BYTES,
    op::{Code, Refusal},
};
use rusqlite::params;
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

pub(in crate::ds) use self::edit::Node;
use super::{
    collection::Collection,
    document::{check_form, cost},
    find::Again,
    query::{self, Filter, Which},
};
use crate::{
    refusal::{OpError, invalid},
    writer::Hand,
};

const UPDATE: &str = "UPDATE document SET body = jsonb(?2), updated_at = ?3, bytes = ?4 WHERE id = ?1";

/// What an update comes as; `Q` is what its document or its documents are known by.
#[derive(Deserialize)]
struct Body<'a, Q> {
    query: Q,
    #[serde(borrow)]
    changes: &'a RawValue,
}

/// One document before.
#[derive(Debug)]
struct Old {
    name: String,
    bytes: u64,
    body: String,
}

/// Reads which documents, and the changes.
pub(super) fn read(text: &[u8]) -> Result<(Which, Node), Refusal> {
    let body: Body<'_, Value> = body(text)?;
    let which = query::which(&body.query)?;
    let id = if let Which::Id(id) = &which { Some(id.as_str()) } else { None };
    let changes = changes::read(body.changes.get(), id)?;
    Ok((which, changes))
}

/// Reads the id of a document, and the changes.
pub(super) fn read_named(text: &[u8]) -> Result<(String, Node), Refusal> {
    let body: Body<'_, String> = body(text)?;
    let changes = changes::read(body.changes.get(), Some(&body.query))?;
    Ok((body.query, changes))
}

fn body<'a, Q: Deserialize<'a>>(text: &'a [u8]) -> Result<Body<'a, Q>, Refusal> {
    serde_json::from_slice(text).map_err(|error| invalid(format!("changes: {error}")))
}

/// Changes those that are still there and still meet the query; returns how many: one that is as it was before is not
/// among them.
pub(super) fn change(
    hand: &mut Hand<'_>,
    app: u64,
    collection: &Collection,
    (rows, filter): (&[i64], &Filter),
    changes: &Node,
) -> Result<u64, OpError> {
    let mut account = hand.account(app)?;
    let mut again = Again::new(hand.sql(), "name, bytes, json(body)", collection.id, filter)?;
    let mut statement = hand.sql().prepare_cached(UPDATE)?;
    let mut count: u64 = 0;
    for row in rows {
        hand.in_turn()?;
        let old =
            hand.look(|| again.look(*row, |row| Ok(Old { name: row.get(0)?, bytes: row.get(1)?, body: row.get(2)? })))?;
        let Some(old) = old else { continue };
        let body = changes.apply(&old.body)?;
        if body == old.body {
            continue;
        }
        if body.len() > DOCUMENT_BYTES {
            return Err(Refusal::new(Code::TooLarge, format!("a document of more than {DOCUMENT_BYTES} bytes")).into());
        }
        check_form(&body)?;
        let bytes = cost(&old.name, &body);
        account.charge(old.bytes, bytes, hand.limits.app_bytes)?;
        statement.execute(params![row, body, hand.now_ms, bytes]).map_err(super::unreadable)?;
        count = count.saturating_add(1);
    }
    hand.ledger.set(app, account);
    Ok(count)
}
