//! Births: the zygote's process, and asking it for jailed children. Keeping one alive is [`super::attendant`]'s.
//!
//! Runs on the router's first thread, which never ends: zygote and children ask for a parent-death signal, and those follow
//! threads. Children outlive a zygote; when it dies, the birth that was asked of it fails.

use std::{
    os::fd::{AsFd, AsRawFd, OwnedFd},
    process::{Child, Command, Stdio},
    time::Duration,
};

use fazt_protocol::{
    board, fd,
    pipe::asynchronous::Pipe,
    spawn::{FromZygote, Jail, Phase, Spawn, ToZygote},
    version,
};
use tokio::time::timeout;

use super::{
    config::{Config, Sandbox},
    inspect,
};
use crate::{cgroup::Group, inherit};

/// How long a zygote may take to be ready.
const START_TIMEOUT: Duration = Duration::from_secs(10);
/// How long one birth may take before the zygote counts as stuck.
const BIRTH_TIMEOUT: Duration = Duration::from_secs(5);

/// A child of the zygote, just born.
#[derive(Debug)]
pub struct Newborn {
    /// Its process as this machine sees it.
    pub pid: i32,
    /// The handle by which it is killed and collected.
    pub pidfd: OwnedFd,
    /// The router's end of the call conversation.
    pub call: OwnedFd,
    /// What it writes of itself.
    pub board: board::Reader,
    /// Its control group, where there are any.
    pub group: Option<Group>,
}

/// Why a child was not born.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BirthError {
    /// The zygote could not be started.
    #[error("start {program}: {reason}")]
    Program {
        /// Its path.
        program: String,
        /// What the kernel said.
        reason: String,
    },
    /// It refuses to work: a layer of the jail is missing.
    #[error("{0}")]
    Refused(String),
    /// It could not make this child.
    #[error("make a worker: {0}")]
    Failed(String),
    /// It died or broke the protocol.
    #[error("hear the zygote: {0}")]
    Lost(String),
}

/// The zygote's process and the conversation with it.
#[derive(Debug)]
pub struct Zygote {
    child: Child,
    pipe: Pipe<FromZygote, ToZygote>,
    phase: Phase,
    /// The jail that its trial child was in, and each child will be.
    pub jail: Jail,
}

/// The conversation with a zygote that has said its first word, and the jail of which it spoke.
type Greeted = (Pipe<FromZygote, ToZygote>, Phase, Jail);

impl Zygote {
    /// Starts a zygote and waits until it is ready.
    ///
    /// # Errors
    /// [`BirthError`]: nothing is left running.
    pub async fn start(config: &Config) -> Result<Self, BirthError> {
        let (ours, theirs) = fd::pair().map_err(|error| BirthError::Lost(error.to_string()))?;
        let mut child = run(config, theirs)?;
        let greeted = timeout(START_TIMEOUT, Self::greet(ours)).await.map(|greeted| inspected(greeted, &child, config));
        match greeted.unwrap_or_else(|_late| Err(BirthError::Lost("it is not ready in time".to_owned()))) {
            Ok((pipe, phase, jail)) => Ok(Self { child, pipe, phase, jail }),
            Err(error) => {
                // It may have ended by itself already; waiting collects it either way.
                let _ended = child.kill();
                let _collected = child.wait();
                Err(error)
            }
        }
    }

