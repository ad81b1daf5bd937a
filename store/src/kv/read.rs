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

const GET: &str = "SELECT value FROM kv WHERE app = ?1 AND key = ?2 AND (expires_at IS NULL OR expires_at > ?3)";
const GET_VERSION: &str =
    "SELECT value, version FROM kv WHERE app = ?1 AND key = ?2 AND (expires_at IS NULL OR expires_at > ?3)";
const IS_LARGE: &str = "SELECT EXISTS (SELECT 1 FROM kv WHERE app = ?1 AND key = ?2 AND length(value) > ?3)";
const LIST: &str = "SELECT key, value, expires_at FROM kv
    WHERE app = ?1 AND key >= ?2 AND key < ?3 AND key > ?4 AND (expires_at IS NULL OR expires_at > ?5)
    ORDER BY key LIMIT ?6";
/// No UTF-8 text has this byte, so every key is below it.
const ABOVE_ALL: &[u8] = &[0xff];

/// Answers a read.
pub(crate) fn answer(reading: &Reading<'_>, op: &Op) -> Result<Reply, OpError> {
    match op {
        Op::Get { key } => Ok(get(reading, key)?.map_or_else(nothing, Reply::json)),
        Op::GetVersion { key } => get_version(reading, key),
        Op::GetMany { keys } => get_many(reading, keys.iter().map(|key| key.0.as_str())),
        Op::List { prefix, limit, after } => list(reading, prefix, *limit, after.as_deref()),
        Op::Set { .. } | Op::Delete { .. } | Op::Incr { .. } => Err(invalid("not a read").into()),
    }
}

/// Whether one value is asked for that has more than so many bytes. Its length is known without reading it.
pub(crate) fn is_large(reading: &Reading<'_>, op: &Op, bytes: usize) -> Result<bool, OpError> {
    let (Op::Get { key } | Op::GetVersion { key }) = op else { return Ok(false) };
    let mut statement = reading.sql.prepare_cached(IS_LARGE)?;
    Ok(statement.query_row(params![reading.app, key.as_bytes(), bytes], |row| row.get(0))?)
}

fn nothing() -> Reply {
    Reply::of(Found::Nothing)
}

fn get(reading: &Reading<'_>, key: &str) -> Result<Option<Vec<u8>>, OpError> {
    let mut statement = reading.sql.prepare_cached(GET)?;
    let row = |row: &Row<'_>| row.get(0);
    Ok(statement.query_row(params![reading.app, key.as_bytes(), reading.now_ms], row).optional()?)
}

fn get_version(reading: &Reading<'_>, key: &str) -> Result<Reply, OpError> {
    let mut statement = reading.sql.prepare_cached(GET_VERSION)?;
    let row = |row: &Row<'_>| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, i64>(1)?));
    let found = statement.query_row(params![reading.app, key.as_bytes(), reading.now_ms], row).optional()?;
    let Some((value, version)) = found else { return Ok(nothing()) };
    let mut out = b"{\"value\":".to_vec();
    out.extend_from_slice(&value);
    out.extend_from_slice(b",\"version\":");
    push_number(version, &mut out);
    out.push(b'}');
    Ok(Reply::json(out))
}

fn get_many<'a>(reading: &Reading<'_>, keys: impl Iterator<Item = &'a str>) -> Result<Reply, OpError> {
    let mut out = b"{".to_vec();
    for key in keys {
        let Some(value) = get(reading, key)? else { continue };
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
    let mut statement = reading.sql.prepare_cached(&after_sql)?;
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
