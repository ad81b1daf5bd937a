//! The command line: every command, flag and default, read by clap, which also writes the help and ends wrong usage
//! with exit code 2. What a value means beyond its shape is judged where it is used.

use std::path::PathBuf;

use clap::{Args as Flags, Parser, Subcommand, ValueEnum};

/// The command of Fazt Farm: deploy apps to a running farm, read their logs, see what it does.
#[derive(Debug, Parser)]
#[command(name = "fazt", version, max_term_width = 100, after_help = EXIT_CODES)]
pub(crate) struct Args {
    /// Where the farm listens.
    #[arg(long, env = "FAZT_SERVER", default_value = "http://127.0.0.1:8080", global = true, value_name = "URL")]
    pub(crate) server: String,
    /// The admin token; without it, ./fazt-data/admin.token is read.
    #[arg(long, env = "FAZT_TOKEN", hide_env_values = true, global = true)]
    pub(crate) token: Option<String>,
    /// Print JSON, as the server gave it.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done, 1 the operation failed, 2 wrong usage, \
                          3 the server cannot be reached, 4 not authorised.";

/// The first word.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Deploy apps, list, remove and read them.
    #[command(subcommand)]
    App(App),
    /// Environment variables of an app; values are never shown again.
    #[command(subcommand)]
    Env(Env),
    /// What every worker of the farm does now.
    Status {
        /// Print it again every second.
        #[arg(long)]
        watch: bool,
    },
    /// The newest finished requests.
    Traces(Traces),
    /// Where the time of one request went.
    Trace {
        /// The request's id, as in the answer's X-Request-Id.
        id: String,
    },
    /// Run code in an app's context, and print its value.
    Exec(Exec),
}

/// `fazt app …`
#[derive(Debug, Subcommand)]
pub(crate) enum App {
    /// Check a folder, upload it and activate it as a new version.
    Deploy(Deploy),
    /// Check a folder as deploy does, and upload nothing.
    Validate {
        /// The app's folder.
        dir: PathBuf,
        /// The app's name, where it is neither in manifest.json nor the folder's.
        #[arg(long)]
        name: Option<String>,
    },
    /// The apps of the farm.
    List,
    /// One app: its versions, and the names of its environment variables.
    Info {
        /// The app.
        name: String,
    },
    /// Remove an app, its versions and its data.
    Remove {
        /// The app.
        name: String,
    },
    /// What an app logged.
    Logs(Logs),
}

/// `fazt app deploy …`
#[derive(Debug, Flags)]
pub(crate) struct Deploy {
    /// The app's folder.
    pub(crate) dir: PathBuf,
    /// The app's name; else the manifest's, else the folder's.
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Replace the app that manifest.json names, also where it was not deployed from this folder before.
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// An environment variable to set with this version; repeatable.
    #[arg(long = "env", value_name = "K=V")]
    pub(crate) env: Vec<String>,
    /// Store the version without serving it.
    #[arg(long)]
    pub(crate) no_activate: bool,
}

/// `fazt app logs …`
#[derive(Debug, Flags)]
pub(crate) struct Logs {
    /// The app.
    pub(crate) name: String,
    /// Go on with new lines as they come.
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// This level and what is worse.
    #[arg(long, value_enum)]
    pub(crate) level: Option<Level>,
    /// Not older than this: 30s, 10m, 2h, 1day.
    #[arg(long, value_name = "DURATION")]
    pub(crate) since: Option<humantime::Duration>,
    /// Of this request only.
    #[arg(long, value_name = "ID")]
    pub(crate) request: Option<String>,
    /// The newest so many.
    #[arg(short = 'n', long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) limit: u32,
}

/// A level of a log line.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Level {
    /// `console.debug`, `console.trace`.
    Debug,
    /// `console.log`, `console.info`.
    Info,
    /// `console.warn`.
    Warn,
    /// `console.error`, and what an app did not catch.
    Error,
}

impl Level {
    /// The word that the server knows.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// `fazt env …`
#[derive(Debug, Subcommand)]
pub(crate) enum Env {
    /// Set variables; a new version of the app.
    Set {
        /// The app.
        name: String,
        /// Variables.
        #[arg(value_name = "K=V", required_unless_present = "file")]
        variables: Vec<String>,
        /// A file of K=V lines; the command line wins over it.
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// The names of the variables that are set.
    List {
        /// The app.
        name: String,
    },
    /// Remove variables; a new version of the app.
    Unset {
        /// The app.
        name: String,
        /// Names of variables.
        #[arg(value_name = "K", required = true)]
        keys: Vec<String>,
    },
}

/// `fazt traces …`
#[derive(Debug, Flags)]
pub(crate) struct Traces {
    /// The newest so many.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) limit: u32,
    /// That took at least this long: 100ms, 1s.
    #[arg(long, value_name = "DURATION")]
    pub(crate) slow: Option<humantime::Duration>,
    /// Of this app.
    #[arg(long, value_name = "NAME")]
    pub(crate) app: Option<String>,
    /// Answered with this status.
    #[arg(long, value_parser = clap::value_parser!(u16).range(100..=599))]
    pub(crate) status: Option<u16>,
}

/// `fazt exec …`
#[derive(Debug, Flags)]
pub(crate) struct Exec {
    /// The app.
    pub(crate) name: String,
    /// JavaScript; `-` reads it from standard input.
    pub(crate) code: String,
    /// In place of the run limit, up to the limit of a whole request.
    #[arg(long, value_name = "DURATION")]
    pub(crate) timeout: Option<humantime::Duration>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Args::command().debug_assert();
    }
}
