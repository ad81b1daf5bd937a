//! What kind of jail a machine allows, and what an operator is told of it: at the start, in the status, with a dump.
//!
//! Machines that refuse user namespaces are made of this one: the farm is started in a namespace where no further one may be
//! made, which the kernel then refuses as a hardened host or a container does.

use std::{fs, os::unix::fs::PermissionsExt};

use fazt_tests::{
    http::App,
    process::Process,
    programs,
    setup::Setup,
    wait::{eventually, seconds},
};
use rustix::process::{Signal, getegid, geteuid};
use tempfile::TempDir;

/// Who starts a farm where no user namespace may be made.
#[derive(Clone, Copy)]
enum By {
    /// A user who is root there, and whose is the only id that there is.
    Ordinary,
    /// Root, with all ids of the machine.
    Root,
    /// Root, without the right to end processes of others.
    Powerless,
}

/// Programs of which the router is a script that goes there first.
fn hardened(by: By) -> TempDir {
    let programs =
        programs::copied(&[("router", "fazt-router"), ("fazt-store", "fazt-store"), ("fazt-worker", "fazt-worker")]);
    let map = |own: u32| match by {
        By::Ordinary => format!("0 {own} 1"),
        By::Root | By::Powerless => "0 0 4294967295".to_owned(),
    };
    let with = if matches!(by, By::Powerless) { "setpriv --bounding-set -kill " } else { "" };
    let (users, groups) = (map(geteuid().as_raw()), map(getegid().as_raw()));
    let deny = if geteuid().is_root() { "" } else { "echo deny >/proc/$$/setgroups;" };
    // The maps are written from outside, as they must be for more than one id; the shell that they were written for gets its
    // privileges by one more exec.
    let script = format!(
        r#"#!/bin/sh
(
  until [ "$(readlink /proc/$$/ns/user)" != "$(readlink /proc/self/ns/user)" ]; do sleep 0.01; done
  {deny} echo '{groups}' >/proc/$$/gid_map && echo '{users}' >/proc/$$/uid_map
) &
exec unshare --user sh -c '
  until grep -q . /proc/self/uid_map; do sleep 0.01; done
  exec sh -c "echo 0 >/proc/sys/user/max_user_namespaces && exec {with}{here}/router \"\$@\"" - "$@"
' - "$@"
"#,
        here = programs.path().display()
    );
    let path = programs.path().join("fazt-router");
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    programs
}

fn answers(app: &App) {
    let answer = app.get("/api/");
    assert_eq!((answer.status, answer.text().as_str()), (200, "here"), "{}", answer.text());
}

#[test]
fn a_whole_jail_is_named_and_nobody_is_warned() {
    let farm = Setup::new(2).start();
    let tier = if geteuid().is_root() { "full" } else { "one-id" };
    let status = farm.runtime();
    assert_eq!((status["sandbox"].as_str(), status["sandboxTier"].as_str()), (Some("strict"), Some(tier)));
    assert_eq!(status.get("sandboxWarning"), None);
    assert!(!farm.log.text().contains("sandbox is"), "{}", farm.log.text());
}

#[test]
fn without_its_sandbox_a_farm_says_so_everywhere() {
    let farm = Setup::new(2).flag("--sandbox", "off").start();
    answers(&farm.script("app", "respond('here')"));
    let warned = || farm.log.text().matches("the sandbox is off").count();
    assert_eq!(warned(), 1, "at its start");
    farm.signal(Signal::USR1);
    eventually(seconds(5), "a warning with the dump", || warned() == 2);
    let told = farm.runtime();
    assert!(told["sandboxWarning"].as_str().unwrap().contains("the sandbox is off"), "{told}");
    let server = format!("http://{}", farm.address);
    let shown = programs::fazt(&server, &farm.token).arg("status").output().unwrap();
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("warning: the sandbox is off"), "{shown}");
}

/// Those who are trusted can be no more than they are either.
#[test]
fn router_store_and_zygote_give_up_what_they_do_not_need() {
    let farm = Setup::new(2).start();
    let of = |process: &Process, field: &str| process.status(field).unwrap_or_default();
    let (router, store, zygote) = (farm.router(), farm.child("fazt-store"), farm.child("fazt-zygote"));
    for process in [&router, &store, &zygote] {
        assert_eq!(of(process, "NoNewPrivs"), "1", "{process:?}");
    }
    assert_eq!(of(&store, "Seccomp"), "2");
    // What root's store needs to write in a folder of somebody else's: chown, dac_override, fowner.
    let kept = if geteuid().is_root() { "000000000000000b" } else { "0000000000000000" };
    assert_eq!((of(&store, "CapEff").as_str(), of(&store, "CapPrm").as_str()), (kept, kept));
    assert_eq!(of(&zygote, "Threads"), "1");
    assert_eq!(of(&zygote, "CapBnd"), "0000000000000000");
}

/// A container, or a host where an ordinary user may make no user namespace.
#[test]
fn without_user_namespaces_an_ordinary_farm_is_refused_with_advice_or_named_incomplete() {
    let programs = hardened(By::Ordinary);
    let setup = Setup::new(2).programs(programs.path());
    let refusal = setup.refused();
    assert_eq!(refusal.code, Some(2), "{}", refusal.said);
    for word in ["user-namespace", "AppArmor", "seccomp", "max_"] {
        assert!(refusal.said.contains(word), "{word}: {}", refusal.said);
    }
    let farm = setup.flag("--sandbox", "best-effort").start();
    answers(&farm.script("app", "respond('here')"));
    let told = farm.runtime();
    assert_eq!(told["sandboxTier"], "incomplete", "{told}");
    let warning = told["sandboxWarning"].as_str().unwrap();
    assert!(warning.contains("user-namespace") && warning.contains("--check"), "{warning}");
    assert!(farm.log.text().contains("the sandbox is incomplete"));
}

/// As root the same machine is good enough: workers have ids of their own.
#[test]
fn without_user_namespaces_roots_farm_is_strict_all_the_same() {
    if !geteuid().is_root() {
        eprintln!("not tried: only root can give workers ids of their own");
        return;
    }
    let programs = hardened(By::Root);
    let farm = Setup::new(2).programs(programs.path()).start();
    answers(&farm.script("app", "respond('here')"));
    let told = farm.runtime();
    assert_eq!(told["sandboxTier"], "no-user-namespace", "{told}");
    assert_eq!(told["sandboxMissing"].as_array().unwrap().len(), 1, "{told}");
    for worker in farm.children("fazt-worker") {
        let uid: u32 = worker.status("Uid").unwrap().split_whitespace().next().unwrap().parse().unwrap();
        assert!(uid >= 1_900_000_000, "{uid}");
        assert_eq!(worker.status("CapEff").as_deref(), Some("0000000000000000"));
    }
}

/// Without a user namespace it takes capabilities to end a worker, which root may have been left without.
#[test]
fn a_farm_that_could_not_end_its_workers_does_not_start() {
    if !geteuid().is_root() {
        eprintln!("not tried: only root can give workers ids of their own");
        return;
    }
    let programs = hardened(By::Powerless);
    let refusal = Setup::new(2).programs(programs.path()).refused();
    assert_eq!(refusal.code, Some(2), "{}", refusal.said);
    assert!(refusal.said.contains("CAP_KILL"), "{}", refusal.said);
}
