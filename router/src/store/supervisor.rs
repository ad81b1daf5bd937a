//! Keeps a store's process alive: starts it, tells everybody when it can be asked, starts it again when it dies.
//!
//! Runs on the router's first thread, which never ends: the store asks for a parent-death signal, and those follow threads.
//! A refusal at the first start (another owner, a newer file) ends the router with the store's own words; at a later start
//! it is logged and tried again, since it may pass.

use std::{
    os::fd::{AsRawFd, OwnedFd},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use fazt_protocol::{
    fd,
    grant::GrantKey,
    pipe::asynchronous::{Pipe, Reader},
    registry::{FromStore, Status, ToStore},
    version,
};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};

use super::{Config, Durability, link::Link};
use crate::{cgroup::Groups, inherit};

/// How long a store may take from its start until it is ready; recovering a large log is the longest part of it.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// The pause before a second start in a row, doubled up to [`PAUSE_MOST`].
const PAUSE_FIRST: Duration = Duration::from_millis(20);
const PAUSE_MOST: Duration = Duration::from_secs(2);
/// A life that long resets the pause.
const LONG_LIFE: Duration = Duration::from_secs(5);
/// How long a store that was told to close may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a store did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The program could not be run.
    #[error("start {program}: {error}")]
    Program {
        /// Its path.
        program: String,
        /// What the kernel said.
        error: std::io::Error,
    },
    /// The store says why it does not start.
    #[error("{0}")]
    Refused(String),
    /// It ended, or said something else, or nothing.
    #[error("start the store: {0}")]
    Silent(String),
}

/// The one that keeps it alive.
#[derive(Debug)]
pub struct Supervisor {
    config: Config,
    groups: Option<Arc<Groups>>,
    link: watch::Sender<Option<Arc<Link>>>,
    life: Option<Life>,
}

#[derive(Debug)]
struct Life {
    child: Child,
    reader: Reader<FromStore>,
    link: Arc<Link>,
    since: Instant,
}

impl Supervisor {
    /// Starts the first store and waits until it is ready; where there are control groups, it and each that follows gets
    /// the store's.
    ///
    /// # Errors
    /// [`StartError`]: nothing is left running.
    pub async fn start(
        config: Config,
        groups: Option<Arc<Groups>>,
    ) -> Result<(Self, watch::Receiver<Option<Arc<Link>>>), StartError> {
        let life = Life::begin(&config, groups.clone()).await?;
        let (link, changes) = watch::channel(Some(Arc::clone(&life.link)));
        Ok((Self { config, groups, link, life: Some(life) }, changes))
    }

    /// Watches the store until `closing` is set, and starts it again whenever it dies.
    pub async fn run(mut self, mut closing: watch::Receiver<bool>) {
        let mut pause = PAUSE_FIRST;
        loop {
            if let Some(life) = &mut self.life {
                tokio::select! {
                    end = life.link.hear(&mut life.reader) => tracing::error!(pid = life.child.id(), "store gone: {end}"),
                    () = until_closing(&mut closing) => return self.close().await,
                }
            }
            self.link.send_replace(None);
            if let Some(life) = self.life.take() {
                if life.since.elapsed() >= LONG_LIFE {
                    pause = PAUSE_FIRST;
                }
                life.end();
            }
            if *closing.borrow() {
                return;
            }
            match Life::begin(&self.config, self.groups.clone()).await {
                Ok(life) => {
                    tracing::info!(pid = life.child.id(), "store restarted");
                    self.link.send_replace(Some(Arc::clone(&life.link)));
                    self.life = Some(life);
                }
                Err(error) => {
                    tracing::error!("failed to {error}; trying again in {} ms", pause.as_millis());
                    sleep(pause).await;
                    pause = pause.saturating_mul(2).min(PAUSE_MOST);
                }
            }
        }
    }

    /// Ends a store that was started for a look only.
    pub async fn end(self) {
        self.close().await;
    }

    /// Lets the store finish: all that was answered is in its file, the log is written back, the process is gone.
    async fn close(mut self) {
        let Some(mut life) = self.life.take() else { return };
        let link = Arc::clone(&life.link);
        let closed = timeout(CLOSE_TIMEOUT, async {
            tokio::join!(link.ask(fazt_protocol::registry::Ask::Close, &[], None), life.link.hear(&mut life.reader)).0
        });
        match closed.await {
            Ok(Ok(_)) => tracing::info!("store closed"),
            Ok(Err(error)) => tracing::warn!("failed to {error} while closing"),
            Err(_late) => tracing::warn!("store did not close in {} s", CLOSE_TIMEOUT.as_secs()),
        }
        life.end();
    }
}

