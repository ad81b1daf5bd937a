//! Bodies travel apart from heads: the first bytes with the head, the rest in chunks, the last one marked.
//!
//! [`Part`] is one piece; [`parts`] cuts a body; [`Assembly`] puts one together again under a limit.

use serde::{Deserialize, Serialize};

use crate::{bounded, limit::CHUNK_BYTES};

/// One piece of a body: [`CHUNK_BYTES`], the last one at most so many.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The bytes.
    #[serde(serialize_with = "serde_bytes::serialize", deserialize_with = "bounded::bytes::<_, CHUNK_BYTES>")]
    pub bytes: Vec<u8>,
    /// Whether the body ends with these bytes.
    pub last: bool,
}

/// A body that does not keep to its limit or its form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// More bytes than this body may have.
    #[error("take a body of more than {0} bytes")]
    TooLarge(usize),
    /// A part of fewer bytes than fit that is not the last one: it would let a peer make a frame of each byte, or of none.
    #[error("take a part of fewer than {CHUNK_BYTES} bytes that is not the last")]
    ShortPart,
    /// A part after the last one.
    #[error("take a part after the last one")]
    AfterEnd,
}

/// A body being put together from its parts.
#[derive(Debug)]
pub struct Assembly {
    bytes: Vec<u8>,
    limit: usize,
    whole: bool,
}

impl Part {
    /// A body that is whole in this one part.
    #[must_use]
    pub fn whole(bytes: Vec<u8>) -> Self {
        Self { bytes, last: true }
    }

    /// No body.
    #[must_use]
    pub fn empty() -> Self {
        Self::whole(Vec::new())
    }

    /// Whether it has fewer bytes than any part but the last must have.
    #[must_use]
    pub fn is_short(&self) -> bool {
        !self.last && self.bytes.len() < CHUNK_BYTES
    }
}

impl std::fmt::Debug for Part {
    /// The length alone: bodies are users' data and do not belong into logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Part({} bytes{})", self.bytes.len(), if self.last { ", last" } else { "" })
    }
}

impl Assembly {
    /// Begins with the part that came with the head.
    ///
    /// # Errors
    /// [`BodyError`] where the first part alone breaks a rule.
    pub fn begin(first: Part, limit: usize) -> Result<Self, BodyError> {
        let mut assembly = Self { bytes: Vec::new(), limit, whole: false };
        assembly.push(first)?;
        Ok(assembly)
    }

    /// Adds the next part.
    ///
    /// # Errors
    /// [`BodyError`] past the limit, after the end, or for a short part in the middle.
    pub fn push(&mut self, part: Part) -> Result<(), BodyError> {
        if self.whole {
            return Err(BodyError::AfterEnd);
        }
        if part.is_short() {
            return Err(BodyError::ShortPart);
        }
        if self.bytes.len().saturating_add(part.bytes.len()) > self.limit {
            return Err(BodyError::TooLarge(self.limit));
        }
        if self.bytes.is_empty() {
            self.bytes = part.bytes;
        } else {
            self.bytes.extend_from_slice(&part.bytes);
        }
        self.whole = part.last;
        Ok(())
    }

    /// Whether the last part has come.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.whole
    }

    /// The bytes so far.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// Cuts a body into its first part and the parts that follow.
pub fn parts(body: &[u8]) -> (Part, impl Iterator<Item = Part> + '_) {
    let (first, rest) = body.split_at_checked(CHUNK_BYTES).unwrap_or((body, &[]));
    let count = rest.len().div_ceil(CHUNK_BYTES);
    let following = rest
        .chunks(CHUNK_BYTES)
        .enumerate()
        .map(move |(at, bytes)| Part { bytes: bytes.to_vec(), last: at.saturating_add(1) == count });
    (Part { bytes: first.to_vec(), last: rest.is_empty() }, following)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn a_body_survives_being_cut(length in 0usize..(3 * CHUNK_BYTES + 2)) {
            let body: Vec<u8> = (0..length).map(|at| at as u8).collect();
            let (first, rest) = parts(&body);
            let mut assembly = Assembly::begin(first, length).unwrap();
            for part in rest {
                prop_assert!(!assembly.is_whole());
                assembly.push(part).unwrap();
            }
            prop_assert!(assembly.is_whole());
            prop_assert_eq!(assembly.into_bytes(), body);
        }
    }

    #[test]
    fn what_breaks_a_rule_is_refused() {
        let part = |bytes: &[u8], last| Part { bytes: bytes.to_vec(), last };
        assert_eq!(Assembly::begin(part(b"abc", true), 2).unwrap_err(), BodyError::TooLarge(2));
        for short in [0, 1, CHUNK_BYTES - 1] {
            let short = part(&vec![0; short], false);
            assert_eq!(Assembly::begin(short, CHUNK_BYTES).unwrap_err(), BodyError::ShortPart);
        }
        let mut whole = Assembly::begin(part(b"a", true), 2).unwrap();
        assert_eq!(whole.push(part(b"b", true)).unwrap_err(), BodyError::AfterEnd);
    }
}
