//! The router's side, as small as it can be.

use std::{
    env,
    io::{Read, Write},
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::net::UnixStream,
    },
    path::Path,
    process::{Child, Command, ExitStatus, Stdio, id},
    time::{Duration, Instant},
};

use fazt_protocol::{
    board,
    call::{FromWorker, Ready, ToWorker},
    fd,
    pipe::{Pipe, PipeError},
    spawn::{FromZygote, Role, Spawn, ToZygote},
};
use nix::sys::wait::WaitStatus;
use rustix::{
    io::{FdFlags, fcntl_setfd},
    process::{Pid, PidfdFlags, pidfd_open},
};

use crate::reap::{PATIENCE_MS, ends_within, reap};

pub(crate) struct Farm {
    pub(crate) zygote: Child,
    pub(crate) spawn: Pipe<FromZygote, ToZygote>,
}

pub(crate) struct Worker {
    pub(crate) pid: i32,
    pub(crate) pidfd: OwnedFd,
    pub(crate) ready: Ready,
    pub(crate) board: board::Reader,
    call: UnixStream,
}

pub(crate) fn deadline() -> Option<Instant> {
    Some(Instant::now() + Duration::from_millis(PATIENCE_MS.into()))
}

impl Farm {
    pub(crate) fn start() -> Self {
        Self::start_as("strict", id())
    }

    pub(crate) fn start_as(sandbox: &str, parent: u32) -> Self {
        Self::start_program(&env::current_exe().unwrap(), sandbox, parent)
    }

    pub(crate) fn start_program(program: &Path, sandbox: &str, parent: u32) -> Self {
        let (ours, theirs) = fd::pair().unwrap();
        fcntl_setfd(&theirs, FdFlags::empty()).unwrap();
        let zygote = Command::new(program)
            .args(["--zygote-fd", &theirs.as_raw_fd().to_string(), "--parent", &parent.to_string()])
            .args(["--sandbox", sandbox])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Reads with a deadline.
        rustix::io::ioctl_fionbio(&ours, true).unwrap();
        Self { zygote, spawn: Pipe::new(ours) }
    }

    /// The zygote's first word.
    pub(crate) fn layers(&mut self) -> u32 {
        match self.spawn.receive(deadline()).unwrap() {
            FromZygote::Ready { jail, .. } => jail.layers,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn order(&mut self, number: u64) -> (OwnedFd, board::Reader) {
        let (ours, theirs) = fd::pair().unwrap();
        let page = board::create().unwrap();
        let message = ToZygote::Spawn(Spawn { number, role: Role::Worker, grouped: false });
        self.spawn.send_with(&message, &[theirs.as_fd(), page.as_fd()], deadline()).unwrap();
        (ours, board::Reader::map(page.as_fd()).unwrap())
    }

    pub(crate) fn bear(&mut self, number: u64) -> Worker {
        let (call, board) = self.order(number);
        let pid = match self.spawn.receive(deadline()).unwrap() {
            FromZygote::Spawned { number: born, pid } if born == number => pid,
            other => panic!("{other:?}"),
        };
        let pidfd = self.spawn.take_descriptor().unwrap();
        let (ready, call) = first_word(call);
        Worker { pid, pidfd, ready, board, call }
    }

    /// How the zygote ends.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let pidfd = pidfd_open(Pid::from_child(&self.zygote), PidfdFlags::empty()).unwrap();
        assert!(ends_within(pidfd.as_fd(), PATIENCE_MS), "the zygote did not end");
        self.zygote.wait().unwrap()
    }

    pub(crate) fn is_closed(&mut self) -> bool {
        matches!(self.spawn.receive(deadline()), Err(PipeError::Closed(_)))
    }
}

/// A child's first word, and the bare socket again: these children speak bytes afterwards.
fn first_word(call: OwnedFd) -> (Ready, UnixStream) {
    let bare = UnixStream::from(call.try_clone().unwrap());
    rustix::io::ioctl_fionbio(&call, true).unwrap();
    let ready = match Pipe::<FromWorker, ToWorker>::new(call).receive(deadline()).unwrap() {
        FromWorker::Ready(ready) => ready,
        other => panic!("{other:?}"),
    };
    rustix::io::ioctl_fionbio(&bare, false).unwrap();
    bare.set_read_timeout(Some(Duration::from_millis(PATIENCE_MS.into()))).unwrap();
    (ready, bare)
}

impl Worker {
    /// Sends one order and reads the answer.
    pub(crate) fn ask(&mut self, order: u8) -> u64 {
        self.tell(order);
        let mut answer = [0; 8];
        self.call.read_exact(&mut answer).unwrap();
        u64::from_le_bytes(answer)
    }

    pub(crate) fn tell(&mut self, order: u8) {
        self.call.write_all(&[order]).unwrap();
    }

    /// How it ends.
    pub(crate) fn reap(&self) -> WaitStatus {
        reap(&self.pidfd).unwrap()
    }

    /// The same where its conversation is closed first.
    pub(crate) fn end(self) -> WaitStatus {
        drop(self.call);
        reap(&self.pidfd).unwrap()
    }
}

impl Drop for Farm {
    fn drop(&mut self) {
        let _ = self.zygote.kill();
        let _ = self.zygote.wait();
    }
}