impl Life {
    async fn begin(config: &Config, groups: Option<Arc<Groups>>) -> Result<Self, StartError> {
        let silent = |what: &dyn std::fmt::Display| StartError::Silent(what.to_string());
        let (ours, theirs) = fd::pair().map_err(|error| silent(&error))?;
        let mut child = spawn(config, theirs)?;
        if let Some(groups) = groups {
            admit(groups, child.id());
        }
        let started = timeout(START_TIMEOUT, Self::greet(ours)).await;
        match started.map_err(|_late| silent(&"it is not ready in time")).and_then(|greeted| greeted) {
            Ok((reader, link)) => Ok(Self { child, reader, link: Arc::new(link), since: Instant::now() }),
            Err(error) => {
                // It may have ended by itself already; waiting collects it either way.
                let _ended = child.kill();
                let _collected = child.wait();
                Err(error)
            }
        }
    }

    async fn greet(ours: OwnedFd) -> Result<(Reader<FromStore>, Link), StartError> {
        let silent = |what: &dyn std::fmt::Display| StartError::Silent(what.to_string());
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(|error| silent(&error))?;
        let key = GrantKey::new(secret);
        let (mut reader, mut writer) = Pipe::<FromStore, ToStore>::plain(ours).map_err(|error| silent(&error))?.split();
        let hello = ToStore::Hello { protocol: version::PROTOCOL, grant_key: secret };
        // A store that refuses says why and is gone, before it hears anything: what it said is read in any case.
        let _refused = writer.send(&hello).await;
        let status = Self::ready(&mut reader).await?;
        Ok((reader, Link::new(writer, key, status)))
    }

    async fn ready(reader: &mut Reader<FromStore>) -> Result<Status, StartError> {
        match reader.receive().await {
            Ok(FromStore::Ready { protocol, status }) => match version::check(protocol) {
                Ok(()) => Ok(*status),
                Err(mismatch) => Err(StartError::Refused(mismatch.to_string())),
            },
            Ok(FromStore::Refused { reason }) => Err(StartError::Refused(reason)),
            Ok(_) => Err(StartError::Silent("it answered before it was ready".to_owned())),
            Err(error) => Err(StartError::Silent(error.to_string())),
        }
    }

    /// Makes sure that the process is gone, and collects it.
    fn end(mut self) {
        let gone = matches!(self.child.try_wait(), Ok(Some(_)));
        if !gone {
            // Its conversation is over; what it would still do nobody would hear of.
            let _ended = self.child.kill();
            let _collected = self.child.wait();
        }
    }
}

/// Gives a store that was just started its share of the processors, while it opens its file. On a thread of its own: the
/// kernel takes its time to move a living process, and births go on meanwhile.
fn admit(groups: Arc<Groups>, pid: u32) {
    tokio::task::spawn_blocking(move || {
        if let Err(error) = groups.admit_store(pid) {
            tracing::warn!("failed to put the store into its control group: {error}");
        }
    });
}

/// Waits until the flag is set, or nobody can set it any more.
async fn until_closing(closing: &mut watch::Receiver<bool>) {
    // The borrow of the flag ends here: it must not be held while the store is closed.
    drop(closing.wait_for(|closing| *closing).await);
}

fn spawn(config: &Config, registry: OwnedFd) -> Result<Child, StartError> {
    let program = |error| StartError::Program { program: config.program.display().to_string(), error };
    inherit::allow(&registry).map_err(program)?;
    let mut command = Command::new(&config.program);
    // Listeners that were lent are the router's alone: a descriptor of these numbers would be another one here.
    for lent in ["LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"] {
        command.env_remove(lent);
    }
    command
        .arg("--registry-fd")
        .arg(registry.as_raw_fd().to_string())
        .arg("--parent")
        .arg(std::process::id().to_string())
        .arg("--data-dir")
        .arg(&config.data_dir)
        .arg("--database")
        .arg(&config.database)
        .args(["--durability", if config.durability == Durability::Full { "full" } else { "normal" }])
        .args(["--log-format", if config.log_json { "json" } else { "pretty" }])
        .args(["--sandbox", config.sandbox.word()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .map_err(program)
}
