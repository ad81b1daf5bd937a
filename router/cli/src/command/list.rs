//! `fazt app list`: the apps of the farm.

use serde::Deserialize;

use super::shape;
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

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct App {
    name: String,
    version: Option<u64>,
    files: u64,
    bytes: u64,
    updated_at: u64,
    #[serde(default)]
    url: Option<String>,
}

/// Prints them as a table.
pub(crate) fn run(client: &Client, output: &Output) -> Result<(), Failure> {
    let answer = client.get("/api/_admin/apps")?;
    if output.is_json() {
        return output.value(&answer);
    }
    let List { apps } = shape(&answer, client)?;
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
