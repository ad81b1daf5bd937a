//! Configuration: flags over environment over `fazt.toml` over defaults, each value with where it came from.
//!
//! Texts are gathered first ([`settings`]), then read into one `Config` a part ([`read`]), so the gathering can be tested
//! without files and processes. Nothing is started here. Fails with one line that names file, line and the nearest valid
//! name ([`error::ConfigError`]); the process then ends with exit code 2.

pub mod error;
mod file;
mod flags;
mod keys;
mod programs;
mod read;
pub mod settings;
mod value;

use std::{collections::BTreeMap, ffi::OsString, path::PathBuf};

use clap::Parser;

use error::LoadError;
use flags::Flags;
use settings::Settings;

use crate::{admin, edge, farm, store, telemetry};

/// The whole configuration, complete and checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// What to do with it.
    pub action: Action,
    /// The data folder, as it was given.
    pub data_dir: PathBuf,
    /// The workers.
    pub farm: farm::config::Config,
    /// The store.
    pub store: store::Config,
    /// HTTP.
    pub edge: edge::config::Config,
    /// The admin interface.
    pub admin: admin::Config,
    /// Logs.
    pub telemetry: telemetry::Config,
    /// Every setting with its value and where that came from.
    pub settings: Settings,
}

/// What the command line asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Serve until a signal.
    Serve,
    /// Probe the sandbox, open the store, print, and end.
    Check,
    /// Print the configuration and end.
    Print,
}

/// Reads the configuration of this process. With [`Action::Print`], `settings.to_string()` is what to print.
///
/// # Errors
/// [`LoadError`]; [`LoadError::report`] prints it and gives the exit code.
pub fn load(
    arguments: impl IntoIterator<Item = OsString>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Config, LoadError> {
    let flags = Flags::try_parse_from(arguments)?;
    let environment = texts(environment);
    let action = flags.action();
    let settings = Settings::gather(flags, &environment)?;
    let debug = environment.get("FAZT_RUNTIME_DEBUG").is_some_and(|value| value == "1" || value == "true");
    Ok(read::config(settings, action, debug)?)
}

/// Variables that are not UTF-8 cannot be ours.
fn texts(environment: impl IntoIterator<Item = (OsString, OsString)>) -> BTreeMap<String, String> {
    environment
        .into_iter()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

#[cfg(test)]
mod tests;
