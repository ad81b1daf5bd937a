//! The book of layers: how strict the jail is, which layers are in force, which are missing and why.
//!
//! Here alone is decided what a failed step means: `strict` stops, `best-effort` writes it down and goes on, `off` does
//! not try. The steps themselves do not know how strict they are.

use std::{fmt, str::FromStr};

use nix::errno::Errno;

use crate::{
    error::JailError,
    layers::{Layer, Layers},
};

/// What a missing layer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strictness {
    /// Nothing runs without every layer that this user could have.
    Strict,
    /// What can be had is applied; what cannot is reported.
    BestEffort,
    /// Only the layers that always stand ([`Layer::always_stands`]) are applied.
    Off,
}

impl FromStr for Strictness {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "strict" => Ok(Self::Strict),
            "best-effort" => Ok(Self::BestEffort),
            "off" => Ok(Self::Off),
            other => Err(format!("{other:?} is none of strict, best-effort, off")),
        }
    }
}

impl fmt::Display for Strictness {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Strict => "strict",
            Self::BestEffort => "best-effort",
            Self::Off => "off",
        })
    }
}

/// Why a layer is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The operator switched the sandbox off.
    SwitchedOff,
    /// Only root can have it.
    ForRootAlone,
    /// A layer that it rests on is missing.
    RestsOn(Layer),
    /// The kernel refused.
    Refused(Errno),
    /// The kernel refused, and ids of their own stand in for it: what root's children have where no user namespace may be made.
    StoodInFor(Errno),
}

impl fmt::Display for Reason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SwitchedOff => out.write_str("switched off"),
            Self::ForRootAlone => out.write_str("only root can have it"),
            Self::RestsOn(layer) => write!(out, "rests on {layer}, which is missing"),
            // Of namespaces, which take no room on any device.
            Self::Refused(Errno::ENOSPC) => out.write_str("ENOSPC: there may be no more of them"),
            Self::Refused(errno) => write!(out, "{errno}"),
            Self::StoodInFor(errno) => write!(out, "{errno}; ids of their own stand in for it"),
        }
    }
}

/// Which layers are in force so far.
#[derive(Debug, Clone)]
pub(crate) struct Ledger {
    strictness: Strictness,
    in_force: Layers,
    missing: Vec<(Layer, Reason)>,
    /// What a test leaves out, to see what stands behind it.
    #[cfg(feature = "ablation")]
    left_out: Layers,
}

impl Ledger {
    pub(crate) const fn new(strictness: Strictness) -> Self {
        Self {
            strictness,
            in_force: Layers::NONE,
            missing: Vec::new(),
            #[cfg(feature = "ablation")]
            left_out: Layers::NONE,
        }
    }

    #[cfg(feature = "ablation")]
    pub(crate) fn without(strictness: Strictness, left_out: Layers) -> Self {
        Self { left_out, ..Self::new(strictness) }
    }

    pub(crate) const fn strictness(&self) -> Strictness {
        self.strictness
    }

    /// What was applied and has not been found missing since: a layer of two halves needs both.
    pub(crate) fn in_force(&self) -> Layers {
        self.missing.iter().fold(self.in_force, |layers, (layer, _)| layers.without(*layer))
    }

    pub(crate) fn missing(&self) -> &[(Layer, Reason)] {
        &self.missing
    }

    /// A layer that cannot be had here, whatever the strictness.
    pub(crate) fn lacks(&mut self, layer: Layer, reason: Reason) {
        if !self.missing.iter().any(|(known, _)| *known == layer) {
            self.missing.push((layer, reason));
        }
    }

    /// A layer that somebody else is known to have put in force.
    pub(crate) fn note(&mut self, layer: Layer) {
        self.in_force = self.in_force.with(layer);
    }

    /// Takes one step of a layer, or passes it over where the sandbox is off.
    pub(crate) fn step(&mut self, layer: Layer, act: impl FnOnce() -> Result<(), JailError>) -> Result<(), JailError> {
        if self.passes_over(layer) {
            self.lacks(layer, Reason::SwitchedOff);
            return Ok(());
        }
        match act() {
            Ok(()) => self.note(layer),
            Err(error) if self.strictness != Strictness::BestEffort || layer.always_stands() => return Err(error),
            Err(error) => self.lacks(layer, Reason::Refused(error.errno())),
        }
        Ok(())
    }

    fn passes_over(&self, layer: Layer) -> bool {
        #[cfg(feature = "ablation")]
        if self.left_out.contains(layer) {
            return true;
        }
        self.strictness == Strictness::Off && !layer.always_stands()
    }

    /// As [`Self::step`], for a layer that makes sense only upon another one.
    pub(crate) fn step_upon(
        &mut self,
        ground: Layer,
        layer: Layer,
        act: impl FnOnce() -> Result<(), JailError>,
    ) -> Result<(), JailError> {
        if self.strictness != Strictness::Off && !self.in_force().contains(ground) {
            self.lacks(layer, Reason::RestsOn(ground));
            return Ok(());
        }
        self.step(layer, act)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFUSED: JailError = JailError::Landlock(Errno::EPERM);

    #[test]
    fn strict_stops_at_the_first_missing_layer() {
        let mut ledger = Ledger::new(Strictness::Strict);
        assert_eq!(ledger.step(Layer::Landlock, || Err(REFUSED)), Err(REFUSED));
    }

    #[test]
    fn best_effort_goes_on_and_says_why() {
        let mut ledger = Ledger::new(Strictness::BestEffort);
        ledger.step(Layer::Landlock, || Err(REFUSED)).unwrap();
        ledger.step(Layer::Seccomp, || Ok(())).unwrap();
        assert_eq!(ledger.in_force(), Layers::NONE.with(Layer::Seccomp));
        assert_eq!(ledger.missing(), [(Layer::Landlock, Reason::Refused(Errno::EPERM))]);
    }

    #[test]
    fn what_always_stands_is_never_passed_over() {
        for strictness in [Strictness::BestEffort, Strictness::Off] {
            let refused = JailError::Descriptors(Errno::ENOSYS);
            assert_eq!(Ledger::new(strictness).step(Layer::Descriptors, || Err(refused)), Err(refused));
        }
    }

    #[test]
    fn off_does_not_try() {
        let mut ledger = Ledger::new(Strictness::Off);
        ledger.step(Layer::Seccomp, || unreachable!("the step was taken")).unwrap();
        assert_eq!(ledger.missing(), [(Layer::Seccomp, Reason::SwitchedOff)]);
    }

    #[test]
    fn a_layer_with_one_half_missing_is_not_in_force() {
        let mut ledger = Ledger::new(Strictness::BestEffort);
        ledger.step(Layer::NoCapabilities, || Err(JailError::Capabilities(Errno::EPERM))).unwrap();
        ledger.step(Layer::NoCapabilities, || Ok(())).unwrap();
        assert_eq!(ledger.in_force(), Layers::NONE);
    }

    #[test]
    fn an_empty_root_is_not_tried_in_the_mounts_of_the_machine() {
        let mut ledger = Ledger::new(Strictness::BestEffort);
        let act = || unreachable!("the step was taken");
        ledger.step_upon(Layer::MountNamespace, Layer::EmptyRoot, act).unwrap();
        assert_eq!(ledger.missing(), [(Layer::EmptyRoot, Reason::RestsOn(Layer::MountNamespace))]);
    }
}
