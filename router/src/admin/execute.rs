//! `POST /api/_debug/execute`: runs code in an app's context, in a worker of that app, under the same limits as a request.
//!
//! Code that throws or is cut off is an answer; a farm that cannot run it at all is a fault.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use fazt_protocol::call::Work;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{Page, json as answer, no_such_app};
use crate::{
    catalog::Served,
    edge::{Departure, Passage, problem, resolve_app},
    farm::job::{Finished, Job},
    fault::{Code, Fault},
    trace::Breakdown,
};

const BODY_BYTES: usize = 1 << 20;
/// How long the end of the call is waited for, so that its figures are final.
const SETTLE: Duration = Duration::from_secs(1);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    app: Option<String>,
    code: String,
    timeout: Option<u64>,
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
    let result = match reply {
        Ok(reply) => Ok(value(&reply.body)?),
        Err(fault) if is_the_codes(fault.code) => Err(error(&fault)),
        Err(fault) => return Err(fault),
    };
    answer(StatusCode::OK, &shown(passage, result))
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

/// What the worker gave back. `undefined` is no body, and null in JSON.
fn value(body: &[u8]) -> Result<Value, Fault> {
    if body.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(body).map_err(|_| Fault::new(Code::InvalidResponse, "the worker's answer is not JSON"))
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

fn shown(passage: &Passage, result: Result<Value, Value>) -> Value {
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
    match result {
        Ok(result) => json!({ "result": result, "metrics": metrics, "logs": logs }),
        Err(error) => json!({ "result": null, "error": error, "metrics": metrics, "logs": logs }),
    }
}
