//! Deletes: a document by its id, or all that meet a query.

use super::{
    collection::{self, Collection},
    find, number, query,
};
use crate::{question::Reply, refusal::OpError, writer::Hand};

/// The answer is how many were removed.
pub(super) fn answer(hand: &mut Hand<'_>, app: u64, name: &str, body: &[u8]) -> Result<Reply, OpError> {
    let which = query::which(&query::json(body)?)?;
    let Some(mut collection) = collection::find(hand.sql(), app, name)? else { return Ok(number(0)) };
    // Looked for first, on a leash; what follows are single rows, between which the clock is looked at.
    let rows = hand.scan(|sql| find::rows(sql, &collection, &which))?;
    hand.all_or_none(|hand| remove(hand, app, &mut collection, &rows))?;
    Ok(number(rows.len() as u64))
}

fn remove(hand: &mut Hand<'_>, app: u64, collection: &mut Collection, rows: &[i64]) -> Result<(), OpError> {
    let mut account = hand.account(app)?;
    let mut statement = hand.sql().prepare_cached("DELETE FROM document WHERE id = ?1 RETURNING bytes")?;
    for row in rows {
        hand.in_time()?;
        let bytes: u64 = statement.query_row([row], |row| row.get(0))?;
        account.charge(bytes, 0, u64::MAX)?;
        collection.documents = collection.documents.saturating_sub(1);
    }
    hand.ledger.set(app, account);
    collection.save(hand.sql())
}
