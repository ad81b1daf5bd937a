//! What goes into an engine and what comes out: its configuration, an app, a job, what it cost; and what the engine asks of
//! the outside.

use std::{collections::BTreeMap, time::Duration};

use fazt_protocol::{
    board::Phase,
    call::{Limits, LogLine, OpSpan, Spans, Work},
    op::{Found, Op, Refusal},
};

use crate::{arena::Arena, outcome::Outcome};

/// How requests get a fresh heap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FreshState {
    /// The heap is put back from its image; pages that were written only.
    #[default]
    Image,
    /// The same, all pages: the tests' reference.
    WholeImage,
    /// A new context for each request in the same runtime: the yardstick, and a switch in the field.
    Context,
    /// The heap as the last request left it: what freshness costs is measured against this, and nothing else may use it.
    UsedAgain,
}

/// How an engine is built.
#[derive(Debug, Clone, Copy)]
pub struct Config {
    /// See [`FreshState`].
    pub fresh_state: FreshState,
    /// The most that any app's heap limit may be, in bytes: address space that is reserved, not memory.
    pub heap_bytes_most: usize,
}

/// What the engine asks of the outside.
pub trait Host {
    /// Asks the store, and waits for the answer within the request's deadline.
    ///
    /// # Errors
    /// The store's refusal, or one that stands for its silence.
    fn ask(&mut self, question: &Question<'_>) -> Result<OpReply, Refusal>;

    /// Takes a line of the app's log.
    fn log(&mut self, line: LogLine);

    /// Is told which part of the run begins.
    fn phase(&mut self, phase: Phase);
}

/// One storage call.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// What is asked.
    pub op: &'a Op,
    /// A write's token: it is done once, however often it is asked.
    pub once: Option<&'a str>,
    /// The value, document, query or blob.
    pub body: &'a [u8],
}

/// The store's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpReply {
    /// What it found or did.
    pub found: Found,
    /// JSON text or bytes, as `found` says.
    pub body: Vec<u8>,
    /// What the store spent on it, in microseconds.
    pub store_us: u32,
}

/// An app, as the engine needs it.
#[derive(Debug, Clone)]
pub struct App {
    /// Its name.
    pub name: String,
    /// The version that is served.
    pub version: u64,
    /// Its environment.
    pub env: Vec<(String, String)>,
    /// Texts by path (`api/main.js`, `api/lib/db.js`, `api/data.json`).
    pub files: BTreeMap<String, String>,
    /// What its requests may use.
    pub limits: Limits,
}

/// One thing to do.
#[derive(Debug, Clone, Copy)]
pub struct Job<'a> {
    /// The request's id.
    pub id: &'a str,
    /// A request, or code to execute.
    pub work: &'a Work,
    /// The request's body, or the code.
    pub body: &'a [u8],
    /// The soft limit, from now.
    pub run: Duration,
}

/// How a job ended, and what it cost.
#[derive(Debug, Clone)]
pub struct Finished {
    /// How it ended.
    pub outcome: Outcome,
    /// The end in words for a client who has no right to the app's source, where [`Outcome::message`] shows some of it.
    pub public: Option<String>,
    /// Where its time went.
    pub spans: Spans,
    /// CPU time of this thread, in microseconds.
    pub cpu_us: u32,
    /// The heap's high water, image included, in bytes.
    pub heap_peak: u64,
    /// Storage operations in all.
    pub storage_ops: u32,
    /// The first of them, one by one.
    pub ops: Vec<OpSpan>,
    /// Whether this worker should not serve again.
    pub retire: bool,
}

impl Config {
    /// What an engine may have mapped to write to at one moment: its arena, and beside it either the next image, before that
    /// is made read-only, or the arena of the next runtime.
    #[must_use]
    pub fn mapped_bytes(&self) -> u64 {
        let arena = Arena::reserved_bytes(self.heap_bytes_most);
        let beside = match self.fresh_state {
            FreshState::Context => arena,
            FreshState::Image | FreshState::WholeImage | FreshState::UsedAgain => self.heap_bytes_most.min(arena),
        };
        (arena as u64).saturating_add(beside as u64)
    }
}

impl<'a> Question<'a> {
    /// A question without a token.
    #[must_use]
    pub fn new(op: &'a Op, body: &'a [u8]) -> Self {
        Self { op, once: None, body }
    }

    /// Whether it may be asked again by somebody who cannot know whether it was done.
    pub(crate) fn is_repeatable(&self) -> bool {
        self.once.is_some() || !self.op.is_write()
    }
}

impl Job<'_> {
    /// The soft limit in whole milliseconds.
    pub(super) fn run_ms(&self) -> u64 {
        u64::try_from(self.run.as_millis()).unwrap_or(u64::MAX)
    }
}
