//! What the farm is told at its start.

use std::{path::PathBuf, time::Duration};

/// Configuration of the farm, complete and checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// `fazt-worker`.
    pub worker_program: PathBuf,
    /// Processes that serve.
    pub workers: usize,
    /// Of these, how many one app may hold.
    pub app_max_workers: usize,
    /// Requests that may wait for one app's workers.
    pub queue_depth: usize,
    /// How long one may wait.
    pub queue_timeout: Duration,
    /// The JavaScript heap, in bytes.
    pub memory_bytes: u64,
    /// One storage call.
    pub storage_timeout: Duration,
    /// After how many requests a worker is replaced.
    pub max_requests_per_worker: u64,
    /// What an answer's body may have, in bytes.
    pub answer_bytes: usize,
    /// How strict the jail is.
    pub sandbox: Sandbox,
    /// How a worker forgets.
    pub fresh_state: FreshState,
}

/// How strict the jail is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sandbox {
    /// Every layer that this user can have, or no start.
    Strict,
    /// What there is, and a warning that says what is missing.
    BestEffort,
    /// None: for development only.
    Off,
}

/// How a worker forgets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FreshState {
    /// The heap is put back from its image.
    Image,
    /// A new context each time: the yardstick.
    Context,
}

impl Sandbox {
    /// As flags and status say it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::BestEffort => "best-effort",
            Self::Off => "off",
        }
    }
}

impl FreshState {
    /// As flags and status say it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Context => "context",
        }
    }
}
