//! `fazt traces`: the newest finished requests, as a table.

use serde::Deserialize;

use super::show;
use crate::{
    args::Traces,
    client::{Client, query},
    failure::Failure,
    output::Output,
    time,
};

/// A request, as every answer about traces tells of it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Request {
    pub(super) id: String,
    #[serde(default)]
    pub(super) app: Option<String>,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) status: u16,
    pub(super) duration: f64,
    pub(super) started_at: f64,
    #[serde(default)]
    pub(super) outcome: String,
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
    let answer = client.get(&format!("/api/_debug/traces{}", query(&pairs)))?;
    show(&answer, client, output, |requests| print(requests, output))
}

fn print(requests: Vec<Request>, output: &Output) -> Result<(), Failure> {
    if requests.is_empty() {
        output.note("no request like that is kept");
        return Ok(());
    }
    let rows = requests.into_iter().map(|request| {
        vec![
            time::instant(request.started_at as u64),
            request.id,
            request.app.unwrap_or_else(|| "-".to_owned()),
            request.method,
            request.path,
            request.status.to_string(),
            format!("{:.1}", request.duration),
            request.outcome,
        ]
    });
    let head = ["STARTED", "REQUEST", "APP", "METHOD", "PATH", "STATUS", "MS", "OUTCOME"];
    output.table(&head, &[5, 6], rows.collect())
}
