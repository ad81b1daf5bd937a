//! Contents of static files: asked of the store once, kept in memory while they are wanted, by hash and never by path.
//!
//! A content's hash is its name, so nothing here can be stale, and two apps with one file share it. Of many that want the
//! same content at once, one asks the store and the others wait for it. One that is on its way to a client is there once,
//! however large it is and however many take it, however slowly.
//!
//! What is on its way has room among the answers ([`super::room`]) of the app that was asked for it first, from before it is
//! loaded until the last client has it. Small ones need none. What is kept is given out in any case, and counts as well.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

use bytes::Bytes;
use fazt_protocol::registry::ContentEntry;
use moka::sync::Cache;
use parking_lot::Mutex;
use tokio::sync::{Semaphore, SemaphorePermit, watch};

use super::{
    config::Config,
    room::{Lease, Room, SMALL_BYTES},
};
use crate::{
    fault::{Code, Fault},
    store::Store,
};

/// What a kept content costs beside its bytes.
const OVERHEAD_BYTES: usize = 256;
/// A content of so many bytes is large.
const LARGE_BYTES: usize = 256 * 1024;
/// Large contents on their way from the store at once, in mebibytes; each counts for one at least.
const LOADING_MIB: u32 = 128;
/// Others on their way: 8 MiB together. Theirs is a queue of its own, so that none waits for what is large.
const LOADING_SMALL: usize = 32;

type Hash = [u8; 32];
/// What became of a load, once that is known.
type Outcome = Option<Result<Bytes, Fault>>;

/// Contents by hash.
#[derive(Debug, Clone)]
pub struct Contents(Arc<Shelf>);

#[derive(Debug)]
struct Shelf {
    kept: Cache<Hash, Kept>,
    /// Those that somebody holds, kept or not.
    held: Mutex<HashMap<Hash, Weak<Given>>>,
    /// Those on their way from the store.
    loading: Mutex<HashMap<Hash, watch::Receiver<Outcome>>>,
    turns: Turns,
}

/// Who may load now. The semaphores are never closed.
#[derive(Debug)]
struct Turns {
    /// In mebibytes.
    large: Semaphore,
    /// In contents.
    small: Semaphore,
}

/// A content in the cache. It is taken out when the cache has no room for it: the cache lets go of its entries only by and by.
#[derive(Debug, Clone)]
struct Kept(Arc<Mutex<Option<Bytes>>>);

/// A content in as many hands as like.
struct Shared(Arc<Given>);

#[derive(Debug)]
struct Given {
    content: Bytes,
    _room: Option<Lease>,
}

/// For whom a content is wanted.
#[derive(Debug, Clone, Copy)]
pub struct Taker<'a> {
    /// The app.
    pub app: u64,
    /// Where its answers have their room.
    pub room: &'a Arc<Room>,
}

impl Contents {
    /// An empty cache.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let weight = |_: &Hash, kept: &Kept| u32::try_from(kept.weight()).unwrap_or(u32::MAX);
        let kept = Cache::builder().weigher(weight).max_capacity(config.content_bytes);
        Self(Arc::new(Shelf {
            kept: kept.eviction_listener(|_hash, kept: Kept, _cause| drop(kept.0.lock().take())).build(),
            held: Mutex::default(),
            loading: Mutex::default(),
            turns: Turns::new(),
        }))
    }

    /// A content.
    ///
    /// # Errors
    /// 503 where the store does not answer, or where what clients have not taken yet leaves no room for it; 404 where the store no
    /// longer has it: a version that was just removed.
    pub async fn get(&self, store: &Store, content: &ContentEntry, taker: Taker<'_>) -> Result<Bytes, Fault> {
        if let Some(bytes) = self.0.in_memory(&content.hash, taker) {
            return Ok(bytes);
        }
        let mut outcome = self.load(store, content, taker)?;
        let outcome = outcome.wait_for(Option::is_some).await.ok().and_then(|outcome| outcome.clone());
        // None: its task ended by a panic, which is said elsewhere.
        outcome.unwrap_or_else(|| Err(Fault::new(Code::StoreUnavailable, "the store does not answer")))
    }

    /// The load of a content, which is begun where there is none. It goes on when whoever asked for it has gone: else each who
    /// comes and goes would begin another one.
    fn load(&self, store: &Store, content: &ContentEntry, taker: Taker<'_>) -> Result<watch::Receiver<Outcome>, Fault> {
        let hash = content.hash;
        let mut loading = self.0.loading.lock();
        if let Some(outcome) = loading.get(&hash) {
            return Ok(outcome.clone());
        }
        let bytes = usize::try_from(content.size).unwrap_or(usize::MAX);
        let room = (bytes > SMALL_BYTES).then(|| taker.room.place(taker.app, bytes)).transpose()?;
        let (told, outcome) = watch::channel(None);
        loading.insert(hash, outcome.clone());
        drop(loading);
        let (shelf, store, size) = (Arc::clone(&self.0), store.clone(), content.size);
        tokio::spawn(async move {
            let loaded = {
                let _turn = shelf.turns.take(bytes).await;
                ask(&store, hash, size).await.map(Bytes::from)
            };
            let given = loaded.map(|content| {
                shelf.keep(hash, &content);
                Shelf::give(&mut shelf.held.lock(), hash, content, room)
            });
            shelf.loading.lock().remove(&hash);
            told.send_replace(Some(given));
        });
        Ok(outcome)
    }
}

