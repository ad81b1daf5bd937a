//! An app's own deployed files, as its workers read them: the sources under `api/`, and single files under `private/`.

use fazt_protocol::{
    limit::OP_BODY_BYTES,
    op::{
        Code, Found, Refusal,
        files::{Op, write_source},
    },
};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::{
    chunks,
    question::Reply,
    readers::Reading,
    refusal::{OpError, invalid},
};

const SOURCES: &str = "SELECT file.path, content.upload, content.size
    FROM version JOIN file ON file.fileset = version.fileset JOIN content ON content.hash = file.hash
    WHERE version.app = ?1 AND version.version = ?2 AND file.encoding = 0
    AND file.path >= 'api/' AND file.path < 'api0' ORDER BY file.path";
const ONE: &str = "SELECT content.upload, content.size
    FROM version JOIN file ON file.fileset = version.fileset JOIN content ON content.hash = file.hash
    WHERE version.app = ?1 AND version.version = ?2 AND file.encoding = 0 AND file.path = ?3";

/// Answers a read of the version that the channel is bound to.
pub(crate) fn answer(reading: &Reading<'_>, version: u64, op: &Op) -> Result<Reply, OpError> {
    let body = match op {
        Op::Sources => Some(sources(reading, version)?),
        Op::Read { path } if path.starts_with("private/") => read(reading, version, path)?,
        Op::Read { .. } => return Err(invalid("path: only files under private/ are read").into()),
    };
    Ok(body.map_or_else(|| Reply::of(Found::Nothing), |body| Reply::with(Found::Bytes, body)))
}

fn sources(reading: &Reading<'_>, version: u64) -> Result<Vec<u8>, OpError> {
    let mut statement = reading.sql.prepare_cached(SOURCES)?;
    let mut rows = statement.query(params![reading.app, version])?;
    let mut out = Vec::new();
    while let Some(row) = rows.next()? {
        let path: String = row.get(0)?;
        if is_source(&path) {
            write_source(&path, &content(reading.sql, row.get(1)?, row.get(2)?)?, &mut out);
        }
    }
    Ok(out)
}

fn read(reading: &Reading<'_>, version: u64, path: &str) -> Result<Option<Vec<u8>>, OpError> {
    let mut statement = reading.sql.prepare_cached(ONE)?;
    let row = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, u64>(1)?));
    let found = statement.query_row(params![reading.app, version, path], row).optional()?;
    let Some((upload, size)) = found else { return Ok(None) };
    if size > OP_BODY_BYTES as u64 {
        let message = format!("path: the file has {size} bytes, one call moves at most {OP_BODY_BYTES}");
        return Err(Refusal::new(Code::TooLarge, message).into());
    }
    content(reading.sql, upload, size).map(Some)
}

/// The bytes of one content.
fn content(sql: &Connection, upload: i64, size: u64) -> Result<Vec<u8>, OpError> {
    let mut bytes = Vec::new();
    if size > 0 {
        chunks::read(sql, upload, (0, size), &mut bytes)?;
    }
    Ok(bytes)
}

/// Whether a worker loads it.
pub(crate) fn is_source(path: &str) -> bool {
    path.starts_with("api/") && [".js", ".mjs", ".json"].iter().any(|extension| path.ends_with(extension))
}
