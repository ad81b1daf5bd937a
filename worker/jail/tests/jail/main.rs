//! The jail seen from inside a real child and from outside, on this kernel, as root and as an ordinary user.
//!
//! This program is six things, by its first argument: the tests; a `confined` owner of a folder, and the `owner` that tries
//! every call; a `router`, which starts a nest, looks at its children through /proc as a real one would, and reaps them; the
//! `nest`; and each jailed child of it. So each part has a process with one thread, which the kernel demands.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on ends")]
#![expect(unsafe_code, reason = "calls that the jail must refuse")]

mod confined;
mod every;
mod forbidden;
mod inside;
mod nest;
mod owner;
mod router;
mod stage;
mod trials;
#[path = "../users/mod.rs"]
mod users;

use std::{env, process::ExitCode};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some("router") => router::run(&arguments[2..]),
        Some("confined") => confined::run(&arguments[2..]),
        Some("owner") => owner::run(&arguments[2..]),
        Some("nest") => nest::run(&arguments[2..]),
        _ => libtest_mimic::run(&libtest_mimic::Arguments::from_args(), trials::all()).exit_code(),
    }
}
