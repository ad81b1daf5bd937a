//! The house from outside: real binaries on a free port, a temporary folder, real SQLite, the real sandbox.
//!
//! Each test starts a farm of its own and leaves no process behind. What must hold in every case (neighbours are served, an
//! acknowledged write is there once, processes and descriptors are as before) stands in `fazt_tests::oracle`.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on ends")]

mod activation;
mod bad_input;
mod builder;
mod captured;
mod cgroup;
mod cli;
mod contract;
mod crash;
mod deploy;
mod fresh;
mod fuzz;
mod hostile;
mod http;
mod impostor;
mod jail;
mod lifecycle;
mod momentum;
mod native;
mod race;
mod scarce;
mod seen;
mod serve;
mod site;
mod store;
mod tiers;
mod timeout;
