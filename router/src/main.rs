//! `fazt-router`: accepts HTTP and hands requests to a farm of jailed workers.
//!
//! `main` wires and does nothing else. The first thread runs what must not end: the store's supervisor, the zygote, births
//! and deaths, signals. One more thread a core runs an accept loop, the requests that came through it, and the keepers of
//! its workers. Exit codes: 0 closed, 1 a check failed or the farm could not go on, 2 it did not start and nothing is left
//! running, 130 a second signal.

mod admin;
mod catalog;
mod cgroup;
mod check;
mod config;
mod dump;
mod edge;
mod farm;
mod fault;
mod house;
mod inherit;
mod privilege;
mod serve;
mod signals;
mod store;
mod telemetry;
mod trace;

use std::process::ExitCode;

use config::Action;

fn main() -> ExitCode {
    fazt_protocol::heap::give_back_large_blocks();
    let config = match config::load(std::env::args_os(), std::env::vars_os()) {
        Ok(config) => config,
        Err(error) => return ExitCode::from(error.report()),
    };
    if config.action == Action::Print {
        print!("{}", config.settings);
        return ExitCode::SUCCESS;
    }
    // No program that it or its children start can be more than itself: it starts its two siblings and nothing else.
    if let Err(error) = privilege::give_up() {
        return serve::refuse(&format!("failed to {error}"));
    }
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return serve::refuse(&format!("failed to start a runtime: {error}")),
    };
    let code = match config.action {
        Action::Check => runtime.block_on(check::check(config)),
        _ => runtime.block_on(serve::serve(config)),
    };
    // Whoever still collects a killed process is not waited for: the kernel does it when we are gone.
    runtime.shutdown_background();
    code
}
