//! Removing an app: gone in one small transaction, then swept a few rows at a time, so that nobody waits for a gigabyte.
//!
//! Its number is never used again, so what still lies under it cannot be reached by anybody.

use fazt_protocol::registry::Answer;
use rusqlite::{Connection, OptionalExtension, params};

use super::variables;
use crate::{chunks, ds::collection, refusal::OpError, writer::Hand};

/// Rows removed at once. Each may be a mebibyte, which nothing interrupts.
const ROWS: i64 = 8;
/// Files of a deploy removed at once: their rows alone, their contents are swept by themselves.
const FILES: i64 = 500;

/// Takes the app out of sight. The answer is whether it was there.
pub(crate) fn remove(hand: &mut Hand<'_>, name: &str) -> Result<(Answer, Option<u64>), OpError> {
    let sql = hand.sql();
    variables::forget(sql, name)?;
    let Some(app) = variables::number_of(sql, name)? else { return Ok((Answer::Flag(false), None)) };
    sql.prepare_cached("DELETE FROM app WHERE id = ?1")?.execute([app])?;
    sql.prepare_cached("DELETE FROM usage WHERE app = ?1")?.execute([app])?;
    sql.prepare_cached("INSERT INTO removed_app (id) VALUES (?1)")?.execute([app])?;
    hand.ledger.forget_app(app);
    Ok((Answer::Flag(true), Some(app)))
}

/// Removes a few rows of a removed app, or the last trace of it. Returns whether there was one.
pub(crate) fn sweep(sql: &Connection) -> rusqlite::Result<bool> {
    let next = "SELECT id FROM removed_app ORDER BY id LIMIT 1";
    let Some(app) = sql.prepare_cached(next)?.query_row([], |row| row.get::<_, u64>(0)).optional()? else {
        return Ok(false);
    };
    let steps = [sweep_keys, sweep_tokens, sweep_blobs, sweep_documents, sweep_log, sweep_versions];
    for step in steps {
        if step(sql, app)? > 0 {
            return Ok(true);
        }
    }
    sql.prepare_cached("DELETE FROM removed_app WHERE id = ?1")?.execute([app])?;
    Ok(true)
}

fn sweep_keys(sql: &Connection, app: u64) -> rusqlite::Result<usize> {
    let few = "DELETE FROM kv WHERE id IN (SELECT id FROM kv WHERE app = ?1 LIMIT ?2)";
    sql.prepare_cached(few)?.execute(params![app, ROWS])
}

fn sweep_tokens(sql: &Connection, app: u64) -> rusqlite::Result<usize> {
    let few = "DELETE FROM once WHERE app = ?1 AND token IN (SELECT token FROM once WHERE app = ?1 LIMIT ?2)";
    sql.prepare_cached(few)?.execute(params![app, ROWS])
}

fn sweep_log(sql: &Connection, app: u64) -> rusqlite::Result<usize> {
    let few = "DELETE FROM log WHERE id IN (SELECT id FROM log WHERE app = ?1 LIMIT ?2)";
    sql.prepare_cached(few)?.execute(params![app, ROWS])
}

fn sweep_blobs(sql: &Connection, app: u64) -> rusqlite::Result<usize> {
    let few = "SELECT path, upload FROM blob WHERE app = ?1 LIMIT ?2";
    let mut statement = sql.prepare_cached(few)?;
    let blobs = statement.query_map(params![app, ROWS], |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get(1)?)))?;
    let blobs: Vec<(Vec<u8>, i64)> = blobs.collect::<Result<_, _>>()?;
    for (path, upload) in &blobs {
        sql.prepare_cached("DELETE FROM blob WHERE app = ?1 AND path = ?2")?.execute(params![app, path])?;
        chunks::discard(sql, *upload)?;
    }
    Ok(blobs.len())
}

fn sweep_documents(sql: &Connection, app: u64) -> rusqlite::Result<usize> {
    let next = "SELECT id, sequence FROM collection WHERE app = ?1 LIMIT 1";
    let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?));
    let Some((collection, sequence)) = sql.prepare_cached(next)?.query_row([app], row).optional()? else {
        return Ok(0);
    };
    let entries = "DELETE FROM entry WHERE document IN (SELECT id FROM document WHERE collection = ?1 LIMIT ?2)";
    sql.prepare_cached(entries)?.execute(params![collection, ROWS])?;
    let few = "DELETE FROM document WHERE id IN (SELECT id FROM document WHERE collection = ?1 LIMIT ?2)";
    if sql.prepare_cached(few)?.execute(params![collection, ROWS])? == 0 {
        sql.prepare_cached("DELETE FROM indexed_field WHERE collection = ?1")?.execute([collection])?;
        sql.prepare_cached("DELETE FROM collection WHERE id = ?1")?.execute([collection])?;
        collection::give_back(sql, collection, sequence)?;
    }
    Ok(1)
}

fn sweep_versions(sql: &Connection, app: u64) -> rusqlite::Result<usize> {
    let next = "SELECT version, fileset FROM version WHERE app = ?1 LIMIT 1";
    let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, u64>(0)?, row.get::<_, u64>(1)?));
    let Some((version, fileset)) = sql.prepare_cached(next)?.query_row([app], row).optional()? else { return Ok(0) };
    sql.prepare_cached("DELETE FROM version WHERE app = ?1 AND version = ?2")?.execute(params![app, version])?;
    let unused = "UPDATE fileset SET committed = 2
        WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM version WHERE fileset = ?1)";
    sql.prepare_cached(unused)?.execute([fileset])?;
    Ok(1)
}

/// Marks all deploys that are under way to be swept. The router that could finish them is gone with the store before this one.
pub(crate) fn discard_unfinished(sql: &Connection) -> rusqlite::Result<usize> {
    sql.execute("UPDATE fileset SET committed = 2 WHERE committed = 0", [])
}

/// Removes some files of an upload that was dropped, or never committed, or whose versions are gone; and the contents that
/// no file has any more. Returns whether there was one.
pub(crate) fn sweep_files(sql: &Connection, begun_before_ms: i64) -> rusqlite::Result<bool> {
    let next = "SELECT id FROM fileset WHERE committed = 2 OR (committed = 0 AND begun_at < ?1) LIMIT 1";
    let next = sql.prepare_cached(next)?.query_row([begun_before_ms], |row| row.get::<_, u64>(0)).optional()?;
    let Some(fileset) = next else { return Ok(false) };
    let few = "SELECT path, encoding, hash FROM file WHERE fileset = ?1 LIMIT ?2";
    let mut statement = sql.prepare_cached(few)?;
    let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    let files: Vec<(String, i64, Vec<u8>)> =
        statement.query_map(params![fileset, FILES], row)?.collect::<Result<_, _>>()?;
    for (path, encoding, hash) in &files {
        let remove = "DELETE FROM file WHERE fileset = ?1 AND path = ?2 AND encoding = ?3";
        sql.prepare_cached(remove)?.execute(params![fileset, path, encoding])?;
        let unused = "DELETE FROM content WHERE hash = ?1 AND NOT EXISTS (SELECT 1 FROM file WHERE hash = ?1)
            RETURNING upload";
        if let Some(upload) = sql.prepare_cached(unused)?.query_row([hash], |row| row.get(0)).optional()? {
            chunks::discard(sql, upload)?;
        }
    }
    if files.is_empty() {
        sql.prepare_cached("DELETE FROM fileset WHERE id = ?1")?.execute([fileset])?;
    }
    Ok(true)
}
