//! Processes as the kernel lists them: who is whose child, who is gone, who holds how much.

use std::fs;

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process};

use crate::wait::{PATIENCE, eventually};

/// One process; a later one of the same number is another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: i32,
    /// Its name, as ps(1) shows it.
    pub name: String,
    /// Its parent.
    pub parent: i32,
    state: char,
    started: u64,
}

impl Process {
    /// The process of that number, where there is one.
    #[must_use]
    pub fn find(pid: i32) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (front, rest) = text.rsplit_once(") ")?;
        let fields: Vec<&str> = rest.split(' ').collect();
        Some(Self {
            pid,
            name: front.split_once('(')?.1.to_owned(),
            state: fields.first()?.chars().next()?,
            parent: fields.get(1)?.parse().ok()?,
            started: fields.get(19)?.parse().ok()?,
        })
    }

    /// Whether it still runs: neither gone nor a zombie.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        Self::find(self.pid).is_some_and(|now| now.started == self.started && !now.is_zombie())
    }

    /// Whether it has ended and waits to be collected.
    #[must_use]
    pub fn is_zombie(&self) -> bool {
        matches!(self.state, 'Z' | 'X')
    }

    /// Whether it was stopped.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        Self::find(self.pid).is_some_and(|now| now.state == 'T')
    }

    /// Leaves it only so many descriptors, of the most that it may ever have.
    pub fn limit_descriptors(&self, now: u64, most: u64) {
        let limit = Rlimit { current: Some(now), maximum: Some(most) };
        rustix::process::prlimit(Pid::from_raw(self.pid), Resource::Nofile, limit).unwrap();
    }

    /// Sends a signal; a process that is gone does not mind, and a later one of its number gets none.
    pub fn signal(&self, signal: Signal) {
        if let Some(pid) = Pid::from_raw(self.pid).filter(|_| self.is_alive()) {
            // It may have ended a moment ago.
            let _gone = kill_process(pid, signal);
        }
    }

    /// Kills it and waits until it is gone.
    pub fn kill(&self) {
        self.signal(Signal::KILL);
        eventually(PATIENCE, &format!("{self:?} is gone after SIGKILL"), || !self.is_alive());
    }

    /// Descriptors that it holds; none where this user may not look.
    #[must_use]
    pub fn descriptors(&self) -> Option<usize> {
        fs::read_dir(format!("/proc/{}/fd", self.pid)).map(Iterator::count).ok()
    }

    /// Its resident memory in bytes.
    #[must_use]
    pub fn resident_bytes(&self) -> u64 {
        self.memory("VmRSS")
    }

    /// The most resident memory that it ever had, in bytes.
    #[must_use]
    pub fn peak_bytes(&self) -> u64 {
        self.memory("VmHWM")
    }

    fn memory(&self, field: &str) -> u64 {
        let text = self.status(field).unwrap_or_default();
        let kib = text.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or_default();
        kib.saturating_mul(1024)
    }

    /// CPU time that it has used, in milliseconds.
    #[must_use]
    pub fn cpu_ms(&self) -> u64 {
        let text = fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap_or_default();
        let fields: Vec<&str> = text.rsplit_once(") ").map(|(_, rest)| rest.split(' ').collect()).unwrap_or_default();
        let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok()).unwrap_or_default();
        ticks(11).saturating_add(ticks(12)).saturating_mul(1000 / rustix::param::clock_ticks_per_second())
    }

    /// One line of its `status` file: `Seccomp`, `NoNewPrivs`, `CapEff`, `Uid`, …
    #[must_use]
    pub fn status(&self, field: &str) -> Option<String> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        line.map(|value| value.trim().to_owned())
    }
}

/// All children of a process, zombies too.
#[must_use]
pub fn children(parent: i32) -> Vec<Process> {
    all().filter(|process| process.parent == parent).collect()
}

/// All that came of a process, as long as it lives: whoever loses its parent has another one.
#[must_use]
pub fn descendants(of: i32) -> Vec<Process> {
    let mut found = children(of);
    let mut next = 0;
    while let Some(process) = found.get(next) {
        let more = children(process.pid);
        found.extend(more);
        next += 1;
    }
    found
}

/// Whether a worker of that number is there.
#[must_use]
pub fn is_worker(pid: i32) -> bool {
    Process::find(pid).is_some_and(|found| found.name == "fazt-worker" && !found.is_zombie())
}

/// All whose command line holds that text.
#[must_use]
pub fn named(text: &str) -> Vec<Process> {
    let line = |process: &Process| fs::read(format!("/proc/{}/cmdline", process.pid)).unwrap_or_default();
    all().filter(|process| String::from_utf8_lossy(&line(process)).contains(text)).collect()
}

fn all() -> impl Iterator<Item = Process> {
    let pids = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    pids.filter_map(Process::find)
}
