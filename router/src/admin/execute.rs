//! `POST /api/_debug/execute`: runs code in an app's context, in a worker of that app, under the same limits as a request.
//!
//! Code that throws or is cut off is an answer; a farm that cannot run it at all is a fault. The value stays the text that the
//! worker wrote: it is looked at whether it is JSON, and nothing is built of it, which would take a hundred times its length.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use fazt_protocol::call::Work;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json, value::RawValue};
use tokio::time::timeout;

use super::{Page, json as answer, no_such_app};
use crate::{
    catalog::Served,
    edge::{Departure, Passage, problem, resolve_app},
    farm::job::{Finished, Job},
    fault::{Code, Fault},
    trace::Breakdown,
};

/// The most that code may have.
const BODY_BYTES: usize = 1 << 20;
/// The most that its value may have, written as JSON: more than anybody reads at a console.
const VALUE_BYTES: usize = 1 << 20;
/// How long the end of the call is waited for, so that its figures are final.
const SETTLE: Duration = Duration::from_secs(1);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    app: Option<String>,
    code: String,
    timeout: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Shown {
    /// None is null: for `undefined`, and where there is an error.
    result: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Value>,
    metrics: Value,
    logs: Value,
}

/// Executes.
pub(super) async fn execute(mut passage: Passage) -> Departure {
    let outcome = run(&mut passage).await;
    Departure { entry: passage.entry, outcome }
}

async fn run(passage: &mut Passage) -> Page {
    let (body, _lease) = passage.read_body(BODY_BYTES).await?;
    let asked: Asked = serde_json::from_slice(&body).map_err(|error| {
        Fault::new(Code::InvalidRequest, format!("the body is not {{ \"app\", \"code\", \"timeout\" }}: {error}"))
    })?;
    let served = app(passage, asked.app.as_deref())?;
    passage.entry.app = Some(Arc::clone(&served));
    let house = Arc::clone(&passage.entry.house);
    let edge = &house.config.edge;
    let arrived = Instant::now();
    let job = Job {
        id: passage.entry.id.clone(),
        work: Work::Execute,
        body: asked.code.into_bytes(),
        arrived,
        run: asked.timeout.map_or(edge.run, Duration::from_millis).clamp(Duration::from_millis(1), edge.request),
        deadline: arrived.checked_add(edge.request).unwrap_or(arrived),
        debug: true,
        handed_on: false,
        served,
    };
    let Finished { reply, mut timing } = house.farm.call(job).await;
    if let Some(later) = timing.later.take()
        && let Ok(Ok(done)) = timeout(SETTLE, later).await
    {
        timing.settle(*done);
    }
    passage.entry.timing = timing;
    match reply.and_then(|reply| value(reply.body)) {
        Err(fault) if !is_the_codes(fault.code) => Err(fault),
        outcome => answer(StatusCode::OK, &show(passage, outcome)),
    }
}

fn app(passage: &Passage, named: Option<&str>) -> Result<Arc<Served>, Fault> {
    match named {
        Some(name) => passage.entry.house.catalog.get(name).ok_or_else(|| no_such_app(name)),
        None => resolve_app(&passage.target.host.name, &passage.entry.house),
    }
}

/// Whether that end is one of the code's own.
fn is_the_codes(code: Code) -> bool {
    use Code::{
        InvalidResponse, MemoryLimit, NeverSettled, QuotaExceeded, ScriptError, StorageTimeout, StoreUnavailable,
        Timeout, WorkerCrashed,
    };
    matches!(
        code,
        ScriptError
            | Timeout
            | MemoryLimit
            | NeverSettled
            | InvalidResponse
            | StorageTimeout
            | QuotaExceeded
            | StoreUnavailable
            | WorkerCrashed
    )
}

/// What the worker gave back. `undefined` is no body.
fn value(body: Vec<u8>) -> Result<Option<Box<RawValue>>, Fault> {
    if body.is_empty() {
        return Ok(None);
    }
    let bytes = body.len();
    if bytes > VALUE_BYTES {
        let detail = format!(
            "the value has {bytes} bytes as JSON, and at most {VALUE_BYTES} are given back: ask for a part of it"
        );
        return Err(Fault::new(Code::InvalidResponse, detail));
    }
    let value = String::from_utf8(body).ok().and_then(|text| RawValue::from_string(text).ok());
    value.map(Some).ok_or_else(|| Fault::new(Code::InvalidResponse, "the worker's answer is not JSON"))
}

fn error(fault: &Fault) -> Value {
    let place = fault.place.as_deref();
    json!({
        "code": fault.code.word(),
        "message": fault.detail,
        "stack": place.map(|place| place.stack.as_str()),
        "line": place.map(|place| place.line),
        "column": place.map(|place| place.column),
    })
}

fn show(passage: &Passage, outcome: Result<Option<Box<RawValue>>, Fault>) -> Shown {
    let (duration_us, parts) = passage.entry.spent();
    let Breakdown { parse_us, inject_us, execute_us, storage_us, .. } = parts;
    let timing = &passage.entry.timing;
    let ms = |micros: u64| micros as f64 / 1_000.0;
    let metrics = json!({
        "requestId": passage.entry.id.as_str(),
        "parseMs": ms(parse_us),
        "injectMs": ms(inject_us),
        "executeMs": ms(execute_us),
        "storageMs": ms(storage_us),
        "cpuMs": ms(timing.cpu_us),
        "totalMs": ms(duration_us),
    });
    let logs = problem::lines(&timing.logs);
    let (result, error) = match outcome {
        Ok(result) => (result, None),
        Err(fault) => (None, Some(error(&fault))),
    };
    Shown { result, error, metrics, logs }
}
