//! The first steps of the process: whose child it is, the descriptor that it was given, the jail that it enters.

use std::{io, os::fd::OwnedFd, path::Path, time::Duration, time::Instant};

use fazt_jail::JailError;
use fazt_protocol::{
    fd,
    pipe::Pipe,
    registry::{FromStore, ToStore},
};
use rustix::{
    fs::Mode,
    process::{Pid, Signal, getppid, set_parent_process_death_signal},
};

use crate::config::Config;

/// How long the router may take to read why we end.
const PATIENCE: Duration = Duration::from_secs(2);

/// Why there is nobody to serve.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BirthError {
    #[error("ask for a signal at the parent's death: {0}")]
    DeathSignal(io::Error),
    #[error("start: the parent is not process {0}; it is gone, or this program was not started by fazt-router")]
    Orphan(i32),
    #[error("take the registry's descriptor: {0}")]
    Descriptor(io::Error),
}

/// Ties this process to its parent's life and takes the registry's descriptor.
pub(crate) fn take_registry(config: &Config) -> Result<OwnedFd, BirthError> {
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(|error| BirthError::DeathSignal(error.into()))?;
    // In this order: a parent that died before the signal was asked for is seen here.
    if getppid().map(Pid::as_raw_nonzero).map(i32::from) != Some(config.parent) {
        return Err(BirthError::Orphan(config.parent));
    }
    // What is made from here on is nobody else's to read.
    rustix::process::umask(Mode::RWXU.complement());
    fd::inherited(config.registry_fd).map_err(BirthError::Descriptor)
}

/// Says why the store does not start. Hears the router out first: an end that closes with something unread takes what it
/// said itself with it.
pub(crate) fn refuse(registry: OwnedFd, reason: &str) {
    let mut pipe = Pipe::<ToStore, FromStore>::new(registry);
    let deadline = Instant::now().checked_add(PATIENCE);
    if let Err(error) = pipe.receive(deadline) {
        tracing::warn!("failed to {error}");
    }
    if let Err(error) = pipe.send(&FromStore::Refused { reason: reason.to_owned() }, deadline) {
        tracing::warn!("failed to {error}");
    }
}

/// Enters the jail: from here on only the database's folder can be opened. The data folder's own lock is open already. Returns
/// the layers that are missing, in words; the router says them.
pub(crate) fn confine(config: &Config) -> Result<String, JailError> {
    let database = config.database();
    let folder = database.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let confined = fazt_jail::confine_store(folder, config.sandbox)?;
    let missing: Vec<String> = confined.missing().iter().map(|(layer, why)| format!("{layer}: {why}")).collect();
    Ok(missing.join(", "))
}
