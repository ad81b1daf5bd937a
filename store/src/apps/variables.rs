//! Environment variables: what was set for an app by name stands over what its manifest says. Before the first deploy too.

use std::collections::BTreeMap;

use fazt_protocol::{
    limit::{ENV_BYTES, ENV_VARIABLES},
    op::{Code, Refusal},
    registry::Answer,
};
use rusqlite::{Connection, OptionalExtension, params};

use super::deploy::{check_name, make_version};
use crate::{
    refusal::{OpError, invalid},
    writer::Hand,
};

type Variables = Vec<(String, String)>;

/// Sets and removes variables. An app that is there gets a new version, served where one was.
pub(crate) fn change(hand: &mut Hand<'_>, name: &str, set: &Variables, unset: &[String]) -> Result<Answer, OpError> {
    check_name(name)?;
    self::set(hand.sql(), name, set, unset)?;
    let Some(app) = super::find(hand.sql(), name)? else {
        in_force(hand.sql(), name, &[])?;
        return Ok(Answer::Done);
    };
    let base = if app.version == 0 { app.newest } else { app.version };
    let files = "SELECT fileset FROM version WHERE app = ?1 AND version = ?2";
    let fileset: u64 = hand.sql().prepare_cached(files)?.query_row(params![app.id, base], |row| row.get(0))?;
    make_version(hand, app.id, name, (fileset, &app.manifest, app.version > 0))
}

/// The environment in force, before the first deploy too.
pub(crate) fn read(sql: &Connection, name: &str) -> Result<Answer, OpError> {
    let env = match super::find(sql, name)? {
        Some(app) => app.env,
        None => in_force(sql, name, &[])?,
    };
    Ok(Answer::Env(env))
}

pub(super) fn set(sql: &Connection, name: &str, set: &[(String, String)], unset: &[String]) -> Result<(), OpError> {
    let put = "INSERT INTO variable (app_name, name, value) VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET value = ?3";
    for (variable, value) in set {
        if variable.is_empty() || variable.contains(['=', '\0']) {
            return Err(invalid(format!("env: {variable:?} is not a variable's name")).into());
        }
        sql.prepare_cached(put)?.execute(params![name, variable, value])?;
    }
    for variable in unset {
        let remove = "DELETE FROM variable WHERE app_name = ?1 AND name = ?2";
        sql.prepare_cached(remove)?.execute(params![name, variable])?;
    }
    Ok(())
}

/// The manifest's variables with those that were set over them, by name.
pub(super) fn in_force(sql: &Connection, name: &str, manifest: &[(String, String)]) -> Result<Variables, OpError> {
    let mut variables: BTreeMap<String, String> = manifest.iter().cloned().collect();
    let mut statement = sql.prepare_cached("SELECT name, value FROM variable WHERE app_name = ?1")?;
    for row in statement.query_map([name], |row| Ok((row.get(0)?, row.get(1)?)))? {
        let (variable, value) = row?;
        variables.insert(variable, value);
    }
    let bytes: usize = variables.iter().map(|(name, value)| name.len().saturating_add(value.len())).sum();
    if variables.len() > ENV_VARIABLES || bytes > ENV_BYTES {
        let message = format!("env: at most {ENV_VARIABLES} variables of {ENV_BYTES} bytes in all");
        return Err(Refusal::new(Code::TooLarge, message).into());
    }
    Ok(variables.into_iter().collect())
}

/// Forgets what was set for a name.
pub(super) fn forget(sql: &Connection, name: &str) -> Result<(), OpError> {
    sql.prepare_cached("DELETE FROM variable WHERE app_name = ?1")?.execute([name])?;
    Ok(())
}

/// The number of the app of that name.
pub(super) fn number_of(sql: &Connection, name: &str) -> Result<Option<u64>, OpError> {
    let find = "SELECT id FROM app WHERE name = ?1";
    Ok(sql.prepare_cached(find)?.query_row([name], |row| row.get(0)).optional()?)
}
