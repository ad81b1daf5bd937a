//! `GET /api/_debug/traces`: the last requests, newest first, and one of them by its id. Times are milliseconds.

use http::StatusCode;
use serde::Serialize;

use super::{json, query::Query};
use crate::{
    edge::{Departure, Passage},
    fault::{Code, Fault},
    trace::{Breakdown, TRACES, Trace},
};

/// How many are listed where nobody says.
const USUAL: usize = 100;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    id: String,
    app: Option<String>,
    path: String,
    method: String,
    duration: f64,
    status: u16,
    started_at: u64,
    breakdown: Parts,
    cpu_ms: f64,
    memory_peak: u64,
    worker_pid: Option<i32>,
    storage_ops: Vec<Op>,
    storage_ops_total: u32,
    outcome: &'static str,
}

#[derive(Debug, Serialize)]
struct Parts {
    queue: f64,
    bind: f64,
    parse: f64,
    inject: f64,
    execute: f64,
    storage: f64,
    respond: f64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Op {
    op: String,
    ms: f64,
    store_ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    collection: Option<String>,
}

/// Lists the newest that fit `limit`, `app`, `minMs` and `status`.
pub(super) fn list(passage: Passage) -> Departure {
    let outcome = select(&passage).and_then(|shown| json(StatusCode::OK, &shown));
    Departure { entry: passage.entry, outcome }
}

/// Shows one.
pub(super) fn show(passage: Passage, id: &str) -> Departure {
    let outcome = match passage.entry.house.traces.find(id) {
        Some(trace) => json(StatusCode::OK, &Shown::of(&trace)),
        None => Err(Fault::new(Code::NotFound, "this trace is not kept, or no longer")),
    };
    Departure { entry: passage.entry, outcome }
}

fn select(passage: &Passage) -> Result<Vec<Shown>, Fault> {
    let query = Query(passage.entry.uri.query().unwrap_or_default());
    let limit = query.read::<usize>("limit")?.unwrap_or(USUAL).min(TRACES);
    let app = query.text("app");
    let status = query.read::<u16>("status")?;
    let least_us = query.read::<f64>("minMs")?.map_or(0.0, |ms| ms * 1_000.0);
    let holds = |trace: &Trace| {
        app.as_deref().is_none_or(|app| trace.app.as_deref() == Some(app))
            && status.is_none_or(|status| trace.status == status)
            && trace.duration_us as f64 >= least_us
    };
    Ok(passage.entry.house.traces.newest(limit, holds).iter().map(|trace| Shown::of(trace)).collect())
}

impl Shown {
    fn of(trace: &Trace) -> Self {
        let op = |op: &fazt_protocol::call::OpSpan| Op {
            op: op.op.clone(),
            ms: millis(op.micros.into()),
            store_ms: millis(op.store_us.into()),
            collection: op.collection.clone(),
        };
        Self {
            id: trace.id.to_string(),
            app: trace.app.as_deref().map(str::to_owned),
            path: trace.path.clone(),
            method: trace.method.clone(),
            duration: millis(trace.duration_us),
            status: trace.status,
            started_at: trace.started_at,
            breakdown: Parts::of(&trace.breakdown),
            cpu_ms: millis(trace.cpu_us),
            memory_peak: trace.memory_peak,
            worker_pid: trace.worker_pid,
            storage_ops: trace.storage_ops.iter().map(op).collect(),
            storage_ops_total: trace.storage_ops_total,
            outcome: trace.outcome.word(),
        }
    }
}

impl Parts {
    fn of(parts: &Breakdown) -> Self {
        Self {
            queue: millis(parts.queue_us),
            bind: millis(parts.bind_us),
            parse: millis(parts.parse_us),
            inject: millis(parts.inject_us),
            execute: millis(parts.execute_us),
            storage: millis(parts.storage_us),
            respond: millis(parts.respond_us),
        }
    }
}

fn millis(micros: u64) -> f64 {
    micros as f64 / 1_000.0
}
