//! What the store keeps and tells of: apps, versions, files, log lines, and itself.

use serde::{Deserialize, Serialize};

use crate::{
    bounded,
    builder::{Encoding, Manifest},
    call::{Level, Source},
    limit::{APP_NAME_BYTES, ENV_BYTES, ENV_VARIABLES, FILE_PATH_BYTES, LOG_LINE_BYTES},
};

/// An app, and the version that is served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct App {
    /// The store's number for it; a removed app's number is never used again.
    pub id: u64,
    /// Its name.
    #[serde(deserialize_with = "bounded::text::<_, APP_NAME_BYTES>")]
    pub name: String,
    /// The version that is served; 0 where none was activated.
    pub version: u64,
    /// The newest version.
    pub newest: u64,
    /// What its manifest says.
    pub manifest: Manifest,
    /// The environment in force, manifest's included.
    #[serde(deserialize_with = "bounded::pairs::<_, ENV_VARIABLES, ENV_BYTES>")]
    pub env: Vec<(String, String)>,
    /// Whether there is an `api/main.js`.
    pub handler: bool,
    /// Files of the version.
    pub files: u32,
    /// Their size in bytes.
    pub bytes: u64,
    /// When the version was made: Unix time in milliseconds.
    pub updated_at: i64,
}

/// A version of an app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// Its number, from 1.
    pub version: u64,
    /// Unix time in milliseconds.
    pub created_at: i64,
    /// Files.
    pub files: u32,
    /// Their size in bytes.
    pub bytes: u64,
}

/// A file of a version that a browser may see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Relative, with `/`.
    #[serde(deserialize_with = "bounded::text::<_, FILE_PATH_BYTES>")]
    pub path: String,
    /// Its contents: the identity first, then what it was precompressed to.
    #[serde(deserialize_with = "bounded::list::<_, _, 4>")]
    pub contents: Vec<ContentEntry>,
}

/// One content of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContentEntry {
    /// How it is encoded.
    pub encoding: Encoding,
    /// BLAKE3 of the encoded bytes.
    pub hash: [u8; 32],
    /// How many encoded bytes.
    pub size: u64,
}

/// A line of an app's log, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogRecord {
    /// Rises with time; 0 before it is kept.
    pub id: u64,
    /// The app, as [`App::id`].
    pub app: u64,
    /// Unix time in milliseconds.
    pub at: i64,
    /// How bad.
    pub level: Level,
    /// Who wrote it.
    pub source: Source,
    /// The request's id.
    #[serde(deserialize_with = "bounded::text::<_, { crate::limit::REQUEST_ID_BYTES }>")]
    pub request: String,
    /// The text.
    #[serde(deserialize_with = "bounded::text::<_, LOG_LINE_BYTES>")]
    pub message: String,
}

/// Which lines of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogFilter {
    /// The most lines; at most [`crate::limit::PAGE_ENTRIES`], and fewer where they would not fit a frame.
    pub limit: u32,
    /// This level and worse.
    pub level: Level,
    /// Not older than this: Unix time in milliseconds.
    pub since: Option<i64>,
    /// Of this request.
    #[serde(deserialize_with = "bounded::optional_text::<_, { crate::limit::REQUEST_ID_BYTES }>")]
    pub request: Option<String>,
    /// After this id: then the oldest that fit, so that a reader can follow.
    pub after: Option<u64>,
}

/// How the store is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Its process.
    pub pid: i32,
    /// The file.
    #[serde(deserialize_with = "bounded::text::<_, 4096>")]
    pub path: String,
    /// `wal`.
    #[serde(deserialize_with = "bounded::text::<_, 16>")]
    pub journal_mode: String,
    /// `full` or `normal`.
    #[serde(deserialize_with = "bounded::text::<_, 16>")]
    pub synchronous: String,
    /// How long a foreign lock is waited for, in milliseconds.
    pub busy_timeout_ms: u32,
    /// Connections that read.
    pub readers: u32,
    /// Channels of workers.
    pub binds: u32,
    /// The write-ahead log, in bytes.
    pub wal_bytes: u64,
    /// The file, in bytes.
    pub file_bytes: u64,
    /// Ops answered since the start.
    pub ops: u64,
    /// Groups committed since the start.
    pub commits: u64,
    /// Writes in them.
    pub writes: u64,
    /// The schema's version.
    pub schema: u32,
    /// The layers of the store's own jail that are missing, each with its reason, for people to read; empty where none is.
    #[serde(deserialize_with = "bounded::text::<_, 1024>")]
    pub sandbox_missing: String,
}
