//! Deaths: by SIGKILL through the pidfd, collected when the kernel says so, never waited for by anybody.
//!
//! A [`Life`] that is dropped, by its keeper's end or by a panic, takes its process along: no process is ever left over.

use std::{
    os::fd::{AsFd, OwnedFd},
    sync::Weak,
};

use super::Ground;
use rustix::process::{Signal, WaitId, WaitIdOptions, pidfd_send_signal, waitid};

/// Why a worker ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Death {
    /// Its place was wanted, its version is gone, or it has served enough.
    Retired,
    /// The soft clock fired, or the memory limit was hit: it answered, and may not serve again.
    Spent,
    /// The hard clock.
    Killed,
    /// It ended by itself.
    Crashed,
    /// It broke the protocol.
    Breach,
}

/// A worker's process, for as long as it is ours.
#[derive(Debug)]
pub struct Life {
    /// The worker's number.
    pub worker: u64,
    /// Its process as this machine sees it.
    pub pid: i32,
    pidfd: Option<OwnedFd>,
    ground: Weak<Ground>,
}

impl Life {
    /// Takes charge of a process.
    #[must_use]
    pub fn new(worker: u64, pid: i32, pidfd: OwnedFd, ground: Weak<Ground>) -> Self {
        Self { worker, pid, pidfd: Some(pidfd), ground }
    }

    /// Whether somebody has stopped the process, by SIGSTOP or as a debugger does.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        // `pid (name) state …`; the name may hold anything, a parenthesis too.
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap_or_default();
        stat.rsplit_once(')').is_some_and(|(_, rest)| matches!(rest.trim_start().chars().next(), Some('T' | 't')))
    }

    /// Kills the process; it is still ours until this value goes.
    pub fn end(&self) {
        if let Some(pidfd) = &self.pidfd {
            kill(pidfd);
        }
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        let Some(pidfd) = self.pidfd.take() else { return };
        kill(&pidfd);
        let Some(ground) = self.ground.upgrade() else { return };
        ground.leave(self.worker);
        let (worker, weak) = (self.worker, self.ground.clone());
        // A blocking thread each: a process at idle priority takes its time to be gone, and nobody waits for another's.
        ground.control.spawn_blocking(move || {
            collect(&pidfd);
            if let Some(ground) = weak.upgrade() {
                ground.bury(worker);
            }
        });
    }
}

impl Death {
    /// The word for logs.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Retired => "retired",
            Self::Spent => "spent",
            Self::Killed => "killed",
            Self::Crashed => "crashed",
            Self::Breach => "breach",
        }
    }
}

/// Sends SIGKILL. Fails only for a process that is gone already, or where we lost the right to it, which is looked at when a
/// zygote starts.
pub fn kill(pidfd: &OwnedFd) {
    if let Err(error) = pidfd_send_signal(pidfd, Signal::KILL)
        && error != rustix::io::Errno::SRCH
    {
        tracing::error!("failed to kill a worker: {error}");
    }
}

/// Waits until a process is gone, and takes it off the kernel's list.
pub fn collect(pidfd: &OwnedFd) {
    // Interrupted by a signal, it waits on; any other error means that there is nothing to collect.
    while matches!(waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED), Err(rustix::io::Errno::INTR)) {}
}
