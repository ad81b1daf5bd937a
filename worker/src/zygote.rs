//! The zygote: sits in the nest and brings a jailed child into the world whenever the router asks.
//!
//! It has one thread, no JavaScript but our own prelude and no secret, and touches nothing random (a hash table's keys drawn
//! here would be every child's). What a child does is the caller's: the program serves apps and builds deploys, tests put liars through
//! the same birth. A child is the router's own, which reaps it through the pidfd that comes with the answer.
//!
//! Its failures: a jail that cannot be complete is said to the router in so many words ([`FromZygote::Refused`]); a birth
//! that fails is [`FromZygote::Failed`]; a router that breaks the conversation, or ends, ends the zygote.

#![expect(unsafe_code, reason = "takes over an inherited descriptor by its number, and ignores signals")]

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd},
    panic::{AssertUnwindSafe, catch_unwind, set_hook},
    process::exit,
    time::Duration,
};

use fazt_jail::{
    Arrival, Born, JailError, Jailed, Kin, LayerReport, Limits, Nest, Newborn, Offspring, Policy, Strictness,
    clone_into, close_others, die_with_parent, enter, in_force, probe, start_again_inside,
};
use fazt_protocol::{
    Breach, board,
    pipe::{Pipe, PipeError},
    spawn::{FromZygote, Jail, Phase, Role, Spawn, ToZygote},
    version::PROTOCOL,
};
use nix::sys::{
    prctl::set_name,
    signal::{SigHandler, Signal, signal},
};

use crate::flags::{Flags, NESTED};

/// How long a child runs before others of its weight take their turn. Long, so that whoever is woken meanwhile (the
/// router above all) runs at once; 0.1 ms was harmful, and the default makes the tail three times as long.
const SLICE: Duration = Duration::from_millis(20);

/// Exit statuses of children that did not get to their end, for whoever watches them from outside. The reason is on the
/// board, where the router reads it.
pub mod status {
    /// The jail could not be entered, though the zygote's own trial went well.
    pub const NOT_JAILED: i32 = 97;
    /// A panic.
    pub const PANIC: i32 = 101;
}

/// A child just jailed, and what it was born with.
#[derive(Debug)]
pub struct Birth {
    /// The proof. An engine cannot be built without it.
    pub jailed: Jailed,
    /// What the child is for.
    pub role: Role,
    /// Its end of the call conversation, a stream socket; the first word on it is the child's `Ready`.
    pub call: OwnedFd,
    /// Its page on the board.
    pub board: board::Writer,
}

/// What a zygote is told by its router.
#[derive(Debug, Clone, Copy)]
pub struct Config {
    /// The inherited descriptor of the spawn conversation.
    pub socket: i32,
    /// The router's process id.
    pub parent: i32,
    /// What a missing layer means.
    pub strictness: Strictness,
    /// The bounds on each worker.
    pub workers: Limits,
    /// The bounds on each builder.
    pub builders: Limits,
    /// How the first start of this program went; `None` in the first start itself.
    pub arrival: Option<Arrival>,
}

