//! Writes of keys. Each is one statement that changes something, behind checks that only read: a refusal has no effect.

use fazt_protocol::op::{
    Found,
    kv::{Condition, Op},
};
use rusqlite::{OptionalExtension, params};

use super::cost;
use crate::{
    json,
    question::Reply,
    refusal::{OpError, invalid},
    writer::Hand,
};

const OLD: &str = "SELECT id, length(value), version, expires_at FROM kv WHERE app = ?1 AND key = ?2";
const INSERT: &str = "INSERT INTO kv (app, key, value, version, expires_at) VALUES (?1, ?2, ?3, ?4, ?5)";
const UPDATE: &str = "UPDATE kv SET value = ?2, version = ?3, expires_at = ?4 WHERE id = ?1";

/// What is there under a key.
#[derive(Debug, Clone, Copy)]
struct Old {
    id: i64,
    bytes: u64,
    version: u64,
    expires_at: Option<i64>,
}

/// Does a write.
pub(crate) fn answer(hand: &mut Hand<'_>, app: u64, op: &Op, body: &[u8]) -> Result<Reply, OpError> {
    match op {
        Op::Set { key, ttl_ms, condition } => {
            let applied = set(hand, app, key, body, (*ttl_ms, *condition))?;
            Ok(Reply::of(if *condition == Condition::Always { Found::Done } else { Found::Flag(applied) }))
        }
        Op::Delete { key } => delete(hand, app, key).map(|existed| Reply::of(Found::Flag(existed))),
        Op::Incr { key, by } => incr(hand, app, key, by.get()).map(|number| Reply::of(Found::Number(number.into()))),
        Op::Get { .. } | Op::GetVersion { .. } | Op::GetMany { .. } | Op::List { .. } => {
            Err(invalid("not a write").into())
        }
    }
}

fn set(
    hand: &mut Hand<'_>,
    app: u64,
    key: &str,
    value: &[u8],
    (ttl_ms, condition): (Option<u64>, Condition),
) -> Result<bool, OpError> {
    if !json::is_valid(value) {
        return Err(invalid("value: not JSON").into());
    }
    if ttl_ms == Some(0) {
        return Err(invalid("ttlMs: 0; a key lives for 1 ms at least").into());
    }
    let old = old(hand, app, key)?;
    let live = old.filter(|old| !old.is_expired(hand.now_ms));
    let applies = match condition {
        Condition::Always => true,
        Condition::IfAbsent => live.is_none(),
        Condition::IfVersion(version) => live.is_some_and(|live| live.version == version),
    };
    if !applies {
        return Ok(false);
    }
    let expires_at = ttl_ms.map(|ttl| hand.now_ms.saturating_add(i64::try_from(ttl).unwrap_or(i64::MAX)));
    put(hand, app, key, (value, expires_at), old)?;
    Ok(true)
}

fn incr(hand: &mut Hand<'_>, app: u64, key: &str, by: f64) -> Result<f64, OpError> {
    if !by.is_finite() {
        return Err(invalid("by: not a finite number").into());
    }
    let old = old(hand, app, key)?;
    let live = old.filter(|old| !old.is_expired(hand.now_ms));
    let before = live.map_or(Ok(0.0), |live| number_at(hand, live.id))?;
    let after = before + by;
    if !after.is_finite() {
        return Err(invalid("by: the sum is not a finite number").into());
    }
    let expires_at = live.and_then(|live| live.expires_at);
    put(hand, app, key, (json::number(after).as_bytes(), expires_at), old)?;
    Ok(after)
}

fn number_at(hand: &Hand<'_>, id: i64) -> Result<f64, OpError> {
    let mut statement = hand.sql().prepare_cached("SELECT value FROM kv WHERE id = ?1")?;
    let value: Vec<u8> = statement.query_row([id], |row| row.get(0))?;
    let number = std::str::from_utf8(&value).ok().and_then(|text| text.trim().parse::<f64>().ok());
    // A JSON number begins with a digit or a sign; Rust would also read words such as `inf`.
    let is_number = value.first().is_some_and(|first| first.is_ascii_digit() || *first == b'-');
    number.filter(|_| is_number).ok_or_else(|| invalid("key: what it holds is not a number").into())
}

fn delete(hand: &mut Hand<'_>, app: u64, key: &str) -> Result<bool, OpError> {
    let Some(old) = old(hand, app, key)? else { return Ok(false) };
    let mut account = hand.account(app)?;
    hand.sql().prepare_cached("DELETE FROM kv WHERE id = ?1")?.execute([old.id])?;
    account.charge(cost(key.len() as u64, old.bytes), 0, u64::MAX)?;
    hand.ledger.set(app, account);
    Ok(!old.is_expired(hand.now_ms))
}

/// Puts a value under a key, with the next version of the app.
fn put(
    hand: &mut Hand<'_>,
    app: u64,
    key: &str,
    (value, expires_at): (&[u8], Option<i64>),
    old: Option<Old>,
) -> Result<(), OpError> {
    let mut account = hand.account(app)?;
    let before = old.map_or(0, |old| cost(key.len() as u64, old.bytes));
    account.charge(before, cost(key.len() as u64, value.len() as u64), hand.limits.app_bytes)?;
    account.kv_version = account.kv_version.saturating_add(1);
    let version = account.kv_version;
    match old {
        Some(old) => hand.sql().prepare_cached(UPDATE)?.execute(params![old.id, value, version, expires_at])?,
        None => hand.sql().prepare_cached(INSERT)?.execute(params![app, key.as_bytes(), value, version, expires_at])?,
    };
    hand.ledger.set(app, account);
    Ok(())
}

fn old(hand: &Hand<'_>, app: u64, key: &str) -> Result<Option<Old>, OpError> {
    let mut statement = hand.sql().prepare_cached(OLD)?;
    let row = |row: &rusqlite::Row<'_>| {
        Ok(Old { id: row.get(0)?, bytes: row.get(1)?, version: row.get(2)?, expires_at: row.get(3)? })
    };
    Ok(statement.query_row(params![app, key.as_bytes()], row).optional()?)
}

impl Old {
    fn is_expired(&self, now_ms: i64) -> bool {
        self.expires_at.is_some_and(|at| at <= now_ms)
    }
}
