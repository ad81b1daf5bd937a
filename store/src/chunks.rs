//! Long bytes in rows of at most 256 KiB under an upload's number: blobs, and contents of deployed files.
//!
//! An upload is written piece by piece and counts for nothing until its owner's row names it; then it is in use. What is
//! replaced or was never finished is marked, and swept later, a few rows at a time.

use std::time::Instant;

use fazt_protocol::limit::CHUNK_BYTES;
use rusqlite::{Connection, OptionalExtension, params};

use crate::refusal::OpError;

/// Bits of a row's number that count the rows of one upload.
const SEQUENCE_BITS: u32 = 20;
/// States of an upload.
const WRITING: i64 = 0;
const IN_USE: i64 = 1;
const TO_SWEEP: i64 = 2;
// States in letters, so that the index of uploads that are not in use is known to have them all: of the others there may be
// millions.
const MARK_UNFINISHED: &str = "UPDATE upload SET state = 2 WHERE state = 0 AND state <> 1 AND begun_at < ?1";
const MARKED: &str = "SELECT id FROM upload WHERE state = 2 AND state <> 1 ORDER BY id LIMIT 1";

/// Begins an upload.
pub(crate) fn begin(sql: &Connection, now_ms: i64) -> rusqlite::Result<i64> {
    sql.prepare_cached("INSERT INTO upload (state, begun_at) VALUES (?1, ?2)")?.insert(params![WRITING, now_ms])
}

/// Writes the bytes of a body from `from` on, at most `most` of them; returns how far it came.
pub(crate) fn write(sql: &Connection, upload: i64, body: &[u8], from: usize, most: usize) -> Result<usize, OpError> {
    let until = from.saturating_add(most).min(body.len());
    let mut statement = sql.prepare_cached("INSERT INTO chunk (id, bytes) VALUES (?1, ?2)")?;
    let part = body.get(from..until).unwrap_or_default();
    let first = from / CHUNK_BYTES;
    for (at, bytes) in part.chunks(CHUNK_BYTES).enumerate() {
        statement.execute(params![row(upload, first.saturating_add(at)), bytes])?;
    }
    Ok(until)
}

/// An owner's row names it from now on.
pub(crate) fn publish(sql: &Connection, upload: i64) -> rusqlite::Result<()> {
    set_state(sql, upload, IN_USE)
}

/// Nobody needs it any more.
pub(crate) fn discard(sql: &Connection, upload: i64) -> rusqlite::Result<()> {
    set_state(sql, upload, TO_SWEEP)
}

/// Nobody needs it any more, unless it was published after all.
pub(crate) fn discard_unpublished(sql: &Connection, upload: i64) -> rusqlite::Result<()> {
    let discard = "UPDATE upload SET state = ?2 WHERE id = ?1 AND state = ?3";
    sql.prepare_cached(discard)?.execute(params![upload, TO_SWEEP, WRITING]).map(drop)
}

/// Marks what was begun before that time and never finished.
pub(crate) fn discard_unfinished(sql: &Connection, before_ms: i64) -> rusqlite::Result<usize> {
    sql.prepare_cached(MARK_UNFINISHED)?.execute([before_ms])
}

/// Removes what is marked, at least `least` rows and on until that time; returns whether there may be more.
pub(crate) fn sweep(sql: &Connection, least: usize, until: Instant) -> rusqlite::Result<bool> {
    let mut removed: usize = 0;
    while removed < least || Instant::now() < until {
        let Some(upload) = sql.prepare_cached(MARKED)?.query_row([], |row| row.get(0)).optional()? else {
            return Ok(false);
        };
        // An upload without a row is work too.
        removed = removed.saturating_add(sweep_one(sql, upload, least)?.max(1));
    }
    Ok(true)
}

/// Removes up to so many rows of one upload, and itself with the last one.
fn sweep_one(sql: &Connection, upload: i64, most: usize) -> rusqlite::Result<usize> {
    let few = "DELETE FROM chunk WHERE id IN (SELECT id FROM chunk WHERE id BETWEEN ?1 AND ?2 LIMIT ?3)";
    let (first, last) = (row(upload, 0), row(upload.saturating_add(1), 0).saturating_sub(1));
    let removed = sql.prepare_cached(few)?.execute(params![first, last, most as i64])?;
    if removed < most {
        sql.prepare_cached("DELETE FROM upload WHERE id = ?1")?.execute([upload])?;
    }
    Ok(removed)
}

/// Appends the bytes from `start` to `end` to `out`.
pub(crate) fn read(sql: &Connection, upload: i64, (start, end): (u64, u64), out: &mut Vec<u8>) -> Result<(), OpError> {
    let chunk = CHUNK_BYTES as u64;
    let mut statement = sql.prepare_cached("SELECT bytes FROM chunk WHERE id BETWEEN ?1 AND ?2 ORDER BY id")?;
    let number = |at: u64| row(upload, usize::try_from(at / chunk).unwrap_or(usize::MAX));
    let mut rows = statement.query(params![number(start), number(end.saturating_sub(1).max(start))])?;
    let mut at = start / chunk * chunk;
    while let Some(row) = rows.next()? {
        let bytes = row.get_ref(0)?.as_blob().unwrap_or_default();
        let from = usize::try_from(start.saturating_sub(at)).unwrap_or(usize::MAX).min(bytes.len());
        let until = usize::try_from(end.saturating_sub(at)).unwrap_or(usize::MAX).min(bytes.len());
        out.extend_from_slice(bytes.get(from..until).unwrap_or_default());
        at = at.saturating_add(chunk);
    }
    Ok(())
}

fn row(upload: i64, sequence: usize) -> i64 {
    (upload << SEQUENCE_BITS) | i64::try_from(sequence).unwrap_or(i64::MAX)
}

fn set_state(sql: &Connection, upload: i64, state: i64) -> rusqlite::Result<()> {
    sql.prepare_cached("UPDATE upload SET state = ?2 WHERE id = ?1")?.execute(params![upload, state]).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema;

    #[test]
    fn nobody_who_sweeps_looks_at_what_is_in_use() {
        let sql = Connection::open_in_memory().unwrap();
        schema::migrate(&sql).unwrap();
        for statement in [MARK_UNFINISHED, MARKED] {
            let mut plan = sql.prepare(&format!("EXPLAIN QUERY PLAN {statement}")).unwrap();
            let values = vec![0; plan.parameter_count()];
            let steps = plan.query_map(rusqlite::params_from_iter(values), |row| row.get::<_, String>(3)).unwrap();
            let steps: Vec<String> = steps.map(Result::unwrap).collect();
            assert!(steps.iter().all(|step| step.contains("USING") && step.contains("upload_unused")), "{steps:?}");
        }
    }
}
