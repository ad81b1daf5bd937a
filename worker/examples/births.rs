//! How long a birth takes: the router asks, the zygote clones, the child enters its jail and says `Ready`.
//!
//! Run with `cargo run --release -p fazt-worker --example births`, as root and as an ordinary user. Prints two lines:
//! births one after the other, and SIGKILL of a spinning child followed by its successor's birth.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a measurement that cannot go on ends")]

use std::{
    env,
    hint::black_box,
    os::fd::{AsFd, AsRawFd, OwnedFd},
    process::{Child, Command, ExitCode, id},
    time::{Duration, Instant},
};

use clap::Parser;
use fazt_protocol::{
    board,
    call::{FromWorker, Ready, ToWorker},
    fd,
    pipe::Pipe,
    spawn::{FromZygote, Role, Spawn, ToZygote},
    version::PROTOCOL,
};
use fazt_worker::{
    flags::Flags,
    zygote::{self, Birth, Config},
};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use rustix::{
    io::{FdFlags, fcntl_setfd},
    process::{Signal, pidfd_send_signal},
};

const BIRTHS: u64 = 2_000;

fn main() -> ExitCode {
    if env::args().any(|argument| argument == "--zygote-fd") {
        zygote::run(&Config::from_flags(&Flags::parse()).unwrap(), || Ok(()), wait_and_spin).unwrap();
        return ExitCode::SUCCESS;
    }
    let mut farm = start();
    let births = (1..=BIRTHS).map(|number| {
        let asked = Instant::now();
        let worker = bear(&mut farm.1, number);
        let took = asked.elapsed();
        end(&worker);
        took
    });
    report("birth", births.collect());
    let mut worker = bear(&mut farm.1, BIRTHS + 1);
    let successions = (BIRTHS + 2..=2 * BIRTHS).map(|number| {
        // Any bytes will do; then long enough to be in the middle of its loop.
        rustix::io::write(worker.0.socket(), b"go, go").unwrap();
        std::thread::sleep(Duration::from_micros(200));
        let killed = Instant::now();
        pidfd_send_signal(&worker.1, Signal::KILL).unwrap();
        let successor = bear(&mut farm.1, number);
        let took = killed.elapsed();
        reap(&worker.1);
        worker = successor;
        took
    });
    report("SIGKILL to successor", successions.collect());
    end(&worker);
    farm.0.kill().unwrap();
    farm.0.wait().unwrap();
    ExitCode::SUCCESS
}

/// Every child's life: it waits to be spoken to, as a blank worker does, and then spins, as a runaway does.
fn wait_and_spin(birth: Birth, (): ()) -> i32 {
    let ready = Ready { protocol: PROTOCOL, layers: birth.jailed.layers().bits() };
    let mut call: Pipe<ToWorker, FromWorker> = Pipe::new(birth.call);
    call.send(&FromWorker::Ready(ready), None).unwrap();
    let _ = call.receive(None);
    loop {
        black_box(());
    }
}

fn start() -> (Child, Pipe<FromZygote, ToZygote>) {
    let (ours, theirs) = fd::pair().unwrap();
    fcntl_setfd(&theirs, FdFlags::empty()).unwrap();
    let zygote = Command::new(env::current_exe().unwrap())
        .args(["--zygote-fd", &theirs.as_raw_fd().to_string(), "--parent", &id().to_string()])
        .spawn()
        .unwrap();
    let mut spawn = Pipe::new(ours);
    match spawn.receive(None).unwrap() {
        FromZygote::Ready { .. } => (zygote, spawn),
        other => panic!("{other:?}"),
    }
}

/// The call conversation and the pidfd of a child that has said `Ready`.
fn bear(spawn: &mut Pipe<FromZygote, ToZygote>, number: u64) -> (Pipe<FromWorker, ToWorker>, OwnedFd) {
    let (ours, theirs) = fd::pair().unwrap();
    let page = board::create().unwrap();
    let order = ToZygote::Spawn(Spawn { number, role: Role::Worker, grouped: false });
    spawn.send_with(&order, &[theirs.as_fd(), page.as_fd()], None).unwrap();
    drop(theirs);
    match spawn.receive(None).unwrap() {
        FromZygote::Spawned { .. } => {}
        other => panic!("{other:?}"),
    }
    let pidfd = spawn.take_descriptor().unwrap();
    let mut call = Pipe::new(ours);
    match call.receive(None).unwrap() {
        FromWorker::Ready(_) => (call, pidfd),
        other => panic!("{other:?}"),
    }
}

fn end((_, pidfd): &(Pipe<FromWorker, ToWorker>, OwnedFd)) {
    pidfd_send_signal(pidfd, Signal::KILL).unwrap();
    reap(pidfd);
}

fn reap(pidfd: &OwnedFd) {
    waitid(Id::PIDFd(pidfd.as_fd()), WaitPidFlag::WEXITED).unwrap();
}

fn report(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |share: f64| times.get((times.len() as f64 * share) as usize).map_or(0, Duration::as_micros);
    println!("{what}: p50 {} µs, p90 {} µs, p99 {} µs, {} times", at(0.5), at(0.9), at(0.99), times.len());
}