impl Kept {
    fn weight(&self) -> usize {
        self.0.lock().as_ref().map_or(0, Bytes::len).saturating_add(OVERHEAD_BYTES)
    }
}

impl Turns {
    fn new() -> Self {
        Self { large: Semaphore::new(LOADING_MIB as usize), small: Semaphore::new(LOADING_SMALL) }
    }

    /// Waits until a content of so many bytes may be loaded.
    async fn take(&self, bytes: usize) -> Option<SemaphorePermit<'_>> {
        if bytes < LARGE_BYTES {
            return self.small.acquire().await.ok();
        }
        let mib = u32::try_from(bytes.div_ceil(1 << 20)).unwrap_or(u32::MAX).min(LOADING_MIB);
        self.large.acquire_many(mib).await.ok()
    }
}

impl Shelf {
    fn kept(&self, hash: &Hash) -> Option<Bytes> {
        self.kept.get(hash).and_then(|kept| kept.0.lock().clone())
    }

    /// The cache makes room when it next gets to it, which after a large content should be at once.
    fn keep(&self, hash: Hash, bytes: &Bytes) {
        self.kept.insert(hash, Kept(Arc::new(Mutex::new(Some(bytes.clone())))));
        if bytes.len() >= LARGE_BYTES {
            self.kept.run_pending_tasks();
        }
    }

    /// One that is on its way to somebody, or kept.
    fn in_memory(&self, hash: &Hash, taker: Taker<'_>) -> Option<Bytes> {
        let kept = self.kept(hash);
        if kept.as_ref().is_some_and(|content| content.len() <= SMALL_BYTES) {
            return kept;
        }
        let mut held = self.held.lock();
        if let Some(given) = held.get(hash).and_then(Weak::upgrade) {
            return Some(Bytes::from_owner(Shared(given)));
        }
        let content = kept?;
        let room = taker.room.place_anyway(taker.app, content.len());
        Some(Self::give(&mut held, *hash, content, Some(room)))
    }

    fn give(held: &mut HashMap<Hash, Weak<Given>>, hash: Hash, content: Bytes, room: Option<Lease>) -> Bytes {
        let given = Arc::new(Given { content, _room: room });
        // What nobody holds any more goes before the table would grow for it.
        if held.len() == held.capacity() {
            held.retain(|_, given| given.strong_count() > 0);
        }
        held.insert(hash, Arc::downgrade(&given));
        Bytes::from_owner(Shared(given))
    }
}

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.0.content
    }
}

async fn ask(store: &Store, hash: Hash, size: u64) -> Result<Vec<u8>, Fault> {
    match store.content(hash).await {
        Ok(Some(content)) if content.len() as u64 == size => Ok(content),
        Ok(Some(content)) => {
            tracing::error!(size, bytes = content.len(), "a file's content is not as long as it should be");
            Err(Fault::new(Code::StoreUnavailable, "the store does not answer"))
        }
        Ok(None) => Err(Fault::new(Code::NotFound, "this file is no longer there")),
        Err(error) => {
            tracing::warn!(%error, "a file's content could not be had");
            Err(Fault::new(Code::StoreUnavailable, "the store does not answer"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_small_content_waits_for_large_ones() {
        let turns = Turns::new();
        let now = async |bytes| {
            tokio::select! {
                biased;
                turn = turns.take(bytes) => turn,
                () = std::future::ready(()) => None,
            }
        };
        let large = [now(100 << 20).await, now(28 << 20).await];
        assert!(large.iter().all(Option::is_some) && now(LARGE_BYTES).await.is_none());
        let small: Vec<_> = (0..LOADING_SMALL).map(|_| turns.small.try_acquire()).collect();
        assert!(small.iter().all(Result::is_ok) && now(1).await.is_none(), "they are bounded too");
        drop(small);
        assert!(now(LARGE_BYTES - 1).await.is_some());
        drop(large);
        assert!(now(usize::MAX).await.is_some(), "one that is larger than all has all of it");
    }
}
