//! Frames: `u32` little-endian length, then that many bytes of one message.
//!
//! [`Inbox`] gathers bytes as they arrive and hands out whole frames. The length is checked against the conversation's
//! limit before anything is kept for it, and the buffer grows by what arrived, never by what was promised.

use crate::{CodecError, Message, codec};

const PREFIX: usize = 4;
/// What the buffer may keep reserved between frames.
const KEPT_BYTES: usize = 64 * 1024;

/// Why a peer's bytes are not a frame. Each ends the peer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A frame without a byte.
    #[error("read {conversation}: an empty frame")]
    Empty {
        /// The conversation and direction.
        conversation: &'static str,
    },
    /// A length past the conversation's limit.
    #[error("read {conversation}: a frame of {length} bytes where {limit} are the most")]
    TooLong {
        /// The conversation and direction.
        conversation: &'static str,
        /// The length that was promised.
        length: usize,
        /// The most that this conversation allows.
        limit: usize,
    },
    /// A frame that is no message of this conversation, or one of ours that outgrew its frame.
    #[error("read or write {conversation}: {error}")]
    Codec {
        /// The conversation and direction.
        conversation: &'static str,
        /// What the codec said.
        error: CodecError,
    },
}

/// Bytes that arrived and are not yet a message.
#[derive(Debug, Default)]
pub struct Inbox {
    bytes: Vec<u8>,
    /// Where the next frame begins.
    start: usize,
}

impl Inbox {
    /// The buffer to append what was read to.
    pub fn space(&mut self) -> &mut Vec<u8> {
        self.compact();
        &mut self.bytes
    }

    /// Whether a frame has begun and is not whole.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        self.start < self.bytes.len()
    }

    /// Takes the next message, or nothing where its frame is not whole yet.
    ///
    /// # Errors
    /// [`FrameError`]; after one this inbox is of no more use.
    pub fn take<M: Message>(&mut self) -> Result<Option<M>, FrameError> {
        let waiting = self.bytes.get(self.start..).unwrap_or_default();
        let Some((prefix, rest)) = waiting.split_first_chunk::<PREFIX>() else { return Ok(None) };
        let length = usize::try_from(u32::from_le_bytes(*prefix)).unwrap_or(usize::MAX);
        if length == 0 {
            return Err(FrameError::Empty { conversation: M::NAME });
        }
        if length > M::FRAME_BYTES {
            return Err(FrameError::TooLong { conversation: M::NAME, length, limit: M::FRAME_BYTES });
        }
        let Some(frame) = rest.get(..length) else { return Ok(None) };
        let message = codec::decode(frame).map_err(|error| FrameError::Codec { conversation: M::NAME, error })?;
        self.start = self.start.saturating_add(PREFIX).saturating_add(length);
        Ok(Some(message))
    }

    /// Moves what is left to the front, so that the buffer does not grow with the conversation.
    fn compact(&mut self) {
        if self.start == self.bytes.len() {
            self.bytes.clear();
        } else if self.start > 0 {
            self.bytes.drain(..self.start.min(self.bytes.len()));
        }
        self.start = 0;
        if self.bytes.is_empty() && self.bytes.capacity() > KEPT_BYTES {
            self.bytes.shrink_to(KEPT_BYTES);
        }
    }
}

/// Appends one frame with `message` to `out`.
///
/// # Errors
/// [`FrameError::Codec`] or [`FrameError::TooLong`] where a message of ours does not fit its frame; `out` is as before.
pub fn write<M: Message>(message: &M, out: &mut Vec<u8>) -> Result<(), FrameError> {
    let start = out.len();
    out.extend_from_slice(&[0; PREFIX]);
    let written = codec::encode(message, out).map_err(|error| FrameError::Codec { conversation: M::NAME, error });
    let length = out.len().saturating_sub(start).saturating_sub(PREFIX);
    let fits = if length > M::FRAME_BYTES {
        Err(FrameError::TooLong { conversation: M::NAME, length, limit: M::FRAME_BYTES })
    } else {
        Ok(u32::try_from(length).unwrap_or(u32::MAX))
    };
    match written.and(fits) {
        Ok(length) => {
            if let Some(prefix) = out.get_mut(start..start.saturating_add(PREFIX)) {
                prefix.copy_from_slice(&length.to_le_bytes());
            }
            Ok(())
        }
        Err(error) => {
            out.truncate(start);
            Err(error)
        }
    }
}
