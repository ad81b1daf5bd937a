//! How a farm is to be started: flags, environment, data, user. [`Setup::start`] gives a farm that serves,
//! [`Setup::refused`] what it says where it must not.

use std::{
    os::{fd::OwnedFd, unix::process::CommandExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
};

use rustix::process::geteuid;
use tempfile::TempDir;

use crate::{
    farm::Farm,
    log::Log,
    programs,
    starting::Starting,
    wait::{eventually, millis, promised, seconds},
};

/// A user who owns nothing.
pub const NOBODY: u32 = 65_534;

/// The first descriptor that is handed over is the third, and its receiver is named: sd_listen_fds(3).
const LEND: &str = "exec 3<&0 0</dev/null && export LISTEN_FDS=1 LISTEN_PID=$$ LISTEN_FDNAMES=farm && ";

/// A farm to be.
#[derive(Debug, Clone)]
pub struct Setup {
    flags: Vec<(String, String)>,
    environment: Vec<(String, String)>,
    programs: PathBuf,
    data: Arc<Data>,
    user: Option<u32>,
    descriptors: Option<u64>,
    lent: Option<Arc<OwnedFd>>,
}

/// A temporary folder that lives as long as anybody uses it.
#[derive(Debug)]
pub struct Data(TempDir);

/// How a start that must not succeed ended.
#[derive(Debug)]
pub struct Refusal {
    /// The exit code; none where it was killed.
    pub code: Option<i32>,
    /// Its standard error.
    pub said: String,
    /// Its standard output.
    pub told: String,
}

impl Data {
    /// The data folder; above it is room for a test's own files.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.0.path().join("data")
    }

    /// The folder in which the farm is started.
    #[must_use]
    pub fn above(&self) -> &Path {
        self.0.path()
    }

    /// The database file.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.path().join("fazt.db")
    }
}

impl Setup {
    /// A farm with that many workers, on new data.
    #[must_use]
    pub fn new(workers: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        programs::open_to_all(folder.path());
        let setup = Self {
            flags: Vec::new(),
            environment: Vec::new(),
            programs: programs::folder(),
            data: Arc::new(Data(folder)),
            user: None,
            descriptors: None,
            lent: None,
        };
        // More than its default of 500 ms, which a disk that others flush to at the same time does not always keep: what is
        // tested of deadlines sets its own. Less than a whole request's limit, whoever holds the machine.
        let storage = format!("{}ms", promised(millis(900)).min(seconds(4)).as_millis());
        setup
            .flag("--workers", &workers.to_string())
            .flag("--listen", "127.0.0.1:0")
            .flag("--log-format", "json")
            .flag("--storage-timeout", &storage)
    }

    /// With one more flag; one that was given already is replaced.
    #[must_use]
    pub fn flag(mut self, name: &str, value: &str) -> Self {
        self.flags.retain(|(other, _)| other != name);
        self.flags.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With a variable in its environment, which is empty else.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With other programs.
    #[must_use]
    pub fn programs(self, folder: &Path) -> Self {
        Self { programs: folder.to_owned(), ..self }
    }

    /// As [`NOBODY`], where the test runs as root; the data folder is then nobody's.
    #[must_use]
    pub fn as_nobody(self) -> Self {
        if !geteuid().is_root() {
            return self;
        }
        std::os::unix::fs::chown(self.data.above(), Some(NOBODY), Some(NOBODY)).unwrap();
        Self { user: Some(NOBODY), ..self }
    }

    /// With so many descriptors for each of its processes.
    #[must_use]
    pub fn descriptors(self, most: u64) -> Self {
        Self { descriptors: Some(most), ..self }
    }

    /// With a descriptor that is handed over as a service manager does it.
    #[must_use]
    pub fn lent(self, descriptor: OwnedFd) -> Self {
        Self { lent: Some(Arc::new(descriptor)), ..self }
    }

    /// The folder of its data.
    #[must_use]
    pub fn data(&self) -> &Arc<Data> {
        &self.data
    }

    /// Starts it and waits until it serves.
    #[must_use]
    pub fn start(&self) -> Farm {
        let mut starting = self.spawn();
        let (log, _said) = (Log::follow(starting.errors()), Log::follow(starting.output()));
        let ready = eventually(seconds(20), "the farm is ready", || {
            if let Some(status) = starting.ended() {
                panic!("the farm ended before it was ready: {status}\n{}", log.text());
            }
            // The store has its own such line; the farm's names where it listens.
            log.said("ready").into_iter().find(|event| event["listen"].is_string())
        });
        starting.serving(ready["listen"].as_str().unwrap(), log)
    }

    /// Starts it where it must refuse; waits for its end.
    #[must_use]
    pub fn refused(&self) -> Refusal {
        let mut starting = self.spawn();
        let (log, out) = (Log::follow(starting.errors()), Log::follow(starting.output()));
        let what = "the farm refuses to start";
        let status = eventually(seconds(20), what, || {
            if log.said("ready").iter().any(|event| event["listen"].is_string()) {
                starting.kill();
            }
            starting.ended()
        });
        // The pipes close with the last process that holds them: a child that lives on is noticed here.
        eventually(seconds(10), "nothing that was started lives on", || log.is_ended() && out.is_ended());
        let (said, told) = (log.text(), out.text());
        Refusal { code: status.code(), said, told }
    }

    /// Starts it and waits for nothing.
    #[must_use]
    pub fn spawn(&self) -> Starting {
        Starting::new(&mut self.command(), Arc::clone(&self.data))
    }

    fn command(&self) -> Command {
        // What is handed over comes as standard input, the one descriptor besides the outputs that a child can be given here.
        let lend = self.lent.is_some().then(|| LEND.to_owned());
        let bound = self.descriptors.map(|most| format!("ulimit -n {most} && "));
        let mut command = Command::new("/bin/sh");
        let before = lend.into_iter().chain(bound).collect::<String>();
        command.args(["-c", &format!("{before}exec \"$0\" \"$@\"")]).arg(self.programs.join("fazt-router"));
        command.env_clear().env("PATH", "/usr/bin:/bin").envs(self.environment.iter().cloned());
        let input = self.lent.as_ref().map_or_else(Stdio::null, |lent| lent.try_clone().unwrap().into());
        command.current_dir(self.data.above()).stdin(input);
        command.arg("--data-dir").arg(self.data.path());
        for (name, value) in &self.flags {
            command.arg(name);
            if !value.is_empty() {
                command.arg(value);
            }
        }
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        command
    }
}
