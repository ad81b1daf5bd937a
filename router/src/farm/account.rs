//! The account of one call: what the caller was told, once, and what the call has cost.

use std::time::{Duration, Instant};

use fazt_protocol::{
    board::Snapshot,
    body::Assembly,
    call::{self, Done, Spans},
    clock,
};
use tokio::sync::oneshot;

use super::{
    door::Verdict,
    hearing::Heard,
    job::{Finished, Job, Reply, Timing},
};
use crate::fault::Fault;

/// One call, from the keeper's side.
pub(super) struct Exchange {
    pub(super) job: Box<Job>,
    pub(super) answer: Option<oneshot::Sender<Verdict>>,
    pub(super) later: Option<oneshot::Sender<Box<Done>>>,
    pub(super) timing: Timing,
    pub(super) number: u64,
    pub(super) began: Instant,
    pub(super) soft: Duration,
    pub(super) deadline_ns: u64,
}

impl Exchange {
    fn say(&mut self, reply: Result<Reply, Fault>) {
        let Some(answer) = self.answer.take() else { return };
        let timing = std::mem::take(&mut self.timing);
        // A caller that went away is told nothing.
        let _gone = answer.send(Verdict::Finished(Box::new(Finished { reply, timing })));
    }

    pub(super) fn fault(&mut self, fault: Fault) {
        self.say(Err(fault));
    }

    pub(super) fn reply(&mut self, head: call::Reply, body: Assembly) {
        self.timing.spans = if self.timing.spans == Spans::default() { head.spans } else { self.timing.spans };
        self.say(Ok(Reply { status: head.status, headers: head.headers, body: body.into_bytes() }));
    }

    /// The answer is whole and the end of the call is not in sight: the caller need not wait for it.
    pub(super) fn answer_early(&mut self, heard: &mut Heard) {
        let is_whole = heard.reply.as_ref().is_some_and(|(_, body)| body.is_whole());
        if !is_whole || self.answer.is_none() {
            return;
        }
        if let Some((head, body)) = heard.reply.take() {
            let (later, done) = oneshot::channel();
            self.later = Some(later);
            self.timing.later = Some(done);
            self.reply(head, body);
        }
    }

    pub(super) fn settle_times(&mut self, done: Done) {
        self.timing.spans = done.spans;
        self.timing.cpu_us = u64::from(done.cpu_us);
        self.timing.heap_peak = done.heap_peak;
        self.timing.ops = done.ops;
        self.timing.ops_total = done.storage_ops;
    }

    /// What is known of a worker that can no longer be asked: all its time counts as running the app's code.
    pub(super) fn spans_from_board(&mut self, board: Snapshot) {
        let ran = clock::micros(self.began.elapsed());
        let storage_us = u32::try_from(board.storage_us).unwrap_or(u32::MAX).min(ran);
        self.timing.spans = Spans { execute_us: ran, storage_us, ..Spans::default() };
        self.timing.ops_total = board.storage_ops;
    }

    pub(super) fn hand_back(mut self) {
        if let Some(answer) = self.answer.take() {
            let _gone = answer.send(Verdict::Unserved(self.job));
        }
    }
}

/// Whole microseconds, saturating.
pub(super) fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}
