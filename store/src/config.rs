//! What the store is started with: flags, and the limits that they may change.

use std::{path::PathBuf, time::Duration};

use clap::{Parser, ValueEnum};
use fazt_jail::Strictness;

/// The process that owns the SQLite file of a farm. Started by fazt-router; it is of no use by hand.
#[derive(Debug, Clone, Parser)]
#[command(name = "fazt-store", version)]
pub(crate) struct Config {
    /// The inherited descriptor of the registry conversation.
    #[arg(long)]
    pub(crate) registry_fd: i32,
    /// The process that must be our parent.
    #[arg(long)]
    pub(crate) parent: i32,
    /// The folder that this process owns.
    #[arg(long)]
    pub(crate) data_dir: PathBuf,
    /// The database file; `fazt.db` in the data folder where it is left out.
    #[arg(long)]
    pub(crate) database: Option<PathBuf>,
    /// Whether an acknowledged write survives the loss of power.
    #[arg(long, value_enum, default_value_t = Durability::Full)]
    pub(crate) durability: Durability,
    /// The longest wait for a lock that somebody else holds.
    #[arg(long, default_value = "5s", value_parser = humantime::parse_duration)]
    pub(crate) busy_timeout: Duration,
    /// How log lines are written.
    #[arg(long, value_enum, default_value_t = LogFormat::Pretty)]
    pub(crate) log_format: LogFormat,
    /// Whether the store runs where a layer of its jail is missing.
    #[arg(long, default_value = "strict")]
    pub(crate) sandbox: Strictness,
    /// The most bytes that an app may store.
    #[arg(long, default_value_t = 1024 * 1024 * 1024)]
    pub(crate) app_storage_bytes: u64,
    /// The most collections of an app.
    #[arg(long, default_value_t = 10_000)]
    pub(crate) app_collections: u64,
    /// The most documents in a collection.
    #[arg(long, default_value_t = 1_000_000)]
    pub(crate) collection_documents: u64,
    /// The most lines that are kept of an app's log.
    #[arg(long, default_value_t = 10_000)]
    pub(crate) log_lines: u32,
    /// How long they are kept.
    #[arg(long, default_value = "7days", value_parser = humantime::parse_duration)]
    pub(crate) log_age: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Durability {
    Full,
    Normal,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    Pretty,
    Json,
}

impl Config {
    pub(crate) fn database(&self) -> PathBuf {
        self.database.clone().unwrap_or_else(|| self.data_dir.join("fazt.db"))
    }
}

impl Durability {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Normal => "normal",
        }
    }
}
