//! Faults as clients see them: `application/problem+json` (RFC 9457), or a page where a browser asks.
//!
//! The only place where a fault becomes text and status. Without debug nothing here tells of source, path or stack.

use bytes::Bytes;
use fazt_protocol::{call::LogLine, id::RequestId};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};
use serde_json::{Map, Value, json};

use super::{body::Body, entry::Entry, page, record::millis, rules};
use crate::{
    fault::{Code, Fault},
    trace::Breakdown,
};

/// The media type of a fault, where no page is wanted.
pub(super) const TYPE: &str = "application/problem+json";
const TYPES: &str = "https://fazt.dev/problems/";

/// A fault as an answer.
pub(super) fn answer(fault: &Fault, entry: &Entry, duration_us: u64, breakdown: &Breakdown) -> Response<Body> {
    let mut problem = describe(fault, &entry.id);
    if entry.debug {
        explain(fault, &entry.timing.logs, &mut problem);
        problem.insert("breakdown".to_owned(), parts(breakdown, duration_us));
    }
    let mut response = render(&problem, fault.status, entry.html);
    add_headers(fault, &entry.method, response.headers_mut());
    response
}

/// What a client gets where the router itself made a mistake.
pub(super) fn broken(id: &RequestId) -> Response<Body> {
    let fault = Fault::new(Code::Internal, "the router failed within this request");
    render(&describe(&fault, id), fault.status, false)
}

/// A fault as text, where there is no request to answer.
pub(super) fn json(fault: &Fault, id: &RequestId) -> Bytes {
    text(&describe(fault, id))
}

/// A breakdown in milliseconds.
#[must_use]
pub fn parts(breakdown: &Breakdown, duration_us: u64) -> Value {
    json!({
        "queue": millis(breakdown.queue_us),
        "bind": millis(breakdown.bind_us),
        "parse": millis(breakdown.parse_us),
        "inject": millis(breakdown.inject_us),
        "execute": millis(breakdown.execute_us),
        "storage": millis(breakdown.storage_us),
        "respond": millis(breakdown.respond_us),
        "total": millis(duration_us),
    })
}

/// An app's log lines.
#[must_use]
pub fn lines(logs: &[LogLine]) -> Value {
    let line =
        |line: &LogLine| json!({ "level": line.level.word(), "source": line.source.word(), "message": line.message });
    logs.iter().map(line).collect()
}

