//! The second half of the way into the nest: everything that all children share, done once.
//!
//! Namespaces without network, queues, names or files; an empty bounding set; the compiled filter; /dev/null and the
//! parent's pidfd, opened while there are still paths. A child then costs a clone and the steps that are its own.
//! The process keeps its capabilities inside the user namespace, which it needs to clone into pid namespaces and to give
//! out ids. It must hold no secret and stay single-threaded.

#![expect(unsafe_code, reason = "tzset(3) and a signal handler")]

use std::{
    fs::{self, OpenOptions},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::Duration,
};

use nix::{
    errno::Errno,
    sched::{CloneFlags, unshare},
    sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction},
    unistd::{getppid, sethostname},
};
use rustix::{
    process::{Pid, PidfdFlags, pidfd_open},
    time::{ClockId, clock_gettime},
};

use crate::{
    capability,
    error::JailError,
    filter::Filter,
    identity::{ID_BASE, Ids, errno_of},
    layers::{Layer, Layers},
    ledger::{Ledger, Reason, Strictness},
    root, schedule, seccomp,
    threshold::{Arrival, Reached},
};

/// How a process ends that aborts (an assertion of the engine, a panic while panicking): as shells show SIGABRT. The
/// signal itself cannot: process 1 of a namespace ignores it.
pub const ABORTED: i32 = 128 + libc::SIGABRT;

/// A process that children can be cloned from.
#[derive(Debug)]
pub struct Nest {
    ledger: Ledger,
    ids: Option<Ids>,
    filter: Option<Filter>,
    null: OwnedFd,
    parent: OwnedFd,
}

/// The time slice of births: work that is short, and waited for by somebody, runs before what is long.
const SLICE: Duration = Duration::from_micros(300);

impl Nest {
    /// Makes the calling process a nest. Call it first thing after the second start, in a process that was tied to its
    /// parent ([`crate::die_with_parent`]): the children watch the same parent.
    ///
    /// # Errors
    /// In [`Strictness::Strict`] the first layer that cannot be had; in all, /dev/null or a parent that cannot be opened.
    pub fn settle(strictness: Strictness, arrival: Arrival) -> Result<Self, JailError> {
        Self::settle_by(Ledger::new(strictness), arrival, seccomp::compile)
    }

    /// As [`Self::settle`], but for layers and one line of the list of calls (by its place) that are left out. For tests of
    /// what each is good for; no shipped program has it.
    ///
    /// # Errors
    /// As [`Self::settle`].
    #[cfg(feature = "ablation")]
    pub fn settle_without(
        strictness: Strictness,
        arrival: Arrival,
        left_out: Layers,
        call: Option<usize>,
    ) -> Result<Self, JailError> {
        Self::settle_by(Ledger::without(strictness, left_out), arrival, || seccomp::compile_without(call))
    }

    fn settle_by(
        mut ledger: Ledger,
        arrival: Arrival,
        compile: impl FnOnce() -> Result<Filter, JailError>,
    ) -> Result<Self, JailError> {
        let ids = enter_ids(&mut ledger, arrival)?;
        // The C library reads the zone's file at its first use, which in the empty root would be none, and in a child
        // the forbidden open(2).
        // SAFETY: single-threaded, and the environment is not being changed.
        unsafe { tzset() };
        // The same for the clock that this crate's users read through rustix: it looks for the vDSO with prctl(2).
        let _ = clock_gettime(ClockId::Monotonic);
        let null = OpenOptions::new().read(true).write(true).open("/dev/null");
        let null = null.map_err(|error| JailError::Provision(errno_of(&error)))?.into();
        let parent = open_parent()?;
        // Children inherit it: when memory runs out, they go before the router and the store.
        ledger.step(Layer::OomScore, || {
            fs::write("/proc/self/oom_score_adj", "1000").map_err(|error| JailError::OomScore(errno_of(&error)))
        })?;
        ledger.step(Layer::NoCapabilities, capability::close_the_way_back)?;
        end_on_abort().map_err(JailError::Provision)?;
        let mut filter = None;
        ledger.step(Layer::Seccomp, || compile().map(|compiled| filter = Some(compiled)))?;
        leave_the_machine(&mut ledger)?;
        // Children are born with it. Where the kernel refuses, births wait a little longer behind others.
        let _ = schedule::set_slice(SLICE);
        Ok(Self { ledger, ids, filter, null, parent })
    }

