//! Updates: fields set, removed, or added to, in a document or in all that meet a query.
//!
//! SQLite changes the JSONB and keeps what is not named as it was written, to the last digit of a number. Sums are made
//! here: JavaScript's doubles, which SQLite would round on the way into text.

mod changes;

use fazt_protocol::{
    limit::DOCUMENT_BYTES,
    op::{Code, Refusal},
};
use rusqlite::{OptionalExtension, params, params_from_iter, types::Value as Bound};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use self::changes::{Change, Changes};
use super::{
    collection::{self, Collection},
    document::{check_form, cost},
    find, number, query,
};
use crate::{
    json,
    question::Reply,
    refusal::{OpError, invalid},
    writer::Hand,
};

const SUMMAND: &str = "SELECT json_type(body, ?2), json_extract(body, ?2) FROM document WHERE id = ?1";
const UPDATE: &str = "UPDATE document SET body = jsonb(?2), updated_at = ?3, bytes = ?4 WHERE id = ?1";

#[derive(Deserialize)]
struct Body<'a> {
    query: Value,
    #[serde(borrow)]
    changes: &'a RawValue,
}

/// One document before and after.
#[derive(Debug)]
struct Changed {
    name: String,
    before: String,
    after: String,
    bytes: u64,
}

/// The answer is how many documents were changed: one that is as it was before is not among them.
pub(super) fn answer(hand: &mut Hand<'_>, app: u64, name: &str, body: &[u8]) -> Result<Reply, OpError> {
    let body: Body<'_> = serde_json::from_slice(body).map_err(|error| invalid(format!("changes: {error}")))?;
    let which = query::which(&body.query)?;
    let changes = Changes::read(body.changes.get(), &which)?;
    let Some(collection) = collection::find(hand.sql(), app, name)? else { return Ok(number(0)) };
    let rows = hand.scan(|sql| find::rows(sql, &collection, &which))?;
    let changed = hand.all_or_none(|hand| change(hand, app, &collection, (&rows, &changes)))?;
    Ok(number(changed))
}

fn change(
    hand: &mut Hand<'_>,
    app: u64,
    _collection: &Collection,
    (rows, changes): (&[i64], &Changes),
) -> Result<u64, OpError> {
    let select = changes.select();
    let mut account = hand.account(app)?;
    let mut count: u64 = 0;
    for row in rows {
        hand.in_time()?;
        let changed = changed(hand, *row, changes, &select)?;
        if changed.before == changed.after {
            continue;
        }
        if changed.after.len() > DOCUMENT_BYTES {
            return Err(Refusal::new(Code::TooLarge, format!("a document of more than {DOCUMENT_BYTES} bytes")).into());
        }
        check_form(&changed.after)?;
        let bytes = cost(&changed.name, &changed.after);
        account.charge(changed.bytes, bytes, hand.limits.app_bytes)?;
        let mut update = hand.sql().prepare_cached(UPDATE)?;
        update.execute(params![row, changed.after, hand.now_ms, bytes])?;
        count = count.saturating_add(1);
    }
    hand.ledger.set(app, account);
    Ok(count)
}

/// One document as it will be.
fn changed(hand: &Hand<'_>, row: i64, changes: &Changes, select: &str) -> Result<Changed, OpError> {
    let mut bound = vec![Bound::from(row)];
    for change in &changes.0 {
        bound.push(Bound::from(change.path().text.clone()));
        match change {
            Change::Set(_, _, text) => bound.push(Bound::from(text.clone())),
            Change::Add(name, path, by) => bound.push(Bound::from(sum(hand, row, (name, &path.text), *by)?)),
            Change::Remove(..) => {}
        }
    }
    for parent in changes.parents() {
        bound.push(Bound::from(parent.to_owned()));
    }
    let mut statement = hand.sql().prepare_cached(select)?;
    let (changed, wrong) = statement
        .query_row(params_from_iter(bound), |row| {
            let changed = Changed { name: row.get(0)?, bytes: row.get(1)?, before: row.get(2)?, after: row.get(3)? };
            Ok((changed, row.get::<_, usize>(4)?))
        })
        .map_err(super::unreadable)?;
    match wrong.checked_sub(1).and_then(|at| changes.parents().nth(at).map(str::to_owned)) {
        Some(parent) => Err(invalid(format!("changes: {parent} is not an object, nothing can be set in it")).into()),
        None => Ok(changed),
    }
}

/// A number of the document and another one, as JSON text.
fn sum(hand: &Hand<'_>, row: i64, (name, path): (&str, &str), by: f64) -> Result<String, OpError> {
    let mut statement = hand.sql().prepare_cached(SUMMAND)?;
    let found = statement
        .query_row(params![row, path], |row| {
            let number = match row.get_ref(1)? {
                rusqlite::types::ValueRef::Integer(number) => number as f64,
                rusqlite::types::ValueRef::Real(number) => number,
                _ => 0.0,
            };
            Ok((row.get::<_, Option<String>>(0)?, number))
        })
        .optional()?;
    let (kind, number) = found.unwrap_or((None, 0.0));
    match kind.as_deref() {
        None | Some("integer" | "real") => {}
        Some(kind) => return Err(invalid(format!("$inc: {name} is {kind}, not a number")).into()),
    }
    let sum = number + by;
    if !sum.is_finite() {
        return Err(invalid(format!("$inc: {name}: the sum is not a finite number")).into());
    }
    Ok(json::number(sum))
}
