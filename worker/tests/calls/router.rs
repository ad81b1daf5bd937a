//! The nest role: puts a child through a jail with a line less for each part, and is router and store to it.

use std::{
    env,
    fs::File,
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::FileExt,
    },
    process::{ExitCode, exit},
    thread,
    time::{Duration, Instant},
};

use clap::Parser;
use fazt_jail::{
    Born, Kin, Layers, Limits, Nest, Newborn, Offspring, Policy, Strictness, clone, die_with_parent, enter,
};
use fazt_protocol::{
    board::{self, Phase},
    fd,
    op::{Answer, Ask, Found, FromStore, Op, ToStore, files, kv},
    pipe::Pipe,
};
use fazt_worker::{
    engine::{self, Blank, Standard},
    flags::Flags,
    zygote::Birth,
};
use nix::{
    sys::{
        signal::{Signal, kill},
        wait::{Id, WaitPidFlag, WaitStatus, waitid},
    },
    unistd::{ForkResult, Pid, fork},
};
use rustix::fs::{CWD, Mode, OFlags, openat};

use crate::{
    parts::{PARTS, Part as Exercise},
    reap::{PATIENCE_MS, reap},
};

const FLAG: &str = "--nested";
/// What the app reads of the store, in bytes: more than one frame.
const BLOB_BYTES: usize = 1 << 20;

/// A child in its part, as its router sees it.
pub(crate) struct Child {
    pid: i32,
    pidfd: OwnedFd,
    /// What the kernel lists of it.
    stat: File,
    board: board::Reader,
    pub(crate) call: OwnedFd,
    /// Two channels to the store, one after the other.
    pub(crate) ops: Vec<OwnedFd>,
}

pub(crate) fn deadline() -> Option<Instant> {
    Some(Instant::now() + Duration::from_millis(PATIENCE_MS.into()))
}

/// What a farm that sets nothing gives its zygote.
pub(crate) fn flags() -> Flags {
    Flags::parse_from(["fazt-worker", "--check-jail"])
}

/// `nest PLACE PARENT [--nested=…]`
pub(crate) fn run(arguments: &[String]) -> ExitCode {
    let [_, _, place, parent, ..] = arguments else { panic!("nest PLACE PARENT") };
    die_with_parent(parent.parse().unwrap()).unwrap();
    let Some(arrival) = env::args().next_back().unwrap().strip_prefix("--nested=").map(|text| text.parse().unwrap())
    else {
        panic!("{}", fazt_jail::start_again_inside(Strictness::Strict, FLAG).unwrap_err());
    };
    engine::prepare().unwrap();
    let config = flags().engine();
    // The stores first: they live outside, and have what they need.
    let mut ops: Vec<Vec<OwnedFd>> = PARTS.iter().map(|_| vec![store(), store()]).collect();
    // In the nest there is no file any more.
    let processes = openat(CWD, "/proc", OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).unwrap();
    let nest = Nest::settle_without(Strictness::Strict, arrival, Layers::NONE, place.parse().ok()).unwrap();
    for part in PARTS {
        let blank = Blank::make(&Standard::compile().unwrap(), config).unwrap();
        let (call, theirs) = fd::pair().unwrap();
        let page = board::create().unwrap();
        let Offspring { pid, pidfd } = match clone(&nest, Kin::Child).unwrap() {
            Born::Inside(newborn) => exit(live(newborn, part, theirs, &page, blank)),
            Born::Outside(offspring) => offspring,
        };
        drop(theirs);
        // Reads with a deadline.
        rustix::io::ioctl_fionbio(&call, true).unwrap();
        let stat = openat(&processes, format!("{pid}/stat"), OFlags::CLOEXEC, Mode::empty()).unwrap();
        let (stat, board) = (stat.into(), board::Reader::map(page.as_fd()).unwrap());
        let child = Child { pid, pidfd, stat, board, call, ops: ops.remove(0) };
        if let Err(why) = (part.play)(child) {
            println!("failed {}: {why}", part.name);
        }
    }
    ExitCode::SUCCESS
}

