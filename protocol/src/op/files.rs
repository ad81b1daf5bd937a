//! Ops on the app's own deployed files, of the version that the channel is bound to.

use serde::{Deserialize, Serialize};

use crate::{bounded, limit::FILE_PATH_BYTES};

/// What can be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Op {
    /// All sources under `api/` (`.js`, `.mjs`, `.json`). The answer is `Bytes`: the encoding of [`Sources`].
    Sources,
    /// One file under `private/`. The answer is `Bytes` or `Nothing`.
    Read {
        /// As deployed.
        #[serde(deserialize_with = "bounded::text::<_, FILE_PATH_BYTES>")]
        path: String,
    },
}

/// The body of an answer to [`Op::Sources`]: paths and contents, as [`write_source`] writes them one after the other.
pub type Sources = Vec<(String, Vec<u8>)>;

impl Op {
    /// The name in traces and logs.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Sources => "files.sources",
            Self::Read { .. } => "files.read",
        }
    }
}

/// Appends one source: `u32` length of the path, `u32` length of the content, path, content.
pub fn write_source(path: &str, content: &[u8], out: &mut Vec<u8>) {
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes();
    out.extend_from_slice(&length(path.as_bytes()));
    out.extend_from_slice(&length(content));
    out.extend_from_slice(path.as_bytes());
    out.extend_from_slice(content);
}

/// Reads back what [`write_source`] wrote; `None` where the bytes are not that.
#[must_use]
pub fn read_sources(mut bytes: &[u8]) -> Option<Sources> {
    let mut sources = Sources::new();
    while !bytes.is_empty() {
        let (path_length, rest) = bytes.split_first_chunk::<4>()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let (path, rest) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*path_length)).ok()?)?;
        let (content, rest) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
        sources.push((String::from_utf8(path.to_vec()).ok()?, content.to_vec()));
        bytes = rest;
    }
    Some(sources)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn sources_come_back(sources: Vec<(String, Vec<u8>)>) {
            let mut bytes = Vec::new();
            for (path, content) in &sources {
                write_source(path, content, &mut bytes);
            }
            prop_assert_eq!(read_sources(&bytes), Some(sources));
        }

        #[test]
        fn any_bytes_are_sources_or_none(bytes: Vec<u8>) {
            let _read = read_sources(&bytes);
        }
    }
}
