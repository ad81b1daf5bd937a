//! How the farm is, for people: the pool, each worker, the totals. What workers say of themselves is shown as gossip.

use std::{
    collections::BTreeMap,
    sync::atomic::Ordering::Relaxed,
    time::{Duration, Instant},
};

use serde::Serialize;

use super::{Ground, counts::read, door::DoorPlate, pool::Seated, sandbox::Report};

/// Apps and workers that are listed.
const ROWS: usize = 1_000;

/// The whole farm at one moment.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Places for workers that serve.
    pub pool_size: usize,
    /// Of these, without a request: blanks, idle ones, and places whose worker is on its way.
    pub available: usize,
    /// With a request.
    pub in_use: usize,
    /// Calls that a worker was given.
    pub total_executions: u64,
    /// Interrupted and killed for time.
    pub timeouts: u64,
    /// How long a call ran, on average.
    pub avg_execution_ms: f64,
    /// Ended by the soft clock.
    pub interrupted: u64,
    /// Killed for time.
    pub killed: u64,
    /// Requests that wait for a worker.
    pub queued: usize,
    /// Workers beside those places, ready to take that of one that ends.
    pub spares: usize,
    /// Workers on their way.
    pub spawning: usize,
    /// Long-running workers that stand aside.
    pub stand_ins: usize,
    /// Workers that are ending.
    pub dying: usize,
    /// Workers that ended by themselves or broke the protocol.
    pub crashes: u64,
    /// Workers born after the first ones.
    pub respawns: u64,
    /// Log lines of apps that were dropped.
    pub lost_logs: u64,
    /// The jail.
    #[serde(flatten)]
    pub sandbox: Report,
    /// One row a place.
    pub workers: Vec<WorkerRow>,
    /// One row an app that has workers.
    pub apps: Vec<AppRow>,
}

/// One worker.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkerRow {
    /// The router's number for it; none for a place whose worker is on its way.
    pub id: Option<u64>,
    /// Its process.
    pub pid: Option<i32>,
    /// Its app's number, resolved to a name by who shows it.
    #[serde(skip)]
    pub app_id: Option<u64>,
    /// Its app.
    pub app: Option<String>,
    /// The app's version.
    pub version: Option<u64>,
    /// `blank`, `idle`, `busy` or `spawning`.
    pub state: &'static str,
    /// Since it was ready.
    pub age_ms: f64,
    /// Requests so far.
    pub served: u64,
    /// Resident memory.
    pub rss_bytes: u64,
    /// The request in hand.
    pub request: Option<String>,
    /// Where in it, as the worker says.
    pub phase: Option<&'static str>,
    /// How long it has been in that state.
    pub for_ms: f64,
}

/// One app that has workers.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AppRow {
    /// Its number.
    #[serde(skip)]
    pub app_id: u64,
    /// Its name.
    pub app: String,
    /// Workers that it holds.
    pub workers: usize,
    /// Of these, with a request.
    pub busy: usize,
}

impl Status {
    /// The farm now.
    #[must_use]
    pub fn of(ground: &Ground) -> Self {
        let now = Instant::now();
        let (mut rows, crowd) = {
            let pool = ground.pool.lock();
            let rows: Vec<WorkerRow> =
                pool.seats().take(ROWS).map(|(id, seated, since, door)| row(id, seated, since, door, now)).collect();
            (rows, pool.crowd())
        };
        rows.sort_by_key(|row| row.id);
        for row in &mut rows {
            row.rss_bytes = row.pid.map(resident_bytes).unwrap_or_default();
        }
        let size = ground.config.workers;
        let coming = size.saturating_sub(rows.len()).min(ROWS);
        rows.extend(std::iter::repeat_with(WorkerRow::coming).take(coming));
        let in_use = rows.iter().filter(|row| row.state == "busy").count();
        let counts = &ground.counts;
        let (interrupted, killed, executions) =
            (read(&counts.interrupted), read(&counts.killed), read(&counts.executions));
        Self {
            pool_size: size,
            available: size.saturating_sub(in_use),
            in_use,
            total_executions: executions,
            timeouts: interrupted.saturating_add(killed),
            avg_execution_ms: if executions == 0 {
                0.0
            } else {
                read(&counts.execute_us) as f64 / executions as f64 / 1_000.0
            },
            interrupted,
            killed,
            queued: crowd.waiting,
            spares: crowd.spares,
            spawning: crowd.coming,
            stand_ins: 0,
            dying: crowd.dying,
            crashes: read(&counts.crashes),
            respawns: read(&counts.respawns),
            lost_logs: read(&counts.lost_logs),
            sandbox: ground.sandbox(),
            apps: apps(&rows),
            workers: rows,
        }
    }

    /// Puts names where the pool knows numbers only.
    pub fn name_apps(&mut self, name: impl Fn(u64) -> Option<String>) {
        let known = |app: u64| name(app).unwrap_or_else(|| format!("#{app}"));
        for row in &mut self.workers {
            row.app = row.app_id.map(known);
        }
        for row in &mut self.apps {
            row.app = known(row.app_id);
        }
    }
}

impl WorkerRow {
    fn coming() -> Self {
        Self {
            id: None,
            pid: None,
            app_id: None,
            app: None,
            version: None,
            state: "spawning",
            age_ms: 0.0,
            served: 0,
            rss_bytes: 0,
            request: None,
            phase: None,
            for_ms: 0.0,
        }
    }
}

fn row(id: u64, seated: Seated, since: Instant, door: &DoorPlate, now: Instant) -> WorkerRow {
    let (state, key) = match seated {
        Seated::Blank => ("blank", None),
        Seated::Idle(key) => ("idle", Some(key)),
        Seated::Busy(key) => ("busy", Some(key)),
    };
    let request = door.request.lock().clone();
    let board = door.board.snapshot();
    WorkerRow {
        id: Some(id),
        pid: Some(door.pid),
        app_id: key.map(|key| key.app),
        app: None,
        version: key.map(|key| key.version),
        state,
        age_ms: millis(now.saturating_duration_since(door.born)),
        served: door.served.load(Relaxed),
        rss_bytes: 0,
        phase: board.phase.filter(|_| state == "busy").map(|phase| phase.word()),
        for_ms: millis(now.saturating_duration_since(request.as_ref().map_or(since, |(_, since)| *since))),
        request: request.map(|(id, _)| id.to_string()),
    }
}

fn apps(rows: &[WorkerRow]) -> Vec<AppRow> {
    let mut apps: BTreeMap<u64, AppRow> = BTreeMap::new();
    for row in rows {
        let Some(app_id) = row.app_id else { continue };
        let app = apps.entry(app_id).or_insert_with(|| AppRow { app_id, app: String::new(), workers: 0, busy: 0 });
        app.workers = app.workers.saturating_add(1);
        app.busy = app.busy.saturating_add(usize::from(row.state == "busy"));
    }
    apps.into_values().collect()
}

/// Resident memory of a process; zero where it is gone.
fn resident_bytes(pid: i32) -> u64 {
    let pages = std::fs::read_to_string(format!("/proc/{pid}/statm")).ok();
    let pages = pages.as_deref().and_then(|text| text.split(' ').nth(1)?.parse::<u64>().ok()).unwrap_or_default();
    pages.saturating_mul(rustix::param::page_size() as u64)
}

fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1_000.0
}
