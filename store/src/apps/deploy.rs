//! A deploy: files gathered under an upload that counts for nothing, then one transaction that makes them a version.
//!
//! Contents are kept by their hash, computed here, each once however many versions and apps have it.

use fazt_protocol::{
    builder::{Encoding, Manifest},
    limit::{APP_BYTES, APP_FILES, SOURCE_BYTES, SOURCES_BYTES},
    op::{Code, Refusal},
    registry::Answer,
};
use rusqlite::{Connection, OptionalExtension, params};

use super::{code, variables};
use crate::{
    chunks,
    files::is_source,
    refusal::{OpError, invalid},
    writer::Hand,
};

const FILE: &str = "INSERT INTO file (fileset, path, encoding, hash, size, visible) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
const VERSION: &str = "INSERT INTO version (app, version, fileset, created_at, manifest, env, handler)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

/// One content of one file, hashed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct File<'a> {
    pub(crate) fileset: u64,
    pub(crate) path: &'a str,
    pub(crate) encoding: Encoding,
    pub(crate) hash: [u8; 32],
    pub(crate) size: u64,
}

/// What a version is made of.
#[derive(Debug, Clone)]
pub(crate) struct Commit {
    pub(crate) fileset: u64,
    pub(crate) name: String,
    pub(crate) manifest: Manifest,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) activate: bool,
}

/// Begins an upload.
pub(crate) fn begin(hand: &mut Hand<'_>) -> Result<Answer, OpError> {
    let mut statement = hand.sql().prepare_cached("INSERT INTO fileset (begun_at) VALUES (?1)")?;
    Ok(Answer::Upload(u64::try_from(statement.insert([hand.now_ms])?).unwrap_or_default()))
}

/// Checks a file before its bytes are written. Returns whether its content is there already.
pub(crate) fn check(sql: &Connection, file: &File<'_>) -> Result<bool, OpError> {
    check_path(file.path)?;
    let open = "SELECT files, bytes, sources FROM fileset WHERE id = ?1 AND committed = 0";
    let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, u64>(0)?, row.get::<_, u64>(1)?, row.get::<_, u64>(2)?));
    let open = sql.prepare_cached(open)?.query_row([file.fileset], row).optional()?;
    let (files, bytes, sources) = open.ok_or_else(|| invalid("upload: there is no such upload"))?;
    if file.encoding == Encoding::Identity {
        let too_large = |what: String| Err(Refusal::new(Code::TooLarge, what).into());
        if files >= APP_FILES as u64 {
            return too_large(format!("{}: an app has at most {APP_FILES} files", file.path));
        }
        if bytes.saturating_add(file.size) > APP_BYTES as u64 {
            return too_large(format!("{}: an app has at most {APP_BYTES} bytes", file.path));
        }
        if is_source(file.path) && file.size > SOURCE_BYTES as u64 {
            return too_large(format!("{}: a source has at most {} MiB", file.path, SOURCE_BYTES >> 20));
        }
        if is_source(file.path) && sources.saturating_add(file.size) > SOURCES_BYTES as u64 {
            return too_large(format!("{}: the sources under api/ have at most {SOURCES_BYTES} bytes", file.path));
        }
    }
    Ok(super::content(sql, &file.hash)?.is_some())
}

/// Adds a file whose content is there, or lies whole in an upload that is then published as one.
pub(crate) fn add(hand: &mut Hand<'_>, file: &File<'_>, written: Option<i64>) -> Result<Answer, OpError> {
    let known = check(hand.sql(), file)?;
    match (known, written) {
        (false, None) => return Err(invalid("the content went away; send the file again").into()),
        (false, Some(upload)) => {
            chunks::publish(hand.sql(), upload)?;
            let mut statement =
                hand.sql().prepare_cached("INSERT INTO content (hash, upload, size) VALUES (?1, ?2, ?3)")?;
            statement.execute(params![file.hash.as_slice(), upload, file.size])?;
        }
        // Somebody else sent the same bytes meanwhile.
        (true, Some(upload)) => chunks::discard(hand.sql(), upload)?,
        (true, None) => {}
    }
    let row =
        params![file.fileset, file.path, code(file.encoding), file.hash.as_slice(), file.size, is_visible(file.path)];
    let added = hand.sql().prepare_cached(FILE)?.execute(row);
    added.map_err(|error| match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::ConstraintViolation) => invalid(format!("{}: given twice", file.path)).into(),
        _ => OpError::from(error),
    })?;
    if file.encoding == Encoding::Identity {
        let sources = if is_source(file.path) { file.size } else { 0 };
        let count = "UPDATE fileset SET files = files + 1, bytes = bytes + ?2, sources = sources + ?3 WHERE id = ?1";
        hand.sql().prepare_cached(count)?.execute(params![file.fileset, file.size, sources])?;
    }
    Ok(Answer::Done)
}

