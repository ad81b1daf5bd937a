//! Landlock: rules of the process upon itself that the kernel keeps, whatever its user may do.
//!
//! Each kernel knows some kinds of access; all that this one knows are handled, and an old one is no error. After
//! no_new_privs, without which the kernel refuses who has no capabilities.

use std::{error::Error, io, path::Path};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, LandlockStatus, PathBeneath, PathFd,
    RestrictionStatus, Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
};
use nix::errno::Errno;

use crate::{error::JailError, identity::errno_of};

/// The newest that the crate knows; what the running kernel lacks is left out.
const NEWEST: ABI = ABI::V10;

/// What this kernel's landlock denies, where that is not all that the layer stands for; `None` where it is.
#[must_use]
pub fn landlock_gap() -> Option<&'static str> {
    let hard = || Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    let denies_ports = hard().handle_access(AccessNet::from_all(ABI::V4)).is_ok();
    let denies_signals = hard().scope(Scope::from_all(ABI::V6)).is_ok();
    match (denies_ports, denies_signals) {
        (true, true) => None,
        (true, false) => Some("files and ports; abstract sockets and signals from Linux 6.12 on"),
        (false, _) => Some("files; ports from Linux 6.7 on, abstract sockets and signals from 6.12"),
    }
}

/// For a worker: nothing may be opened, bound, connected to, or signalled.
pub(crate) fn renounce_everything() -> Result<(), JailError> {
    all_handled().and_then(RulesetCreated::restrict_self).map_err(reason).and_then(in_force)
}

/// For a process that owns one folder: that folder, and reading from the given devices.
pub(crate) fn keep_folder(folder: &Path, devices: &[&Path]) -> Result<(), JailError> {
    restrict_to(folder, devices).map_err(reason).and_then(in_force)
}

fn restrict_to(folder: &Path, devices: &[&Path]) -> Result<RestrictionStatus, RulesetError> {
    let mut rules = all_handled()?;
    if let Ok(path) = PathFd::new(folder) {
        rules = rules.add_rule(PathBeneath::new(path, rights_in_folder()))?;
    }
    for device in devices {
        if let Ok(path) = PathFd::new(device) {
            rules = rules.add_rule(PathBeneath::new(path, AccessFs::ReadFile | AccessFs::WriteFile))?;
        }
    }
    rules.restrict_self()
}

/// Files and folders of the ordinary kinds. No program is run from there, no device, socket or pipe made.
fn rights_in_folder() -> BitFlags<AccessFs> {
    AccessFs::ReadFile
        | AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::ReadDir
        | AccessFs::MakeReg
        | AccessFs::MakeDir
        | AccessFs::RemoveFile
        | AccessFs::RemoveDir
        | AccessFs::Refer
}

/// A ruleset that denies whatever the kernel can deny, until rules are added.
fn all_handled() -> Result<RulesetCreated, RulesetError> {
    let rules = Ruleset::default()
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?;
    // That is a layer of its own, with its own step and its own failure.
    Ok(rules.no_new_privs(false))
}

fn in_force(status: RestrictionStatus) -> Result<(), JailError> {
    match (status.ruleset, status.landlock) {
        (RulesetStatus::PartiallyEnforced | RulesetStatus::FullyEnforced, _) => Ok(()),
        (RulesetStatus::NotEnforced, LandlockStatus::NotImplemented) => Err(JailError::Landlock(Errno::ENOSYS)),
        (RulesetStatus::NotEnforced, _) => Err(JailError::Landlock(Errno::EOPNOTSUPP)),
    }
}

/// The kernel's number lies below several layers of the crate's own errors.
fn reason(error: RulesetError) -> JailError {
    let mut cause: Option<&(dyn Error + 'static)> = Some(&error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return JailError::Landlock(errno_of(error));
        }
        cause = error.source();
    }
    JailError::Landlock(Errno::EINVAL)
}
