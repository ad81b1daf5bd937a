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

use self::edit::Node;
use super::{
    collection::Collection,
    document::{check_form, cost},
    find::Again,
    query::{self, Which},
};
use crate::{
    refusal::{OpError, invalid},
    writer::Hand,
};

const UPDATE: &str = "UPDATE document SET body = jsonb(?2), updated_at = ?3, bytes = ?4 WHERE id = ?1";

#[derive(Deserialize)]
struct Body<'a> {
    query: Value,
    #[serde(borrow)]
    changes: &'a RawValue,
}

/// What is to be changed, and how.
#[derive(Debug)]
pub(super) struct Update {
    pub(super) which: Which,
    changes: Node,
}

/// One document before.
#[derive(Debug)]
struct Old {
    name: String,
    bytes: u64,
    body: String,
}

pub(super) fn read(body: &[u8]) -> Result<Update, Refusal> {
    let body: Body<'_> = serde_json::from_slice(body).map_err(|error| invalid(format!("changes: {error}")))?;
    let which = query::which(&body.query)?;
    let changes = changes::read(body.changes.get(), &which)?;
    Ok(Update { which, changes })
}

/// Changes those that are still there and still meet the query; returns how many: one that is as it was before is not
/// among them.
pub(super) fn change(
    hand: &mut Hand<'_>,
    app: u64,
    collection: &Collection,
    (rows, update): (&[i64], &Update),
) -> Result<u64, OpError> {
    let mut account = hand.account(app)?;
    let mut again = Again::new(hand.sql(), "name, bytes, json(body)", collection.id, update.which.filter())?;
    let mut statement = hand.sql().prepare_cached(UPDATE)?;
    let mut count: u64 = 0;
    for row in rows {
        hand.in_turn()?;
        let old =
            hand.look(|| again.look(*row, |row| Ok(Old { name: row.get(0)?, bytes: row.get(1)?, body: row.get(2)? })))?;
        let Some(old) = old else { continue };
        let body = update.changes.apply(&old.body)?;
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