/// Makes the upload a version, of an app that may be new.
pub(crate) fn commit(hand: &mut Hand<'_>, commit: &Commit) -> Result<Answer, OpError> {
    check_name(&commit.name)?;
    let sql = hand.sql();
    let close = "UPDATE fileset SET committed = 1 WHERE id = ?1 AND committed = 0";
    if sql.prepare_cached(close)?.execute([commit.fileset])? == 0 {
        return Err(invalid("upload: there is no such upload").into());
    }
    variables::set(sql, &commit.name, &commit.env, &[])?;
    let app = app_of(sql, &commit.name)?;
    make_version(hand, app, &commit.name, (commit.fileset, &commit.manifest, commit.activate))
}

/// Drops an upload.
pub(crate) fn abort(hand: &mut Hand<'_>, fileset: u64) -> Result<Answer, OpError> {
    let drop = "UPDATE fileset SET committed = 2 WHERE id = ?1 AND committed = 0";
    hand.sql().prepare_cached(drop)?.execute([fileset])?;
    Ok(Answer::Done)
}

/// Adds a version with these files and this manifest, and the environment that is in force with it.
pub(super) fn make_version(
    hand: &mut Hand<'_>,
    app: u64,
    name: &str,
    (fileset, manifest, activate): (u64, &Manifest, bool),
) -> Result<Answer, OpError> {
    let sql = hand.sql();
    let env = variables::in_force(sql, name, &manifest.env)?;
    let newest = "UPDATE app SET newest = newest + 1,
        version = CASE ?2 WHEN 1 THEN newest + 1 ELSE version END WHERE id = ?1 RETURNING newest";
    let version: u64 = sql.prepare_cached(newest)?.query_row(params![app, activate], |row| row.get(0))?;
    let handler = "SELECT EXISTS (SELECT 1 FROM file WHERE fileset = ?1 AND path = 'api/main.js' AND encoding = 0)";
    let handler: bool = sql.prepare_cached(handler)?.query_row([fileset], |row| row.get(0))?;
    let text = |error: serde_json::Error| invalid(format!("manifest: {error}"));
    let manifest = serde_json::to_string(manifest).map_err(text)?;
    let env = serde_json::to_string(&env).map_err(text)?;
    sql.prepare_cached(VERSION)?.execute(params![app, version, fileset, hand.now_ms, manifest, env, handler])?;
    Ok(Answer::App(super::find(sql, name)?))
}

fn app_of(sql: &Connection, name: &str) -> Result<u64, OpError> {
    let find = "SELECT id FROM app WHERE name = ?1";
    if let Some(app) = sql.prepare_cached(find)?.query_row([name], |row| row.get(0)).optional()? {
        return Ok(app);
    }
    let app =
        u64::try_from(sql.prepare_cached("INSERT INTO app (name) VALUES (?1)")?.insert([name])?).unwrap_or_default();
    sql.prepare_cached("INSERT INTO usage (app) VALUES (?1)")?.execute([app])?;
    Ok(app)
}

/// The form of an app's name; which names are reserved is the router's business.
pub(super) fn check_name(name: &str) -> Result<(), OpError> {
    let plain = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if name.is_empty() || name.len() > 63 || !plain || name.starts_with('-') || name.ends_with('-') {
        return Err(invalid("name: 1 to 63 of a-z, 0-9 and -, which is neither first nor last").into());
    }
    Ok(())
}

fn check_path(path: &str) -> Result<(), OpError> {
    let bad_segment = |segment: &str| segment.is_empty() || segment == "." || segment == "..";
    let bad_byte = |byte: u8| byte < 0x20 || byte == 0x7f || byte == b'\\';
    if path.split('/').any(bad_segment) || path.bytes().any(bad_byte) {
        return Err(invalid(format!("path: {path:?} is not a plain relative path")).into());
    }
    Ok(())
}

/// Whether a browser may see a file: not the app's code, nor what is private, nor dot-files, nor the manifest.
fn is_visible(path: &str) -> bool {
    let hidden = path.starts_with("api/") || path.starts_with("private/") || path == "manifest.json";
    !hidden && !path.split('/').any(|segment| segment.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_browser_may_see() {
        for seen in ["index.html", "css/a.css", "apiary/x.js", "sub/api/x.js", "sub/manifest.json"] {
            assert!(is_visible(seen), "{seen}");
        }
        for hidden in ["api/main.js", "private/x", "manifest.json", ".env", "a/.git/config"] {
            assert!(!is_visible(hidden), "{hidden}");
        }
    }

    #[test]
    fn paths_and_names_are_plain() {
        for bad in ["", "/a", "a/", "a//b", "../a", "a/./b", "a\\b", "a\nb", "a\0"] {
            assert!(check_path(bad).is_err(), "{bad:?}");
        }
        check_path("a/b c/ü.txt").unwrap();
        for bad in ["", "-a", "a-", "A", "a_b", "a.b", &"x".repeat(64)] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
    }
}
