//! The pool as log lines: for SIGUSR1 one a worker, then the queue, the totals and the store; in debug the queue and the
//! totals, once a second while they change.

use std::{sync::Arc, time::Duration};

use tokio::time::interval;

use crate::{farm::status::Status, house::House};

/// How often the pool is looked at in debug.
const EVERY: Duration = Duration::from_secs(1);

/// Writes the farm's state to the log, at once: it asks nobody that could keep it waiting.
pub fn dump(house: &House) {
    let mut status = house.farm.status();
    let names = house.catalog.all();
    status.name_apps(|id| names.iter().find(|served| served.app.id == id).map(|served| served.name.to_string()));
    for row in &status.workers {
        tracing::info!(
            target: "dump",
            worker = row.id,
            pid = row.pid,
            app = row.app.as_deref().unwrap_or("-"),
            state = row.state,
            age_ms = row.age_ms as u64,
            served = row.served,
            rss_bytes = row.rss_bytes,
            request_id = row.request.as_deref().unwrap_or("-"),
            phase = row.phase.unwrap_or("-"),
            for_ms = row.for_ms as u64,
            "worker"
        );
    }
    totals(&status);
    status.sandbox.warn();
    let link = house.store.link_now();
    let store = link.as_ref().map(|link| link.status());
    tracing::info!(
        target: "dump",
        up = store.is_some(),
        pid = store.map(|store| store.pid),
        journal_mode = store.map(|store| store.journal_mode.as_str()),
        synchronous = store.map(|store| store.synchronous.as_str()),
        "store"
    );
}

/// Writes the lines of debug until the house closes.
pub async fn beat(house: Arc<House>) {
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
            totals(&status);
        }
    }
}

fn totals(status: &Status) {
    tracing::info!(
        target: "dump",
        queued = status.queued,
        spares = status.spares,
        spawning = status.spawning,
        dying = status.dying,
        "queue"
    );
    tracing::info!(
        target: "dump",
        pool_size = status.pool_size,
        available = status.available,
        in_use = status.in_use,
        total_executions = status.total_executions,
        timeouts = status.timeouts,
        interrupted = status.interrupted,
        killed = status.killed,
        crashes = status.crashes,
        respawns = status.respawns,
        lost_logs = status.lost_logs,
        sandbox = status.sandbox.sandbox,
        sandbox_tier = status.sandbox.sandbox_tier,
        "totals"
    );
}
