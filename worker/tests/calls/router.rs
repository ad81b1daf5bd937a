//! The nest role: puts a child through a jail with a line less for each part, and is router and store to it.

use std::{
    env,
    os::fd::{AsFd, OwnedFd},
    process::{ExitCode, exit},
    time::{Duration, Instant},
};

use clap::Parser;
use fazt_jail::{
    Born, Kin, Layers, Limits, Nest, Newborn, Offspring, Policy, Strictness, clone, die_with_parent, enter,
};
use fazt_protocol::{
    board,
    body::Part,
    fd,
    op::{Answer, Ask, Found, FromStore, Op, ToStore, files, kv},
    pipe::Pipe,
    spawn::Role,
};
use fazt_worker::{
    engine::{self, Blank, Standard},
    flags::Flags,
    zygote::Birth,
};
use nix::{
    sys::wait::{Id, WaitPidFlag, WaitStatus, waitid},
    unistd::{ForkResult, fork},
};

use crate::parts::{PARTS, Part as Exercise};

const FLAG: &str = "--nested";
const LIMITS: Limits = Limits { address_space_bytes: 1 << 30, cpu_seconds: 20, stack_bytes: 8 << 20 };
/// What the app reads of the store, in bytes: more than one frame.
const BLOB_BYTES: usize = 1 << 20;

/// A child in its part, as its router sees it.
pub(crate) struct Child {
    pub(crate) pid: i32,
    pidfd: OwnedFd,
    pub(crate) call: OwnedFd,
    /// Two channels to the store, one after the other.
    pub(crate) ops: Vec<OwnedFd>,
}

pub(crate) fn deadline() -> Option<Instant> {
    Some(Instant::now() + Duration::from_secs(10))
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
    let config = Flags::parse_from(["fazt-worker", "--check-jail"]).engine();
    // The stores first: they live outside, and have what they need.
    let mut ops: Vec<Vec<OwnedFd>> = PARTS.iter().map(|_| vec![store(), store()]).collect();
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
        let child = Child { pid, pidfd, call, ops: ops.remove(0) };
        if let Err(why) = (part.play)(child) {
            println!("failed {}: {why}", part.name);
        }
    }
    ExitCode::SUCCESS
}

fn live(newborn: Newborn<'_>, part: &Exercise, call: OwnedFd, page: &OwnedFd, blank: Blank) -> i32 {
    let board = board::Writer::map(page.as_fd()).unwrap();
    let keep = [call.as_fd()];
    let policy = Policy { keep: &keep, slot: 0, limits: LIMITS, slice: Duration::from_millis(20) };
    let jailed = enter(newborn, &policy).unwrap();
    (part.live)(Birth { jailed, role: Role::Worker, call, board }, blank)
}

impl Child {
    /// Closes the conversation and waits: how it ended.
    pub(crate) fn end(self) -> Result<WaitStatus, String> {
        drop(self.call);
        waitid(Id::PIDFd(self.pidfd.as_fd()), WaitPidFlag::WEXITED).map_err(|errno| errno.to_string())
    }

    /// The same where it must have ended well.
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
    let mut rest = ask.body.last;
    while !rest {
        let Ok(ToStore::Chunk(part)) = channel.receive(None) else { return };
        rest = part.last;
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
        let _gone = channel.send(&FromStore::Chunk(Part { ..part }), None);
    }
}
