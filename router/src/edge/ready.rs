//! Whether the farm is ready for requests, as `/readyz` tells whoever balances load: the store is there and writes, a worker is
//! there.
//!
//! That the store writes is tried and not asked: an upload is begun and dropped, which is a row written and a row changed. The
//! file's disk may be full, its lock another program's, its writer in a state that nobody foresaw. Nobody needs a token to ask,
//! so it is tried once a second at most, however many ask, and goes on when who asked has gone.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};

use crate::{house::House, store::Store};

/// How long what was found holds.
const FRESH: Duration = Duration::from_secs(1);
/// How long a write may take. More than its usual deadline: a farm that is slow is a farm.
const PATIENCE: Duration = Duration::from_secs(3);

/// What was found last, and when.
#[derive(Debug, Default)]
pub struct Readiness(Arc<Mutex<Option<(Instant, bool)>>>);

/// Why it is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotReady {
    #[error("the store is not there")]
    Store,
    #[error("the store does not write")]
    Writes,
    #[error("no worker is there")]
    Worker,
}

/// Looks.
pub(super) async fn look(house: &House) -> Result<(), NotReady> {
    if !house.store.is_up() {
        return Err(NotReady::Store);
    }
    if !house.farm.has_worker() {
        return Err(NotReady::Worker);
    }
    if house.readiness.writes(&house.store).await { Ok(()) } else { Err(NotReady::Writes) }
}

impl Readiness {
    async fn writes(&self, store: &Store) -> bool {
        let mut last = Arc::clone(&self.0).lock_owned().await;
        if let Some((_, writes)) = last.filter(|(at, _)| at.elapsed() < FRESH) {
            return writes;
        }
        let store = store.clone();
        let trying = tokio::spawn(async move {
            let writes = try_to_write(&store).await;
            *last = Some((Instant::now(), writes));
            writes
        });
        trying.await.unwrap_or(false)
    }
}

async fn try_to_write(store: &Store) -> bool {
    let tried = timeout(PATIENCE, async { store.abort(store.begin().await?).await }).await;
    match tried {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            tracing::warn!("not ready, failed to write: {error}");
            false
        }
        Err(_late) => {
            tracing::warn!("not ready, failed to write within {} s", PATIENCE.as_secs());
            false
        }
    }
}
