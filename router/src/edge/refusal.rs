//! What a client hears whose head the HTTP library refuses: a problem with an id, as of every other refusal.
//!
//! The library answers by itself, with a bare status, before there is a request that a layer could see. What it means by
//! that is taken from its first line; the answer is written here, and leaves a line in the log. There is no trace of it:
//! nobody can say what was asked.

use std::time::SystemTime;

use bytes::Bytes;
use fazt_protocol::id::RequestId;
use http::StatusCode;

use super::{problem, record};
use crate::fault::{Code, Fault};

/// The status in a line such as `HTTP/1.1 400 Bad Request`.
const STATUS: std::ops::Range<usize> = 9..12;

/// What is said in place of the library's own words, if they are a refusal.
pub(super) fn reword(words: &[u8]) -> Option<Bytes> {
    let fault = fault(words.get(STATUS)?)?;
    let id = RequestId::generate();
    record::log_refusal(&id, &fault);
    Some(answer(&fault, &id))
}

/// What a client hears that is turned away before it could ask.
pub(super) fn turn_away(fault: &Fault) -> Bytes {
    let id = RequestId::generate();
    record::log_refusal(&id, fault);
    answer(fault, &id)
}

fn fault(status: &[u8]) -> Option<Fault> {
    let (code, detail) = match status {
        b"400" => (Code::InvalidRequest, "the head of the request is not valid"),
        b"414" => (Code::UriTooLong, "the target is too long"),
        b"431" => (Code::HeadersTooLarge, "the headers are too many or too large"),
        _ => return None,
    };
    Some(Fault::new(code, detail))
}

fn answer(fault: &Fault, id: &RequestId) -> Bytes {
    let body = problem::json(fault, id);
    let reason = StatusCode::from_u16(fault.status).ok().and_then(|status| status.canonical_reason());
    let later =
        fault.retry_after.map_or_else(String::new, |after| format!("retry-after: {}\r\n", after.as_secs().max(1)));
    let head = format!(
        "HTTP/1.1 {} {}\r\ncontent-type: {}\r\ncache-control: no-store\r\nx-content-type-options: nosniff\r\n{later}\
         x-request-id: {id}\r\ncontent-length: {}\r\nconnection: close\r\ndate: {}\r\n\r\n",
        fault.status,
        reason.unwrap_or_default(),
        problem::TYPE,
        body.len(),
        httpdate::fmt_http_date(SystemTime::now()),
    );
    [head.as_bytes(), &body].concat().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_of_the_librarys_refusals_becomes_a_problem() {
        for (line, status, code) in [
            ("HTTP/1.1 400 Bad Request", "400 Bad Request", "invalid_request"),
            ("HTTP/1.0 400 Bad Request", "400 Bad Request", "invalid_request"),
            ("HTTP/1.1 414 URI Too Long", "414 URI Too Long", "uri_too_long"),
            ("HTTP/1.1 431 Request Header Fields Too Large", "431 Request Header", "headers_too_large"),
        ] {
            let words = reword(format!("{line}\r\ncontent-length: 0\r\n\r\n").as_bytes()).unwrap();
            let text = std::str::from_utf8(&words).unwrap();
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{head}");
            assert!(head.contains(&format!("\r\ncontent-length: {}\r\n", body.len())), "{head}");
            let problem: serde_json::Value = serde_json::from_str(body).unwrap();
            assert_eq!(problem["code"], code);
            assert!(head.contains(&format!("\r\nx-request-id: {}\r\n", problem["requestId"].as_str().unwrap())));
        }
        assert!(reword(b"HTTP/1.1 200 OK\r\n\r\n").is_none() && reword(b"HTTP/1.1").is_none());
    }
}
