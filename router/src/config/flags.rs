//! The command line. Values stay texts here: they are read in one place, whichever source they come from.

use std::path::PathBuf;

use clap::Parser;

use super::Action;

/// A farm of jailed workers behind one HTTP router.
#[derive(Debug, Default, Parser)]
#[command(
    name = "fazt-router",
    version,
    after_help = "Every option is also a variable (FAZT_WORKERS=10) and a key in fazt.toml (workers = 10).\n\
        A flag wins over the variable, the variable over the file. FAZT_RUNTIME_DEBUG=1 logs every request's timing."
)]
pub(super) struct Flags {
    /// Worker processes that serve [default: twice the CPUs, at least 4]
    #[arg(long, value_name = "N")]
    workers: Option<String>,
    /// Address to listen on, or unix:/path; may be repeated; sockets that a service manager hands over take its place [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    listen: Vec<String>,
    /// Data folder [default: ./fazt-data]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
    /// Configuration file [default: ./fazt.toml where there is one]
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Base domain in front of which an app's name stands; may be repeated [default: localhost]
    #[arg(long, value_name = "DOMAIN")]
    domain: Vec<String>,
    /// App that answers where the host names none
    #[arg(long, value_name = "NAME")]
    default_app: Option<String>,
    /// Run limit of a request [default: 1s]
    #[arg(long, value_name = "TIME")]
    timeout: Option<String>,
    /// Limit of a whole request: queue, start, run, storage [default: 5s]
    #[arg(long, value_name = "TIME")]
    request_timeout: Option<String>,
    /// Limit of one storage call [default: 500ms]
    #[arg(long, value_name = "TIME")]
    storage_timeout: Option<String>,
    /// JavaScript heap of a worker [default: 64MiB]
    #[arg(long, value_name = "SIZE")]
    memory: Option<String>,
    /// Requests after which a worker is replaced [default: 10000]
    #[arg(long, value_name = "N")]
    max_requests_per_worker: Option<String>,
    /// Requests that may wait for one app's workers [default: 1024]
    #[arg(long, value_name = "N")]
    queue_depth: Option<String>,
    /// How long a request may wait for a worker [default: 2s]
    #[arg(long, value_name = "TIME")]
    queue_timeout: Option<String>,
    /// Workers that one app may hold [default: all but one]
    #[arg(long, value_name = "N")]
    app_max_workers: Option<String>,
    /// How a worker forgets a request: image or context [default: image]
    #[arg(long, value_name = "WAY")]
    fresh_state: Option<String>,
    /// How much of the jail must be there: strict, best-effort or off [default: strict]
    #[arg(long, value_name = "LEVEL")]
    sandbox: Option<String>,
    /// Where data is kept [default: sqlite:DATA/fazt.db]
    #[arg(long, value_name = "sqlite:PATH")]
    store: Option<String>,
    /// What an acknowledged write survives: full (loss of power) or normal (death of a process) [default: full]
    #[arg(long, value_name = "LEVEL")]
    durability: Option<String>,
    /// Log lines: pretty or json [default: pretty on a terminal, else json]
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
    /// One log line for each finished request: on or off [default: on]
    #[arg(long, value_name = "on|off")]
    access_log: Option<String>,
    /// Proxy whose X-Forwarded-For is believed: a network, or unix; may be repeated
    #[arg(long, value_name = "CIDR")]
    trust_proxy: Vec<String>,
    /// Read the configuration, probe the sandbox, open the store, print, and end
    #[arg(long)]
    check: bool,
    /// Print the configuration in force and where each value comes from, and end
    #[arg(long, conflicts_with = "check")]
    print_config: bool,
}

impl Flags {
    /// What is asked for.
    pub(super) fn action(&self) -> Action {
        match (self.check, self.print_config) {
            (true, _) => Action::Check,
            (_, true) => Action::Print,
            _ => Action::Serve,
        }
    }

    /// The settings that were given.
    pub(super) fn given(self) -> impl Iterator<Item = (&'static str, Vec<String>)> {
        let one = |value: Option<String>| value.into_iter().collect::<Vec<_>>();
        let all = [
            ("workers", one(self.workers)),
            ("listen", self.listen),
            ("data-dir", one(self.data_dir)),
            ("domain", self.domain),
            ("default-app", one(self.default_app)),
            ("timeout", one(self.timeout)),
            ("request-timeout", one(self.request_timeout)),
            ("storage-timeout", one(self.storage_timeout)),
            ("memory", one(self.memory)),
            ("max-requests-per-worker", one(self.max_requests_per_worker)),
            ("queue-depth", one(self.queue_depth)),
            ("queue-timeout", one(self.queue_timeout)),
            ("app-max-workers", one(self.app_max_workers)),
            ("fresh-state", one(self.fresh_state)),
            ("sandbox", one(self.sandbox)),
            ("store", one(self.store)),
            ("durability", one(self.durability)),
            ("log-format", one(self.log_format)),
            ("access-log", one(self.access_log)),
            ("trust-proxy", self.trust_proxy),
        ];
        all.into_iter().filter(|(_, texts)| !texts.is_empty())
    }
}
