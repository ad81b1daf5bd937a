//! `fazt-store`: the one process that owns the SQLite file of a farm, and answers kv, ds and s3 calls of its workers.
//!
//! Started by the router with one descriptor, its end of the registry conversation. It ends with the router, however that
//! ends: by the parent-death signal, and by the end of that conversation.

mod apps;
mod birth;
mod budget;
mod chunks;
mod config;
mod connection;
mod control;
mod delay;
mod ds;
mod fair;
mod files;
mod json;
mod kv;
mod leash;
mod loads;
mod logs;
mod once;
mod open;
mod question;
mod queue;
mod quota;
mod reactor;
mod readers;
mod refusal;
mod route;
mod s3;
mod schema;
mod session;
mod snapshots;
mod store;
mod sweep;
mod telemetry;
mod writer;

use std::process::ExitCode;

use clap::Parser;

use crate::config::Config;

/// The store did not start: the data folder is not to be had.
const REFUSED: u8 = 2;

fn main() -> ExitCode {
    fazt_protocol::heap::give_back_large_blocks();
    let config = Config::parse();
    telemetry::start(config.log_format);
    let registry = match birth::take_registry(&config) {
        Ok(registry) => registry,
        Err(error) => return fail(&error, 1),
    };
    let opened = match open::open(&config) {
        Ok(opened) => opened,
        Err(refused) => {
            tracing::error!("{refused}");
            birth::refuse(registry, &refused.0);
            return ExitCode::from(REFUSED);
        }
    };
    let sandbox_missing = match birth::confine(&config) {
        Ok(missing) => missing,
        Err(error) => {
            let why = format!("failed to {}", error.explained());
            tracing::error!("{why}");
            birth::refuse(registry, &format!("the store {why}"));
            return ExitCode::from(REFUSED);
        }
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error, 1),
    };
    match runtime.block_on(reactor::run(config, opened, registry, sandbox_missing)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error, 1),
    }
}

fn fail(error: &dyn std::error::Error, code: u8) -> ExitCode {
    tracing::error!("failed to {error}");
    ExitCode::from(code)
}
