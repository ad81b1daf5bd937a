//! Tries the jail on a throwaway child and reports each layer: in force, or why not and how to get it.
//!
//! The child says what it reached over a pipe, as it would say it to the router; nothing is asked of the kernel that a
//! real child would not ask for.

#![expect(unsafe_code, reason = "the throwaway child ends with _exit(2)")]

use std::{
    io::{PipeWriter, Read, Write, pipe},
    os::fd::AsFd,
    time::Duration,
};

use nix::{
    errno::Errno,
    sys::wait::{Id, WaitPidFlag, waitid},
};

use crate::{
    Jailed,
    clone::{Born, Kin, Newborn, clone},
    error::{JailError, advice},
    identity::errno_of,
    layers::{Layer, Layers},
    ledger::Reason,
    nest::Nest,
    policy::{Limits, Policy},
};

/// One line of the table of layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayerReport {
    /// The layer.
    pub layer: Layer,
    /// Why a child does not have it; `None` where it is in force.
    pub missing: Option<Reason>,
}

impl LayerReport {
    /// Where the layer is missing, and not because the operator wants it so: how to get it.
    #[must_use]
    pub fn advice(&self) -> Option<&'static str> {
        self.missing.filter(|why| *why != Reason::SwitchedOff).map(|_| advice(self.layer))
    }

    /// Whether a strict jail may do without it: it is there, root alone can have it, or something else stands in for it.
    #[must_use]
    pub fn is_enough(&self) -> bool {
        matches!(self.missing, None | Some(Reason::StoodInFor(_))) || self.layer.is_for_root_alone()
    }
}

/// The layers that are in force by a table.
#[must_use]
pub fn in_force(reports: &[LayerReport]) -> Layers {
    let there = reports.iter().filter(|report| report.missing.is_none());
    there.fold(Layers::NONE, |layers, report| layers.with(report.layer))
}

/// Two bytes a layer from the child: a word, and a number that belongs to it.
type Verdict = [u8; 2];
const IN_FORCE: u8 = 0;
const SWITCHED_OFF: u8 = 1;
const FOR_ROOT_ALONE: u8 = 2;
/// The number is the other layer's bit.
const RESTS_ON: u8 = 3;
/// The number is the kernel's.
const REFUSED: u8 = 4;
/// The number is the kernel's.
const STOOD_IN_FOR: u8 = 5;

/// Clones a child, jails it under `limits`, and reports every layer in the order of the bits. Blocks until the child has
/// spoken or died; it does nothing else, so that is under a millisecond.
///
/// # Errors
/// Where the child cannot be cloned, or dies before it reports: the filter, most likely, lacks a call.
pub fn probe(nest: &Nest, limits: Limits) -> Result<Vec<LayerReport>, JailError> {
    let (mut heard, say) = pipe().map_err(|error| JailError::Provision(errno_of(&error)))?;
    let offspring = match clone(nest, Kin::Child)? {
        Born::Inside(newborn) => report_and_end(newborn, say, limits),
        Born::Outside(offspring) => offspring,
    };
    drop(say);
    let mut verdicts = [0; size_of::<Verdict>() * Layer::ALL.len()];
    let outcome = heard.read_exact(&mut verdicts).map_err(|_| JailError::Seccomp(Errno::ENOSYS));
    // Reaped whatever it said.
    let _ = waitid(Id::PIDFd(offspring.pidfd.as_fd()), WaitPidFlag::WEXITED);
    outcome?;
    let (verdicts, _) = verdicts.as_chunks();
    Ok(Layer::ALL.into_iter().zip(verdicts).map(|(layer, verdict)| line(layer, *verdict)).collect())
}

fn line(layer: Layer, [word, number]: Verdict) -> LayerReport {
    let missing = match word {
        IN_FORCE => None,
        SWITCHED_OFF => Some(Reason::SwitchedOff),
        FOR_ROOT_ALONE => Some(Reason::ForRootAlone),
        RESTS_ON => Some(Reason::RestsOn(Layer::ALL.get(usize::from(number)).copied().unwrap_or(layer))),
        STOOD_IN_FOR => Some(Reason::StoodInFor(Errno::from_raw(i32::from(number)))),
        _ => Some(Reason::Refused(Errno::from_raw(i32::from(number)))),
    };
    LayerReport { layer, missing }
}

/// The child's whole life.
fn report_and_end(newborn: Newborn<'_>, mut say: PipeWriter, limits: Limits) -> ! {
    let keep = [say.as_fd()];
    let policy = Policy { keep: &keep, slot: 0, limits, slice: Duration::from_millis(20) };
    let verdicts = match crate::enter(newborn, &policy) {
        Ok(jailed) => Layer::ALL.map(|layer| verdict(&jailed, layer)),
        // Strict: the layer that stopped it, and no word on the others.
        Err(error) => Layer::ALL.map(|layer| match error.layer() {
            Some(culprit) if culprit != layer => [RESTS_ON, culprit as u8],
            _ => [REFUSED, errno_byte(error.errno())],
        }),
    };
    let said = say.write_all(verdicts.as_flattened()).is_ok();
    // SAFETY: what this process owns, it owns as a copy of its nest: nothing of it may be dropped here.
    unsafe { libc::_exit(i32::from(!said)) }
}

fn verdict(jailed: &Jailed, layer: Layer) -> Verdict {
    let missing = jailed.missing().iter().find(|(missing, _)| *missing == layer);
    match missing {
        None => [IN_FORCE, 0],
        Some((_, Reason::SwitchedOff)) => [SWITCHED_OFF, 0],
        Some((_, Reason::ForRootAlone)) => [FOR_ROOT_ALONE, 0],
        Some((_, Reason::RestsOn(other))) => [RESTS_ON, *other as u8],
        Some((_, Reason::Refused(errno))) => [REFUSED, errno_byte(*errno)],
        Some((_, Reason::StoodInFor(errno))) => [STOOD_IN_FOR, errno_byte(*errno)],
    }
}

/// Error numbers of Linux end at 133.
fn errno_byte(errno: Errno) -> u8 {
    u8::try_from(errno as i32).unwrap_or(u8::MAX)
}
