//! Every way that a request can end without an app's own answer, as the caller is told of it.
//!
//! Faults are born where they happen (edge, guard, farm) and turned into HTTP in one place, `edge/problem.rs`.
//! [`Code`] is the closed list of words that clients, logs, traces and metrics see.

use std::time::Duration;

use fazt_protocol::{board::Phase, call};

/// The word for an end: `code` of a problem, `outcome` of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// 400: the JSON body does not parse.
    InvalidJson,
    /// 400: the form does not parse.
    InvalidBody,
    /// 400: the request itself breaks a rule.
    InvalidRequest,
    /// 401: no token, or a wrong one.
    Unauthorized,
    /// 404: no app answers to this host.
    AppNotFound,
    /// 404: the app has no `api/main.js`.
    NoHandler,
    /// 404: no such file or resource.
    NotFound,
    /// 405, 417, 501, 505: the farm does not do this.
    NotSupported,
    /// 408: the request came too slowly.
    RequestTimeout,
    /// 413: the body is over its limit.
    BodyTooLarge,
    /// 414: the target is over its limit.
    UriTooLong,
    /// 422: a deploy breaks a rule.
    DeployRefused,
    /// 429: too many wrong tokens, or (later) requests.
    RateLimited,
    /// 431: the headers are over their limit.
    HeadersTooLarge,
    /// 500: a mistake of the router's own.
    Internal,
    /// 500: the app threw.
    ScriptError,
    /// 500: what the app returned is no answer.
    InvalidResponse,
    /// 500: the heap's limit.
    MemoryLimit,
    /// 500: a promise that nothing can settle.
    NeverSettled,
    /// 502: the worker died or broke the protocol.
    WorkerCrashed,
    /// 503: the app's queue is full.
    QueueFull,
    /// 503: no worker came free in time.
    QueueTimeout,
    /// 503: the store does not answer.
    StoreUnavailable,
    /// 503: no worker can be made, or no memory is left for bodies.
    Overloaded,
    /// 503: the farm is on its way down.
    ShuttingDown,
    /// 504: the run limit or the whole request's.
    Timeout,
    /// 504: a storage call past its time, uncaught.
    StorageTimeout,
    /// 507: the app's storage is full, uncaught.
    QuotaExceeded,
}

/// One end, with what is known of it.
#[derive(Debug, Clone)]
pub struct Fault {
    /// Which end.
    pub code: Code,
    /// The status, where the code has more than one.
    pub status: u16,
    /// One sentence for the client, without source, path or stack.
    pub detail: String,
    /// Where in the app's code, for those who may see it.
    pub place: Option<Box<call::Place>>,
    /// When to try again.
    pub retry_after: Option<Duration>,
    /// Where the request was.
    pub phase: Option<Phase>,
}

impl Code {
    /// The word.
    #[must_use]
    pub fn word(self) -> &'static str {
        self.row().0
    }

    /// The usual status.
    #[must_use]
    pub fn status(self) -> u16 {
        self.row().1
    }

    /// The problem's title.
    #[must_use]
    pub fn title(self) -> &'static str {
        self.row().2
    }

    /// Whether the same request may succeed later.
    #[must_use]
    pub fn is_retryable(self) -> bool {
        matches!(self.status(), 408 | 429 | 502 | 503 | 504)
    }

    fn row(self) -> (&'static str, u16, &'static str) {
        match self {
            Self::InvalidJson => ("invalid_json", 400, "The body is not valid JSON"),
            Self::InvalidBody => ("invalid_body", 400, "The body cannot be read"),
            Self::InvalidRequest => ("invalid_request", 400, "The request is not valid"),
            Self::Unauthorized => ("unauthorized", 401, "A token is needed"),
            Self::AppNotFound => ("app_not_found", 404, "No app answers here"),
            Self::NoHandler => ("no_handler", 404, "The app has no handler"),
            Self::NotFound => ("not_found", 404, "Not found"),
            Self::NotSupported => ("not_supported", 501, "Not supported"),
            Self::RequestTimeout => ("request_timeout", 408, "The request took too long to arrive"),
            Self::BodyTooLarge => ("body_too_large", 413, "The body is too large"),
            Self::UriTooLong => ("uri_too_long", 414, "The target is too long"),
            Self::DeployRefused => ("deploy_refused", 422, "The deploy was refused"),
            Self::RateLimited => ("rate_limited", 429, "Too many requests"),
            Self::HeadersTooLarge => ("headers_too_large", 431, "The headers are too large"),
            Self::Internal => ("internal", 500, "The farm failed"),
            Self::ScriptError => ("script_error", 500, "The app failed"),
            Self::InvalidResponse => ("invalid_response", 500, "The app's answer is not valid"),
            Self::MemoryLimit => ("memory_limit", 500, "The app ran out of memory"),
            Self::NeverSettled => ("never_settled", 500, "The app never answered"),
            Self::WorkerCrashed => ("worker_crashed", 502, "The app's process ended"),
            Self::QueueFull => ("queue_full", 503, "The app's queue is full"),
            Self::QueueTimeout => ("queue_timeout", 503, "No worker came free in time"),
            Self::StoreUnavailable => ("store_unavailable", 503, "Storage is not available"),
            Self::Overloaded => ("overloaded", 503, "The farm is overloaded"),
            Self::ShuttingDown => ("shutting_down", 503, "The farm is shutting down"),
            Self::Timeout => ("timeout", 504, "Execution timed out"),
            Self::StorageTimeout => ("storage_timeout", 504, "Storage timed out"),
            Self::QuotaExceeded => ("quota_exceeded", 507, "The app's storage is full"),
        }
    }
}

impl Fault {
    /// A fault with its usual status.
    #[must_use]
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        let retry_after = (code.status() == 503 || code.status() == 429).then_some(Duration::from_secs(1));
        Self { code, status: code.status(), detail: detail.into(), place: None, retry_after, phase: None }
    }

    /// The same with another status of the same code.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// What a worker said in place of an answer.
    #[must_use]
    pub fn from_worker(fault: call::Fault) -> Self {
        let code = match fault.kind {
            call::FaultKind::NoHandler => Code::NoHandler,
            call::FaultKind::ScriptError | call::FaultKind::Stack => Code::ScriptError,
            call::FaultKind::InvalidJson => Code::InvalidJson,
            call::FaultKind::InvalidBody => Code::InvalidBody,
            call::FaultKind::SoftTimeout => Code::Timeout,
            call::FaultKind::Memory => Code::MemoryLimit,
            call::FaultKind::NeverSettled => Code::NeverSettled,
            call::FaultKind::InvalidResponse => Code::InvalidResponse,
            call::FaultKind::StorageTimeout => Code::StorageTimeout,
            call::FaultKind::StorageUnavailable => Code::StoreUnavailable,
            call::FaultKind::QuotaExceeded => Code::QuotaExceeded,
        };
        let detail = match fault.kind {
            call::FaultKind::SoftTimeout => format!("api/main.js {}", fault.message),
            _ => fault.message,
        };
        Self { place: fault.place.map(Box::new), ..Self::new(code, detail) }
    }
}
