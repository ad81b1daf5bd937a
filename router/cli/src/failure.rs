//! Every way in which a command can fail, what it says, and the exit code that tells a script which it was.

use std::{io, path::PathBuf};

use serde_json::{Value, json};

use crate::problem::Problem;

/// Why a command did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The command line asks for something that cannot be.
    #[error("{0}")]
    Usage(String),
    /// A folder breaks a rule of apps; nothing was uploaded.
    #[error("{file}: {rule}")]
    Rule {
        /// The file, relative to the app's folder.
        file: String,
        /// The rule, in words.
        rule: String,
    },
    /// A file cannot be read.
    #[error("{}: {cause}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// The server refused.
    #[error("{0}")]
    Refused(Problem),
    /// An app that only a manifest names would be replaced.
    #[error("{0}")]
    Replaces(String),
    /// The code that was to be run threw, or was cut off.
    #[error("{0}")]
    Threw(String),
    /// Something answered, but not as a farm does.
    #[error("{server} did not answer as a Fazt farm does: {cause}")]
    Strange {
        /// The server's address.
        server: String,
        /// What was wrong.
        cause: String,
    },
    /// The connection ended before the answer was whole.
    #[error("the connection to {server} broke off: {cause}; the server's log may say why")]
    BrokeOff {
        /// The server's address.
        server: String,
        /// What the system said.
        cause: String,
    },
    /// Nobody is there.
    #[error("cannot reach {server}: {cause}; start a farm with `fazt-router`, or name another with --server")]
    Unreachable {
        /// The server's address.
        server: String,
        /// What the system said.
        cause: String,
    },
    /// The token is missing or wrong.
    #[error("not authorised: {0}")]
    Unauthorised(String),
    /// Standard output is not taken any more.
    #[error("standard output was closed")]
    ReaderGone,
    /// Standard output fails.
    #[error("cannot write to standard output: {0}")]
    Output(io::Error),
}

impl Failure {
    /// The exit code of the whole program.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::ReaderGone => 0,
            Self::Rule { .. }
            | Self::File { .. }
            | Self::Refused(_)
            | Self::Replaces(_)
            | Self::Threw(_)
            | Self::Strange { .. }
            | Self::BrokeOff { .. }
            | Self::Output(_) => 1,
            Self::Usage(_) => 2,
            Self::Unreachable { .. } => 3,
            Self::Unauthorised(_) => 4,
        }
    }

    /// For `--json`: the server's own problem where there is one.
    pub(crate) fn to_json(&self) -> Value {
        let code = match self {
            Self::Refused(problem) => return json!({ "error": problem }),
            Self::Usage(_) => "usage",
            Self::Rule { .. } => "invalid_app",
            Self::File { .. } => "unreadable_file",
            Self::Replaces(_) => "would_replace",
            Self::Threw(_) => "script_error",
            Self::Strange { .. } => "not_a_farm",
            Self::BrokeOff { .. } => "broke_off",
            Self::Unreachable { .. } => "unreachable",
            Self::Unauthorised(_) => "unauthorized",
            Self::ReaderGone | Self::Output(_) => "output",
        };
        json!({ "error": { "code": code, "detail": self.to_string() } })
    }
}

impl From<io::Error> for Failure {
    /// An error of standard output: files and sockets have variants of their own.
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe { Self::ReaderGone } else { Self::Output(error) }
    }
}
