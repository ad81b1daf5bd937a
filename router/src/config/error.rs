//! Why a configuration does not hold, in one line that says where and what would.

use std::{fmt, path::PathBuf};

use super::settings::Origin;

/// Why there is no configuration.
#[derive(Debug)]
pub enum LoadError {
    /// The command line itself: also `--help` and `--version`, which are no failures.
    CommandLine(clap::Error),
    /// A value or a file.
    Config(ConfigError),
}

/// Why a configuration does not hold.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A name that is no setting.
    #[error("{place}: there is no setting `{key}`{}", Nearest(nearest.as_deref()))]
    UnknownKey {
        /// File and line, or variable.
        place: String,
        /// What stood there.
        key: String,
        /// The valid name that is most like it.
        nearest: Option<String>,
    },
    /// A value that the setting does not take.
    #[error("{}: {key}: `{text}` {reason}", Place(origin, key))]
    BadValue {
        /// Where it stands.
        origin: Origin,
        /// The setting.
        key: &'static str,
        /// What stood there.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Two values that do not go together.
    #[error("{0}")]
    Relation(String),
    /// The file is not TOML.
    #[error("{place}: {reason}")]
    Syntax {
        /// File and line.
        place: String,
        /// What the parser says.
        reason: String,
    },
    /// The file cannot be read.
    #[error("{}: {error}; name a file that can be read with --config", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the kernel says.
        error: std::io::Error,
    },
    /// One of the farm's other programs is not there.
    #[error("{name} is neither beside fazt-router ({}) nor in PATH; install all of the farm's programs into one folder", beside.display())]
    Program {
        /// Its name.
        name: &'static str,
        /// Where the router's own binary lies.
        beside: PathBuf,
    },
}

struct Nearest<'a>(Option<&'a str>);

struct Place<'a>(&'a Origin, &'a str);

impl LoadError {
    /// Prints it as it should be seen, and says with which code to end.
    #[must_use]
    pub fn report(&self) -> u8 {
        match self {
            Self::CommandLine(error) => {
                // Where the terminal is gone there is nobody to tell.
                let _gone = error.print();
                u8::try_from(error.exit_code()).unwrap_or(2)
            }
            Self::Config(error) => {
                eprintln!("fazt-router: {error}");
                2
            }
        }
    }
}

impl From<clap::Error> for LoadError {
    fn from(error: clap::Error) -> Self {
        Self::CommandLine(error)
    }
}

impl From<ConfigError> for LoadError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl fmt::Display for Nearest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |name| write!(f, "; did you mean `{name}`?"))
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Origin::Flag => write!(f, "--{}", self.1),
            Origin::Env(name) => f.write_str(name),
            other => other.fmt(f),
        }
    }
}