    /// The layers that every child will find in force.
    #[must_use]
    pub fn layers(&self) -> Layers {
        self.ledger.in_force()
    }

    /// How strict it is.
    #[must_use]
    pub const fn strictness(&self) -> Strictness {
        self.ledger.strictness()
    }

    pub(crate) const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    pub(crate) const fn ids(&self) -> Option<Ids> {
        self.ids
    }

    pub(crate) const fn filter(&self) -> Option<&Filter> {
        self.filter.as_ref()
    }

    pub(crate) fn null(&self) -> BorrowedFd<'_> {
        self.null.as_fd()
    }

    pub(crate) fn parent(&self) -> BorrowedFd<'_> {
        self.parent.as_fd()
    }
}

/// What the first half reached, as layers; and the ids that are there to give.
fn enter_ids(ledger: &mut Ledger, arrival: Arrival) -> Result<Option<Ids>, JailError> {
    let inside = arrival.user_namespace == Reached::Inside;
    match arrival.user_namespace {
        Reached::Inside => ledger.note(Layer::UserNamespace),
        Reached::Refused(error) if arrival.ids > 0 => {
            ledger.lacks(Layer::UserNamespace, Reason::StoodInFor(error.errno()));
        }
        Reached::Refused(error) => ledger.step(Layer::UserNamespace, || Err(error))?,
        Reached::NotTried => ledger.step(Layer::UserNamespace, || Err(JailError::Arrival))?,
    }
    if arrival.ids == 0 {
        ledger.lacks(Layer::OwnIds, Reason::ForRootAlone);
        ledger.lacks(Layer::NoGroups, Reason::ForRootAlone);
        return Ok(None);
    }
    // Without a user namespace the numbers are those of the machine.
    let first = if inside { 1 } else { ID_BASE };
    Ok(Some(Ids { first, count: arrival.ids }))
}

/// The namespaces. The net one is by far the dearest (0.35 ms, at worst 7): hence once for all children.
fn leave_the_machine(ledger: &mut Ledger) -> Result<(), JailError> {
    ledger.step(Layer::NetNamespace, || unshare(CloneFlags::CLONE_NEWNET).map_err(JailError::NetNamespace))?;
    ledger.step(Layer::IpcNamespace, || unshare(CloneFlags::CLONE_NEWIPC).map_err(JailError::IpcNamespace))?;
    ledger.step(Layer::UtsNamespace, || {
        unshare(CloneFlags::CLONE_NEWUTS).and_then(|()| sethostname("jail")).map_err(JailError::UtsNamespace)
    })?;
    ledger.step(Layer::MountNamespace, || unshare(CloneFlags::CLONE_NEWNS).map_err(JailError::MountNamespace))?;
    // Last, since from here on nothing can be opened.
    ledger.step_upon(Layer::MountNamespace, Layer::EmptyRoot, root::empty)
}

fn open_parent() -> Result<OwnedFd, JailError> {
    let parent = Pid::from_raw(getppid().as_raw()).ok_or(JailError::Orphaned)?;
    pidfd_open(parent, PidfdFlags::empty()).map_err(|errno| JailError::Provision(Errno::from_raw(errno.raw_os_error())))
}

/// Inherited by the children.
fn end_on_abort() -> Result<(), Errno> {
    extern "C" fn end(_: libc::c_int) {
        // SAFETY: _exit may be called from a signal handler, and nothing else is.
        unsafe { libc::_exit(ABORTED) }
    }
    let action = SigAction::new(SigHandler::Handler(end), SaFlags::empty(), SigSet::empty());
    // SAFETY: the handler calls nothing but _exit.
    unsafe { sigaction(Signal::SIGABRT, &action) }.map(drop)
}

unsafe extern "C" {
    /// The C library's; `libc` has it for other systems only.
    fn tzset();
}
