//! Each line of the list of calls taken away: what breaks then. A true worker and a true builder, born by the true way, go
//! through a workout; the whole list serves it, and `each_line_is_needed` says for every line which part of it fails. It takes
//! half a minute: in each round the parts wait for what a line less makes of them.
//!
//! This program is the tests and, by its first argument, the nest, which plays router and store to its children.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on ends")]
#![expect(unsafe_code, reason = "a child that crashes, and a fork")]

mod parts;
#[path = "../reap/mod.rs"]
mod reap;
mod router;

use std::{
    env,
    process::{Command, ExitCode, Stdio, id},
};

use fazt_jail::syscalls::ALLOWED;
use libtest_mimic::{Arguments, Trial};

/// What no part needs, and why it stays all the same.
const KEPT: &[(&str, &str)] = &[
    ("gettimeofday", "the vDSO answers on this machine, and not on every one"),
    ("rt_sigaction [(0, Is(7))]", "no part can bring about a real SIGBUS: nothing in a child is mapped from a file"),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().collect();
    if arguments.get(1).is_some_and(|role| role == "nest") {
        return router::run(&arguments);
    }
    let tests = vec![
        Trial::test("the_whole_list_serves_every_part", || {
            let failed = failing(None);
            if failed.is_empty() { Ok(()) } else { Err(format!("{failed:?}").into()) }
        }),
        Trial::test("each_line_is_needed", each_line_is_needed),
    ];
    libtest_mimic::run(&Arguments::from_args(), tests).exit_code()
}

/// The parts that fail without that line.
fn failing(place: Option<usize>) -> Vec<String> {
    let place = place.map_or("none".to_owned(), |place| place.to_string());
    let mut nest = Command::new(env::current_exe().unwrap());
    let output = nest.args(["nest", &place, &id().to_string()]).stderr(Stdio::inherit()).output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "the nest ended with {}: {told}", output.status);
    told.lines().filter_map(|line| line.strip_prefix("failed ")).map(str::to_owned).collect()
}

fn each_line_is_needed() -> Result<(), libtest_mimic::Failed> {
    let (mut idle, mut found) = (Vec::new(), 0);
    for (place, allowed) in ALLOWED.iter().enumerate() {
        let failed = failing(Some(place));
        let line = format!("{} {:?}", allowed.name, allowed.only);
        let kept = KEPT.iter().find(|(kept, _)| line.starts_with(kept)).map(|(_, why)| format!("kept: {why}"));
        found += usize::from(kept.is_some());
        println!("{line}: {} {}", kept.as_deref().unwrap_or_default(), failed.join("; "));
        if failed.is_empty() && kept.is_none() {
            idle.push(line);
        }
    }
    if found != KEPT.len() {
        return Err(format!("{found} lines are those that are kept, of {}", KEPT.len()).into());
    }
    if idle.is_empty() { Ok(()) } else { Err(format!("nothing needs {idle:#?}").into()) }
}
