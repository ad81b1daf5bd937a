//! A line of an app's log: how bad, who wrote it, and the text.

use serde::{Deserialize, Serialize};

use crate::{bounded, limit::LOG_LINE_BYTES};

/// A line of an app's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// How bad.
    pub level: Level,
    /// Who wrote it.
    pub source: Source,
    /// The text.
    #[serde(deserialize_with = "bounded::text::<_, LOG_LINE_BYTES>")]
    pub message: String,
}

/// The level of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Level {
    /// `console.debug`, `console.trace`.
    Debug,
    /// `console.log`, `console.info`.
    Info,
    /// `console.warn`.
    Warn,
    /// `console.error`, and what an app did not catch.
    Error,
}

/// Who wrote a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// `console.…`
    Console,
    /// `fazt.log.…`
    Fazt,
    /// What the app threw and did not catch.
    Uncaught,
}

impl Level {
    /// `debug`, `info`, `warn`, `error`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }

    /// The level of that word.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        [Self::Debug, Self::Info, Self::Warn, Self::Error].into_iter().find(|level| level.word() == word)
    }
}

impl Source {
    /// `console`, `fazt`, `error`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Console => "console",
            Self::Fazt => "fazt",
            Self::Uncaught => "error",
        }
    }
}
