//! Every way that a run can end, in one closed enum.

use fazt_protocol::{
    call::{FaultKind, Place},
    limit::ERROR_TEXT_BYTES,
};

pub use crate::engine::trouble::Trouble;

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// With an answer.
    Reply(Answer),
    /// There is no `api/main.js`.
    NoHandler,
    /// The app threw and did not catch.
    ScriptError(Trouble),
    /// The body says that it is JSON and is not; where, and why.
    BadJson(String),
    /// The body says that it is a form and is not.
    BadForm(String),
    /// The soft clock fired, after so many milliseconds; where the script stood.
    SoftTimeout(u64, Trouble),
    /// The heap's limit, in bytes, was reached, and the run did not end with an answer.
    Memory(usize),
    /// The stack's limit was reached, and the error not caught.
    Stack(Trouble),
    /// The answer is a promise that nothing can settle any more: no job and no timer is left.
    NeverSettled,
    /// What the app returned is no answer; why.
    InvalidResponse(String),
    /// An uncaught `StorageError TIMEOUT`.
    StorageTimeout(Trouble),
    /// An uncaught `StorageError UNAVAILABLE`.
    StorageUnavailable(Trouble),
    /// An uncaught `StorageError QUOTA_EXCEEDED`.
    QuotaExceeded(Trouble),
}

/// What an app answered, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// 200 to 599.
    pub status: u16,
    /// Names and values; a name may repeat. No hop-by-hop or framing headers.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Outcome {
    /// What kind of end it is, where it is not an answer.
    #[must_use]
    pub fn fault(&self) -> Option<FaultKind> {
        Some(match self {
            Self::Reply(_) => return None,
            Self::NoHandler => FaultKind::NoHandler,
            Self::ScriptError(_) => FaultKind::ScriptError,
            Self::BadJson(_) => FaultKind::InvalidJson,
            Self::BadForm(_) => FaultKind::InvalidBody,
            Self::SoftTimeout(..) => FaultKind::SoftTimeout,
            Self::Memory(_) => FaultKind::Memory,
            Self::Stack(_) => FaultKind::Stack,
            Self::NeverSettled => FaultKind::NeverSettled,
            Self::InvalidResponse(_) => FaultKind::InvalidResponse,
            Self::StorageTimeout(_) => FaultKind::StorageTimeout,
            Self::StorageUnavailable(_) => FaultKind::StorageUnavailable,
            Self::QuotaExceeded(_) => FaultKind::QuotaExceeded,
        })
    }

    /// The end in words; empty for an answer.
    #[must_use]
    pub fn message(&self) -> String {
        let mut message = match self {
            Self::Reply(_) => String::new(),
            Self::NoHandler => "the app has no api/main.js".to_owned(),
            Self::BadJson(why) | Self::BadForm(why) | Self::InvalidResponse(why) => why.clone(),
            Self::SoftTimeout(limit_ms, _) => format!("ran for more than {limit_ms} ms"),
            Self::Memory(limit) => format!("the JavaScript heap is limited to {} MiB", limit >> 20),
            Self::NeverSettled => {
                "the answer is a promise that can never settle: no job and no timer is left to settle it".to_owned()
            }
            Self::ScriptError(trouble)
            | Self::Stack(trouble)
            | Self::StorageTimeout(trouble)
            | Self::StorageUnavailable(trouble)
            | Self::QuotaExceeded(trouble) => trouble.message.clone(),
        };
        message.truncate(message.floor_char_boundary(ERROR_TEXT_BYTES));
        message
    }

    /// Where in the app's code, where that is known.
    #[must_use]
    pub fn place(&self) -> Option<Place> {
        match self {
            Self::ScriptError(trouble)
            | Self::Stack(trouble)
            | Self::SoftTimeout(_, trouble)
            | Self::StorageTimeout(trouble)
            | Self::StorageUnavailable(trouble)
            | Self::QuotaExceeded(trouble) => trouble.place(),
            _ => None,
        }
    }
}
