//! `application/problem+json` (RFC 9457), as the server says that something went wrong. Every field may be missing:
//! something that is no Fazt farm may have answered.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What the server said of its refusal.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Problem {
    /// The status of the answer.
    pub(crate) status: u16,
    /// One of the contract's codes.
    pub(crate) code: String,
    /// The code, in words.
    pub(crate) title: String,
    /// What happened this time.
    pub(crate) detail: String,
    /// Under this id the server's log has more.
    pub(crate) request_id: String,
}

impl Problem {
    /// From an answer's body, with the status as a last resort for text.
    pub(crate) fn read(status: u16, body: &[u8]) -> Self {
        let mut problem: Self = serde_json::from_slice(body).unwrap_or_default();
        problem.status = status;
        if problem.title.is_empty() && problem.detail.is_empty() {
            problem.title = format!("the server answered {status}");
        }
        problem
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = if self.detail.is_empty() { &self.title } else { &self.detail };
        f.write_str(text)?;
        match (self.code.as_str(), self.request_id.as_str()) {
            ("", "") => Ok(()),
            (code, "") => write!(f, " ({code})"),
            ("", request) => write!(f, " ({request})"),
            (code, request) => write!(f, " ({code}, {request})"),
        }
    }
}
