//! Deaths: by SIGKILL through the pidfd, collected when the kernel says so, never waited for by anybody.
//!
//! A [`Life`] that is dropped, by its keeper's end or by a panic, takes its process along: no process is ever left over.

use std::{
    os::fd::{AsFd, OwnedFd},
    sync::Weak,
};

use super::Ground;
use crate::cgroup::Group;
use rustix::{
    event::{PollFd, PollFlags, poll},
    io::retry_on_intr,
    process::{Signal, WaitId, WaitIdOptions, WaitIdStatus, pidfd_send_signal, waitid},
    time::Timespec,
};

/// How long a process may take from the end of its conversation to its own: 100 ms.
const GONE_TIMEOUT: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

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
    /// The kernel ended it: it had all the memory that its control group may have.
    OutOfMemory,
}

/// A worker's process, for as long as it is ours.
#[derive(Debug)]
pub struct Life {
    /// The worker's number.
    pub worker: u64,
    /// Its process as this machine sees it.
    pub pid: i32,
    pidfd: Option<OwnedFd>,
    group: Option<Group>,
    ground: Weak<Ground>,
}

impl Life {
    /// Takes charge of a process.
    #[must_use]
    pub fn new(worker: u64, pid: i32, pidfd: OwnedFd, group: Option<Group>, ground: Weak<Ground>) -> Self {
        Self { worker, pid, pidfd: Some(pidfd), group, ground }
    }

    /// Whether it lies where it was to be born, as far as there are groups: the kernel's word, not the zygote's.
    #[must_use]
    pub fn is_in_its_group(&self) -> bool {
        self.group.as_ref().is_none_or(|group| group.holds(self.pid))
    }

    /// What an end that it came to by itself was in truth.
    #[must_use]
    pub fn cause(&self, death: Death) -> Death {
        let ran_out = death == Death::Crashed && self.group.as_ref().is_some_and(Group::ran_out);
        if ran_out { Death::OutOfMemory } else { death }
    }

    /// Whether somebody has stopped the process, by SIGSTOP or as a debugger does.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        // `pid (name) state …`; the name may hold anything, a parenthesis too.
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap_or_default();
        stat.rsplit_once(')').is_some_and(|(_, rest)| matches!(rest.trim_start().chars().next(), Some('T' | 't')))
    }

    /// Whether somebody else killed the process whose conversation has just ended. The kernel says so: SIGKILL is what no
    /// worker can send itself, in the jail or out of it. One that lives on has only hung up, and one that had all the memory of
    /// its group has brought it about.
    pub async fn was_killed(&self) -> bool {
        let Some(pidfd) = &self.pidfd else { return false };
        is_gone(pidfd).await
            && ended(pidfd).is_some_and(|status| status.terminating_signal() == Some(Signal::KILL.as_raw()))
            && self.cause(Death::Crashed) == Death::Crashed
    }

    /// Whether the process has ended already; it is still ours.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.pidfd.as_ref().is_none_or(|pidfd| ended(pidfd).is_some())
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
        let (worker, weak, group) = (self.worker, self.ground.clone(), self.group.take());
        // A blocking thread each: a process at idle priority takes its time to be gone, and nobody waits for another's.
        ground.control.spawn_blocking(move || {
            collect(&pidfd);
            // It is empty from here on, and the successor's.
            drop(group);
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
            Self::OutOfMemory => "out of memory",
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

/// Waits a little until a process is gone.
async fn is_gone(pidfd: &OwnedFd) -> bool {
    let Ok(pidfd) = pidfd.try_clone() else { return false };
    let wait = move || {
        let mut end = [PollFd::new(&pidfd, PollFlags::IN)];
        retry_on_intr(|| poll(&mut end, Some(&GONE_TIMEOUT))).is_ok_and(|ready| ready > 0)
    };
    tokio::task::spawn_blocking(wait).await.unwrap_or(false)
}

/// How a process ended, where it has; it stays on the kernel's list.
fn ended(pidfd: &OwnedFd) -> Option<WaitIdStatus> {
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    waitid(WaitId::PidFd(pidfd.as_fd()), look).ok().flatten()
}

/// Waits until a process is gone, and takes it off the kernel's list.
pub fn collect(pidfd: &OwnedFd) {
    // Interrupted by a signal, it waits on; any other error means that there is nothing to collect.
    while matches!(waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED), Err(rustix::io::Errno::INTR)) {}
}

#[cfg(test)]
mod tests {
    use std::{
        process::{Child, Command},
        time::Duration,
    };

    use rustix::process::{Pid, PidfdFlags, pidfd_open};
    use tokio::time::timeout;

    use super::*;

    /// A process that does this, and its life.
    fn living(script: &str) -> (Child, Life) {
        let child = Command::new("/bin/sh").args(["-c", script]).spawn().unwrap();
        let pid = child.id().cast_signed();
        let pidfd = pidfd_open(Pid::from_raw(pid).unwrap(), PidfdFlags::empty()).unwrap();
        (child, Life::new(1, pid, pidfd, None, Weak::new()))
    }

    #[tokio::test]
    async fn the_kernel_says_who_ended_a_process() {
        for (script, by_others) in [("exit 0", false), ("kill -SEGV $$", false), ("kill -KILL $$", true)] {
            let (mut child, life) = living(script);
            let gone = async {
                while !life.is_over() {
                    tokio::task::yield_now().await
                }
            };
            assert!(timeout(Duration::from_secs(10), gone).await.is_ok(), "{script}");
            assert_eq!(life.was_killed().await, by_others, "{script}");
            // Looking at it took it off nobody's list.
            assert!(child.wait().is_ok(), "{script}");
        }
    }

    #[tokio::test]
    async fn whoever_lives_on_was_not_killed() {
        let (mut child, life) = living("exec sleep 60");
        assert!(!life.was_killed().await && !life.is_over());
        life.end();
        assert!(life.was_killed().await && life.is_over());
        assert!(child.wait().is_ok());
    }
}
