//! What a worker says in place of an answer, and where in the app's code it happened.

use serde::{Deserialize, Serialize};

use super::Spans;
use crate::{
    bounded,
    limit::{ERROR_TEXT_BYTES, FILE_PATH_BYTES},
};

/// In place of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// The call that it answers.
    pub number: u64,
    /// What kind of end.
    pub kind: FaultKind,
    /// In words, without source or path.
    #[serde(deserialize_with = "bounded::text::<_, ERROR_TEXT_BYTES>")]
    pub message: String,
    /// Where in the app's code, for those who may see it.
    pub place: Option<Place>,
    /// What the worker spent until now.
    pub spans: Spans,
}

/// Every way that a worker itself can say a call ended without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum FaultKind {
    /// There is no `api/main.js`.
    NoHandler,
    /// The app threw and did not catch.
    ScriptError,
    /// The body says that it is JSON and is not.
    InvalidJson,
    /// The body says that it is a form and is not.
    InvalidBody,
    /// The soft clock.
    SoftTimeout,
    /// The heap's limit.
    Memory,
    /// The stack's limit, uncaught.
    Stack,
    /// A promise that nothing can settle any more.
    NeverSettled,
    /// What the app returned is no answer.
    InvalidResponse,
    /// A `StorageError TIMEOUT`, uncaught.
    StorageTimeout,
    /// A `StorageError UNAVAILABLE`, uncaught.
    StorageUnavailable,
    /// A `StorageError QUOTA_EXCEEDED`, uncaught.
    QuotaExceeded,
}

/// A place in an app's code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The JavaScript stack.
    #[serde(deserialize_with = "bounded::text::<_, ERROR_TEXT_BYTES>")]
    pub stack: String,
    /// `api/main.js`.
    #[serde(deserialize_with = "bounded::text::<_, FILE_PATH_BYTES>")]
    pub file: String,
    /// From 1; 0 where it is not known.
    pub line: u32,
    /// From 1; 0 where it is not known.
    pub column: u32,
    /// The source line.
    #[serde(deserialize_with = "bounded::text::<_, 512>")]
    pub context: String,
}
