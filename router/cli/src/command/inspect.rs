//! `fazt app info`: one app, its versions, and the names of its environment variables.

use serde::Deserialize;

use super::{list::App, path_of, show};
use crate::{
    client::Client,
    failure::Failure,
    output::{self, Output},
    time,
};

#[derive(Deserialize)]
struct Details {
    #[serde(flatten)]
    app: App,
    #[serde(default)]
    env: Vec<String>,
    #[serde(default)]
    versions: Vec<Version>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    version: u64,
    created_at: u64,
    files: u64,
    bytes: u64,
    active: bool,
}

/// Prints it.
pub(crate) fn run(name: &str, client: &Client, output: &Output) -> Result<(), Failure> {
    let answer = client.get(&path_of(name)?)?;
    show(&answer, client, output, |details| print(details, output))
}

fn print(details: Details, output: &Output) -> Result<(), Failure> {
    let Details { app, env, versions } = details;
    let version = app.version.map_or_else(|| "none".to_owned(), |version| version.to_string());
    let env = if env.is_empty() { "-".to_owned() } else { env.join(" ") };
    let lines = [
        ("app", app.name),
        ("url", app.url.unwrap_or_default()),
        ("version", version),
        ("size", format!("{}, {} files", output::bytes(app.bytes), app.files)),
        ("updated", time::moment(app.updated_at)),
        ("env", env),
    ];
    for (label, value) in lines {
        output.line(&format!("{label:<9}{}", output::plain(&value)))?;
    }
    if versions.is_empty() {
        return Ok(());
    }
    output.line("")?;
    let rows = versions.into_iter().map(|version| {
        vec![
            version.version.to_string(),
            time::moment(version.created_at),
            version.files.to_string(),
            output::bytes(version.bytes),
            if version.active { "active".to_owned() } else { String::new() },
        ]
    });
    output.table(&["VERSION", "CREATED", "FILES", "SIZE", ""], &[0, 2, 3], rows.collect())
}
