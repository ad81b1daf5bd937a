//! The apps' logs: lines in batches, the newest ten thousand of a week. What they take of the file is bounded by the length
//! of a line, and is nobody's quota.

use fazt_protocol::{
    call::{Level, Source},
    limit::PAGE_ENTRIES,
    registry::{Answer, LogFilter, LogRecord},
};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::{refusal::OpError, writer::Hand};

/// What the lines of one answer may come to.
const ANSWER_BYTES: usize = 256 * 1024;
/// The old lines of an app are cut each time that so many more of its own have come.
const CUT_EVERY: i64 = 256;
/// Rows removed in one step.
const ROWS: i64 = 500;

const APPEND: &str = "INSERT INTO log (app, at, level, source, request, message) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
/// One line more of an app; nothing where it is gone.
const COUNT: &str = "UPDATE usage SET logged = logged + 1 WHERE app = ?1 RETURNING logged";
const NEWEST: &str = "SELECT log.id, log.app, log.at, log.level, log.source, log.request, log.message
    FROM log WHERE app = (SELECT id FROM app WHERE name = ?1) AND level >= ?2 AND at >= ?3 AND id > ?4
    AND (?5 IS NULL OR request = ?5)";

/// Keeps lines. Lines of apps that are gone are dropped.
pub(crate) fn append(hand: &mut Hand<'_>, lines: &[LogRecord]) -> Result<Answer, OpError> {
    let sql = hand.sql();
    let mut statement = sql.prepare_cached(APPEND)?;
    let mut count = sql.prepare_cached(COUNT)?;
    for line in lines {
        let logged: Option<i64> = count.query_row([line.app], |row| row.get(0)).optional()?;
        let Some(logged) = logged else { continue };
        let (level, source) = (level_code(line.level), source_code(line.source));
        statement.execute(params![line.app, line.at, level, source, line.request, line.message])?;
        if logged % CUT_EVERY == 0 {
            cut(sql, line.app, hand.limits.log_lines)?;
        }
    }
    Ok(Answer::Done)
}

/// Lines of an app's log, oldest first: the newest that fit, or the oldest after an id.
pub(crate) fn read(sql: &Connection, name: &str, filter: &LogFilter) -> Result<Answer, OpError> {
    let direction = if filter.after.is_some() { "ASC" } else { "DESC" };
    let mut statement = sql.prepare_cached(&format!("{NEWEST} ORDER BY id {direction} LIMIT ?6"))?;
    let after = filter.after.and_then(|after| i64::try_from(after).ok()).unwrap_or_default();
    let since = filter.since.unwrap_or(i64::MIN);
    let limit = usize::try_from(filter.limit).unwrap_or(PAGE_ENTRIES).min(PAGE_ENTRIES) as i64;
    let asked = params![name, level_code(filter.level), since, after, filter.request, limit];
    let (mut lines, mut bytes) = (Vec::new(), 0_usize);
    for line in statement.query_map(asked, record)? {
        let line = line?;
        bytes = bytes.saturating_add(line.message.len()).saturating_add(line.request.len()).saturating_add(64);
        if bytes > ANSWER_BYTES {
            break;
        }
        lines.push(line);
    }
    if filter.after.is_none() {
        lines.reverse();
    }
    Ok(Answer::Logs(lines))
}

/// Removes the lines of an app beyond its newest.
pub(crate) fn cut(sql: &Connection, app: u64, most: u32) -> rusqlite::Result<usize> {
    let old = "DELETE FROM log WHERE app = ?1
        AND id <= (SELECT id FROM log WHERE app = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)";
    sql.prepare_cached(old)?.execute(params![app, most])
}

/// Removes some lines that are older than that. Lines are kept in the order of time, near enough.
pub(crate) fn sweep(sql: &Connection, before_ms: i64) -> rusqlite::Result<bool> {
    let old = "DELETE FROM log WHERE id IN (SELECT id FROM log ORDER BY id LIMIT ?1) AND at < ?2";
    Ok(sql.prepare_cached(old)?.execute(params![ROWS, before_ms])? > 0)
}

fn record(row: &Row<'_>) -> rusqlite::Result<LogRecord> {
    Ok(LogRecord {
        id: row.get(0)?,
        app: row.get(1)?,
        at: row.get(2)?,
        level: level(row.get(3)?),
        source: source(row.get(4)?),
        request: row.get(5)?,
        message: row.get(6)?,
    })
}

fn level_code(level: Level) -> i64 {
    match level {
        Level::Debug => 0,
        Level::Info => 1,
        Level::Warn => 2,
        Level::Error => 3,
    }
}

fn level(code: i64) -> Level {
    match code {
        0 => Level::Debug,
        1 => Level::Info,
        2 => Level::Warn,
        _ => Level::Error,
    }
}

fn source_code(source: Source) -> i64 {
    match source {
        Source::Console => 0,
        Source::Fazt => 1,
        Source::Uncaught => 2,
    }
}

fn source(code: i64) -> Source {
    match code {
        1 => Source::Fazt,
        2 => Source::Uncaught,
        _ => Source::Console,
    }
}
