//! Deletes: a document by its id, or all that meet a query.

use super::{collection::Collection, find::Again, query::Filter};
use crate::{refusal::OpError, writer::Hand};

/// Removes those that are still there and still meet the query; returns how many.
pub(super) fn remove(
    hand: &mut Hand<'_>,
    app: u64,
    collection: &mut Collection,
    (name, rows, filter): (&str, &[i64], &Filter),
) -> Result<u64, OpError> {
    let mut account = hand.account(app)?;
    let mut again = Again::new(hand.sql(), "bytes", collection.id, filter)?;
    let mut remove = hand.sql().prepare_cached("DELETE FROM document WHERE id = ?1")?;
    let mut count: u64 = 0;
    for row in rows {
        hand.in_turn()?;
        let Some(bytes) = hand.look(|| again.look(*row, |row| row.get(0)))? else { continue };
        remove.execute([row])?;
        account.charge(bytes, 0, u64::MAX)?;
        collection.documents = collection.documents.saturating_sub(1);
        count = count.saturating_add(1);
    }
    if count > 0 {
        collection.save_or_remove(hand.sql(), name, &mut account)?;
        hand.ledger.set(app, account);
    }
    Ok(count)
}
