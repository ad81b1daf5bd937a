//! A worker that lies. The true zygote brings it into the world and the true jail holds it; what it says to router and store
//! is whatever the request's path names (see [`lies`]), as if an app had taken its process over.
//!
//! Put beside a router under the name `fazt-worker`, it serves a whole farm: `echo` answers honestly with the query, deploys
//! are built by the true builder, or, where a file `builders-lie` stands beside the program, by one that lies.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a liar that cannot go on dies, which is one more thing that a worker may do"
)]

mod builder;
mod lies;
mod life;
mod native;
mod store;
mod victim;

use std::{env, process::ExitCode};

use clap::Parser;
use fazt_protocol::spawn::Role;
use fazt_worker::{
    builder as honest,
    flags::Flags,
    zygote::{self, Birth, Config},
};

fn main() -> ExitCode {
    let Some(config) = Config::from_flags(&Flags::parse()) else { return ExitCode::FAILURE };
    // Looked at before the zygote leaves the folder behind.
    let builders_lie = env::current_exe().unwrap().with_file_name("builders-lie").exists();
    let live = |birth: Birth, (): ()| match birth.role {
        Role::Worker => life::live(birth),
        Role::Builder if builders_lie => builder::live(birth),
        Role::Builder => honest::run(birth),
    };
    match zygote::run(&config, || Ok(()), live) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("impostor: {error}");
            ExitCode::FAILURE
        }
    }
}
