//! A question whose body is still coming: put together within the op's limit and the budget, or passed over to its end.
//!
//! A question that is refused is answered only after the last part of its body has come, since a worker sends all of it
//! before it reads. What is passed over is counted all the same: more than an op may move is a breach.

use std::sync::Arc;

use fazt_protocol::{
    Breach,
    body::{Assembly, BodyError, Part},
    id::RequestId,
    limit::{DOCUMENT_BYTES, KV_VALUE_BYTES, OP_BODY_BYTES, QUERY_BYTES},
    op::{Code, Op, Refusal, ds, kv, s3},
};

use crate::{budget::Lease, leash::Leash, refusal::invalid};

/// A question and what has come of its body.
#[derive(Debug)]
pub(crate) struct Intake {
    pub(crate) asked: Asked,
    kept: Result<Kept, Refusal>,
    seen: usize,
    whole: bool,
}

/// The body.
#[derive(Debug)]
pub(crate) struct Kept {
    body: Option<Assembly>,
    pub(crate) lease: Lease,
    hasher: Option<blake3::Hasher>,
}

/// A whole body, its place in the budget, and the hash of a blob's.
pub(crate) type Body = (Vec<u8>, Lease, Option<blake3::Hash>);

/// What a question is known by before its body.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) number: u64,
    pub(crate) once: Option<String>,
    pub(crate) op: Op,
    pub(crate) request: RequestId,
    pub(crate) leash: Arc<Leash>,
    pub(crate) asked_ns: u64,
    /// When the request ends, whatever the parts of a body do.
    pub(crate) request_ends_ns: u64,
}

impl Intake {
    /// Begins with the part that came with the question, and with its refusal where it has no leave.
    pub(crate) fn begin(asked: Asked, refused: Option<Refusal>, first: Part, lease: Lease) -> Result<Self, Breach> {
        let hasher = matches!(asked.op, Op::S3(s3::Op::Put { .. })).then(blake3::Hasher::new);
        let kept = refused.map_or_else(|| Ok(Kept { body: None, lease, hasher }), Err);
        let mut intake = Self { asked, kept, seen: 0, whole: false };
        intake.push(first)?;
        Ok(intake)
    }

    /// Adds the next part.
    pub(crate) fn push(&mut self, part: Part) -> Result<(), Breach> {
        self.seen = self.seen.saturating_add(part.bytes.len());
        let breach = |said| Err(Breach { said, phase: "receiving a body" });
        if self.seen > OP_BODY_BYTES {
            return breach("Chunk past the limit");
        }
        if part.is_short() {
            return breach("a short Chunk that is not the last");
        }
        self.whole = part.last;
        let limit = limit(&self.asked.op);
        if let Ok(kept) = &mut self.kept
            && let Err(refusal) = kept.push(part, limit)
        {
            self.kept = Err(refusal);
        }
        Ok(())
    }

    pub(crate) fn is_whole(&self) -> bool {
        self.whole
    }

    /// Whether what comes of the body is still wanted.
    pub(crate) fn is_kept(&self) -> bool {
        self.kept.is_ok()
    }

    /// Its time is over: what comes of its body is passed over.
    pub(crate) fn refuse(&mut self, refusal: Refusal) {
        if self.kept.is_ok() {
            self.kept = Err(refusal);
        }
    }

    /// The body, its place in the budget and its hash; or the refusal.
    pub(crate) fn into_body(self) -> (Asked, Result<Body, Refusal>) {
        let body = self.kept.map(|kept| {
            let bytes = kept.body.map(Assembly::into_bytes).unwrap_or_default();
            (bytes, kept.lease, kept.hasher.map(|hasher| hasher.finalize()))
        });
        (self.asked, body)
    }
}

impl Kept {
    fn push(&mut self, part: Part, limit: Limit) -> Result<(), Refusal> {
        if !self.lease.grow(part.bytes.len()) {
            return Err(Refusal::new(Code::Unavailable, "too many large bodies at once; try again"));
        }
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&part.bytes);
        }
        let added = match &mut self.body {
            Some(body) => body.push(part),
            None => Assembly::begin(part, limit.bytes).map(|body| self.body = Some(body)),
        };
        added.map_err(|error| match error {
            BodyError::TooLarge(_) if limit.bytes == 0 => invalid("this call takes no body"),
            BodyError::TooLarge(bytes) => {
                Refusal::new(Code::TooLarge, format!("{} of more than {bytes} bytes", limit.what))
            }
            BodyError::ShortPart | BodyError::AfterEnd => invalid("a malformed body"),
        })
    }
}

#[derive(Debug, Clone, Copy)]
struct Limit {
    what: &'static str,
    bytes: usize,
}

/// What an op's body may hold.
fn limit(op: &Op) -> Limit {
    let limit = |what, bytes| Limit { what, bytes };
    match op {
        Op::Kv(kv::Op::Set { .. }) => limit("a value", KV_VALUE_BYTES),
        Op::S3(s3::Op::Put { .. }) => limit("one call's part of a blob", OP_BODY_BYTES),
        Op::Ds(op) => match op.verb {
            ds::Verb::Insert => limit("a document", DOCUMENT_BYTES),
            ds::Verb::InsertMany => limit("documents", OP_BODY_BYTES),
            ds::Verb::Update => limit("a query and its changes", QUERY_BYTES.saturating_add(DOCUMENT_BYTES)),
            ds::Verb::Find { .. } | ds::Verb::FindOne | ds::Verb::Delete | ds::Verb::Count => {
                limit("a query", QUERY_BYTES)
            }
        },
        Op::Kv(_) | Op::S3(_) | Op::Files(_) => limit("", 0),
    }
}
