//! What nobody needs any more, removed a little at a time by the writer between its groups.
//!
//! Keys and tokens that are over are swept at their app's cost. Bytes of blobs are nobody's by then: they cost a part of what they
//! did when they were written. An app that was removed can pay no more.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use rusqlite::{Connection as Sql, params};

use crate::{
    apps::removal,
    chunks,
    connection::Connection,
    fair::Kind,
    leash::Leash,
    logs, once,
    queue::Cost,
    quota::Ledger,
    refusal::OpError,
    store::{Limits, unix_ms},
};

const KIND: Kind = ("sweep", 0);
/// Expired keys removed at once. Each may be a mebibyte, which nothing interrupts.
const KEYS: i64 = 8;
/// How long keys, and rows of removed apps, are removed in one step, after the first few.
const TIME: Duration = Duration::from_millis(5);
/// Rows of up to 256 KiB removed in one step, at the least.
const CHUNKS: usize = 16;
/// How long an upload or a deploy may be under way.
const UNFINISHED_MS: i64 = 3_600_000;

/// The time of the apps whose rows are swept.
#[derive(Debug, Default)]
pub(crate) struct Bill(HashMap<u64, Duration>);

/// One step in a transaction of its own; returns whether there is more to do. Bytes of blobs are swept for as long as
/// `share`, so that nobody replaces them faster than they go. Where somebody else holds the file's lock, it waits for the
/// next time.
pub(crate) fn step(
    connection: &Connection,
    (ledger, bill): (&mut Ledger, &mut Bill),
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
    let swept = sweep(sql, (ledger, bill), now_ms, limits).and_then(|more| {
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

fn sweep(sql: &Sql, (ledger, bill): (&mut Ledger, &mut Bill), now_ms: i64, limits: Limits) -> Result<bool, OpError> {
    let unfinished_ms = now_ms.saturating_sub(UNFINISHED_MS);
    let mut more = for_a_while(|| sweep_keys(sql, (ledger, bill), now_ms))?;
    more |= for_a_while(|| once::sweep(sql, (ledger, bill), now_ms))?;
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
fn sweep_keys(sql: &Sql, (ledger, bill): (&mut Ledger, &mut Bill), now_ms: i64) -> Result<bool, OpError> {
    let expired =
        "SELECT id, app, length(key), length(value) FROM kv WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2";
    let mut statement = sql.prepare_cached(expired)?;
    let row = |row: &rusqlite::Row<'_>| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, u64>(1)?, row.get::<_, u64>(2)?, row.get::<_, u64>(3)?))
    };
    let rows: Vec<_> = statement.query_map(params![now_ms, KEYS], row)?.collect::<Result<_, _>>()?;
    for (id, app, key_bytes, value_bytes) in &rows {
        bill.charged(*app, || {
            sql.prepare_cached("DELETE FROM kv WHERE id = ?1")?.execute([id])?;
            ledger.give_back(sql, *app, crate::kv::cost(*key_bytes, *value_bytes))
        })?;
    }
    Ok(rows.len() as i64 == KEYS)
}

impl Bill {
    /// Does something at an app's cost.
    pub(crate) fn charged<T>(&mut self, app: u64, work: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let done = work();
        let span = self.0.entry(app).or_default();
        *span = span.saturating_add(began.elapsed());
        done
    }

    pub(crate) fn costs(self) -> Vec<Cost> {
        self.0.into_iter().map(|(app, span)| Cost { app, kind: KIND, span }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema;

    fn file() -> Sql {
        let sql = Sql::open_in_memory().unwrap();
        schema::migrate(&sql).unwrap();
        sql.execute_batch("INSERT INTO app (name) VALUES ('a'), ('b'); INSERT INTO usage (app) VALUES (1), (2);")
            .unwrap();
        sql
    }

    fn count(sql: &Sql, table: &str) -> i64 {
        sql.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
    }

    const MANY: &str = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 300)";

    /// A row may be a mebibyte, and nothing interrupts its removal: between two looks at the clock there are few of them.
    #[test]
    fn between_two_looks_at_the_clock_few_rows_are_removed() {
        let sql = file();
        sql.execute_batch(&format!(
            "{MANY} INSERT INTO kv (app, key, value, version, expires_at) SELECT 2, CAST('k' || n AS BLOB), x'31', n, 1 FROM n;
            {MANY} INSERT INTO kv (app, key, value, version) SELECT 1, CAST('k' || n AS BLOB), x'31', n FROM n;
            {MANY} INSERT INTO once SELECT 2, CAST('t' || n AS BLOB), 0, 'kv.set', x'00', NULL FROM n;
            INSERT INTO collection (id, app, name) VALUES (1, 1, 'c');
            {MANY} INSERT INTO document SELECT n, 1, 'd' || n, 0, 0, 1, x'00' FROM n;
            INSERT INTO upload VALUES (1, 2, 0);
            {MANY} INSERT INTO chunk SELECT (1 << 20) + n, x'00' FROM n;
            INSERT INTO removed_app VALUES (1);"
        ))
        .unwrap();
        let (mut ledger, mut bill) = (Ledger::default(), Bill::default());
        let mut removed = |table: &str, most: i64, piece: &mut dyn FnMut(&Sql, &mut Ledger, &mut Bill) -> bool| {
            let before = count(&sql, table);
            let more = piece(&sql, &mut ledger, &mut bill);
            let removed = before - count(&sql, table);
            assert!(more && (1..=most).contains(&removed), "{table}: {removed} rows at once");
        };
        removed("kv", 8, &mut |sql, ledger, bill| sweep_keys(sql, (ledger, bill), 2).unwrap());
        removed("once", 16, &mut |sql, ledger, bill| once::sweep(sql, (ledger, bill), i64::MAX).unwrap());
        removed("chunk", 16, &mut |sql, _, _| chunks::sweep(sql, CHUNKS, Instant::now()).unwrap());
        removed("kv", 8, &mut |sql, _, _| removal::sweep(sql).unwrap());
        sql.execute_batch("DELETE FROM kv; DELETE FROM once").unwrap();
        removed("document", 8, &mut |sql, _, _| removal::sweep(sql).unwrap());
    }

    #[test]
    fn who_let_keys_expire_pays_for_their_removal() {
        let sql = file();
        sql.execute_batch(&format!(
            "{MANY} INSERT INTO kv (app, key, value, version, expires_at) SELECT 2, CAST('k' || n AS BLOB), zeroblob(100000), n, 1 FROM n"
        ))
        .unwrap();
        let (mut ledger, mut bill) = (Ledger::default(), Bill::default());
        let began = Instant::now();
        while sweep_keys(&sql, (&mut ledger, &mut bill), 2).unwrap() {}
        let (costs, took) = (bill.costs(), began.elapsed());
        assert!(matches!(costs.as_slice(), [only] if only.app == 2), "{costs:?}");
        assert!(costs[0].span > took / 4 && costs[0].span <= took, "{costs:?} of {took:?}");
    }
}
