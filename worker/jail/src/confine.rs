//! The lighter jail of the process that owns the data folder: that folder and nothing else.
//!
//! It has threads, opens files and lives as long as its router, so namespaces and the workers' list of calls are not for
//! it. What a captured one could do is bounded by landlock (the folder's files, no network, no foreign signal) and by a list
//! of calls of its own: no new socket, no program, no other process, nothing executable made.

use std::{fs, path::Path};

use nix::sys::prctl::{set_dumpable, set_no_new_privs};

use crate::{
    capability,
    error::JailError,
    landlock,
    layers::Layer,
    ledger::{Ledger, Strictness},
    seccomp,
};

/// Devices that a database and the standard library read: randomness, and the place of what is not wanted.
const DEVICES: [&str; 2] = ["/dev/urandom", "/dev/null"];

/// What a confinement reached.
#[derive(Debug, Clone)]
pub struct Confined(Ledger);

impl Confined {
    /// The layers in force: not-dumpable, no-new-privileges, landlock, seccomp.
    #[must_use]
    pub fn layers(&self) -> crate::Layers {
        self.0.in_force()
    }

    /// What is missing, and why.
    #[must_use]
    pub fn missing(&self) -> &[(Layer, crate::Reason)] {
        self.0.missing()
    }
}

/// Confines the calling process to `data_dir`: files and folders below it may be made, read, written, renamed and
/// removed; every other path, TCP, abstract socket and signal to a stranger is refused. Open descriptors stay as they
/// are, no new socket can be made and no program run. Call it before the first thread is started: threads that exist already are not confined.
///
/// # Errors
/// In [`Strictness::Strict`] the first layer that cannot be had.
pub fn confine_store(data_dir: &Path, strictness: Strictness) -> Result<Confined, JailError> {
    let mut ledger = Ledger::new(strictness);
    // When memory runs out, workers go first and this process late. Only privilege may lower it: no layer, no error.
    let _ = fs::write("/proc/self/oom_score_adj", "-500");
    // Other processes of the same user must not read tenants' data out of its memory.
    ledger.step(Layer::NotDumpable, || set_dumpable(false).map_err(JailError::NotDumpable))?;
    // Root's, but for what writing its files may take. Not a layer by name: an ordinary user has none to give up.
    if let Err(error) = capability::keep_for_files()
        && strictness == Strictness::Strict
    {
        return Err(error);
    }
    // Landlock asks for it; and nothing that this process might start could be more than itself.
    ledger.step(Layer::NoNewPrivileges, || set_no_new_privs().map_err(JailError::NoNewPrivileges))?;
    let devices = DEVICES.map(Path::new);
    ledger.step(Layer::Landlock, || landlock::keep_folder(data_dir, &devices))?;
    ledger.step(Layer::Seccomp, || seccomp::install(&seccomp::compile_for_store()?))?;
    Ok(Confined(ledger))
}
