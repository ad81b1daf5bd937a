//! The router role: starts a nest, looks at each child from outside when it waits, and reaps it.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    os::fd::AsFd,
    process::{Command, ExitCode, Stdio, id},
};

use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        signal::{Signal, kill},
        wait::{Id, WaitPidFlag, WaitStatus, waitid},
    },
    unistd::{Gid, Pid, geteuid, setgroups},
};
use rustix::process::{PidfdFlags, pidfd_open};

/// How long anything here may take before the scenario counts as failed.
pub(crate) const PATIENCE_MS: u16 = 20_000;

pub(crate) fn run(arguments: &[String]) -> ExitCode {
    let [strictness, scenario, refused] = arguments else { panic!("router STRICTNESS SCENARIO REFUSED") };
    if geteuid().is_root() {
        // Something to drop.
        setgroups(&[Gid::from_raw(4_242)]).unwrap();
    }
    let mut nest = Command::new(env::current_exe().unwrap())
        .args(["nest", strictness, scenario, &id().to_string(), refused])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    println!("nest {}", nest.id());
    // Children wait until this end is closed.
    let mut hold = nest.stdin.take();
    let mut born: Vec<i32> = Vec::new();
    // Nest and child speak at once: a child's wish may come before its number.
    let mut wish = None;
    for line in BufReader::new(nest.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        println!("{line}");
        match line.split_once(' ').unwrap_or((&line, "")) {
            ("born", pid) => born.push(pid.parse().unwrap()),
            (word @ ("look" | "pause" | "wait"), _) => wish = Some(word.to_owned()),
            _ => {}
        }
        let Some(pid) = born.last() else { continue };
        match wish.take().as_deref() {
            Some("look") => {
                look(*pid);
                hold = None;
            }
            Some("pause") => pause(*pid),
            // For the test, which kills this process.
            Some(_) => {
                println!("waiting for ever");
                poll(&mut [], PollTimeout::from(PATIENCE_MS)).unwrap();
            }
            None => {}
        }
    }
    drop(hold);
    born.into_iter().for_each(reap);
    println!("nest-ended {}", nest.wait().unwrap());
    ExitCode::SUCCESS
}

/// What a router can learn of a child whatever the child says.
fn look(pid: i32) {
    for file in ["status", "limits"] {
        for line in fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap().lines() {
            println!("{file} {line}");
        }
    }
    for kind in ["user", "mnt", "net", "ipc", "uts", "pid"] {
        let link = |process: &str| fs::read_link(format!("/proc/{process}/ns/{kind}"));
        let verdict = match (link("self"), link(&pid.to_string())) {
            (Ok(own), Ok(its)) if own != its => "apart".to_owned(),
            (Ok(_), Ok(_)) => "shared".to_owned(),
            (own, its) => format!("{own:?} {its:?}"),
        };
        println!("ns-{kind} {verdict}");
    }
    let count = |folder: &str| fs::read_dir(format!("/proc/{pid}/{folder}")).map(Iterator::count);
    println!("descriptors {:?}", count("fd"));
    println!("root-entries {:?}", count("root"));
    println!("environment {:?}", fs::read_to_string(format!("/proc/{pid}/environ")));
    println!("oom {}", fs::read_to_string(format!("/proc/{pid}/oom_score_adj")).unwrap().trim());
    for line in fs::read_to_string(format!("/proc/{pid}/sched")).unwrap_or_default().lines() {
        println!("sched {}", line.split_whitespace().collect::<Vec<_>>().join(" "));
    }
}

/// Stops the child in the middle of its wait, and lets it go on.
fn pause(pid: i32) {
    let child = Pid::from_raw(pid);
    kill(child, Signal::SIGSTOP).unwrap();
    waitid(Id::Pid(child), WaitPidFlag::WSTOPPED).unwrap();
    kill(child, Signal::SIGCONT).unwrap();
}

/// Through a pidfd, as the real router does.
fn reap(pid: i32) {
    let pidfd = pidfd_open(rustix::process::Pid::from_raw(pid).unwrap(), PidfdFlags::empty()).unwrap();
    let ended = poll(&mut [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)], PollTimeout::from(PATIENCE_MS)).unwrap();
    assert_eq!(ended, 1, "{pid} did not end");
    match waitid(Id::PIDFd(pidfd.as_fd()), WaitPidFlag::WEXITED).unwrap() {
        WaitStatus::Exited(_, status) => println!("ended exit {status}"),
        WaitStatus::Signaled(_, signal, _) => println!("ended {signal}"),
        other => panic!("{other:?}"),
    }
}
