//! The call conversation, router ↔ worker: one app for life, one call at a time.
//!
//! ```text
//! worker  Ready
//! router  Assign (+ op descriptor)          worker  Assigned
//! router  Call, Chunk…                      worker  Log…, then Reply, Chunk… or Fault, then Done
//! router  Rebind (+ op descriptor)          at any time after Assign
//! ```
//!
//! [`phase`] is the order of the worker's side, as the router enforces it.

mod fault;
mod log;
pub mod phase;
mod work;

use serde::{Deserialize, Serialize};

pub use fault::{Fault, FaultKind, Place};
pub use log::{Level, LogLine, Source};
pub use work::{Request, Work};

use crate::{
    Message,
    board::Phase,
    body::Part,
    bounded,
    grant::Grant,
    limit::{
        APP_NAME_BYTES, ENV_BYTES, ENV_VARIABLES, ERROR_TEXT_BYTES, FRAME_BYTES, HEADERS, HEADERS_BYTES,
        TRACED_NAME_BYTES, TRACED_OPS,
    },
    op::Refusal,
};

/// What the router says to a worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToWorker {
    /// Once, first, with the op descriptor: whom the worker works for from now on.
    Assign(Box<Assign>),
    /// One request.
    Call(Box<Call>),
    /// More of its body.
    Chunk(Part),
    /// The store was restarted: a new op descriptor comes with this message.
    Rebind {
        /// Where a call is in hand: leave to go on with it over the new channel.
        grant: Option<Grant>,
    },
}

/// What a worker says to the router.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromWorker {
    /// Once, first: jailed, and waiting for an app.
    Ready(Ready),
    /// The app is loaded, or cannot be.
    Assigned(Assigned),
    /// A line of the app's log.
    Log(LogLine),
    /// The answer's head and first bytes.
    Reply(Box<Reply>),
    /// More of the answer's body.
    Chunk(Part),
    /// In place of an answer.
    Fault(Box<Fault>),
    /// The call is over, and so is all that it left behind.
    Done(Box<Done>),
}

/// A worker's first words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// [`crate::version::PROTOCOL`].
    pub protocol: u16,
    /// The layers of the jail that are in force, a bit each; what the bits mean is the jail's affair.
    pub layers: u32,
}

/// An app for life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assign {
    /// [`crate::version::PROTOCOL`].
    pub protocol: u16,
    /// The app's name.
    #[serde(deserialize_with = "bounded::text::<_, APP_NAME_BYTES>")]
    pub app: String,
    /// The version that is served.
    pub version: u64,
    /// Names and values.
    #[serde(deserialize_with = "bounded::pairs::<_, ENV_VARIABLES, ENV_BYTES>")]
    pub env: Vec<(String, String)>,
    /// What its requests may use.
    pub limits: Limits,
    /// Leave to load the app's files.
    pub grant: Grant,
}

/// What a worker holds its app to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// The JavaScript heap, in bytes.
    pub heap_bytes: u64,
    /// The JavaScript stack, in bytes.
    pub stack_bytes: u64,
    /// An answer's body, in bytes.
    pub answer_bytes: u64,
    /// Storage calls a request.
    pub storage_calls: u32,
    /// One storage call, in milliseconds.
    pub storage_ms: u32,
}

/// How loading went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assigned {
    /// What loading took, storage included, in microseconds.
    pub spent_us: u32,
    /// Whether there is an `api/main.js`.
    pub handler: bool,
    /// Why the app could not be loaded at all. Errors in the app's own code are not this: they are the fault of each call.
    pub failure: Option<LoadFailure>,
}

/// Why an app could not be loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum LoadFailure {
    /// The store did not give the app's sources.
    #[error("{0}")]
    Store(Refusal),
    /// The worker has them and can do nothing with them.
    #[error("{reason}")]
    Worker {
        /// In words.
        #[serde(deserialize_with = "bounded::text::<_, ERROR_TEXT_BYTES>")]
        reason: String,
    },
}

/// One request, as the worker gets it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// The router's count: the name of this call in every message about it.
    pub number: u64,
    /// Leave to use the store; it holds the request's id and deadline.
    pub grant: Grant,
    /// The run limit, in microseconds from when the worker has the whole call.
    pub run_us: u64,
    /// What to do.
    pub work: Work,
    /// What the request spent before it came here.
    pub spent: Before,
    /// Whether stacks, source lines and the like are wanted.
    pub debug: bool,
    /// The body of the request, or the code to execute.
    pub body: Part,
}

/// What a request spent before a worker had it, in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Before {
    /// Waiting for a worker.
    pub queue_us: u32,
    /// Binding a blank worker to the app.
    pub bind_us: u32,
}

/// An answer's head.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// The call that it answers.
    pub number: u64,
    /// 200 to 599.
    pub status: u16,
    /// Names and values; a name may repeat.
    #[serde(deserialize_with = "bounded::pairs::<_, HEADERS, HEADERS_BYTES>")]
    pub headers: Vec<(String, String)>,
    /// What the worker spent until now.
    pub spans: Spans,
    /// The body.
    pub body: Part,
}

/// Where a worker's time went, in microseconds. Storage lies inside execute.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spans {
    /// The body.
    pub parse_us: u32,
    /// The request object.
    pub inject_us: u32,
    /// The app's code.
    pub execute_us: u32,
    /// The answer.
    pub respond_us: u32,
    /// Waiting for the store.
    pub storage_us: u32,
}

/// The end of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// The call that is over.
    pub number: u64,
    /// CPU time of the worker for this call, in microseconds.
    pub cpu_us: u32,
    /// The heap's high water during the call, in bytes.
    pub heap_peak: u64,
    /// Where its time went, with what came after the answer.
    pub spans: Spans,
    /// Storage operations in all.
    pub storage_ops: u32,
    /// The first of them, one by one.
    #[serde(deserialize_with = "bounded::list::<_, _, TRACED_OPS>")]
    pub ops: Vec<OpSpan>,
    /// Whether this worker should not serve again (memory limit hit, soft clock fired, engine in doubt).
    pub retire: bool,
}

/// One storage operation in a trace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpSpan {
    /// `kv.get`, `ds.insert`, …
    #[serde(deserialize_with = "bounded::text::<_, TRACED_NAME_BYTES>")]
    pub op: String,
    /// From asking to the whole answer, as the worker saw it, in microseconds.
    pub micros: u32,
    /// Of these, inside the store, as the store said.
    pub store_us: u32,
    /// The collection, for documents.
    #[serde(deserialize_with = "bounded::optional_text::<_, TRACED_NAME_BYTES>")]
    pub collection: Option<String>,
}

impl FromWorker {
    /// The message's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Ready(_) => "Ready",
            Self::Assigned(_) => "Assigned",
            Self::Log(_) => "Log",
            Self::Reply(_) => "Reply",
            Self::Chunk(_) => "Chunk",
            Self::Fault(_) => "Fault",
            Self::Done(_) => "Done",
        }
    }
}

impl Message for ToWorker {
    const NAME: &'static str = "call, to worker";
    const FRAME_BYTES: usize = FRAME_BYTES;
}

impl Message for FromWorker {
    const NAME: &'static str = "call, from worker";
    const FRAME_BYTES: usize = FRAME_BYTES;
}

/// The phases of a board that count as running the app's code.
#[must_use]
pub fn is_running(phase: Phase) -> bool {
    matches!(phase, Phase::Execute | Phase::Storage)
}
