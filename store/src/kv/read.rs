//! Reads of keys. An expired key is not there, whether it was swept or not.

use fazt_protocol::{
    limit::{LIST_ENTRIES, OP_BODY_BYTES},
    op::{Code, Found, Refusal, kv::Op},
};
use rusqlite::{OptionalExtension, Row, params};

use super::range_end;
use crate::{
    json::{push_number, push_string},
    question::Reply,
    readers::Reading,
    refusal::{OpError, invalid},
};

/// A longer value is null: its length is known without reading it.
const GET: &str = "SELECT CASE WHEN length(value) <= ?4 THEN value END, version FROM kv
    WHERE app = ?1 AND key = ?2 AND (expires_at IS NULL OR expires_at > ?3)";
const LIST: &str = "SELECT key, value, expires_at FROM kv
    WHERE app = ?1 AND key >= ?2 AND key < ?3 AND key > ?4 AND (expires_at IS NULL OR expires_at > ?5)
    ORDER BY key LIMIT ?6";
/// No UTF-8 text has this byte, so every key is below it.
const ABOVE_ALL: &[u8] = &[0xff];

/// Answers a read.
pub(crate) fn answer(reading: &Reading<'_>, op: &Op) -> Result<Reply, OpError> {
    match op {
        Op::Get { .. } | Op::GetVersion { .. } => Ok(answer_small(reading, op, usize::MAX)?.unwrap_or_else(nothing)),
        Op::GetMany { keys } => get_many(reading, keys.iter().map(|key| key.0.as_str())),
        Op::List { prefix, limit, after } => list(reading, prefix, *limit, after.as_deref()),
        Op::Set { .. } | Op::Delete { .. } | Op::Incr { .. } => Err(invalid("not a read").into()),
    }
}

/// Answers a read of one value where that has so many bytes at most.
pub(crate) fn answer_small(reading: &Reading<'_>, op: &Op, most: usize) -> Result<Option<Reply>, OpError> {
    let (Op::Get { key } | Op::GetVersion { key }) = op else { return Ok(None) };
    let Some((value, version)) = get(reading, key, most)? else { return Ok(Some(nothing())) };
    let with_version = matches!(op, Op::GetVersion { .. });
    Ok(value.map(|value| Reply::json(if with_version { versioned(&value, version) } else { value })))
}

fn nothing() -> Reply {
    Reply::of(Found::Nothing)
}

/// A value, where it has so many bytes at most, and its version.
type Entry = (Option<Vec<u8>>, i64);

fn get(reading: &Reading<'_>, key: &str, most: usize) -> Result<Option<Entry>, OpError> {
    let mut statement = reading.sql().prepare_cached(GET)?;
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let row = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
    Ok(statement.query_row(params![reading.app, key.as_bytes(), reading.now_ms, most], row).optional()?)
}

fn versioned(value: &[u8], version: i64) -> Vec<u8> {
    let mut out = b"{\"value\":".to_vec();
    out.extend_from_slice(value);
    out.extend_from_slice(b",\"version\":");
    push_number(version, &mut out);
    out.push(b'}');
    out
}

fn get_many<'a>(reading: &Reading<'_>, keys: impl Iterator<Item = &'a str>) -> Result<Reply, OpError> {
    let mut out = b"{".to_vec();
    for key in keys {
        let Some((Some(value), _)) = get(reading, key, usize::MAX)? else { continue };
        if out.len() > 1 {
            out.push(b',');
        }
        push_string(key, &mut out);
        out.push(b':');
        out.extend_from_slice(&value);
        fits(&out)?;
    }
    out.push(b'}');
    Ok(Reply::json(out))
}

fn list(reading: &Reading<'_>, prefix: &str, limit: u32, after: Option<&str>) -> Result<Reply, OpError> {
    if usize::try_from(limit).unwrap_or(usize::MAX) > LIST_ENTRIES {
        return Err(invalid(format!("limit: {limit}; at most {LIST_ENTRIES} keys a call, page with after")).into());
    }
    let end = range_end(prefix.as_bytes()).unwrap_or_else(|| ABOVE_ALL.to_vec());
    // Every key is at least empty, and the empty key is above nothing: without `after`, a blob cannot say "all".
    let (after_sql, after) = match after {
        Some(after) => (LIST.to_owned(), after.as_bytes().to_vec()),
        None => (LIST.replace("key > ?4", "key >= ?4"), prefix.as_bytes().to_vec()),
    };
    let mut statement = reading.sql().prepare_cached(&after_sql)?;
    let mut rows = statement.query(params![reading.app, prefix.as_bytes(), end, after, reading.now_ms, limit])?;
    let mut out = b"[".to_vec();
    while let Some(row) = rows.next()? {
        if out.len() > 1 {
            out.push(b',');
        }
        push_entry(row, &mut out)?;
        fits(&out)?;
    }
    out.push(b']');
    Ok(Reply::json(out))
}

fn push_entry(row: &Row<'_>, out: &mut Vec<u8>) -> Result<(), OpError> {
    out.extend_from_slice(b"{\"key\":");
    push_string(&String::from_utf8_lossy(row.get_ref(0)?.as_blob().unwrap_or_default()), out);
    out.extend_from_slice(b",\"value\":");
    out.extend_from_slice(row.get_ref(1)?.as_blob().unwrap_or(b"null"));
    if let Some(expires_at) = row.get(2)? {
        out.extend_from_slice(b",\"expiresAt\":");
        push_number(expires_at, out);
    }
    out.push(b'}');
    Ok(())
}

fn fits(out: &[u8]) -> Result<(), Refusal> {
    if out.len() < OP_BODY_BYTES {
        return Ok(());
    }
    Err(Refusal::new(Code::TooLarge, format!("the values come to more than {OP_BODY_BYTES} bytes: ask for fewer")))
}
