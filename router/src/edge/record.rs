//! The line that each finished request leaves in the log. The query is never in it, nor any header.

use fazt_protocol::{call::LogLine, id::RequestId};

use crate::{
    fault::Fault,
    trace::{Breakdown, Trace},
};

/// Writes a request's line, and in debug where its time went and what the app said.
pub(super) fn log(trace: &Trace, logs: &[LogLine]) {
    let request_id = trace.id.as_str();
    let app = trace.app.as_deref();
    let worker = trace.worker_pid;
    let part = |pick: fn(&Breakdown) -> u64| millis(pick(&trace.breakdown));
    tracing::info!(
        target: "access",
        request_id,
        app,
        worker,
        method = trace.method,
        path = trace.path,
        status = trace.status,
        outcome = trace.outcome.word(),
        duration_ms = millis(trace.duration_us),
        queue_ms = part(|parts| parts.queue_us),
        bind_ms = part(|parts| parts.bind_us),
        parse_ms = part(|parts| parts.parse_us),
        inject_ms = part(|parts| parts.inject_us),
        execute_ms = part(|parts| parts.execute_us),
        storage_ms = part(|parts| parts.storage_us),
        respond_ms = part(|parts| parts.respond_us),
        "request"
    );
    for line in logs {
        // The event has a level of its own.
        let (line_level, source) = (line.level.word(), line.source.word());
        tracing::debug!(target: "app", request_id, app, worker, line_level, source, said = line.message, "console");
    }
    for op in &trace.storage_ops {
        let (took_ms, store_ms) = (millis(op.micros.into()), millis(op.store_us.into()));
        let collection = op.collection.as_deref();
        tracing::debug!(target: "timing", request_id, app, worker, op = op.op, collection, took_ms, store_ms, "storage");
    }
}

/// Writes the line of what never became a request: there is neither a method nor a path to name.
pub(super) fn log_refusal(id: &RequestId, fault: &Fault) {
    let (request_id, outcome) = (id.as_str(), fault.code.word());
    tracing::info!(target: "access", request_id, status = fault.status, outcome, "request");
}

/// Milliseconds with three decimals.
#[must_use]
pub(super) fn millis(micros: u64) -> f64 {
    micros as f64 / 1_000.0
}
