//! Blobs: bytes under a path, in chunks; `read` for what readers and the reactor answer, `write` for the writer.

pub(crate) mod read;
pub(crate) mod write;

/// What the quota counts for a blob beside its path and its bytes: about what its rows cost.
const ROW_BYTES: u64 = 128;

/// A blob that is written in steps, so that no other write waits for all of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Staging {
    upload: i64,
    /// Bytes that are committed, or will be with the group in hand.
    written: usize,
}
