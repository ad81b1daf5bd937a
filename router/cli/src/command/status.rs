//! `fazt status`: the pool of workers, as a table, once or again every second.

use std::{thread, time::Duration};

use serde::Deserialize;

use super::shape;
use crate::{
    client::Client,
    failure::Failure,
    output::{self, Output},
    time,
};

const EVERY: Duration = Duration::from_secs(1);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Runtime {
    pool_size: u64,
    available: u64,
    in_use: u64,
    #[serde(default)]
    queued: u64,
    #[serde(default)]
    spares: u64,
    #[serde(default)]
    total_executions: u64,
    #[serde(default)]
    timeouts: u64,
    #[serde(default)]
    crashes: u64,
    #[serde(default)]
    respawns: u64,
    #[serde(default)]
    uptime_ms: f64,
    #[serde(default)]
    sandbox: Option<String>,
    #[serde(default)]
    sandbox_tier: Option<String>,
    #[serde(default)]
    sandbox_warning: Option<String>,
    #[serde(default)]
    workers: Vec<Worker>,
}

/// A worker on its way has no number and no process yet, a blank one no app, an idle one no request.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Worker {
    id: Option<u64>,
    pid: Option<u32>,
    app: Option<String>,
    version: Option<u64>,
    state: String,
    age_ms: f64,
    served: u64,
    rss_bytes: Option<u64>,
    request: Option<String>,
    phase: Option<String>,
    for_ms: Option<f64>,
}

/// Prints it.
pub(crate) fn run(watch: bool, client: &Client, output: &Output) -> Result<(), Failure> {
    loop {
        let answer = client.get("/api/_debug/runtime")?;
        if watch && !output.is_json() {
            output.clear()?;
        }
        match (output.is_json(), watch) {
            (true, false) => output.value(&answer)?,
            (true, true) => output.compact(&answer)?,
            (false, _) => print(shape(&answer, client)?, output)?,
        }
        if !watch {
            return Ok(());
        }
        thread::sleep(EVERY);
    }
}

fn print(runtime: Runtime, output: &Output) -> Result<(), Failure> {
    let Runtime { pool_size, available, in_use, queued, spares, .. } = runtime;
    output.line(&format!(
        "{pool_size} workers: {available} available, {in_use} in use, {queued} requests wait; {spares} spare"
    ))?;
    let Runtime { total_executions, timeouts, crashes, respawns, .. } = runtime;
    output.line(&format!(
        "up {}: {total_executions} requests run, {timeouts} timed out, {crashes} crashed, {respawns} workers replaced",
        time::span(runtime.uptime_ms as u64)
    ))?;
    if let (Some(mode), Some(tier)) = (&runtime.sandbox, &runtime.sandbox_tier) {
        output.line(&format!("sandbox {}, tier {}", output::plain(mode), output::plain(tier)))?;
    }
    if let Some(warning) = &runtime.sandbox_warning {
        output.line(&format!("warning: {}", output::plain(warning)))?;
    }
    if runtime.workers.is_empty() {
        return Ok(());
    }
    output.line("")?;
    let head = ["WORKER", "PID", "APP", "STATE", "AGE", "SERVED", "RSS", "REQUEST"];
    output.table(&head, &[0, 1, 4, 5, 6], runtime.workers.into_iter().map(row).collect())
}

fn row(worker: Worker) -> Vec<String> {
    let dash = || "-".to_owned();
    let app = match (worker.app, worker.version) {
        (Some(app), Some(version)) => format!("{app} v{version}"),
        (Some(app), None) => app,
        (None, _) => dash(),
    };
    let request = worker.request.map(|request| {
        let phase = worker.phase.unwrap_or_else(dash);
        format!("{request} {phase} {}", time::span(worker.for_ms.unwrap_or_default() as u64))
    });
    vec![
        worker.id.map_or_else(dash, |id| id.to_string()),
        worker.pid.map_or_else(dash, |pid| pid.to_string()),
        app,
        worker.state,
        time::span(worker.age_ms as u64),
        worker.served.to_string(),
        worker.rss_bytes.map_or_else(dash, output::bytes),
        request.unwrap_or_else(dash),
    ]
}
