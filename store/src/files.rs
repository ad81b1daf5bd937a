//! An app's own deployed files, as its workers read them: the sources under `api/`, and single files under `private/`.
//!
//! They may come to many mebibytes, so they are read a step at a time. The files of a version never change while it is
//! there, and its number is never used again: steps that all find it have read of the same files.

use fazt_protocol::{
    limit::OP_BODY_BYTES,
    op::{
        Code, Found, Refusal,
        files::{Op, write_source},
    },
};
use rusqlite::{OptionalExtension, Row, params};

use crate::{
    chunks,
    readers::Reading,
    refusal::{OpError, invalid},
};

/// What one step reads, but for the end of the source that takes it there.
const STEP_BYTES: usize = 1024 * 1024;
/// The most files that one step looks at, however small they are.
const STEP_FILES: usize = 500;

const SOURCES: &str = "SELECT file.path, content.upload, content.size
    FROM version JOIN file ON file.fileset = version.fileset JOIN content ON content.hash = file.hash
    WHERE version.app = ?1 AND version.version = ?2 AND file.encoding = 0
    AND file.path > ?3 AND file.path < 'api0' ORDER BY file.path LIMIT ?4";
const ONE: &str = "SELECT content.upload, content.size
    FROM version JOIN file ON file.fileset = version.fileset JOIN content ON content.hash = file.hash
    WHERE version.app = ?1 AND version.version = ?2 AND file.encoding = 0 AND file.path = ?3";
const IS_THERE: &str = "SELECT 1 FROM version WHERE app = ?1 AND version = ?2";

/// How far a read has come.
#[derive(Debug)]
pub(crate) struct Load {
    /// Files up to this path are done.
    after: String,
}

impl Load {
    pub(crate) fn new() -> Self {
        Self { after: "api/".to_owned() }
    }

    /// Reads on, of the version that the channel is bound to; returns what was found once all of it was read.
    pub(crate) fn step(
        &mut self,
        reading: &Reading<'_>,
        (version, op): (u64, &Op),
        out: &mut Vec<u8>,
    ) -> Result<Option<Found>, OpError> {
        // One snapshot: what was found is still there when its bytes are read.
        let snapshot = reading.sql().unchecked_transaction()?;
        let found = match op {
            Op::Sources => self.read_sources(reading, version, out)?,
            Op::Read { path } if path.starts_with("private/") => read_file(reading, version, path, out)?,
            Op::Read { .. } => return Err(invalid("path: only files under private/ are read").into()),
        };
        drop(snapshot);
        Ok(found)
    }

    fn read_sources(
        &mut self,
        reading: &Reading<'_>,
        version: u64,
        out: &mut Vec<u8>,
    ) -> Result<Option<Found>, OpError> {
        let until = out.len().saturating_add(STEP_BYTES);
        let mut statement = reading.sql().prepare_cached(SOURCES)?;
        let mut rows = statement.query(params![reading.app, version, self.after, STEP_FILES as i64])?;
        let mut files: usize = 0;
        while let Some(row) = rows.next()? {
            let path: String = row.get(0)?;
            files = files.saturating_add(1);
            if is_source(&path) {
                let (upload, size) = (row.get(1)?, row.get(2)?);
                let mut content = Vec::new();
                chunks::read(reading.sql(), upload, (0, size), &mut content)?;
                write_source(&path, &content, out);
            }
            self.after = path;
            if out.len() >= until {
                return Ok(None);
            }
        }
        if files >= STEP_FILES {
            return Ok(None);
        }
        // Without it the files of the last steps were missed.
        if !reading.sql().prepare_cached(IS_THERE)?.exists(params![reading.app, version])? {
            return Err(gone());
        }
        Ok(Some(Found::Bytes))
    }
}

fn read_file(reading: &Reading<'_>, version: u64, path: &str, out: &mut Vec<u8>) -> Result<Option<Found>, OpError> {
    let mut statement = reading.sql().prepare_cached(ONE)?;
    let row = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, u64>(1)?));
    let found = statement.query_row(params![reading.app, version, path], row).optional()?;
    let Some((upload, size)) = found else {
        return if out.is_empty() { Ok(Some(Found::Nothing)) } else { Err(gone()) };
    };
    if size > OP_BODY_BYTES as u64 {
        let message = format!("path: the file has {size} bytes, one call moves at most {OP_BODY_BYTES}");
        return Err(Refusal::new(Code::TooLarge, message).into());
    }
    let at = out.len() as u64;
    let until = at.saturating_add(STEP_BYTES as u64).min(size);
    if until > at {
        chunks::read(reading.sql(), upload, (at, until), out)?;
    }
    Ok((until >= size).then_some(Found::Bytes))
}

fn gone() -> OpError {
    Refusal::new(Code::Unavailable, "the app's version was removed while its files were read").into()
}

/// Whether a worker loads it.
pub(crate) fn is_source(path: &str) -> bool {
    path.starts_with("api/") && [".js", ".mjs", ".json"].iter().any(|extension| path.ends_with(extension))
}
