//! Traces: what became of each request and where its time went, kept in a bounded ring.
//!
//! A trace is made once, when the request is over, and never changed. The parts of its breakdown follow each other and add
//! up to its duration; storage lies inside execute. Ids are clients' names: of two with one name the newest is found.

use std::{collections::VecDeque, sync::Arc};

use fazt_protocol::{
    call::{OpSpan, Spans},
    id::RequestId,
};
use parking_lot::Mutex;

use crate::fault::Code;

/// The most traces that are kept.
pub const TRACES: usize = 1_000;

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The app, a file or the farm's own interface answered.
    Answered,
    /// A fault was answered.
    Faulted(Code),
    /// The client went away first.
    ClientGone,
}

/// Where a request's time went, in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Breakdown {
    /// Waiting for a worker.
    pub queue_us: u64,
    /// Binding a blank worker to the app.
    pub bind_us: u64,
    /// Reading and parsing the body.
    pub parse_us: u64,
    /// Making the request object.
    pub inject_us: u64,
    /// The app's code, storage included.
    pub execute_us: u64,
    /// Making and passing on the answer, and all that is not named above.
    pub respond_us: u64,
    /// Waiting for the store, inside execute.
    pub storage_us: u64,
}

/// One finished request.
#[derive(Debug, Clone)]
pub struct Trace {
    /// Its name.
    pub id: RequestId,
    /// The app, where one was found.
    pub app: Option<Arc<str>>,
    /// The method.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The status that was answered.
    pub status: u16,
    /// How it ended.
    pub outcome: Outcome,
    /// When it began: Unix time in milliseconds.
    pub started_at: u64,
    /// From its head to its answer, in microseconds.
    pub duration_us: u64,
    /// Where that went.
    pub breakdown: Breakdown,
    /// The worker's CPU time, in microseconds.
    pub cpu_us: u64,
    /// The heap's high water, in bytes.
    pub memory_peak: u64,
    /// The worker's process.
    pub worker_pid: Option<i32>,
    /// The first storage operations, one by one.
    pub storage_ops: Vec<OpSpan>,
    /// Storage operations in all.
    pub storage_ops_total: u32,
}

/// The ring.
#[derive(Debug, Default)]
pub struct Traces(Mutex<VecDeque<Arc<Trace>>>);

impl Outcome {
    /// `ok`, a problem's code, or `client_gone`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Answered => "ok",
            Self::Faulted(code) => code.word(),
            Self::ClientGone => "client_gone",
        }
    }
}

impl Breakdown {
    /// Splits a duration: what the farm measured comes first, what is left is the answer's. Where clocks of two processes
    /// disagree by a little, the later parts give way, so that the parts always add up to the duration.
    #[must_use]
    pub fn of(duration_us: u64, queue_us: u64, bind_us: u64, spans: Spans) -> Self {
        let mut left = duration_us;
        let mut take = |wanted: u64| {
            let taken = wanted.min(left);
            left = left.saturating_sub(taken);
            taken
        };
        let queue_us = take(queue_us);
        let bind_us = take(bind_us);
        let execute_us = take(u64::from(spans.execute_us));
        let parse_us = take(u64::from(spans.parse_us));
        let inject_us = take(u64::from(spans.inject_us));
        let storage_us = u64::from(spans.storage_us).min(execute_us);
        Self { queue_us, bind_us, parse_us, inject_us, execute_us, respond_us: left, storage_us }
    }
}

impl Traces {
    /// Keeps one more, and lets the oldest go.
    pub fn keep(&self, trace: Arc<Trace>) {
        let mut ring = self.0.lock();
        if ring.len() == TRACES {
            ring.pop_front();
        }
        ring.push_back(trace);
    }

    /// The newest of that name.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<Arc<Trace>> {
        self.0.lock().iter().rev().find(|trace| trace.id.as_str() == id).map(Arc::clone)
    }

    /// The newest that hold, newest first, at most `limit`.
    #[must_use]
    pub fn newest(&self, limit: usize, holds: impl Fn(&Trace) -> bool) -> Vec<Arc<Trace>> {
        self.0.lock().iter().rev().filter(|trace| holds(trace)).take(limit.min(TRACES)).map(Arc::clone).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_add_up_whatever_the_clocks_say() {
        for (duration, execute) in [(100, 10), (100, 100), (100, 5_000), (0, 7)] {
            let spans = Spans { parse_us: 3, inject_us: 4, execute_us: execute, respond_us: 5, storage_us: 9_999 };
            let parts = Breakdown::of(duration, 20, 30, spans);
            let sum =
                parts.queue_us + parts.bind_us + parts.parse_us + parts.inject_us + parts.execute_us + parts.respond_us;
            assert_eq!(sum, duration);
            assert!(parts.storage_us <= parts.execute_us);
        }
    }
}
