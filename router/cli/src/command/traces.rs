//! `fazt traces`: the newest finished requests, as a table.

use serde::Deserialize;
use serde_json::Value;

use super::shape;
use crate::{
    args::Traces,
    client::{Client, query},
    failure::Failure,
    output::Output,
    time,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    id: String,
    #[serde(default)]
    app: Option<String>,
    method: String,
    path: String,
    status: u16,
    duration: f64,
    started_at: f64,
    #[serde(default)]
    outcome: String,
}

/// Prints them, newest first.
pub(crate) fn run(traces: &Traces, client: &Client, output: &Output) -> Result<(), Failure> {
    let slow = traces.slow.map(|slow| slow.as_millis().to_string());
    let pairs = [
        ("limit", Some(traces.limit.to_string())),
        ("app", traces.app.clone()),
        ("minMs", slow),
        ("status", traces.status.map(|status| status.to_string())),
    ];
    let answer: Value = client.get(&format!("/api/_debug/traces{}", query(&pairs)))?;
    if output.is_json() {
        return output.value(&answer);
    }
    let rows: Vec<Row> = shape(&answer, client)?;
    if rows.is_empty() {
        output.note("no request like that is kept");
        return Ok(());
    }
    let rows = rows.into_iter().map(|row| {
        vec![
            time::instant(row.started_at as u64),
            row.id,
            row.app.unwrap_or_else(|| "-".to_owned()),
            row.method,
            row.path,
            row.status.to_string(),
            format!("{:.1}", row.duration),
            row.outcome,
        ]
    });
    let head = ["STARTED", "REQUEST", "APP", "METHOD", "PATH", "STATUS", "MS", "OUTCOME"];
    output.table(&head, &[5, 6], rows.collect())
}
