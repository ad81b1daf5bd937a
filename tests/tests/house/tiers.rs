//! What kind of jail a machine allows, and what an operator is told of it: at the start, in the status, with a dump.
//!
//! Machines that refuse user namespaces are made of this one: the farm is started in a namespace where no further one may be
//! made, which the kernel then refuses as a hardened host does. Containers, and kernels that lack something, are made by a filter
//! that refuses the calls that they refuse.

use fazt_tests::{
    http::App,
    process::Process,
    programs,
    setup::Setup,
    wait::{PATIENCE, eventually},
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
    programs::in_place_of_the_router(programs.path(), &script);
    programs
}

/// What Docker's default profile refuses of what a jail is made of (moby, profiles/seccomp/default.json): who has no
/// CAP_SYS_ADMIN is told that clone3(2) does not exist, and the C library falls back to clone(2).
const DOCKER: &[&str] = &["EPERM=unshare,mount,umount2,pivot_root,setns,clone-apart", "ENOSYS=clone3"];

/// Programs of which the router starts where these calls are refused.
fn contained(refusals: &[&str]) -> TempDir {
    let programs = programs::copied(&[
        ("router", "fazt-router"),
        ("fazt-store", "fazt-store"),
        ("fazt-worker", "fazt-worker"),
        ("contained", "contained"),
    ]);
    let here = programs.path().display();
    let script = format!("#!/bin/sh\nexec {here}/contained {} -- {here}/router \"$@\"\n", refusals.join(" "));
    programs::in_place_of_the_router(programs.path(), &script);
    programs
}

/// A farm that starts all the same where it may, and says what it lacks: at its start, in its status, and with `--check`.
fn starts_and_names(setup: Setup, workers: &[&str], store: &[&str]) {
    let setup = setup.flag("--sandbox", "best-effort");
    let farm = setup.clone().start();
    answers(&farm.script("app", "respond('here')"));
    let told = farm.runtime();
    let (missing, of_store) = (told["sandboxMissing"].to_string(), told["sandboxStoreMissing"].to_string());
    assert_eq!(told["sandboxTier"], "incomplete", "{told}");
    let warning = told["sandboxWarning"].as_str().unwrap_or_default();
    for layer in workers {
        assert!(missing.contains(&format!("\"{layer}: ")) && warning.contains(layer), "{layer}: {told}");
    }
    for layer in store {
        assert!(of_store.contains(&format!("{layer}: ")) && warning.contains("of the store"), "{layer}: {told}");
    }
    assert!(farm.log.text().contains("the sandbox is incomplete"));
    drop(farm);
    let strict = setup.flag("--sandbox", "strict").flag("--check", "").refused();
    assert_eq!(strict.code, Some(1), "{}", strict.told);
    for layer in workers {
        assert!(strict.told.contains(&format!("✗ {layer}: ")), "{layer}: {}", strict.told);
    }
    assert!(strict.told.contains("tier: incomplete") && strict.told.contains("✓ descriptors"), "{}", strict.told);
    assert!(strict.told.contains("the farm would not start: "), "{}", strict.told);
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
    eventually(PATIENCE, "a warning with the dump", || warned() == 2);
    let told = farm.runtime();
    assert!(told["sandboxWarning"].as_str().unwrap().contains("the sandbox is off"), "{told}");
    let server = format!("http://{}", farm.address);
    let shown = programs::fazt(&server, &farm.token).arg("status").output().unwrap();
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("sandbox off, tier incomplete\nwarning: the sandbox is off"), "{shown}");
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
    // Those of root's that zygote, store and folder take (router/src/privilege.rs), at the most.
    let held = |field: &str| u64::from_str_radix(&of(&router, field), 16).unwrap();
    let most: u64 = if geteuid().is_root() { 0x8128_05eb } else { 0 };
    for field in ["CapEff", "CapPrm", "CapInh", "CapAmb"] {
        assert_eq!(held(field) & !most, 0, "{field}: {:x}", held(field));
    }
    if geteuid().is_root() {
        assert_eq!(held("CapBnd") & !most, 0, "CapBnd: {:x}", held("CapBnd"));
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
    for worker in farm.worker_processes() {
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

/// What an operator meets first who starts a farm in a container without the profile that it needs.
#[test]
fn in_a_container_with_the_usual_profile_a_farm_is_refused_with_advice_or_names_what_it_lacks() {
    let programs = contained(DOCKER);
    for setup in [Setup::new(2), Setup::new(2).as_nobody()] {
        let setup = setup.programs(programs.path());
        let refusal = setup.refused();
        assert_eq!(refusal.code, Some(2), "{}", refusal.said);
        for word in ["namespace", "to get it", "scripts/sandbox container"] {
            assert!(refusal.said.contains(word), "{word}: {}", refusal.said);
        }
        assert_eq!(refusal.said.matches("to get it").count(), 1, "said once: {}", refusal.said);
        starts_and_names(setup, &["user-namespace", "mount-namespace", "net-namespace", "pid-namespace"], &[]);
    }
}

/// Workers and store have it both; the store starts first.
#[test]
fn without_landlock_or_seccomp_a_farm_is_refused_with_advice_or_names_what_it_lacks() {
    for (layer, refused) in [("landlock", "ENOSYS=landlock_create_ruleset"), ("seccomp", "EPERM=seccomp")] {
        let programs = contained(&[refused]);
        let setup = Setup::new(2).programs(programs.path());
        let refusal = setup.refused();
        assert_eq!(refusal.code, Some(2), "{}", refusal.said);
        for word in
            [format!("layer {layer}"), "to get it".to_owned(), format!("{layer}_").replace("seccomp_", "seccomp()")]
        {
            assert!(refusal.said.contains(&word), "{word}: {}", refusal.said);
        }
        starts_and_names(setup, &[layer], &[layer]);
    }
}

/// Whoever looks before the start is told what the start says.
#[test]
fn a_check_of_a_farm_without_its_sandbox_says_so() {
    let told = Setup::new(2).flag("--sandbox", "off").flag("--check", "").refused();
    assert_eq!(told.code, Some(0), "{}", told.told);
    assert!(told.told.contains("✗ seccomp: switched off") && told.told.contains("the sandbox is off"), "{}", told.told);
    assert!(!told.told.contains("to get seccomp"), "nobody asked for it: {}", told.told);
}
