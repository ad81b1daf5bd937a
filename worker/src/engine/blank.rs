//! An engine before its app: a runtime with the prelude evaluated in it, and nothing of anybody's.
//!
//! A zygote makes one and its children inherit it, page by page as they write to it: evaluating the prelude takes longer than
//! all else of a birth together. Only the prelude has run in it, which draws no randomness and reads no clock: those are asked
//! for by each request. What an app brings needs an [`Engine`](super::Engine), and that one needs a jail.

use super::{
    job::{Config, FreshState},
    prelude::Standard,
    runtime::{EngineError, Room, Runtime},
};

/// See the module's own words. Dropped in this order: the room's heap is the runtime's.
#[derive(Debug)]
pub struct Blank {
    pub(super) room: Option<Room>,
    pub(super) runtime: Runtime,
    pub(super) standard: Standard,
    pub(super) config: Config,
}

impl Blank {
    /// A blank of its own heap.
    ///
    /// # Errors
    /// [`EngineError`]: no memory, or a mistake of this build.
    pub fn make(standard: &Standard, config: Config) -> Result<Self, EngineError> {
        let runtime = Runtime::new(config.heap_bytes_most)?;
        let room = match config.fresh_state {
            FreshState::Context => None,
            _ => Some(runtime.furnish(standard)?),
        };
        // Here and not when an app is loaded: a collection writes to every object, and so to every page that is shared.
        runtime.collect();
        Ok(Self { room, runtime, standard: standard.clone(), config })
    }
}
