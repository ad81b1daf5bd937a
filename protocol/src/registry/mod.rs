//! The registry conversation, router ↔ store: apps, versions, files, environments, logs, and the channels of workers.
//!
//! Multiplexed: every question has a correlation number, answers come in any order, and the parts of a body carry the number
//! of their message. So an upload never holds up a `Bind`. The store is trusted by the router and the router by the store;
//! the limits here bound mistakes, not attackers.
//!
//! ```text
//! router  Hello                             store  Ready, or Refused and the end
//! router  Ask (+ descriptor for Bind), Chunk…   store  Answer, Chunk…
//! ```

mod record;

use serde::{Deserialize, Serialize};

pub use record::{App, ContentEntry, FileEntry, LogFilter, LogRecord, Status, Version};

use crate::{
    Message,
    body::Part,
    bounded,
    builder::{Encoding, Manifest},
    limit::{APP_NAME_BYTES, ENV_BYTES, ENV_VARIABLES, FILE_PATH_BYTES, FRAME_BYTES, LOG_BATCH, PAGE_ENTRIES},
    op::Refusal,
};

/// What the router says to the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToStore {
    /// Once, first.
    Hello {
        /// [`crate::version::PROTOCOL`].
        protocol: u16,
        /// What grants are sealed with.
        grant_key: [u8; 32],
    },
    /// One question.
    Ask {
        /// The router's number for it.
        correlation: u64,
        /// What is asked.
        ask: Box<Ask>,
        /// The body, where the question has one.
        body: Part,
    },
    /// More of a question's body.
    Chunk {
        /// The question.
        correlation: u64,
        /// The part.
        part: Part,
    },
}

/// What the store says to the router.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromStore {
    /// Once, first: the database is open.
    Ready {
        /// [`crate::version::PROTOCOL`].
        protocol: u16,
        /// What the farm says of its store.
        status: Box<Status>,
    },
    /// In place of `Ready`: one line that says what is wrong and what to do. The store ends.
    Refused {
        /// The line.
        #[serde(deserialize_with = "bounded::text::<_, 2048>")]
        reason: String,
    },
    /// One answer.
    Answer {
        /// The question.
        correlation: u64,
        /// What the store spent on it, in microseconds.
        spent_us: u32,
        /// What came of it.
        outcome: Result<Box<Answer>, Refusal>,
        /// The body, where the answer has one.
        body: Part,
    },
    /// More of an answer's body.
    Chunk {
        /// The question.
        correlation: u64,
        /// The part.
        part: Part,
    },
}

