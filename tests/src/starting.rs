//! A router that was started and has not said yet that it serves. Dropped before it does, it is killed: no farm is left over
//! where a start fails.

use std::{
    fs,
    process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio},
    sync::Arc,
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{farm::Farm, log::Log, setup::Data};

/// A router on its way.
#[derive(Debug)]
pub struct Starting {
    child: Option<Child>,
    data: Arc<Data>,
}

impl Starting {
    /// Starts it; both of its outputs are to be taken.
    #[must_use]
    pub(crate) fn new(command: &mut Command, data: Arc<Data>) -> Self {
        let child = command.stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        Self { child: Some(child), data }
    }

    /// Its standard error, once.
    pub fn errors(&mut self) -> ChildStderr {
        self.child().stderr.take().unwrap()
    }

    /// Its standard output, once.
    pub fn output(&mut self) -> ChildStdout {
        self.child().stdout.take().unwrap()
    }

    /// How it ended, where it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child().try_wait().unwrap()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        let child = self.child.as_ref().unwrap();
        kill_process(Pid::from_child(child), signal).unwrap();
    }

    /// Kills it.
    pub fn kill(&mut self) {
        self.child().kill().unwrap();
    }

    /// It serves: a farm, where its ready line says that it listens.
    #[must_use]
    pub fn serving(mut self, listen: &str, log: Log) -> Farm {
        let address = listen.split(", ").next().unwrap().parse().unwrap();
        let token = fs::read_to_string(self.data.path().join("admin.token")).unwrap_or_default();
        let child = self.child.take().unwrap();
        Farm::new(child, address, token.trim().to_owned(), log, Arc::clone(&self.data))
    }

    fn child(&mut self) -> &mut Child {
        self.child.as_mut().unwrap()
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself.
            let _gone = child.kill();
            let _ended = child.wait();
        }
    }
}
