//! Contents of static files: asked of the store once, kept in memory while they are wanted, by hash and never by path.
//!
//! A content's hash is its name, so nothing here can be stale, and two apps with one file share it. Of many that want the
//! same content at once, one asks the store and the others wait for it. One that is on its way to a client is there once,
//! however large it is and however many take it, however slowly.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

use bytes::Bytes;
use moka::sync::Cache;
use parking_lot::Mutex;
use tokio::sync::OnceCell;

use super::config::Config;
use crate::{
    fault::{Code, Fault},
    store::Store,
};

/// What a kept content costs beside its bytes.
const OVERHEAD_BYTES: usize = 256;
/// A content of so many bytes is large.
const LARGE_BYTES: usize = 256 * 1024;

type Hash = [u8; 32];

/// Contents by hash.
#[derive(Debug)]
pub struct Contents {
    kept: Cache<Hash, Bytes>,
    /// Those that somebody holds, kept or not.
    held: Mutex<HashMap<Hash, Weak<Vec<u8>>>>,
    asked: Mutex<HashMap<Hash, Arc<OnceCell<Bytes>>>>,
}

/// A content in as many hands as like.
struct Shared(Arc<Vec<u8>>);

impl Contents {
    /// An empty cache.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let weight =
            |_: &Hash, bytes: &Bytes| u32::try_from(bytes.len().saturating_add(OVERHEAD_BYTES)).unwrap_or(u32::MAX);
        Self {
            kept: Cache::builder().weigher(weight).max_capacity(config.content_bytes).build(),
            held: Mutex::default(),
            asked: Mutex::default(),
        }
    }

    /// A content.
    ///
    /// # Errors
    /// 503 where the store does not answer, 404 where it no longer has it: a version that was just removed.
    pub async fn get(&self, store: &Store, hash: Hash) -> Result<Bytes, Fault> {
        if let Some(bytes) = self.kept.get(&hash).or_else(|| self.at_hand(&hash)) {
            return Ok(bytes);
        }
        let cell = Arc::clone(self.asked.lock().entry(hash).or_default());
        let asked = cell.get_or_try_init(|| async { Ok(self.share(hash, ask(store, hash).await?)) }).await.cloned();
        if let Ok(bytes) = &asked {
            self.keep(hash, bytes);
        }
        let mut waiting = self.asked.lock();
        // Whoever is last, and whoever was told, leaves nothing behind; who still waits holds the cell.
        if asked.is_ok() || Arc::strong_count(&cell) <= 2 {
            waiting.remove(&hash);
        }
        asked
    }

    /// The cache makes room when it next gets to it, which after a large content should be at once.
    fn keep(&self, hash: Hash, bytes: &Bytes) {
        self.kept.insert(hash, bytes.clone());
        if bytes.len() >= LARGE_BYTES {
            self.kept.run_pending_tasks();
        }
    }

    /// One that is on its way to somebody.
    fn at_hand(&self, hash: &Hash) -> Option<Bytes> {
        self.held.lock().get(hash).and_then(Weak::upgrade).map(|content| Bytes::from_owner(Shared(content)))
    }

    fn share(&self, hash: Hash, content: Vec<u8>) -> Bytes {
        let content = Arc::new(content);
        let mut held = self.held.lock();
        held.retain(|_, content| content.strong_count() > 0);
        held.insert(hash, Arc::downgrade(&content));
        Bytes::from_owner(Shared(content))
    }
}

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

async fn ask(store: &Store, hash: Hash) -> Result<Vec<u8>, Fault> {
    match store.content(hash).await {
        Ok(Some(content)) => Ok(content),
        Ok(None) => Err(Fault::new(Code::NotFound, "this file is no longer there")),
        Err(error) => {
            tracing::warn!(%error, "a file's content could not be had");
            Err(Fault::new(Code::StoreUnavailable, "the store does not answer"))
        }
    }
}
