//! The conversations between the processes of the farm: messages, frames, codec, limits, pipes.
//!
//! This crate encodes, parses and checks, and nothing else: it knows no policy, starts no process and opens no file. What two
//! ends have to reckon alike stands here too, as plain state: [`clock`], [`share`].
//! Every message is hostile until it was decoded here; what decodes here is within the limits of [`limit`].
//!
//! | conversation | ends | module |
//! | --- | --- | --- |
//! | call | router ↔ worker | [`call`] |
//! | op | worker ↔ store | [`op`] |
//! | registry | router ↔ store | [`registry`] |
//! | spawn | router ↔ zygote | [`spawn`] |
//!
//! A builder (one for each deploy) is a worker of another kind: what it says over its call descriptor is [`builder`].

pub mod board;
pub mod body;
mod bounded;
pub mod builder;
pub mod call;
pub mod clock;
mod codec;
pub mod fd;
pub mod frame;
pub mod grant;
pub mod heap;
pub mod id;
pub mod limit;
pub mod op;
pub mod pipe;
pub mod registry;
pub mod share;
pub mod spawn;
pub mod version;

pub use codec::{CodecError, decode, encode};

/// One direction of a conversation: what may be framed, and how large such a frame may be.
pub trait Message: serde::Serialize + serde::de::DeserializeOwned {
    /// The conversation and direction, for error messages ("call, from worker").
    const NAME: &'static str;
    /// The largest frame of this direction, in bytes of payload.
    const FRAME_BYTES: usize;
}

/// What every phase machine answers when a peer says something out of phase. The peer's process is ended for it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{said} is not permitted while {phase}")]
pub struct Breach {
    /// The message's name.
    pub said: &'static str,
    /// The phase in which it came.
    pub phase: &'static str,
}
