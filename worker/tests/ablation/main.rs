//! Each layer of the jail taken away: what gets through then, and only then.
//!
//! This program is the tests; a `router`, which owns what is attacked and looks at its children from outside; the `nest`,
//! which leaves layers out; and each jailed child of it, which makes one attempt. The way into the jail is the true one.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on ends")]
#![expect(unsafe_code, reason = "calls that the jail must refuse")]

mod attempts;
mod judge;
mod looks;
mod nest;
#[path = "../reap/mod.rs"]
mod reap;
mod router;
mod table;
#[path = "../../jail/tests/users/mod.rs"]
mod users;

use std::{env, process::ExitCode};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some("router") => router::run(&arguments[2..]),
        Some("nest") => nest::run(&arguments[2..]),
        _ => libtest_mimic::run(&libtest_mimic::Arguments::from_args(), judge::all()).exit_code(),
    }
}