fn live(newborn: Newborn<'_>, part: &Exercise, call: OwnedFd, page: &OwnedFd, blank: Blank) -> i32 {
    let board = board::Writer::map(page.as_fd()).unwrap();
    let keep = [call.as_fd()];
    let limits = Limits { cpu_seconds: 20, ..flags().limits(part.role) };
    let policy = Policy { keep: &keep, slot: 0, limits, slice: Duration::from_millis(20) };
    let jailed = enter(newborn, &policy).unwrap();
    (part.live)(Birth { jailed, role: part.role, call, board }, blank)
}

impl Child {
    /// Closes the conversation and waits: how it ended.
    pub(crate) fn end(self) -> Result<WaitStatus, String> {
        drop(self.call);
        reap(&self.pidfd)
    }

    /// Stops it once it sleeps in that phase of a call, and lets it go on.
    pub(crate) fn pause(&self, phase: Phase) -> Result<(), String> {
        let until = deadline();
        while !(self.board.snapshot().phase == Some(phase) && self.is_asleep()) {
            if Some(Instant::now()) > until {
                return Err(format!("it does not sleep in {phase:?}"));
            }
            thread::sleep(Duration::from_millis(1));
        }
        let told = |errno: nix::Error| errno.to_string();
        kill(Pid::from_raw(self.pid), Signal::SIGSTOP).map_err(told)?;
        waitid(Id::PIDFd(self.pidfd.as_fd()), WaitPidFlag::WSTOPPED).map_err(told)?;
        kill(Pid::from_raw(self.pid), Signal::SIGCONT).map_err(told)
    }

    fn is_asleep(&self) -> bool {
        // `pid (name) state …`
        let mut text = [0; 512];
        let count = self.stat.read_at(&mut text, 0).unwrap_or_default();
        let text = String::from_utf8_lossy(text.get(..count).unwrap_or_default()).into_owned();
        text.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('S'))
    }

    /// The same where it must have ended by itself, with that status.
    pub(crate) fn ends_with(self, status: i32) -> Result<(), String> {
        match self.end()? {
            WaitStatus::Exited(_, its) if its == status => Ok(()),
            other => Err(format!("it ended with {other:?}")),
        }
    }
}

/// A store that answers whatever it is asked; gone with its channel.
fn store() -> OwnedFd {
    let (ours, theirs) = fd::pair().unwrap();
    // SAFETY: this process has one thread.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            drop(ours);
            let mut channel = Pipe::<ToStore, FromStore>::new(theirs);
            while let Ok(said) = channel.receive(None) {
                if let ToStore::Ask(ask) = said {
                    answer(&mut channel, &ask);
                }
            }
            exit(0)
        }
        ForkResult::Parent { .. } => ours,
    }
}

fn answer(channel: &mut Pipe<ToStore, FromStore>, ask: &Ask) {
    let mut is_whole = ask.body.last;
    while !is_whole {
        let Ok(ToStore::Chunk(part)) = channel.receive(None) else { return };
        is_whole = part.last;
    }
    let (outcome, body) = match &ask.op {
        Op::Files(_) => {
            let mut sources = Vec::new();
            files::write_source("api/main.js", b"respond({ body: request.body.length })", &mut sources);
            (Found::Bytes, sources)
        }
        Op::Kv(kv::Op::Get { .. }) => (Found::Json, format!("\"{}\"", "x".repeat(BLOB_BYTES)).into_bytes()),
        _ => (Found::Done, Vec::new()),
    };
    let (first, parts) = fazt_protocol::body::parts(&body);
    let answer = Answer { number: ask.number, spent_us: 1, outcome: Ok(outcome), body: first };
    let _gone = channel.send(&FromStore::Answer(Box::new(answer)), None);
    for part in parts {
        let _gone = channel.send(&FromStore::Chunk(part), None);
    }
}
