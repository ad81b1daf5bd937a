//! `fazt exec`: runs code in an app's context, prints its value on standard output and its log lines on standard
//! error. Code that throws or is cut off is a failure.

use std::io::{self, Read};

use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};
use ureq::http::Method;

use super::path_of;
use crate::{
    args::Exec,
    client::Client,
    failure::Failure,
    output::{Output, set_in},
};

/// A source file's limit.
const CODE_BYTES: u64 = 1024 * 1024;

#[derive(Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[derive(Default)]
struct Execution {
    /// As it came.
    result: Option<Box<RawValue>>,
    error: Option<Thrown>,
    logs: Vec<Value>,
    metrics: Metrics,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Thrown {
    code: String,
    message: String,
    stack: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Metrics {
    request_id: String,
    execute_ms: f64,
    storage_ms: f64,
    total_ms: f64,
}

/// Runs it.
pub(crate) fn run(exec: &Exec, client: &Client, output: &Output) -> Result<(), Failure> {
    path_of(&exec.name)?;
    let mut body = json!({ "app": exec.name, "code": read_code(&exec.code)? });
    if let (Some(timeout), Some(fields)) = (exec.timeout, body.as_object_mut()) {
        fields.insert("timeout".to_owned(), json!(u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX)));
    }
    let answer = client.send_for_text(Method::POST, "/api/_debug/execute", &body)?;
    let execution: Execution = serde_json::from_str(&answer).map_err(|error| client.strange(error))?;
    if output.is_json() {
        output.text(&answer)?;
    } else {
        print(&execution, output)?;
    }
    match execution.error {
        None => Ok(()),
        Some(thrown) => Err(Failure::Threw(describe(thrown))),
    }
}

fn read_code(code: &str) -> Result<String, Failure> {
    if code != "-" {
        return Ok(code.to_owned());
    }
    let mut text = String::new();
    let read = io::stdin().take(CODE_BYTES.saturating_add(1)).read_to_string(&mut text);
    read.map_err(|cause| Failure::File { path: "standard input".into(), cause })?;
    if text.len() as u64 > CODE_BYTES {
        return Err(Failure::Usage("code has at most 1 MiB".to_owned()));
    }
    Ok(text)
}

fn print(execution: &Execution, output: &Output) -> Result<(), Failure> {
    for log in &execution.logs {
        let level = log.get("level").and_then(Value::as_str).unwrap_or("info");
        match log.get("message").and_then(Value::as_str).or(log.as_str()) {
            Some(message) => output.note(&format!("{level:<5} {}", set_in(message))),
            None => output.note(&log.to_string()),
        }
    }
    if execution.error.is_none() {
        output.text(execution.result.as_deref().map_or("null", RawValue::get))?;
    }
    let Metrics { request_id, execute_ms, storage_ms, total_ms } = &execution.metrics;
    output.note(&format!("{request_id}: {total_ms:.1} ms, execute {execute_ms:.1}, storage {storage_ms:.1}"));
    Ok(())
}

fn describe(thrown: Thrown) -> String {
    let mut text = if thrown.message.is_empty() { thrown.code } else { thrown.message };
    if let Some(stack) = thrown.stack.filter(|stack| !stack.is_empty()) {
        text.push('\n');
        text.push_str(stack.trim_end());
    }
    text
}