    /// The zygote's process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    async fn greet(ours: OwnedFd) -> Result<Greeted, BirthError> {
        let lost = |error: &dyn std::fmt::Display| BirthError::Lost(error.to_string());
        let mut pipe = Pipe::new(ours).map_err(|error| lost(&error))?;
        let first = pipe.receive().await.map_err(|error| lost(&error))?;
        let phase = Phase::Starting.hear(&first).map_err(|breach| lost(&breach))?;
        match first {
            FromZygote::Ready { protocol, jail } => {
                version::check(protocol).map_err(|mismatch| BirthError::Refused(mismatch.to_string()))?;
                Ok((pipe, phase, jail))
            }
            FromZygote::Refused { reason } => Err(BirthError::Refused(reason)),
            _ => Err(BirthError::Lost("it spoke before it was ready".to_owned())),
        }
    }

    /// Asks for a child and waits for it.
    ///
    /// # Errors
    /// [`BirthError`]; after [`BirthError::Lost`] the zygote is of no use.
    pub(super) async fn bear(&mut self, spawn: Spawn, group: Option<Group>) -> Result<Newborn, BirthError> {
        let birth = timeout(BIRTH_TIMEOUT, self.ask(spawn, group)).await;
        birth.unwrap_or_else(|_late| Err(BirthError::Lost("a birth takes too long".to_owned())))
    }

    /// Waits for what an idle zygote never says: its end, or a breach.
    pub(super) async fn silence(&mut self) -> String {
        match self.pipe.receive().await {
            Ok(message) => format!("it says {} unasked", message.name()),
            Err(error) => error.to_string(),
        }
    }

    async fn ask(&mut self, spawn: Spawn, group: Option<Group>) -> Result<Newborn, BirthError> {
        let lost = |error: &dyn std::fmt::Display| BirthError::Lost(error.to_string());
        let failed = |error: &dyn std::fmt::Display| BirthError::Failed(error.to_string());
        let into = group.as_ref().map(Group::open).transpose().map_err(|error| failed(&error))?;
        let spawn = Spawn { grouped: into.is_some(), ..spawn };
        let (call, theirs) = fd::pair().map_err(|error| failed(&error))?;
        let page = board::create().map_err(|error| failed(&error))?;
        let board = board::Reader::map(page.as_fd()).map_err(|error| failed(&error))?;
        self.phase = self.phase.spawn(spawn.number).map_err(|breach| lost(&breach))?;
        let beside: Vec<_> = [&theirs, &page].into_iter().chain(&into).map(AsFd::as_fd).collect();
        self.pipe.send_with(&ToZygote::Spawn(spawn), &beside).await.map_err(|error| lost(&error))?;
        drop((theirs, page, into));
        let said = self.pipe.receive().await.map_err(|error| lost(&error))?;
        self.phase = self.phase.hear(&said).map_err(|breach| lost(&breach))?;
        match said {
            FromZygote::Spawned { pid, .. } => {
                let pidfd = self.pipe.take_descriptor().map_err(|error| lost(&error))?;
                Ok(Newborn { pid, pidfd, call, board, group })
            }
            FromZygote::Failed { reason, .. } => Err(BirthError::Failed(reason)),
            _ => Err(BirthError::Lost("it answered another question".to_owned())),
        }
    }
}

impl Drop for Zygote {
    fn drop(&mut self) {
        // Its children stay: they are the router's. It may have ended by itself already; waiting collects it either way.
        let _ended = self.child.kill();
        let _collected = self.child.wait();
    }
}

/// A zygote that reports a jail is looked at before it is believed.
fn inspected(greeted: Result<Greeted, BirthError>, child: &Child, config: &Config) -> Result<Greeted, BirthError> {
    let greeted = greeted?;
    let (_, _, jail) = &greeted;
    let claimed = if config.sandbox == Sandbox::Strict { inspect::claim(jail.layers) } else { Ok(()) };
    let able = claimed.and_then(|()| inspect::power(jail.layers));
    let seen = able.and_then(|()| inspect::zygote(child.id(), jail.layers));
    seen.map_err(|shortfall| BirthError::Refused(format!("failed to look at the zygote and {shortfall}")))?;
    Ok(greeted)
}

fn run(config: &Config, spawn: OwnedFd) -> Result<Child, BirthError> {
    let program = |error: std::io::Error| BirthError::Program {
        program: config.worker_program.display().to_string(),
        reason: error.to_string(),
    };
    inherit::allow(&spawn).map_err(program)?;
    Command::new(&config.worker_program)
        .arg("--zygote-fd")
        .arg(spawn.as_raw_fd().to_string())
        .arg("--parent")
        .arg(std::process::id().to_string())
        .args(["--sandbox", config.sandbox.word()])
        .args(["--fresh-state", config.fresh_state.word()])
        .arg("--memory-bytes")
        .arg(config.memory_bytes.to_string())
        // No secret of the operator's environment reaches a process that clones strangers' workers.
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .map_err(program)
}
