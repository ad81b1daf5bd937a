//! One op whose body is whole, on its way from a session to the thread that executes it, and its answer on the way back.
//!
//! Whoever has the answer sends it, from whatever thread: the writer after its commit, a reader, the reactor, or the
//! session at the deadline. The channel's [`Channel::claim`] decides who was first; the others' answers are dropped.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use fazt_protocol::{
    body::{Part, parts},
    clock, frame,
    id::RequestId,
    limit::{CHUNK_BYTES, SLOW_OP_MS},
    op::{Answer, Code, Found, FromStore, Op, Refusal},
};

use crate::{
    budget::{Budget, Lease},
    ds,
    fair::{Kind, Piece},
    leash::Leash,
    s3::Staging,
    session::Channel,
    store::Store,
};

/// What an op found or did, and the body of its answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) found: Found,
    pub(crate) body: Vec<u8>,
    /// What a large body takes of the budget, until it is on its way.
    pub(crate) lease: Option<Lease>,
}

/// An op.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) channel: Arc<Channel>,
    pub(crate) number: u64,
    pub(crate) request: RequestId,
    /// A write's token: it is done once.
    pub(crate) once: Option<String>,
    pub(crate) op: Op,
    pub(crate) body: Vec<u8>,
    /// BLAKE3 of the body, of blobs alone: taken as the parts came.
    pub(crate) hash: Option<blake3::Hash>,
    /// What the body takes of the budget.
    pub(crate) lease: Lease,
    pub(crate) leash: Arc<Leash>,
    /// When it arrived.
    pub(crate) asked_ns: u64,
    /// When its request ends.
    pub(crate) ends_ns: u64,
    /// A blob that is written in steps.
    pub(crate) staging: Option<Staging>,
    /// How often a group that it was in was given up.
    pub(crate) tries: u8,
}

impl Reply {
    pub(crate) fn of(found: Found) -> Self {
        Self::with(found, Vec::new())
    }

    pub(crate) fn json(body: Vec<u8>) -> Self {
        Self::with(Found::Json, body)
    }

    pub(crate) fn with(found: Found, body: Vec<u8>) -> Self {
        Self { found, body, lease: None }
    }

    /// Takes room for a large body.
    pub(crate) fn leased(mut self, bodies: &Arc<Budget>, app: u64) -> Result<Self, Refusal> {
        if self.body.len() > CHUNK_BYTES {
            let mut lease = bodies.lease(app);
            if !lease.grow(self.body.len()) {
                return Err(Refusal::new(Code::Unavailable, "too many large answers at once; try again"));
            }
            self.lease = Some(lease);
        }
        Ok(self)
    }
}

impl Question {
    /// Begins it, unless its time is over or somebody has answered it already.
    pub(crate) fn start(&self) -> bool {
        // In this order: who answers at the deadline claims first and looks at this flag afterwards.
        self.leash.start();
        self.is_wanted()
    }

    /// Whether anybody waits for its answer.
    pub(crate) fn is_wanted(&self) -> bool {
        self.channel.is_in_hand(self.number) && !self.leash.is_past()
    }

    /// Answers it, if nobody has.
    pub(crate) fn answer(self, store: &Store, mut outcome: Result<Reply, Refusal>) {
        let spent_us = self.spent_us();
        if self.channel.claim(self.number) {
            self.log(spent_us, outcome.as_ref().err());
            store.counters.ops.fetch_add(1, Relaxed);
            let lease = outcome.as_mut().ok().and_then(|reply| reply.lease.take()).unwrap_or(self.lease);
            self.channel.outlet.send(encode(self.number, spent_us, outcome), lease);
        }
    }

    fn spent_us(&self) -> u32 {
        u32::try_from(clock::now_ns().saturating_sub(self.asked_ns) / 1_000).unwrap_or(u32::MAX)
    }

    fn log(&self, spent_us: u32, refusal: Option<&Refusal>) {
        let (request_id, app, op) = (self.request.as_str(), self.channel.app_name.as_str(), self.op.name());
        if u64::from(spent_us) >= SLOW_OP_MS.saturating_mul(1_000) {
            let shape = ds::shape(&self.op, &self.body);
            tracing::warn!(request_id, app, op, ms = f64::from(spent_us) / 1_000.0, shape, "slow_op");
        }
        if let Some(refusal) = refusal {
            let (code, unknown) = (refusal.code.word(), refusal.unknown);
            tracing::debug!(request_id, app, op, code, unknown, "refused: {}", refusal.message);
        }
    }
}

/// What the registry asks for, which is of one kind.
pub(crate) const REGISTRY_KIND: Kind = ("registry", 0);

impl Piece for Question {
    /// The op, and about how large its body is: in powers of two, from 4 KiB on.
    fn kind(&self) -> Kind {
        let pages = self.body.len() >> 12;
        let size = usize::BITS.saturating_sub(pages.leading_zeros());
        (self.op.name(), u8::try_from(size).unwrap_or(u8::MAX))
    }
}

/// The frames of an answer.
pub(crate) fn encode(number: u64, spent_us: u32, outcome: Result<Reply, Refusal>) -> Vec<u8> {
    let (outcome, body) = match outcome {
        Ok(reply) => (Ok(reply.found), reply.body),
        Err(refusal) => (Err(refusal), Vec::new()),
    };
    let mut out = Vec::with_capacity(body.len().saturating_add(128));
    let head = |body| FromStore::Answer(Box::new(Answer { number, spent_us, outcome, body }));
    let written = if body.len() <= CHUNK_BYTES {
        frame::write(&head(Part::whole(body)), &mut out)
    } else {
        let (first, rest) = parts(&body);
        let head = frame::write(&head(first), &mut out);
        rest.fold(head, |so_far, part| so_far.and_then(|()| frame::write(&FromStore::Chunk(part), &mut out)))
    };
    if let Err(error) = written {
        // Nothing that is composed here outgrows its frame; if it ever does, the worker's own deadline ends its wait.
        tracing::error!("failed to {error}");
    }
    out
}
