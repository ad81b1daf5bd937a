//! The op conversation, worker ↔ store: one question and its answer at a time, for the one app of this channel.
//!
//! The store knows the app from the channel; no message can name another. The first op of a request carries the router's
//! [`Grant`]; the store refuses ops without one that is sealed, newest and in time. Values travel as JSON text in bodies.

pub mod ds;
pub mod files;
pub mod kv;
pub mod s3;

use serde::{Deserialize, Serialize};

use crate::{
    Message,
    body::Part,
    bounded,
    grant::Grant,
    limit::{ERROR_TEXT_BYTES, FRAME_BYTES, TOKEN_BYTES},
};

/// What a worker says to the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToStore {
    /// One question.
    Ask(Box<Ask>),
    /// More of its body.
    Chunk(Part),
}

/// One question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// Rises by one with each question of a channel.
    pub number: u64,
    /// With the first question of a request.
    pub grant: Option<Grant>,
    /// When the worker stops waiting for it, in nanoseconds of CLOCK_MONOTONIC; the store clamps it to its own limit and to
    /// the grant. A moment and no length: a question that lay unread under a store that was stopped is stale by itself.
    pub until_ns: u64,
    /// With a write, the app's token for it: applied at most once a day, and answered with the first result again.
    #[serde(deserialize_with = "bounded::optional_text::<_, TOKEN_BYTES>")]
    pub once: Option<String>,
    /// What is asked.
    pub op: Op,
    /// The value, document, query or blob.
    pub body: Part,
}

/// What can be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Op {
    /// The app's own files.
    Files(files::Op),
    /// Key and value.
    Kv(kv::Op),
    /// Documents.
    Ds(ds::Op),
    /// Blobs.
    S3(s3::Op),
}

/// What the store says to a worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromStore {
    /// The answer to the question of that number.
    Answer(Box<Answer>),
    /// More of its body.
    Chunk(Part),
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The question that it answers.
    pub number: u64,
    /// What the store spent on it, waiting in its queues included, in microseconds.
    pub spent_us: u32,
    /// What came of it.
    pub outcome: Result<Found, Refusal>,
    /// JSON text or a blob's bytes, as [`Found`] says.
    pub body: Part,
}

/// What an op found or did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Found {
    /// Done, nothing to say.
    Done,
    /// There is no such thing: `undefined` or `null` in JavaScript.
    Nothing,
    /// Whether it existed, held or was applied.
    Flag(bool),
    /// A number of things, or a counter's new value.
    Number(f64Bits),
    /// The body is JSON text.
    Json,
    /// The body is the bytes of a file, or of an encoded list of sources.
    Bytes,
    /// The body is a blob's bytes.
    Blob(s3::Head),
}

/// A double as its bits, so that messages can be compared and told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(non_camel_case_types, reason = "it reads as the primitive that it carries")]
pub struct f64Bits(u64);

/// An op that was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{}: {message}", code.word())]
pub struct Refusal {
    /// The code of `StorageError`.
    pub code: Code,
    /// In words, for the app's author.
    #[serde(deserialize_with = "bounded::text::<_, ERROR_TEXT_BYTES>")]
    pub message: String,
    /// Whether a write may have happened all the same.
    pub unknown: bool,
}

/// The codes of `StorageError`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Code {
    /// The deadline passed first.
    Timeout,
    /// The app's storage, or a collection, is full.
    QuotaExceeded,
    /// A key, value, document or blob is too large.
    TooLarge,
    /// An argument is not what the call takes.
    InvalidArgument,
    /// The id is taken.
    Conflict,
    /// Too many calls.
    RateLimited,
    /// The store cannot answer now.
    Unavailable,
}

impl Code {
    /// The word that apps see.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Timeout => "TIMEOUT",
            Self::QuotaExceeded => "QUOTA_EXCEEDED",
            Self::TooLarge => "TOO_LARGE",
            Self::InvalidArgument => "INVALID_ARGUMENT",
            Self::Conflict => "CONFLICT",
            Self::RateLimited => "RATE_LIMITED",
            Self::Unavailable => "UNAVAILABLE",
        }
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_retryable(self) -> bool {
        matches!(self, Self::Timeout | Self::RateLimited | Self::Unavailable)
    }
}

impl Refusal {
    /// A refusal of something that surely was not done.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), unknown: false }
    }

    /// The same where a write may have happened.
    #[must_use]
    pub fn unknown(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), unknown: true }
    }
}

impl f64Bits {
    /// The double.
    #[must_use]
    pub fn get(self) -> f64 {
        f64::from_bits(self.0)
    }
}

impl From<f64> for f64Bits {
    fn from(number: f64) -> Self {
        Self(number.to_bits())
    }
}

impl Op {
    /// The name in traces and logs: `kv.get`, `ds.insert`, …
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Files(op) => op.name(),
            Self::Kv(op) => op.name(),
            Self::Ds(op) => op.name(),
            Self::S3(op) => op.name(),
        }
    }

    /// Whether it may change anything.
    #[must_use]
    pub fn is_write(&self) -> bool {
        match self {
            Self::Files(_) => false,
            Self::Kv(op) => op.is_write(),
            Self::Ds(op) => op.is_write(),
            Self::S3(op) => op.is_write(),
        }
    }

    /// Whether it is a load's, which may take as long as the load: no app waits within it, and how much it brings is not known
    /// before.
    #[must_use]
    pub fn is_load(&self) -> bool {
        matches!(self, Self::Files(files::Op::Sources))
    }

    /// The collection, for documents.
    #[must_use]
    pub fn collection(&self) -> Option<&str> {
        match self {
            Self::Ds(op) => Some(op.collection()),
            _ => None,
        }
    }
}

impl Message for ToStore {
    const NAME: &'static str = "op, to store";
    const FRAME_BYTES: usize = FRAME_BYTES;
}

impl Message for FromStore {
    const NAME: &'static str = "op, from store";
    const FRAME_BYTES: usize = FRAME_BYTES;
}
