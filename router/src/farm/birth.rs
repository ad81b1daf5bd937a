//! Births: a zygote clones jailed children on request; this keeps the zygote alive and asks it.
//!
//! Runs on the router's first thread, which never ends: zygote and children ask for a parent-death signal, and those follow
//! threads. Children outlive a zygote; when it dies, the births that were asked of it fail and a new one is started.

use std::{
    os::fd::{AsFd, AsRawFd, OwnedFd},
    process::{Child, Command, Stdio},
    time::Duration,
};

use fazt_protocol::{
    board, fd,
    pipe::asynchronous::Pipe,
    spawn::{FromZygote, Jail, Phase, Role, Spawn, ToZygote},
    version,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::{sleep, timeout},
};

use super::{
    config::{Config, Sandbox},
    inspect,
};
use crate::inherit;

/// How long a zygote may take to be ready.
const START_TIMEOUT: Duration = Duration::from_secs(10);
/// How long one birth may take before the zygote counts as stuck.
const BIRTH_TIMEOUT: Duration = Duration::from_secs(5);
/// The pause before a zygote is started again.
const RESTART_PAUSE: Duration = Duration::from_millis(20);
/// Births that wait for the zygote.
const WAITING: usize = 1_024;

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

/// Where births are asked for.
#[derive(Debug, Clone)]
pub struct Births(mpsc::Sender<Wish>);

#[derive(Debug)]
struct Wish {
    spawn: Spawn,
    born: oneshot::Sender<Result<Newborn, BirthError>>,
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

impl Births {
    /// Asks for a child.
    ///
    /// # Errors
    /// [`BirthError`].
    pub async fn bear(&self, number: u64, role: Role) -> Result<Newborn, BirthError> {
        let (born, birth) = oneshot::channel();
        let lost = || BirthError::Lost("it is not there any more".to_owned());
        self.0.send(Wish { spawn: Spawn { number, role }, born }).await.map_err(|_gone| lost())?;
        birth.await.unwrap_or_else(|_gone| Err(lost()))
    }
}

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

    async fn bear(&mut self, spawn: Spawn) -> Result<Newborn, BirthError> {
        let lost = |error: &dyn std::fmt::Display| BirthError::Lost(error.to_string());
        let failed = |error: &dyn std::fmt::Display| BirthError::Failed(error.to_string());
        let (call, theirs) = fd::pair().map_err(|error| failed(&error))?;
        let page = board::create().map_err(|error| failed(&error))?;
        let board = board::Reader::map(page.as_fd()).map_err(|error| failed(&error))?;
        self.phase = self.phase.spawn(spawn.number).map_err(|breach| lost(&breach))?;
        self.pipe
            .send_with(&ToZygote::Spawn(spawn), &[theirs.as_fd(), page.as_fd()])
            .await
            .map_err(|error| lost(&error))?;
        drop((theirs, page));
        let said = self.pipe.receive().await.map_err(|error| lost(&error))?;
        self.phase = self.phase.hear(&said).map_err(|breach| lost(&breach))?;
        match said {
            FromZygote::Spawned { pid, .. } => {
                let pidfd = self.pipe.take_descriptor().map_err(|error| lost(&error))?;
                Ok(Newborn { pid, pidfd, call, board })
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
    let seen = claimed.and_then(|()| inspect::zygote(child.id(), jail.layers));
    seen.map_err(|shortfall| BirthError::Refused(format!("failed to look at the zygote and {shortfall}")))?;
    Ok(greeted)
}

/// Answers wishes for as long as anybody may have one, with the zygote at hand or the next one.
pub fn attend(config: Config, zygote: Zygote) -> (Births, impl Future<Output = ()>) {
    let (wishes, waiting) = mpsc::channel(WAITING);
    (Births(wishes), answer(config, zygote, waiting))
}

async fn answer(config: Config, zygote: Zygote, mut waiting: mpsc::Receiver<Wish>) {
    let mut zygote = Some(zygote);
    loop {
        let wish = tokio::select! {
            wish = waiting.recv() => match wish {
                Some(wish) => wish,
                None => return,
            },
            // An idle zygote has nothing to say: whatever comes is its end, and its successor is started before it is needed.
            end = silence(&mut zygote) => {
                tracing::error!("zygote gone: {end}");
                zygote = restart(&config).await;
                continue;
            }
        };
        let Some(present) = &mut zygote else {
            // Who gave up waiting does not want to know.
            let _gone = wish.born.send(Err(BirthError::Lost("it is being restarted".to_owned())));
            zygote = restart(&config).await;
            continue;
        };
        let birth = timeout(BIRTH_TIMEOUT, present.bear(wish.spawn)).await;
        let birth = birth.unwrap_or_else(|_late| Err(BirthError::Lost("a birth takes too long".to_owned())));
        let is_lost = matches!(birth, Err(BirthError::Lost(_)));
        let _gone = wish.born.send(birth);
        if is_lost {
            zygote = restart(&config).await;
        }
    }
}

async fn silence(zygote: &mut Option<Zygote>) -> String {
    match zygote {
        Some(zygote) => match zygote.pipe.receive().await {
            Ok(message) => format!("it says {} unasked", message.name()),
            Err(error) => error.to_string(),
        },
        None => std::future::pending().await,
    }
}

async fn restart(config: &Config) -> Option<Zygote> {
    match Zygote::start(config).await {
        Ok(zygote) => {
            tracing::info!(pid = zygote.pid(), "zygote restarted");
            Some(zygote)
        }
        Err(error) => {
            tracing::error!("failed to {error}");
            sleep(RESTART_PAUSE).await;
            None
        }
    }
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
