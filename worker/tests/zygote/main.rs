//! The zygote as its router sees it: a real process, real births, children that do as they are told.
//!
//! This program is the tests, and the zygote too where its arguments ask for one: its children are then [`child`]'s. As
//! root the tests run a second time as an ordinary user.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on ends")]

mod child;
mod farm;
#[path = "../reap/mod.rs"]
mod reap;
mod trials;

use std::{env, process::ExitCode};

use clap::Parser;
use fazt_worker::{
    flags::Flags,
    zygote::{self, Config},
};

fn main() -> ExitCode {
    if env::args().any(|argument| argument == "--zygote-fd") {
        let config = Config::from_flags(&Flags::parse()).unwrap();
        return match zygote::run(&config, || Ok(()), child::live) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        };
    }
    libtest_mimic::run(&libtest_mimic::Arguments::from_args(), trials::all()).exit_code()
}
