//! Settings to configuration: defaults, bounds, and the relations between values.

use std::{io::IsTerminal, path::PathBuf, time::Duration};

use fazt_protocol::limit;

use super::{Action, Config, error::ConfigError, programs, settings::Settings, value};
use crate::{
    admin, edge,
    farm::{self, config::Sandbox},
    store, telemetry,
};

/// The most workers: each is a process with descriptors of its own.
const WORKERS_MOST: usize = 1_024;
const HEAP_LEAST: u64 = 4 << 20;
const HEAP_MOST: u64 = 4 << 30;

/// Reads every setting.
pub(super) fn config(mut settings: Settings, action: Action, debug: bool) -> Result<Config, ConfigError> {
    let telemetry = telemetry(&mut settings, debug)?;
    let data_dir = settings.take("data-dir", "fazt-data", |text| Ok(PathBuf::from(text)))?;
    let request = settings.take("request-timeout", "5s", value::duration)?;
    let farm = farm(&mut settings, request)?;
    let edge = edge(&mut settings, request, debug)?;
    let log_json = telemetry.format == telemetry::Format::Json;
    let store = store(&mut settings, &data_dir, log_json, farm.sandbox)?;
    check(&settings, &farm, &edge)?;
    let admin = admin::Config { token_file: data_dir.join("admin.token") };
    let mut config = Config { action, data_dir, farm, store, edge, admin, telemetry, settings };
    if action != Action::Print {
        config.farm.worker_program = programs::find("fazt-worker")?;
        config.store.program = programs::find("fazt-store")?;
    }
    Ok(config)
}

/// A limit's default, which follows the whole request's where that is shorter.
fn within(usual: Duration, request: Duration) -> String {
    humantime::format_duration(usual.min(request)).to_string()
}

fn farm(settings: &mut Settings, request: Duration) -> Result<farm::config::Config, ConfigError> {
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let default = cpus.saturating_mul(2).clamp(4, WORKERS_MOST);
    let workers = settings.take("workers", default.to_string(), |text| value::number(text, 1..=WORKERS_MOST))?;
    let share = workers.saturating_sub(1).max(1);
    Ok(farm::config::Config {
        worker_program: PathBuf::new(),
        workers,
        app_max_workers: settings
            .take("app-max-workers", share.to_string(), |text| value::number(text, 1..=WORKERS_MOST))?,
        queue_depth: settings.take("queue-depth", "1024", |text| value::number(text, 0..=1_000_000))?,
        queue_timeout: settings.take("queue-timeout", within(Duration::from_secs(2), request), value::duration)?,
        memory_bytes: settings.take("memory", "64MiB", |text| value::size(text, HEAP_LEAST..=HEAP_MOST))?,
        storage_timeout: settings.take(
            "storage-timeout",
            within(Duration::from_millis(limit::STORAGE_TIMEOUT_MS), request),
            value::duration,
        )?,
        max_requests_per_worker: settings
            .take("max-requests-per-worker", "10000", |text| value::number(text, 1..=u64::from(u32::MAX)))?,
        answer_bytes: limit::BODY_BYTES,
        sandbox: settings.take("sandbox", "strict", value::sandbox)?,
        fresh_state: settings.take("fresh-state", "image", value::fresh_state)?,
    })
}

fn edge(settings: &mut Settings, request: Duration, debug: bool) -> Result<edge::config::Config, ConfigError> {
    Ok(edge::config::Config {
        listen: settings.take_all("listen", &["127.0.0.1:8080"], value::listen)?,
        domains: settings.take_all("domain", &["localhost"], value::domain)?,
        default_app: settings.take("default-app", "", value::app)?,
        run: settings.take("timeout", within(Duration::from_secs(1), request), value::duration)?,
        request,
        body_bytes: limit::BODY_BYTES,
        body_budget: edge::config::BODY_BUDGET,
        content_bytes: edge::config::CONTENT_BYTES,
        trusted: settings.take_all("trust-proxy", &[], value::trusted)?,
        debug,
    })
}

fn store(
    settings: &mut Settings,
    data_dir: &std::path::Path,
    log_json: bool,
    sandbox: Sandbox,
) -> Result<store::Config, ConfigError> {
    let usual = format!("sqlite:{}", data_dir.join("fazt.db").display());
    Ok(store::Config {
        program: PathBuf::new(),
        data_dir: data_dir.to_owned(),
        database: settings.take("store", usual, value::database)?,
        durability: settings.take("durability", "full", value::durability)?,
        log_json,
        sandbox,
    })
}

fn telemetry(settings: &mut Settings, debug: bool) -> Result<telemetry::Config, ConfigError> {
    let usual = if std::io::stderr().is_terminal() { "pretty" } else { "json" };
    Ok(telemetry::Config {
        format: settings.take("log-format", usual, value::log_format)?,
        access_log: settings.take("access-log", "on", value::switch)?,
        debug,
    })
}

/// What was given must go together; what was not given followed ([`within`]).
fn check(settings: &Settings, farm: &farm::config::Config, edge: &edge::config::Config) -> Result<(), ConfigError> {
    if farm.app_max_workers > farm.workers {
        let (share, all) = (settings.describe("app-max-workers"), settings.describe("workers"));
        return Err(ConfigError::Relation(format!("{share} is more than {all}")));
    }
    if edge.listen.is_empty() {
        return Err(ConfigError::Relation("listen = [] leaves the farm without an address".to_owned()));
    }
    let limits: [(&str, Duration); 3] =
        [("timeout", edge.run), ("queue-timeout", farm.queue_timeout), ("storage-timeout", farm.storage_timeout)];
    for (name, span) in limits {
        if span > edge.request && settings.is_given(name) {
            let (part, whole) = (settings.describe(name), settings.describe("request-timeout"));
            return Err(ConfigError::Relation(format!("{part} is longer than the whole request's {whole}")));
        }
    }
    Ok(())
}
