//! `fazt-worker`: the zygote, and in its children the workers and builders of a farm. Started by `fazt-router`.
//!
//! Exit codes: 0 the router is done with it, 1 a layer of the jail is missing or the conversation broke, 2 wrong usage.

use std::process::ExitCode;

use clap::Parser;
use fazt_protocol::spawn::Role;
use fazt_worker::{
    builder, check,
    engine::{self, Standard},
    flags::Flags,
    serve,
    zygote::{self, Config},
};

fn main() -> ExitCode {
    let flags = Flags::parse();
    let ended = match Config::from_flags(&flags) {
        Some(config) => raise(&flags, &config),
        None => check::run(&flags).map_err(|error| format!("failed to {error}")),
    };
    match ended {
        Ok(status) => ExitCode::from(u8::try_from(status).unwrap_or(1)),
        Err(why) => {
            eprintln!("fazt-worker: {why}");
            ExitCode::FAILURE
        }
    }
}

fn raise(flags: &Flags, config: &Config) -> Result<i32, String> {
    // The first start only goes inside its namespaces and starts again: what children share is made in the second.
    let standard = match config.arrival {
        Some(_) => Some(shared()?),
        None => None,
    };
    let engine = flags.engine();
    let live = |birth: zygote::Birth| match (birth.role, &standard) {
        (Role::Worker, Some(standard)) => serve::run(birth, standard, engine),
        (Role::Worker, None) => zygote::status::NOT_JAILED,
        (Role::Builder, _) => builder::run(birth),
    };
    zygote::run(config, live).map(|()| 0).map_err(|error| format!("failed to {error}"))
}

/// What every child inherits: the standard's bytecode, and the handler that watches for writes. No context, no secret.
fn shared() -> Result<Standard, String> {
    engine::prepare().map_err(|error| format!("failed to install a signal handler: {error}"))?;
    Standard::compile().map_err(|error| format!("failed to compile the standard: {error}"))
}
