//! What the writer is given to do.

use std::{
    fmt,
    ops::{Deref, DerefMut},
    sync::Arc,
};

use fazt_protocol::{op::Refusal, registry::Answer};
use tokio::sync::oneshot;

use super::Hand;
use crate::{
    ds::Plan,
    fair::{Kind, Piece},
    leash::Leash,
    question::{Question, REGISTRY_KIND, Reply},
    refusal::OpError,
    s3,
    store::Store,
};

/// What an app may use of the writer's time before another one's write of many documents has its turn: enough for hundreds of
/// small ones, and far less than a call may take.
const HEAD_START_NS: u64 = 10_000_000;

/// Work for the writer.
pub(crate) enum Write {
    /// A worker's op.
    Op(Box<Job>),
    /// The registry's.
    Task(Box<Task>),
}

/// A worker's op, and what a reader made of it or said against it, where it was with one first.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) question: Question,
    pub(crate) plan: Option<Result<Plan, Refusal>>,
}

/// Called again where its group is given up.
type Work = Box<dyn FnMut(&mut Hand<'_>) -> Result<Answer, OpError> + Send>;

/// Something that the registry wants done, and done again where its group is given up.
pub(crate) struct Task {
    pub(super) work: Work,
    pub(super) done: oneshot::Sender<Result<Answer, Refusal>>,
    pub(super) leash: Arc<Leash>,
    pub(super) tries: u8,
}

impl Write {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Op(job) => job.op.name(),
            Self::Task(_) => "registry",
        }
    }

    pub(super) fn is_wanted(&self) -> bool {
        match self {
            Self::Op(job) => job.is_wanted(),
            Self::Task(_) => true,
        }
    }

    /// Bytes that it writes at once of those that it was given.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Op(job) => job.body.len().min(s3::write::STEP_BYTES),
            Self::Task(_) => 0,
        }
    }

    pub(super) fn is_past(&self) -> bool {
        match self {
            Self::Op(job) => job.leash.is_past(),
            Self::Task(task) => task.leash.is_past(),
        }
    }

    pub(super) fn tries(&self) -> u8 {
        match self {
            Self::Op(job) => job.tries,
            Self::Task(task) => task.tries,
        }
    }

    pub(super) fn refuse(self, store: &Store, refusal: Refusal) {
        match self {
            Self::Op(job) => job.answer(store, Err(refusal)),
            // Who no longer waits does not want to know.
            Self::Task(task) => drop(task.done.send(Err(refusal))),
        }
    }
}

impl Piece for Write {
    fn kind(&self) -> Kind {
        match self {
            Self::Op(job) => job.question.kind(),
            Self::Task(_) => REGISTRY_KIND,
        }
    }

    /// As what may take long does: a write of many documents. It has a group of its own, so that nobody waits for its end to
    /// have an answer.
    fn stands_back_ns(&self) -> u64 {
        match self {
            Self::Op(job) if matches!(&job.plan, Some(Ok(plan)) if plan.is_large()) => HEAD_START_NS,
            Self::Op(_) | Self::Task(_) => 0,
        }
    }
}

impl Job {
    /// Answers it, if nobody has.
    pub(super) fn answer(self, store: &Store, outcome: Result<Reply, Refusal>) {
        self.question.answer(store, outcome);
    }
}

impl Deref for Job {
    type Target = Question;

    fn deref(&self) -> &Question {
        &self.question
    }
}

impl DerefMut for Job {
    fn deref_mut(&mut self) -> &mut Question {
        &mut self.question
    }
}

impl fmt::Debug for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Op(_) => "Op",
            Self::Task(_) => "Task",
        })
    }
}
