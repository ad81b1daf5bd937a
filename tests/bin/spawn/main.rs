//! How long a birth takes: from `Spawn` to the child's `Ready`, and from SIGKILL of a child to its successor's `Ready`; beside
//! it, in the same run, a bare fork(2) that ends at once and the start and end of a program that does nothing, which say how the
//! machine is just then. Then the same of a whole farm, where a spare worker stands by. Run by `scripts/bench spawn`; uses the
//! programs beside this one.

#![expect(unsafe_code, reason = "fork(2), as a yardstick")]

mod succession;

use std::{
    os::fd::{AsFd, AsRawFd, OwnedFd},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use fazt_protocol::{
    board,
    call::{FromWorker, ToWorker},
    fd,
    pipe::Pipe,
    spawn::{FromZygote, Role, Spawn, ToZygote},
};
use nix::{
    libc,
    sys::wait::waitpid,
    unistd::{ForkResult, fork},
};
use rustix::process::{Signal, WaitId, WaitIdOptions, pidfd_send_signal, waitid};

const ROUNDS: u64 = 1_000;

type Zygote = Pipe<FromZygote, ToZygote>;
type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

/// A jailed child, and its end of the conversation, which keeps it alive.
struct Child {
    pidfd: OwnedFd,
    _call: Pipe<FromWorker, ToWorker>,
}

fn main() -> Fallible<()> {
    let (ours, theirs) = fd::pair()?;
    rustix::io::fcntl_setfd(&theirs, rustix::io::FdFlags::empty())?;
    let program = std::env::current_exe()?.with_file_name("fazt-worker");
    let mut process = Command::new(program)
        .args(["--zygote-fd", &theirs.as_raw_fd().to_string(), "--parent", &std::process::id().to_string()])
        .stdin(Stdio::null())
        .spawn()?;
    drop(theirs);
    let mut zygote = Zygote::new(ours);
    let FromZygote::Ready { .. } = zygote.receive(None)? else { return Err("the zygote refuses".into()) };
    let mut births = Vec::new();
    let mut successions = Vec::new();
    let mut forks = Vec::new();
    let mut nothings = Vec::new();
    let mut child = bear(&mut zygote, 1)?.0;
    for number in 2..ROUNDS + 2 {
        let killed = Instant::now();
        pidfd_send_signal(&child.pidfd, Signal::KILL)?;
        let (successor, birth) = bear(&mut zygote, number)?;
        successions.push(killed.elapsed());
        births.push(birth);
        waitid(WaitId::PidFd(child.pidfd.as_fd()), WaitIdOptions::EXITED)?;
        child = successor;
        forks.push(fork_and_end()?);
        let began = Instant::now();
        Command::new("/bin/true").status()?;
        nothings.push(began.elapsed());
    }
    pidfd_send_signal(&child.pidfd, Signal::KILL)?;
    process.kill()?;
    process.wait()?;
    show("spawn to ready", births);
    show("kill to successor ready", successions);
    show("fork to end of a child", forks);
    show("start to end of /bin/true", nothings);
    succession::measure();
    Ok(())
}

fn bear(zygote: &mut Zygote, number: u64) -> Fallible<(Child, Duration)> {
    let began = Instant::now();
    let (call, theirs) = fd::pair()?;
    let page = board::create()?;
    let spawn = ToZygote::Spawn(Spawn { number, role: Role::Worker, grouped: false });
    zygote.send_with(&spawn, &[theirs.as_fd(), page.as_fd()], None)?;
    drop((theirs, page));
    let FromZygote::Spawned { .. } = zygote.receive(None)? else { return Err("no child was born".into()) };
    let pidfd = zygote.take_descriptor()?;
    let mut call = Pipe::new(call);
    let FromWorker::Ready(_) = call.receive(None)? else { return Err("the child is not ready".into()) };
    Ok((Child { pidfd, _call: call }, began.elapsed()))
}

/// A copy of this small process that ends at once, from its fork to its collection.
fn fork_and_end() -> Fallible<Duration> {
    let began = Instant::now();
    // SAFETY: this process has one thread, and the child ends with _exit(2) before it does anything.
    match unsafe { fork() }? {
        // SAFETY: nothing of the parent's is run on the way out.
        ForkResult::Child => unsafe { libc::_exit(0) },
        ForkResult::Parent { child } => waitpid(child, None)?,
    };
    Ok(began.elapsed())
}

fn show(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |share: f64| times.get((times.len() as f64 * share) as usize).copied().unwrap_or_default();
    println!("{what:<32} p50 {:>6.0} us   p99 {:>6.0} us", at(0.5).as_secs_f64() * 1e6, at(0.99).as_secs_f64() * 1e6);
}
