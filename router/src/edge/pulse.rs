//! In debug: the state of the pool as a log line, once a second while it changes.

use std::{sync::Arc, time::Duration};

use tokio::time::interval;

use crate::house::House;

const EVERY: Duration = Duration::from_secs(1);

/// Writes the lines until the house closes.
pub(super) async fn beat(house: Arc<House>) {
    let mut closing = house.closing.clone();
    let mut every = interval(EVERY);
    let mut last = None;
    loop {
        tokio::select! {
            _ = every.tick() => {}
            _ = closing.wait_for(|closing| *closing) => return,
        }
        let status = house.farm.status();
        let now = (status.available, status.in_use, status.queued, status.spawning, status.total_executions);
        if last.replace(now) != Some(now) {
            tracing::debug!(
                target: "timing",
                pool_size = status.pool_size,
                available = status.available,
                in_use = status.in_use,
                queued = status.queued,
                spawning = status.spawning,
                dying = status.dying,
                total_executions = status.total_executions,
                timeouts = status.timeouts,
                crashes = status.crashes,
                "pool"
            );
        }
    }
}
