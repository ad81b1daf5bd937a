//! The router's side of the store: asks it over the registry conversation, and hands out channels to workers.
//!
//! [`Store`] is what the rest of the router holds. It outlives the store's process: while that is being restarted, questions
//! wait within their deadline and then fail with [`AskError::Unavailable`]. What was asked of a process that died is never
//! asked again by itself: a write may have happened.

pub mod config;
pub mod link;
pub mod supervisor;
pub mod upload;

use std::{os::fd::OwnedFd, sync::Arc, time::Duration};

use fazt_protocol::{
    builder::{Encoding, Manifest},
    op::Refusal,
    registry::{Answer, App, Ask, FileEntry, LogFilter, LogRecord, Status, Version},
};
use tokio::{sync::watch, time::timeout};

pub use config::{Config, Durability};
use link::Link;

/// How long a question of the router itself may take.
const ASK_TIMEOUT: Duration = Duration::from_secs(5);

/// A deploy to be made a version.
#[derive(Debug)]
pub struct Release {
    /// The upload that has its files.
    pub upload: u64,
    /// The app's name.
    pub name: String,
    /// What the manifest says.
    pub manifest: Manifest,
    /// Environment variables that were given with the deploy.
    pub env: Vec<(String, String)>,
    /// Whether it is served from now on.
    pub activate: bool,
}

/// Why a question has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// The store is not there.
    #[error("ask the store: it is being restarted")]
    Unavailable,
    /// The deadline passed first.
    #[error("ask the store in time")]
    Late,
    /// The store said no.
    #[error("{0}")]
    Refused(Refusal),
    /// The store answered something else.
    #[error("ask the store: it answered another question")]
    Confused,
}

/// The store, whichever process it is at the moment.
#[derive(Debug, Clone)]
pub struct Store {
    link: watch::Receiver<Option<Arc<Link>>>,
}

impl Store {
    /// A store that is whatever `link` says.
    #[must_use]
    pub fn new(link: watch::Receiver<Option<Arc<Link>>>) -> Self {
        Self { link }
    }

