//! `chromedriver` and the browser that it starts: found, started on a free port, and killed with all that came of them.

use std::{
    env,
    net::SocketAddr,
    panic::{self, AssertUnwindSafe},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::{
    log::Log,
    process::{self, Process},
    wait::{eventually, seconds},
};

/// What Debian, Ubuntu and Google call them.
const BROWSERS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const DRIVERS: [&str; 2] = ["chromedriver", "chromium.chromedriver"];

/// A driver that listens.
#[derive(Debug)]
pub(super) struct Driver {
    child: Child,
    home: TempDir,
    /// The browser that it is to start.
    pub(super) browser: PathBuf,
    /// Where it listens.
    pub(super) address: SocketAddr,
}

impl Driver {
    /// It takes a port that is free for one family of addresses, and ends where the other family's is not: then another one is
    /// tried.
    pub(super) fn start() -> Self {
        let started = (0..10).find_map(|_try| Self::try_start());
        started.expect("chromedriver finds a port")
    }

    fn try_start() -> Option<Self> {
        let browser = find("a browser", "FAZT_BROWSER", &BROWSERS);
        let program = find("chromedriver", "FAZT_CHROMEDRIVER", &DRIVERS);
        let home = tempfile::tempdir().unwrap();
        // Whatever either of them leaves behind goes with the folder, and nobody's own settings are read.
        let mut command = Command::new(program);
        command.arg("--port=0").env("HOME", home.path()).env("TMPDIR", home.path());
        command.env_remove("XDG_CONFIG_HOME").env_remove("XDG_CACHE_HOME");
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        // From here on it is killed with this value.
        let mut driver = Self { child, home, browser, address: SocketAddr::from(([127, 0, 0, 1], 0)) };
        let log = Log::follow(driver.child.stdout.take().unwrap());
        let port = eventually(seconds(20), "chromedriver listens", || {
            let has_ended = driver.child.try_wait().unwrap().is_some() && log.is_ended();
            let text = log.text();
            if has_ended && text.contains("port not available") {
                return Some(None);
            }
            assert!(!has_ended, "chromedriver ended: {text}");
            let (_, rest) = text.split_once("started successfully on port ")?;
            rest.split('.').next()?.parse().ok().map(Some)
        });
        driver.address.set_port(port?);
        Some(driver)
    }

    /// The browser's own folder.
    pub(super) fn profile(&self) -> PathBuf {
        self.home.path().join("profile")
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let mut family = process::descendants(i32::try_from(self.child.id()).unwrap());
        // What watches for crashes has left the family.
        family.extend(process::named(&self.home.path().to_string_lossy()));
        let _gone = self.child.kill();
        let _ended = self.child.wait();
        family.iter().for_each(|process| process.signal(Signal::KILL));
        // They write into the folder that goes next.
        let what = "no process of the browser is left";
        let wait = || eventually(seconds(10), what, || !family.iter().any(Process::is_alive));
        let waited = panic::catch_unwind(AssertUnwindSafe(wait));
        assert!(waited.is_ok() || thread::panicking(), "{what}");
    }
}

/// The program that a variable names, and no other; where it is not set, the first of the names that is there and works.
/// `scripts/setup` looks in the same way.
fn find(what: &str, variable: &str, names: &[&str]) -> PathBuf {
    // Set to nothing is not set.
    if let Some(named) = env::var_os(variable).filter(|named| !named.is_empty()) {
        let named = Path::new(&named);
        let wrong = || panic!("{variable} names {}, which does not answer --version", named.display());
        return working(named).unwrap_or_else(wrong);
    }
    names.iter().find_map(|name| working(Path::new(name))).unwrap_or_else(|| {
        panic!("{what} is missing: run `scripts/setup tests`, which installs Chromium, or name one in {variable}")
    })
}

/// Where a program is that is named, or has a whole path, and works: some systems have a program of that name which says
/// no more than how to get the true one.
fn working(program: &Path) -> Option<PathBuf> {
    let folders = env::var_os("PATH").unwrap_or_default();
    // A whole path stays what it is.
    env::split_paths(&folders).map(|folder| folder.join(program)).find(|path| works(path))
}

fn works(program: &Path) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    program.is_file() && command.status().is_ok_and(|status| status.success())
}
