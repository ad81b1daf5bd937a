//! `fazt trace`: one request as a waterfall: where its time went, and which storage calls took part in it.

use serde::Deserialize;

use super::{show, traces::Request};
use crate::{
    client::{Client, encode},
    failure::Failure,
    output::{self, Output, one_line},
    time,
};

/// Columns of the picture.
const WIDTH: f64 = 40.0;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Trace {
    #[serde(flatten)]
    request: Request,
    #[serde(default)]
    breakdown: Breakdown,
    #[serde(default)]
    cpu_ms: Option<f64>,
    #[serde(default)]
    memory_peak: Option<u64>,
    #[serde(default)]
    worker_pid: Option<u32>,
    #[serde(default)]
    storage_ops: Vec<Op>,
}

/// Milliseconds; storage lies inside execute, the others follow each other.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Breakdown {
    queue: f64,
    bind: f64,
    parse: f64,
    inject: f64,
    execute: f64,
    storage: f64,
    respond: f64,
}

#[derive(Deserialize)]
struct Op {
    op: String,
    ms: f64,
    #[serde(default)]
    collection: Option<String>,
}

/// Prints it.
pub(crate) fn run(id: &str, client: &Client, output: &Output) -> Result<(), Failure> {
    let answer = client.get(&format!("/api/_debug/traces/{}", encode(id)))?;
    show(&answer, client, output, |trace| print(trace, output))
}

fn print(trace: Trace, output: &Output) -> Result<(), Failure> {
    head(&trace, output)?;
    output.line("")?;
    waterfall(&trace, output)?;
    if trace.storage_ops.is_empty() {
        return Ok(());
    }
    output.line("")?;
    let rows = trace.storage_ops.into_iter();
    let rows = rows.map(|op| vec![op.op, op.collection.unwrap_or_default(), format!("{:.1}", op.ms)]);
    output.table(&["STORAGE", "COLLECTION", "MS"], &[2], rows.collect())
}

fn head(trace: &Trace, output: &Output) -> Result<(), Failure> {
    let Request { id, app, method, path, status, outcome, duration, started_at } = &trace.request;
    let app = app.as_deref().unwrap_or("-");
    output.line(&one_line(&format!("{id}  {app}  {method} {path}")))?;
    let mut parts = vec![format!("{status} {outcome}"), format!("{duration:.1} ms"), time::instant(*started_at as u64)];
    parts.extend(trace.cpu_ms.map(|ms| format!("CPU {ms:.1} ms")));
    parts.extend(trace.memory_peak.map(|peak| format!("memory {}", output::bytes(peak))));
    parts.extend(trace.worker_pid.map(|pid| format!("pid {pid}")));
    output.line(&one_line(&parts.join(", ")))
}

fn waterfall(trace: &Trace, output: &Output) -> Result<(), Failure> {
    let Breakdown { queue, bind, parse, inject, execute, storage, respond } = trace.breakdown;
    let mut start = 0.0;
    let phases = [
        ("queue", queue),
        ("bind", bind),
        ("parse", parse),
        ("inject", inject),
        ("execute", execute),
        ("respond", respond),
    ];
    for (phase, ms) in phases {
        output.line(&bar(phase, start, ms, trace.request.duration))?;
        if phase == "execute" && storage > 0.0 {
            // How much of it, not when: calls and code alternate.
            output.line(&bar("  storage", start, storage, trace.request.duration))?;
        }
        start += ms;
    }
    Ok(())
}

/// One phase: its name, its time, and where it lies in the whole.
fn bar(phase: &str, start: f64, ms: f64, whole: f64) -> String {
    let column = |at: f64| if whole > 0.0 { (at / whole * WIDTH).clamp(0.0, WIDTH).round() as usize } else { 0 };
    let (from, to) = (column(start), column(start + ms));
    // What took any time at all is seen.
    let length = to.saturating_sub(from).max(usize::from(ms > 0.0));
    let text = format!("{phase:<10}{ms:>9.1}  {}{}", " ".repeat(from), "█".repeat(length));
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::bar;

    #[test]
    fn bars_stand_where_the_time_was() {
        assert_eq!(
            bar("execute", 20.0, 20.0, 80.0),
            format!("execute        20.0  {}{}", " ".repeat(10), "█".repeat(10))
        );
        assert_eq!(bar("queue", 0.0, 0.01, 80.0), "queue           0.0  █");
        assert_eq!(bar("bind", 0.0, 0.0, 0.0), "bind            0.0");
        assert_eq!(bar("odd", 0.0, 1e300, 1.0).chars().filter(|&c| c == '█').count(), 40);
    }
}
