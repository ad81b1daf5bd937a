//! What nobody needs any more, removed a little at a time by the writer between its groups.

use std::time::{Duration, Instant};

use rusqlite::{Connection as Sql, params};

use crate::{
    apps::removal,
    chunks,
    connection::Connection,
    leash::Leash,
    logs, once,
    quota::Ledger,
    refusal::OpError,
    store::{Limits, unix_ms},
};

/// Expired keys removed at once. Each may be a mebibyte, which nothing interrupts.
const KEYS: i64 = 8;
/// How long keys, and rows of removed apps, are removed in one step, after the first few.
const TIME: Duration = Duration::from_millis(5);
/// Rows of up to 256 KiB removed in one step, at the least.
const CHUNKS: usize = 16;
/// How long an upload or a deploy may be under way.
const UNFINISHED_MS: i64 = 3_600_000;

/// One step in a transaction of its own; returns whether there is more to do. Bytes of blobs are swept for as long as
/// `share`, so that nobody replaces them faster than they go. Where somebody else holds the file's lock, it waits for the
/// next time.
pub(crate) fn step(
    connection: &Connection,
    ledger: &mut Ledger,
    limits: Limits,
    share: Duration,
) -> Result<bool, OpError> {
    let now_ms = unix_ms();
    let sql = &connection.sql;
    if !is_due(sql, now_ms, limits)? {
        return Ok(false);
    }
    let leash = Leash::lasting(Duration::from_millis(5));
    if connection.begin(&leash).is_err() {
        return Ok(false);
    }
    let swept = sweep(sql, ledger, now_ms, limits).and_then(|more| {
        let now = Instant::now();
        let more = chunks::sweep(sql, CHUNKS, now.checked_add(share).unwrap_or(now))? || more;
        ledger.write(sql)?;
        sql.execute_batch("COMMIT")?;
        Ok(more)
    });
    if swept.is_err() {
        ledger.forget();
        if !sql.is_autocommit() {
            sql.execute_batch("ROLLBACK")?;
        }
    }
    swept
}

/// Looks, without a transaction that writes, whether there is anything.
fn is_due(sql: &Sql, now_ms: i64, limits: Limits) -> Result<bool, OpError> {
    let due = "SELECT EXISTS (SELECT 1 FROM kv WHERE expires_at <= ?1)
        OR EXISTS (SELECT 1 FROM once WHERE at <= ?4)
        OR EXISTS (SELECT 1 FROM upload WHERE state <> 1 AND (state = 2 OR begun_at < ?2))
        OR EXISTS (SELECT 1 FROM removed_app)
        OR EXISTS (SELECT 1 FROM fileset WHERE committed = 2 OR (committed = 0 AND begun_at < ?2))
        OR ifnull((SELECT at < ?3 FROM log ORDER BY id LIMIT 1), 0)";
    let (unfinished_ms, log_ms) = (now_ms.saturating_sub(UNFINISHED_MS), now_ms.saturating_sub(limits.log_age_ms));
    let times = params![now_ms, unfinished_ms, log_ms, once::forgotten_ms(now_ms)];
    Ok(sql.prepare_cached(due)?.query_row(times, |row| row.get(0))?)
}

fn sweep(sql: &Sql, ledger: &mut Ledger, now_ms: i64, limits: Limits) -> Result<bool, OpError> {
    let unfinished_ms = now_ms.saturating_sub(UNFINISHED_MS);
    let mut more = for_a_while(|| sweep_keys(sql, ledger, now_ms))?;
    more |= for_a_while(|| once::sweep(sql, ledger, now_ms))?;
    more |= chunks::discard_unfinished(sql, unfinished_ms)? > 0;
    more |= for_a_while(|| removal::sweep(sql).map_err(OpError::from))?;
    more |= removal::sweep_files(sql, unfinished_ms)?;
    more |= logs::sweep(sql, now_ms.saturating_sub(limits.log_age_ms))?;
    Ok(more)
}

/// Does small pieces of work until there is nothing more of it, or the time is over; returns whether there may be more.
fn for_a_while(mut piece: impl FnMut() -> Result<bool, OpError>) -> Result<bool, OpError> {
    let began = Instant::now();
    while piece()? {
        if began.elapsed() >= TIME {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Removes a few expired keys and gives their bytes back to their apps.
fn sweep_keys(sql: &Sql, ledger: &mut Ledger, now_ms: i64) -> Result<bool, OpError> {
    let expired =
        "SELECT id, app, length(key), length(value) FROM kv WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2";
    let mut statement = sql.prepare_cached(expired)?;
    let row = |row: &rusqlite::Row<'_>| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, u64>(1)?, row.get::<_, u64>(2)?, row.get::<_, u64>(3)?))
    };
    let rows: Vec<_> = statement.query_map(params![now_ms, KEYS], row)?.collect::<Result<_, _>>()?;
    for (id, app, key_bytes, value_bytes) in &rows {
        sql.prepare_cached("DELETE FROM kv WHERE id = ?1")?.execute([id])?;
        ledger.give_back(sql, *app, crate::kv::cost(*key_bytes, *value_bytes))?;
    }
    Ok(rows.len() as i64 == KEYS)
}
