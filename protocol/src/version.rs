//! The protocol's version: the first message of each direction carries it, and a mismatch ends the process.
//!
//! The four programs are built and shipped together; a mismatch means that two builds were mixed on disk.

/// Changes with every change of any message.
pub const PROTOCOL: u16 = 6;

/// A peer of another build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the peer speaks protocol {theirs}, this program {PROTOCOL}: install all four programs from one build")]
pub struct Mismatch {
    /// What the peer said.
    pub theirs: u16,
}

/// Checks the version in a first message.
///
/// # Errors
/// [`Mismatch`] where it is not ours.
pub fn check(theirs: u16) -> Result<(), Mismatch> {
    if theirs == PROTOCOL { Ok(()) } else { Err(Mismatch { theirs }) }
}
