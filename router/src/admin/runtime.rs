//! `GET /api/_debug/runtime`: the pool, each worker, the totals, the bodies in memory, the store.

use fazt_protocol::registry;
use http::StatusCode;
use serde::Serialize;

use super::json;
use crate::{
    edge::{Departure, Passage},
    farm,
};

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Runtime {
    #[serde(flatten)]
    farm: farm::status::Status,
    uptime_ms: f64,
    bodies: Bodies,
    store: Option<Store>,
}

/// What large bodies take of the router's memory.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Bodies {
    /// Of requests, until their app has answered.
    request_bytes: usize,
    /// Of answers, until their client has them.
    answer_bytes: usize,
}

/// What the farm tells of its store.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Store {
    pid: i32,
    path: String,
    journal_mode: String,
    synchronous: String,
    busy_timeout_ms: u32,
    readers: u32,
    binds: u32,
    wal_bytes: u64,
    file_bytes: u64,
    ops: u64,
    commits: u64,
    writes: u64,
    schema: u32,
}

/// Shows it. A store that does not answer is left out: the pool is worth seeing then above all.
pub(super) async fn show(passage: Passage) -> Departure {
    let house = &passage.entry.house;
    let mut farm = house.farm.status();
    let apps = house.catalog.all();
    farm.name_apps(|id| apps.iter().find(|served| served.app.id == id).map(|served| served.name.to_string()));
    let store = if house.store.is_up() { house.store.status().await.ok().map(Store::from) } else { None };
    let uptime_ms = house.started.elapsed().as_secs_f64() * 1_000.0;
    let (request_bytes, answer_bytes) = passage.session.budget.held();
    let bodies = Bodies { request_bytes, answer_bytes };
    let runtime = Runtime { farm, uptime_ms, bodies, store };
    let outcome = json(StatusCode::OK, &runtime);
    Departure { entry: passage.entry, outcome }
}

impl From<registry::Status> for Store {
    fn from(status: registry::Status) -> Self {
        Self {
            pid: status.pid,
            path: status.path,
            journal_mode: status.journal_mode,
            synchronous: status.synchronous,
            busy_timeout_ms: status.busy_timeout_ms,
            readers: status.readers,
            binds: status.binds,
            wal_bytes: status.wal_bytes,
            file_bytes: status.file_bytes,
            ops: status.ops,
            commits: status.commits,
            writes: status.writes,
            schema: status.schema,
        }
    }
}
