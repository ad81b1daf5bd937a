//! The jail behind one door: namespaces, rlimits, landlock, seccomp. Knows nothing of what it jails.
//!
//! The way in has three parts, because what all children can share costs a hundred times what each needs for itself:
//!
//! 1. [`start_again_inside`] puts the process into a user namespace and starts the same program again there;
//! 2. [`Nest::settle`] puts that into empty mount, net, ipc and uts namespaces, once;
//! 3. [`clone()`] makes a child in a pid namespace of its own, and [`enter`] takes the steps that are the child's.
//!
//! A [`Jailed`] is the proof of the third: only [`enter`] makes one, so what asks for a `Jailed` cannot be built outside.
//! Each step fails in one way ([`JailError`]); what a failure means is [`Strictness`]'s business. Everything here wants a
//! process with one thread.

mod capability;
mod clone;
mod confine;
mod descriptors;
mod error;
mod filter;
mod identity;
mod landlock;
mod layers;
mod ledger;
mod nest;
mod parent;
mod policy;
mod probe;
mod resources;
mod root;
mod schedule;
mod seccomp;
pub mod syscalls;
mod threshold;

use std::os::fd::{AsRawFd, BorrowedFd};

use nix::{
    sys::prctl::{set_dumpable, set_no_new_privs},
    unistd::close,
};

pub use self::{
    clone::{Born, Kin, Newborn, Offspring, clone, clone_into},
    confine::{Confined, confine_store},
    descriptors::close_others,
    error::{JailError, advice},
    identity::{ID_BASE, ID_COUNT},
    landlock::landlock_gap,
    layers::{Layer, Layers},
    ledger::{Reason, Strictness},
    nest::{ABORTED, Nest},
    parent::die_with_parent,
    policy::{Limits, Policy},
    probe::{LayerReport, in_force, probe},
    threshold::{Arrival, start_again_inside},
};
use crate::ledger::Ledger;

/// A process that has gone through every step. There is no other way to get one.
#[derive(Debug)]
pub struct Jailed {
    ledger: Ledger,
}

impl Jailed {
    /// The layers in force.
    #[must_use]
    pub fn layers(&self) -> Layers {
        self.ledger.in_force()
    }

    /// The layers that are missing, and why.
    #[must_use]
    pub fn missing(&self) -> &[(Layer, Reason)] {
        self.ledger.missing()
    }

    /// A token without a jail, for tests of what is built inside one. Under the feature `unjailed` alone, which no
    /// shipped program has.
    #[cfg(feature = "unjailed")]
    #[must_use]
    pub fn for_tests() -> Self {
        Self { ledger: Ledger::new(Strictness::Off) }
    }
}

/// Takes the steps that are the child's own. They stand in the only order that works: each takes away what an earlier one
/// needed. On an error the process is half jailed, and the caller ends it.
///
/// # Errors
/// The step that failed; in [`Strictness::BestEffort`] and [`Strictness::Off`] only those that always stand.
pub fn enter(newborn: Newborn<'_>, policy: &Policy<'_>) -> Result<Jailed, JailError> {
    let Newborn { nest, mut ledger } = newborn;
    let kept: Vec<BorrowedFd<'_>> = policy.keep.iter().copied().chain([nest.parent()]).collect();
    // First, so that nothing of the nest's or the router's is open in whatever comes.
    ledger.step(Layer::Descriptors, || descriptors::keep_only(nest.null(), &kept))?;
    if let Some(ids) = nest.ids() {
        // While the process still may: the right goes with the change of uid.
        ledger.step(Layer::NoGroups, identity::Ids::drop_groups)?;
        // Before the parent-death signal, which a change of uid clears.
        ledger.step(Layer::OwnIds, || ids.take(policy.slot))?;
    }
    // As early as the ids allow: from here on no stuck step can leave an orphan.
    ledger.step(Layer::ParentDeath, || parent::die_with_holder(nest.parent()))?;
    // The pidfd has told what it could tell.
    close(nest.parent().as_raw_fd()).map_err(JailError::Descriptors)?;
    // Before landlock and seccomp, which want none; after the ids, which wanted two.
    ledger.step(Layer::NoCapabilities, capability::give_up)?;
    // After the capabilities, with which a process may go over its bounds.
    ledger.step(Layer::ResourceLimits, || resources::limit(policy.limits))?;
    // After the last change of credentials, since each one sets it anew.
    ledger.step(Layer::NotDumpable, || set_dumpable(false).map_err(JailError::NotDumpable))?;
    // Landlock and seccomp are refused to an unprivileged process without it.
    ledger.step(Layer::NoNewPrivileges, || set_no_new_privs().map_err(JailError::NoNewPrivileges))?;
    // Not a layer: where the kernel refuses, others wait a little longer and nothing is less safe. Late, since a birth is short
    // work, and before seccomp, whose list has none of this.
    let _ = schedule::set_slice(policy.slice);
    // Before seccomp, whose list has no landlock_restrict_self.
    ledger.step(Layer::Landlock, landlock::renounce_everything)?;
    // Last: from here on only the list holds, and nothing of an app has been read yet.
    if let Some(filter) = nest.filter() {
        ledger.step(Layer::Seccomp, || seccomp::install(filter))?;
    }
    Ok(Jailed { ledger })
}