    /// Whether it can be asked right now.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.link.borrow().is_some()
    }

    /// The process that answers now, waiting for it until it is there.
    ///
    /// # Errors
    /// [`AskError::Unavailable`] where none came in time.
    pub async fn link(&self, within: Duration) -> Result<Arc<Link>, AskError> {
        let mut link = self.link.clone();
        let waited = timeout(within, link.wait_for(Option::is_some)).await;
        match waited {
            Ok(Ok(link)) => link.clone().ok_or(AskError::Unavailable),
            _ => Err(AskError::Unavailable),
        }
    }

    /// The process that answers now, if any.
    #[must_use]
    pub fn link_now(&self) -> Option<Arc<Link>> {
        self.link.borrow().clone()
    }

    /// Tells when the process changes.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<Option<Arc<Link>>> {
        self.link.clone()
    }

    /// Asks one question.
    ///
    /// # Errors
    /// Any [`AskError`].
    pub async fn ask(&self, ask: Ask, body: &[u8], descriptor: Option<OwnedFd>) -> Result<(Answer, Vec<u8>), AskError> {
        let link = self.link(ASK_TIMEOUT).await?;
        timeout(ASK_TIMEOUT, link.ask(ask, body, descriptor)).await.map_err(|_late| AskError::Late)?
    }

    /// A page of apps by name.
    ///
    /// # Errors
    /// Any [`AskError`], as for all that follow.
    pub async fn apps(&self, after: Option<String>) -> Result<Vec<App>, AskError> {
        match self.ask(Ask::Apps { after }, &[], None).await? {
            (Answer::Apps(apps), _) => Ok(apps),
            _ => Err(AskError::Confused),
        }
    }

    /// One app.
    ///
    /// # Errors
    /// Any [`AskError`].
    pub async fn app(&self, name: &str) -> Result<Option<App>, AskError> {
        Self::one_app(self.ask(Ask::App { name: name.to_owned() }, &[], None).await?)
    }

    /// A page of an app's versions, newest first.
    ///
    /// # Errors
    /// Any [`AskError`].
    pub async fn versions(&self, name: &str, before: Option<u64>) -> Result<Vec<Version>, AskError> {
        match self.ask(Ask::Versions { name: name.to_owned(), before }, &[], None).await? {
            (Answer::Versions(versions), _) => Ok(versions),
            _ => Err(AskError::Confused),
        }
    }

    /// A page of a version's public files by path.
    ///
    /// # Errors
    /// Any [`AskError`].
    pub async fn index(&self, app: u64, version: u64, after: Option<String>) -> Result<Vec<FileEntry>, AskError> {
        match self.ask(Ask::Index { app, version, after }, &[], None).await? {
            (Answer::Index(files), _) => Ok(files),
            _ => Err(AskError::Confused),
        }
    }

    /// A content by its hash.
    ///
    /// # Errors
    /// Any [`AskError`].
    pub async fn content(&self, hash: [u8; 32]) -> Result<Option<Vec<u8>>, AskError> {
        match self.ask(Ask::Content { hash }, &[], None).await? {
            (Answer::Content { found }, body) => Ok(found.then_some(body)),
            _ => Err(AskError::Confused),
        }
    }

    /// Begins a deploy.
    ///
    /// # Errors
    /// Any [`AskError`].
    pub async fn begin(&self) -> Result<u64, AskError> {
        match self.ask(Ask::Begin, &[], None).await? {
            (Answer::Upload(upload), _) => Ok(upload),
            _ => Err(AskError::Confused),
        }
    }

    /// Adds a content to a deploy.
    ///
    /// # Errors
    /// Any [`AskError`].
    pub async fn file(&self, upload: u64, path: String, encoding: Encoding, body: &[u8]) -> Result<(), AskError> {
        self.ask(Ask::File { upload, path, encoding }, body, None).await.map(drop)
    }

    /// Makes a deploy a version.
    ///
    /// # Errors
    /// Any [`AskError`].
    pub async fn commit(&self, release: Release) -> Result<App, AskError> {
        let Release { upload, name, manifest, env, activate } = release;
        let ask = Ask::Commit { upload, name, manifest, env, activate };
        Self::one_app(self.ask(ask, &[], None).await?)?.ok_or(AskError::Confused)
    }

    /// Drops a deploy.
    ///
    /// # Errors
    /// Any [`AskError`].
    pub async fn abort(&self, upload: u64) -> Result<(), AskError> {
        self.ask(Ask::Abort { upload }, &[], None).await.map(drop)
    }

    /// Removes an app with all that it has.
    ///
    /// # Errors
    /// Any [`AskError`].
    pub async fn remove(&self, name: &str) -> Result<bool, AskError> {
        match self.ask(Ask::Remove { name: name.to_owned() }, &[], None).await? {
            (Answer::Flag(existed), _) => Ok(existed),
            _ => Err(AskError::Confused),
        }
    }

    /// An app's environment.
    ///
    /// # Errors
    /// Any [`AskError`].
    pub async fn env(&self, name: &str) -> Result<Vec<(String, String)>, AskError> {
        match self.ask(Ask::Env { name: name.to_owned() }, &[], None).await? {
            (Answer::Env(env), _) => Ok(env),
            _ => Err(AskError::Confused),
        }
    }

    /// Changes an app's environment: the app's new version, or nothing before its first deploy.
    ///
    /// # Errors
    /// Any [`AskError`].
    pub async fn set_env(
        &self,
        name: &str,
        set: Vec<(String, String)>,
        unset: Vec<String>,
    ) -> Result<Option<App>, AskError> {
        match self.ask(Ask::SetEnv { name: name.to_owned(), set, unset }, &[], None).await? {
            (Answer::App(app), _) => Ok(app),
            (Answer::Done, _) => Ok(None),
            _ => Err(AskError::Confused),
        }
    }

    /// Keeps log lines.
    ///
    /// # Errors
    /// Any [`AskError`].
    pub async fn append_logs(&self, lines: Vec<LogRecord>) -> Result<(), AskError> {
        self.ask(Ask::AppendLogs { lines }, &[], None).await.map(drop)
    }

    /// An app's log.
    ///
    /// # Errors
    /// Any [`AskError`].
    pub async fn logs(&self, name: &str, filter: LogFilter) -> Result<Vec<LogRecord>, AskError> {
        match self.ask(Ask::Logs { name: name.to_owned(), filter }, &[], None).await? {
            (Answer::Logs(lines), _) => Ok(lines),
            _ => Err(AskError::Confused),
        }
    }

    /// How the store is.
    ///
    /// # Errors
    /// Any [`AskError`].
    pub async fn status(&self) -> Result<Status, AskError> {
        match self.ask(Ask::Status, &[], None).await? {
            (Answer::Status(status), _) => Ok(status),
            _ => Err(AskError::Confused),
        }
    }

    fn one_app(answered: (Answer, Vec<u8>)) -> Result<Option<App>, AskError> {
        match answered {
            (Answer::App(app), _) => Ok(app),
            _ => Err(AskError::Confused),
        }
    }
}