/// Why a zygote ended before its router.
#[derive(Debug, thiserror::Error)]
pub enum ZygoteError {
    /// The number names no open descriptor.
    #[error("take over descriptor {0}, which fazt-router should have opened: {1}")]
    Socket(i32, io::Error),
    /// A layer is missing, or what children inherit could not be made. The router has been told.
    #[error("{0}")]
    Unprepared(String),
    /// The router said something out of phase.
    #[error("understand fazt-router: {0}")]
    Breach(#[from] Breach),
    /// The conversation broke.
    #[error("talk to fazt-router: {0}")]
    Pipe(#[from] PipeError),
}

impl Config {
    /// From the command line; `None` where it does not ask for a zygote.
    #[must_use]
    pub fn from_flags(flags: &Flags) -> Option<Self> {
        Some(Self {
            socket: flags.zygote_fd?,
            parent: flags.parent?,
            strictness: flags.sandbox,
            workers: flags.limits(Role::Worker),
            builders: flags.limits(Role::Builder),
            arrival: flags.arrival,
        })
    }
}

type Router = Pipe<ToZygote, FromZygote>;

/// One child, as the router asked for it.
struct Order {
    spawn: Spawn,
    call: OwnedFd,
    page: OwnedFd,
    group: Option<OwnedFd>,
}

/// Serves the router until it closes the conversation. What `make` makes every child inherits, a copy each: it is called
/// once, in the second start, when the zygote goes with its router; why it fails the router is told. In each child calls
/// `live` and ends the child with what it returns. Call it first thing in `main`: the process must have one thread, and is
/// started again once on the way.
///
/// # Errors
/// Any [`ZygoteError`]; the process is of no use afterwards.
pub fn run<T>(
    config: &Config,
    make: impl FnOnce() -> Result<T, String>,
    live: impl FnOnce(Birth, T) -> i32,
) -> Result<(), ZygoteError> {
    let mut router = Router::new(inherit(config.socket)?);
    match prepare(config, router.socket(), make) {
        Ok((nest, jail, made)) => serve(config, &nest, jail, &mut router, |birth| live(birth, made)),
        Err(reason) => {
            // If the router is gone, nobody wants to know.
            let _ = router.send(&FromZygote::Refused { reason: reason.clone() }, None);
            Err(ZygoteError::Unprepared(reason))
        }
    }
}

/// Takes over the descriptor that the router left open for us.
fn inherit(number: i32) -> Result<OwnedFd, ZygoteError> {
    // SAFETY: the number is only looked up; nothing in this process owns it, since it has just been started.
    let open = rustix::io::fcntl_getfd(unsafe { BorrowedFd::borrow_raw(number.max(0)) });
    match open {
        // SAFETY: it is open, and the router gave it to us and to nobody else in this process.
        Ok(_) if number > 2 => Ok(unsafe { OwnedFd::from_raw_fd(number) }),
        Ok(_) => Err(ZygoteError::Socket(number, io::ErrorKind::InvalidInput.into())),
        Err(errno) => Err(ZygoteError::Socket(number, errno.into())),
    }
}

/// Everything before the first word: what children inherit, the nest, and one trial child through the whole jail. Its layers
/// are what the router may expect of every child.
fn prepare<T>(
    config: &Config,
    socket: BorrowedFd<'_>,
    make: impl FnOnce() -> Result<T, String>,
) -> Result<(Nest, Jail, T), String> {
    // Before anything that takes time, so that a dead router never leaves a zygote.
    die_with_parent(config.parent).map_err(explain)?;
    close_others(&[socket]).map_err(explain)?;
    ignore_signals_of_the_terminal();
    let Some(arrival) = config.arrival else {
        match start_again_inside(config.strictness, NESTED).map_err(explain)? {}
    };
    // Seen in ps; losing it loses nothing.
    let _ = set_name(c"fazt-zygote");
    let made = make()?;
    let nest = Nest::settle(config.strictness, arrival).map_err(explain)?;
    let reports = probe(&nest, config.workers).map_err(explain)?;
    if config.strictness == Strictness::Strict
        && let Some(reason) = reports.iter().find_map(explain_missing)
    {
        return Err(reason);
    }
    Ok((nest, describe(&reports), made))
}

/// The trial's outcome as the router is told it.
fn describe(reports: &[LayerReport]) -> Jail {
    let layers = in_force(reports);
    let missing = reports.iter().filter_map(|report| Some((report.layer.to_string(), report.missing?.to_string())));
    Jail { layers: layers.bits(), tier: layers.tier().to_owned(), missing: missing.collect() }
}

/// Ctrl-C and the service manager's SIGTERM reach every process of the group. The router decides when a zygote ends: it
/// may still want workers for what it has accepted.
fn ignore_signals_of_the_terminal() {
    for one in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGTSTP] {
        // SAFETY: no handler is installed, so none can run at a bad moment. These signals can be ignored.
        let _ = unsafe { signal(one, SigHandler::SigIgn) };
    }
}

/// The conversation.
fn serve(
    config: &Config,
    nest: &Nest,
    jail: Jail,
    router: &mut Router,
    live: impl FnOnce(Birth) -> i32,
) -> Result<(), ZygoteError> {
    let ready = FromZygote::Ready { protocol: PROTOCOL, jail };
    let mut phase = Phase::Starting.hear(&ready)?;
    router.send(&ready, None)?;
    loop {
        let order = match hear(router) {
            Err(PipeError::Closed(_)) => return Ok(()),
            order => order?,
        };
        let number = order.spawn.number;
        phase = phase.spawn(number)?;
        let (answer, pidfd) = match clone_into(nest, Kin::Sibling, order.group.as_ref().map(AsFd::as_fd)) {
            Ok(Born::Inside(newborn)) => exit(begin(newborn, config, order, live)),
            Ok(Born::Outside(Offspring { pid, pidfd })) => (FromZygote::Spawned { number, pid }, Some(pidfd)),
            Err(error) => (FromZygote::Failed { number, reason: format!("failed to {error}") }, None),
        };
        // The child has its copies; ours would keep its conversation open after its death.
        drop(order);
        phase = phase.hear(&answer)?;
        let beside: Vec<BorrowedFd<'_>> = pidfd.iter().map(AsFd::as_fd).collect();
        router.send_with(&answer, &beside, None)?;
    }
}

/// Waits for the next order. Its descriptors come in the order in which the router sent them.
fn hear(router: &mut Router) -> Result<Order, PipeError> {
    let ToZygote::Spawn(spawn) = router.receive(None)?;
    let (call, page) = (router.take_descriptor()?, router.take_descriptor()?);
    let group = if spawn.grouped { Some(router.take_descriptor()?) } else { None };
    Ok(Order { spawn, call, page, group })
}

/// In the child. Returns its exit status; nothing that the zygote owns may be dropped on the way there, since its
/// descriptors are closed and their numbers belong to others.
fn begin(newborn: Newborn<'_>, config: &Config, order: Order, live: impl FnOnce(Birth) -> i32) -> i32 {
    let Order { spawn: Spawn { number, role, .. }, call, page, group } = order;
    // We are in it.
    drop(group);
    let _ = set_name(match role {
        Role::Worker => c"fazt-worker",
        Role::Builder => c"fazt-builder",
    });
    // While the page still has a descriptor; the mapping outlives it.
    let Ok(board) = board::Writer::map(page.as_fd()) else { return status::NOT_JAILED };
    drop(page);
    let last = board.clone();
    // Within the panic and not after it: one that may not unwind aborts.
    set_hook(Box::new(move |panic| last.leave(&panic.to_string())));
    let keep = [call.as_fd()];
    let limits = match role {
        Role::Worker => config.workers,
        Role::Builder => config.builders,
    };
    let policy = Policy { keep: &keep, slot: number, limits, slice: SLICE };
    match enter(newborn, &policy) {
        Ok(jailed) => {
            let birth = Birth { jailed, role, call, board };
            catch_unwind(AssertUnwindSafe(|| live(birth))).unwrap_or(status::PANIC)
        }
        Err(error) => {
            // A child has no standard error.
            board.leave(&format!("failed to {error}"));
            status::NOT_JAILED
        }
    }
}

fn explain(error: JailError) -> String {
    format!("failed to {}", error.explained())
}

fn explain_missing(report: &LayerReport) -> Option<String> {
    let reason = report.missing.filter(|_| !report.is_enough())?;
    // What rests on another layer is explained by that one.
    if matches!(reason, fazt_jail::Reason::RestsOn(_)) {
        return None;
    }
    let how = report.advice().unwrap_or_default();
    Some(format!("failed to put layer {} in force: {reason} (to get it: {how})", report.layer))
}
