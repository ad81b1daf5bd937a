//! The only file that knows how a message becomes bytes: bincode 2, standard configuration, with a decode limit.
//!
//! The crate bincode is no longer maintained, so its name stands here alone and replacing it is a change of this file.
//! Decoding reads from a slice that is already whole, with a limit on what it may claim, and refuses what is left over. It
//! lends the slice out, so that a text or a body is found whole before memory is taken for it ([`crate::bounded`]).
//! Message types hold no recursive type and no list of zero-sized elements, which no limit would bound.

use bincode::config::{Configuration, Limit, LittleEndian, Varint};
use serde::{Serialize, de::DeserializeOwned};

use crate::limit::FRAME_BYTES;

type Config = Configuration<LittleEndian, Varint, Limit<FRAME_BYTES>>;

const CONFIG: Config = bincode::config::standard().with_limit::<FRAME_BYTES>();

/// Why bytes are not a message, or a message cannot become bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The bytes do not decode: unknown variant, cut short, a count or text past its limit, bad UTF-8.
    #[error("decode: {0}")]
    Decode(String),
    /// The message was whole before the frame was.
    #[error("decode: {0} bytes left over after the message")]
    Trailing(usize),
    /// A message of our own is larger than its frame may be.
    #[error("encode: {0}")]
    Encode(String),
}

/// Appends the encoding of `message` to `out`.
///
/// # Errors
/// [`CodecError::Encode`] where a value has no encoding (never for the types of this crate).
pub fn encode<T: Serialize>(message: &T, out: &mut Vec<u8>) -> Result<(), CodecError> {
    // Encoding is not limited here: the frame's cap is checked where the frame is closed.
    bincode::serde::encode_into_std_write(message, out, bincode::config::standard())
        .map(drop)
        .map_err(|error| CodecError::Encode(error.to_string()))
}

/// Decodes one message that fills `bytes` exactly.
///
/// # Errors
/// [`CodecError::Decode`] and [`CodecError::Trailing`]; either one ends the peer that sent it.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    let (message, used) = bincode::serde::borrow_decode_from_slice(bytes, CONFIG)
        .map_err(|error| CodecError::Decode(error.to_string()))?;
    match bytes.len().checked_sub(used) {
        Some(0) => Ok(message),
        left => Err(CodecError::Trailing(left.unwrap_or_default())),
    }
}
