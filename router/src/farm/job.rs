//! What the edge gives the farm, and what it gets back: the only types that the two share.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use fazt_protocol::{
    call::{Done, LogLine, OpSpan, Spans, Work},
    id::RequestId,
};
use tokio::sync::oneshot;

use crate::{catalog::Served, fault::Fault};

/// One request for a worker.
#[derive(Debug)]
pub struct Job {
    /// Which app, at which version.
    pub served: Arc<Served>,
    /// Its name.
    pub id: RequestId,
    /// A request, or code to execute.
    pub work: Work,
    /// The whole body.
    pub body: Vec<u8>,
    /// When its head was there: queueing counts from here.
    pub arrived: Instant,
    /// The run limit.
    pub run: Duration,
    /// The whole request's limit.
    pub deadline: Instant,
    /// Whether stacks, source lines and log lines are wanted back.
    pub debug: bool,
    /// Whether a worker was gone already before it began with it.
    pub handed_on: bool,
}

/// What became of it.
#[derive(Debug)]
pub struct Finished {
    /// The app's answer, or why there is none.
    pub reply: Result<Reply, Fault>,
    /// Where its time went.
    pub timing: Timing,
}

/// An app's answer, checked: a status of 200 to 599, headers that are headers.
#[derive(Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// What the farm knows of a request's time.
#[derive(Debug, Default)]
pub struct Timing {
    /// Waiting for a worker, in microseconds.
    pub queue_us: u64,
    /// Binding a blank one, in microseconds.
    pub bind_us: u64,
    /// Inside the worker; of one that was killed, what its board said.
    pub spans: Spans,
    /// The worker's CPU time, in microseconds.
    pub cpu_us: u64,
    /// The heap's high water, in bytes.
    pub heap_peak: u64,
    /// The worker's process.
    pub pid: Option<i32>,
    /// The first storage operations.
    pub ops: Vec<OpSpan>,
    /// Storage operations in all.
    pub ops_total: u32,
    /// The app's log lines, where they were wanted.
    pub logs: Vec<LogLine>,
    /// The end of the call, where the answer went out before it: then spans, CPU and ops above are not yet final.
    pub later: Option<oneshot::Receiver<Box<Done>>>,
}

impl Timing {
    /// All that was spent so far was waiting.
    #[must_use]
    pub fn queued(arrived: Instant) -> Self {
        let waited = Instant::now().saturating_duration_since(arrived);
        Self { queue_us: u64::try_from(waited.as_micros()).unwrap_or(u64::MAX), ..Self::default() }
    }
}