fn describe(fault: &Fault, id: &RequestId) -> Map<String, Value> {
    let code = fault.code.word();
    let fields = [
        ("type", Value::from([TYPES, code].concat())),
        ("title", fault.code.title().into()),
        ("status", fault.status.into()),
        ("detail", fault.detail.as_str().into()),
        ("code", code.into()),
        ("requestId", id.as_str().into()),
        ("error", error_line(fault).into()),
        ("retryable", fault.code.is_retryable().into()),
    ];
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The one line that clients of the system before this one look for.
fn error_line(fault: &Fault) -> String {
    let detail = &fault.detail;
    match fault.code {
        Code::Timeout => format!("TimeoutError: execution timeout: {}", detail.trim_start_matches("api/main.js ")),
        Code::StorageTimeout => format!("StorageError: TIMEOUT: {detail}"),
        Code::QuotaExceeded => format!("StorageError: QUOTA_EXCEEDED: {detail}"),
        Code::StoreUnavailable => format!("StorageError: UNAVAILABLE: {detail}"),
        // The worker's words begin with the error's own name.
        Code::ScriptError => detail.clone(),
        code => format!("{}: {detail}", code.title()),
    }
}

fn explain(fault: &Fault, logs: &[LogLine], problem: &mut Map<String, Value>) {
    if let Some(place) = &fault.place {
        problem.insert("stack".to_owned(), place.stack.as_str().into());
        problem.insert("file".to_owned(), place.file.as_str().into());
        problem.insert("line".to_owned(), place.line.into());
        problem.insert("column".to_owned(), place.column.into());
        problem.insert("context".to_owned(), place.context.as_str().into());
    }
    if let Some(phase) = fault.phase {
        problem.insert("phase".to_owned(), phase.word().into());
    }
    problem.insert("logs".to_owned(), lines(logs));
}

fn text(problem: &Map<String, Value>) -> Bytes {
    // A map of strings and numbers has nothing that JSON could refuse.
    Bytes::from(serde_json::to_vec(problem).unwrap_or_default())
}

fn render(problem: &Map<String, Value>, status: u16, html: bool) -> Response<Body> {
    let (kind, body) =
        if html { ("text/html; charset=utf-8", Bytes::from(page::render(problem))) } else { (TYPE, text(problem)) };
    let mut response = Response::new(Body::whole(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::VARY, HeaderValue::from_name(header::ACCEPT));
    if html {
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(page::POLICY));
    }
    response
}

fn add_headers(fault: &Fault, method: &Method, headers: &mut HeaderMap) {
    if let Some(after) = fault.retry_after {
        let whole = after.as_secs().saturating_add(u64::from(after.subsec_nanos() > 0)).max(1);
        headers.insert(header::RETRY_AFTER, HeaderValue::from(whole));
    }
    match fault.status {
        401 => {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        405 => {
            let allowed = if rules::METHODS.contains(method) {
                "GET, HEAD"
            } else {
                "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
            };
            let name: HeaderName = header::ALLOW;
            headers.insert(name, HeaderValue::from_static(allowed));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use fazt_protocol::call::{Level, Place, Source};

    use super::*;

    fn timeout() -> Fault {
        let place = Place {
            stack: "at main (api/main.js:3)".to_owned(),
            file: "api/main.js".to_owned(),
            line: 3,
            column: 1,
            context: "for(;;){}".to_owned(),
        };
        let fault = Fault::new(Code::Timeout, "api/main.js ran for more than 1000 ms");
        Fault { place: Some(Box::new(place)), ..fault }
    }

    #[test]
    fn a_problem_has_the_contracts_fields() {
        let problem = describe(&timeout(), &RequestId::parse("req_12345").unwrap());
        let expected = json!({
            "type": "https://fazt.dev/problems/timeout", "title": "Execution timed out", "status": 504,
            "detail": "api/main.js ran for more than 1000 ms", "code": "timeout", "requestId": "req_12345",
            "error": "TimeoutError: execution timeout: ran for more than 1000 ms", "retryable": true,
        });
        assert_eq!(Value::Object(problem), expected);
    }

    #[test]
    fn source_and_stack_are_for_debug_only() {
        let mut problem = describe(&timeout(), &RequestId::generate());
        assert!(!Value::Object(problem.clone()).to_string().contains("for(;;)"));
        let line = LogLine { level: Level::Info, source: Source::Console, message: "hi".to_owned() };
        explain(&timeout(), &[line], &mut problem);
        for field in ["stack", "file", "line", "column", "context", "logs"] {
            assert!(problem.contains_key(field), "{field}");
        }
    }

    #[test]
    fn headers_say_what_the_status_promises() {
        let mut headers = HeaderMap::new();
        let fault = Fault { retry_after: Some(Duration::from_millis(1_200)), ..Fault::new(Code::QueueFull, "") };
        add_headers(&fault, &Method::GET, &mut headers);
        assert_eq!(headers.get(header::RETRY_AFTER).unwrap(), "2");
        add_headers(&Fault::new(Code::Unauthorized, ""), &Method::GET, &mut headers);
        assert_eq!(headers.get(header::WWW_AUTHENTICATE).unwrap(), "Bearer");
        add_headers(&Fault::new(Code::NotSupported, "").with_status(405), &Method::TRACE, &mut headers);
        assert!(headers.get(header::ALLOW).unwrap().to_str().unwrap().contains("DELETE"));
    }
}