/// What the router can ask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ask {
    /// A descriptor comes with this: from now on it speaks for that app and version. `Done`.
    Bind {
        /// The channel's number, which grants name; never used twice with one store.
        bind: u64,
        /// The app, as [`App::id`].
        app: u64,
        /// The version whose files it may read.
        version: u64,
        /// One op, in milliseconds, at most.
        storage_ms: u32,
    },
    /// All apps, by name, after that name: `Apps`.
    Apps {
        /// The last name of the page before.
        #[serde(deserialize_with = "bounded::optional_text::<_, APP_NAME_BYTES>")]
        after: Option<String>,
    },
    /// One app: `App`.
    App {
        /// Its name.
        #[serde(deserialize_with = "bounded::text::<_, APP_NAME_BYTES>")]
        name: String,
    },
    /// An app's versions, newest first, older than that one: `Versions`.
    Versions {
        /// Its name.
        #[serde(deserialize_with = "bounded::text::<_, APP_NAME_BYTES>")]
        name: String,
        /// The last version of the page before.
        before: Option<u64>,
    },
    /// Begins a deploy: `Upload`. Uploads that are not committed are swept.
    Begin,
    /// Adds one content of one file, the body: `Done`. The store hashes it.
    File {
        /// The upload.
        upload: u64,
        /// Relative, with `/`.
        #[serde(deserialize_with = "bounded::text::<_, FILE_PATH_BYTES>")]
        path: String,
        /// How the body is encoded. The identity comes first.
        encoding: Encoding,
    },
    /// Makes the upload a version of an app, new or old, in one transaction: `App`.
    Commit {
        /// The upload.
        upload: u64,
        /// The app's name.
        #[serde(deserialize_with = "bounded::text::<_, APP_NAME_BYTES>")]
        name: String,
        /// What the manifest said.
        manifest: Manifest,
        /// Environment variables to set beside the manifest's and the app's own; they win.
        #[serde(deserialize_with = "bounded::pairs::<_, ENV_VARIABLES, ENV_BYTES>")]
        env: Vec<(String, String)>,
        /// Whether it is served from now on.
        activate: bool,
    },
    /// Drops an upload: `Done`.
    Abort {
        /// The upload.
        upload: u64,
    },
    /// Removes an app with all its versions, files, data and logs: `Flag`, whether it existed.
    Remove {
        /// Its name.
        #[serde(deserialize_with = "bounded::text::<_, APP_NAME_BYTES>")]
        name: String,
    },
    /// The files of a version that a browser may see, by path, after that path: `Index`.
    Index {
        /// The app.
        app: u64,
        /// The version.
        version: u64,
        /// The last path of the page before.
        #[serde(deserialize_with = "bounded::optional_text::<_, FILE_PATH_BYTES>")]
        after: Option<String>,
    },
    /// A content by its hash: `Content`, and the bytes as body.
    Content {
        /// BLAKE3.
        hash: [u8; 32],
    },
    /// Sets and removes environment variables: a new version where the app exists. `App`, or `Done` before the first deploy.
    SetEnv {
        /// The app.
        #[serde(deserialize_with = "bounded::text::<_, APP_NAME_BYTES>")]
        name: String,
        /// Names and values.
        #[serde(deserialize_with = "bounded::pairs::<_, ENV_VARIABLES, ENV_BYTES>")]
        set: Vec<(String, String)>,
        /// Names.
        #[serde(deserialize_with = "bounded::texts::<_, ENV_VARIABLES, ENV_BYTES>")]
        unset: Vec<String>,
    },
    /// The environment in force, before the first deploy too: `Env`.
    Env {
        /// The app.
        #[serde(deserialize_with = "bounded::text::<_, APP_NAME_BYTES>")]
        name: String,
    },
    /// Keeps log lines: `Done`.
    AppendLogs {
        /// The lines.
        #[serde(deserialize_with = "bounded::list::<_, _, LOG_BATCH>")]
        lines: Vec<LogRecord>,
    },
    /// An app's log: `Logs`, the newest that fit, oldest first.
    Logs {
        /// The app.
        #[serde(deserialize_with = "bounded::text::<_, APP_NAME_BYTES>")]
        name: String,
        /// Which lines.
        filter: LogFilter,
    },
    /// How the store is: `Status`.
    Status,
    /// Finish, write the log back into the file, close it, and end: `Done`.
    Close,
}

/// What the store answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// Done.
    Done,
    /// Whether it existed.
    Flag(bool),
    /// A deploy has begun.
    Upload(u64),
    /// An app, or none of that name.
    App(Option<App>),
    /// A page of apps (without their environments), sized by its bytes too. A page may end early; the end is an empty one.
    Apps(#[serde(deserialize_with = "bounded::list::<_, _, PAGE_ENTRIES>")] Vec<App>),
    /// A page of versions.
    Versions(#[serde(deserialize_with = "bounded::list::<_, _, PAGE_ENTRIES>")] Vec<Version>),
    /// A page of files.
    Index(#[serde(deserialize_with = "bounded::list::<_, _, PAGE_ENTRIES>")] Vec<FileEntry>),
    /// The content is the body; or there is none of that hash.
    Content {
        /// Whether there is one.
        found: bool,
    },
    /// Names and values.
    Env(#[serde(deserialize_with = "bounded::pairs::<_, ENV_VARIABLES, ENV_BYTES>")] Vec<(String, String)>),
    /// Lines of a log.
    Logs(#[serde(deserialize_with = "bounded::list::<_, _, PAGE_ENTRIES>")] Vec<LogRecord>),
    /// How the store is.
    Status(Status),
}

impl Message for ToStore {
    const NAME: &'static str = "registry, to store";
    const FRAME_BYTES: usize = FRAME_BYTES;
}

impl Message for FromStore {
    const NAME: &'static str = "registry, from store";
    const FRAME_BYTES: usize = FRAME_BYTES;
}
