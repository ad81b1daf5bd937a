//! `fazt app list`: the apps of the farm.

use serde::Deserialize;

use super::show;
use crate::{
    client::Client,
    failure::Failure,
    output::{self, Output},
    time,
};

#[derive(Deserialize)]
struct List {
    apps: Vec<App>,
}

/// An app, as every answer about apps tells of it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct App {
    pub(super) name: String,
    pub(super) version: Option<u64>,
    pub(super) files: u64,
    pub(super) bytes: u64,
    pub(super) updated_at: u64,
    #[serde(default)]
    pub(super) url: Option<String>,
}

/// Prints them as a table.
pub(crate) fn run(client: &Client, output: &Output) -> Result<(), Failure> {
    let answer = client.get("/api/_admin/apps")?;
    show(&answer, client, output, |List { apps }| print(apps, output))
}

fn print(apps: Vec<App>, output: &Output) -> Result<(), Failure> {
    if apps.is_empty() {
        output.note("no apps yet: fazt app deploy DIR");
        return Ok(());
    }
    let rows = apps.into_iter().map(|app| {
        vec![
            app.name,
            app.version.map_or_else(|| "-".to_owned(), |version| version.to_string()),
            app.files.to_string(),
            output::bytes(app.bytes),
            time::moment(app.updated_at),
            app.url.unwrap_or_default(),
        ]
    });
    output.table(&["APP", "VERSION", "FILES", "SIZE", "UPDATED", "URL"], &[1, 2, 3], rows.collect())
}
