//! Apps and their versions: who is there, what is served; `deploy`, `variables` and `removal` change it.

pub(crate) mod deploy;
pub(crate) mod removal;
pub(crate) mod variables;

use fazt_protocol::{
    builder::{Encoding, Manifest},
    limit::PAGE_ENTRIES,
    registry::{Answer, App, ContentEntry, FileEntry, Version},
};
use rusqlite::{Connection, OptionalExtension, Row, params, types::Type};

use crate::refusal::OpError;

/// An app with the version that is served, or the newest one where none is.
const APPS: &str = "SELECT app.id, app.name, app.version, app.newest,
    version.manifest, version.env, version.handler, fileset.files, fileset.bytes, version.created_at
    FROM app JOIN version ON version.app = app.id
        AND version.version = CASE app.version WHEN 0 THEN app.newest ELSE app.version END
    JOIN fileset ON fileset.id = version.fileset";
const INDEX: &str = "SELECT file.path, file.encoding, file.hash, file.size
    FROM version JOIN file ON file.fileset = version.fileset
    WHERE version.app = ?1 AND version.version = ?2 AND file.visible = 1 AND file.path > ?3
    ORDER BY file.path, file.encoding";
const VERSIONS: &str = "SELECT version.version, version.created_at, fileset.files, fileset.bytes
    FROM app JOIN version ON version.app = app.id JOIN fileset ON fileset.id = version.fileset
    WHERE app.name = ?1 AND version.version < ?2 ORDER BY version.version DESC LIMIT ?3";
/// What a page of apps may come to: manifests are longer than names.
const PAGE_BYTES: usize = 128 * 1024;

/// One app.
pub(crate) fn find(sql: &Connection, name: &str) -> Result<Option<App>, OpError> {
    let mut statement = sql.prepare_cached(&format!("{APPS} WHERE app.name = ?1"))?;
    Ok(statement.query_row([name], app).optional()?)
}

/// A page of apps by name, without environments. A page may be short of its count; the end is an empty one.
pub(crate) fn list(sql: &Connection, after: &str) -> Result<Answer, OpError> {
    let mut statement = sql.prepare_cached(&format!("{APPS} WHERE app.name > ?1 ORDER BY app.name LIMIT ?2"))?;
    let (mut apps, mut bytes) = (Vec::new(), 0_usize);
    for app in statement.query_map(params![after, PAGE_ENTRIES as i64], app)? {
        let mut app = app?;
        app.env.clear();
        app.manifest.env.clear();
        let origins = app.manifest.cors.as_ref().map_or(0, |cors| cors.origins.iter().map(String::len).sum());
        bytes = bytes.saturating_add(app.name.len()).saturating_add(origins).saturating_add(128);
        if bytes > PAGE_BYTES && !apps.is_empty() {
            break;
        }
        apps.push(app);
    }
    Ok(Answer::Apps(apps))
}

/// A page of an app's versions, newest first.
pub(crate) fn versions(sql: &Connection, name: &str, before: Option<u64>) -> Result<Answer, OpError> {
    let before = before.and_then(|before| i64::try_from(before).ok()).unwrap_or(i64::MAX);
    let mut statement = sql.prepare_cached(VERSIONS)?;
    let version = |row: &Row<'_>| {
        Ok(Version { version: row.get(0)?, created_at: row.get(1)?, files: row.get(2)?, bytes: row.get(3)? })
    };
    let versions = statement.query_map(params![name, before, PAGE_ENTRIES as i64], version)?;
    Ok(Answer::Versions(versions.collect::<Result<_, _>>()?))
}

/// A page of the files of a version that a browser may see.
pub(crate) fn index(sql: &Connection, app: u64, version: u64, after: &str) -> Result<Answer, OpError> {
    let mut statement = sql.prepare_cached(INDEX)?;
    let mut rows = statement.query(params![app, version, after])?;
    let mut files: Vec<FileEntry> = Vec::new();
    while let Some(row) = rows.next()? {
        let path: String = row.get(0)?;
        let entry = ContentEntry { encoding: encoding(row.get(1)?), hash: row.get(2)?, size: row.get(3)? };
        let is_full = files.len() >= PAGE_ENTRIES;
        match files.last_mut() {
            Some(last) if last.path == path => last.contents.push(entry),
            _ if is_full => break,
            _ => files.push(FileEntry { path, contents: vec![entry] }),
        }
    }
    Ok(Answer::Index(files))
}

/// The name of an app whose version exists.
pub(crate) fn name_of(sql: &Connection, app: u64, version: u64) -> Result<Option<String>, OpError> {
    let find =
        "SELECT app.name FROM app JOIN version ON version.app = app.id WHERE app.id = ?1 AND version.version = ?2";
    Ok(sql.prepare_cached(find)?.query_row(params![app, version], |row| row.get(0)).optional()?)
}

/// Where a content's bytes are, and how many.
pub(crate) fn content(sql: &Connection, hash: &[u8; 32]) -> Result<Option<(i64, u64)>, OpError> {
    let mut statement = sql.prepare_cached("SELECT upload, size FROM content WHERE hash = ?1")?;
    Ok(statement.query_row([hash.as_slice()], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
}

fn app(row: &Row<'_>) -> rusqlite::Result<App> {
    Ok(App {
        id: row.get(0)?,
        name: row.get(1)?,
        version: row.get(2)?,
        newest: row.get(3)?,
        manifest: json::<Manifest>(row, 4)?,
        env: json::<Vec<(String, String)>>(row, 5)?,
        handler: row.get(6)?,
        files: row.get(7)?,
        bytes: row.get(8)?,
        updated_at: row.get(9)?,
    })
}

fn json<T: serde::de::DeserializeOwned>(row: &Row<'_>, at: usize) -> rusqlite::Result<T> {
    let text: String = row.get(at)?;
    serde_json::from_str(&text)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(at, Type::Text, Box::new(error)))
}

fn encoding(code: i64) -> Encoding {
    match code {
        1 => Encoding::Gzip,
        2 => Encoding::Brotli,
        3 => Encoding::Zstd,
        _ => Encoding::Identity,
    }
}

fn code(encoding: Encoding) -> i64 {
    match encoding {
        Encoding::Identity => 0,
        Encoding::Gzip => 1,
        Encoding::Brotli => 2,
        Encoding::Zstd => 3,
    }
}
