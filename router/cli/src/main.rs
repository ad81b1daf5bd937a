//! `fazt`: the command with which a person or a script speaks to a running farm.
//!
//! It reads its arguments, does one thing over the farm's public HTTP interface and prints what came of it: tables for
//! people, the server's own JSON with `--json`. It knows nothing else of the farm: no file of it (but the admin
//! token), no socket, no database. Of itself it remembers which folder was deployed as which app. It ends with 0 (done), 1 (the operation failed), 2 (wrong usage), 3 (the server
//! cannot be reached) or 4 (not authorised).

mod args;
mod client;
mod command;
mod environment;
mod failure;
mod folders;
mod manifest;
mod name;
mod output;
mod pack;
mod problem;
mod progress;
mod time;
mod token;
mod tree;

use std::process::ExitCode;

use clap::Parser;

use crate::{args::Args, failure::Failure, output::Output};

fn main() -> ExitCode {
    let args = Args::parse();
    let mut output = Output::new(args.json);
    match command::run(args, &mut output) {
        // Who reads us has seen enough (`fazt app logs N | head`).
        Ok(()) | Err(Failure::ReaderGone) => ExitCode::SUCCESS,
        Err(failure) => {
            output.failure(&failure);
            ExitCode::from(failure.exit_code())
        }
    }
}
