//! `fazt-worker`: the zygote, and in its children the workers and builders of a farm. Started by `fazt-router`.
//!
//! Exit codes: 0 the router is done with it, 1 a layer of the jail is missing or the conversation broke, 2 wrong usage.

use std::process::ExitCode;

use clap::Parser;
use fazt_protocol::spawn::Role;
use fazt_worker::{
    builder, check,
    engine::{self, Blank, Standard},
    flags::Flags,
    serve,
    zygote::{self, Config, ZygoteError},
};

fn main() -> ExitCode {
    let flags = Flags::parse();
    let ended = match Config::from_flags(&flags) {
        Some(config) => raise(&flags, &config),
        None => check::run(&flags).map_err(|error| format!("failed to {}", error.explained())),
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
    let live = |birth: zygote::Birth, blank: Blank| match birth.role {
        Role::Worker => serve::run(birth, blank),
        Role::Builder => builder::run(birth),
    };
    match zygote::run(config, || shared(flags), live) {
        Ok(()) => Ok(0),
        // The router was told, and says it.
        Err(ZygoteError::Unprepared(_)) => Ok(1),
        Err(error) => Err(format!("failed to {error}")),
    }
}

/// What every child inherits: the handler that watches for writes, and an engine with the prelude in it. Nothing random,
/// no app, no secret.
fn shared(flags: &Flags) -> Result<Blank, String> {
    engine::prepare().map_err(|error| format!("failed to install a signal handler: {error}"))?;
    let standard = Standard::compile().map_err(|error| format!("failed to compile the standard: {error}"))?;
    Blank::make(&standard, flags.engine()).map_err(|error| format!("failed to {error}"))
}
