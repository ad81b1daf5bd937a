//! Typed pipes: one conversation over one socket, what comes in and what goes out named by type.
//!
//! [`Pipe`] blocks, for single-threaded processes (worker, zygote). `asynchronous::Pipe` is for tokio, behind the
//! feature `async`. Both end a conversation at the first error: there is no way to find the next frame after a bad one.

#[cfg(feature = "async")]
pub mod asynchronous;
mod blocking;

use std::io;

pub use blocking::Pipe;

use crate::frame::FrameError;

/// Why a conversation is over.
#[derive(Debug, thiserror::Error)]
pub enum PipeError {
    /// The peer closed its end between two frames.
    #[error("read {0}: the peer is gone")]
    Closed(&'static str),
    /// The peer closed its end within a frame.
    #[error("read {0}: the peer is gone in the middle of a frame")]
    Cut(&'static str),
    /// The peer sent what is no message.
    #[error("{0}")]
    Frame(#[from] FrameError),
    /// The deadline passed first.
    #[error("read or write {0} in time")]
    Late(&'static str),
    /// The message says that a descriptor comes with it, and none came.
    #[error("read {0}: a descriptor is missing")]
    NoDescriptor(&'static str),
    /// The socket failed.
    #[error("read or write {conversation}: {error}")]
    Socket {
        /// The conversation and direction.
        conversation: &'static str,
        /// What the kernel said.
        error: io::Error,
    },
}
