//! The assertions.

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader},
    os::fd::{AsFd, OwnedFd},
    process::Stdio,
};

use fazt_jail::{ABORTED, ID_BASE, ID_COUNT, Layer, Layers};
use libtest_mimic::Trial;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::{
    every::what_passes_is_exactly_the_list,
    forbidden::FORBIDDEN,
    owner::what_the_owner_of_a_folder_may_call_is_exactly_its_list,
    router::PATIENCE_MS,
    stage::{Told, play, play_without},
    users::{As, Check, by_both, command},
};

pub(crate) fn all() -> Vec<Trial> {
    let checks: &[(&str, Check)] = &[
        ("every_layer_is_in_force", every_layer_is_in_force),
        ("the_router_sees_it_from_outside", the_router_sees_it_from_outside),
        ("the_probe_agrees", the_probe_agrees),
        ("forbidden_calls_end_the_child", forbidden_calls_end_the_child),
        ("clone3_is_no_such_call", clone3_is_no_such_call),
        ("what_passes_is_exactly_the_list", what_passes_is_exactly_the_list),
        ("ends_of_all_kinds_get_out", ends_of_all_kinds_get_out),
        ("bounds_hold", bounds_hold),
        ("local_time_needs_no_file", local_time_needs_no_file),
        ("a_stopped_wait_goes_on", a_stopped_wait_goes_on),
        ("two_hundred_are_born_and_reaped", two_hundred_are_born_and_reaped),
        ("nobody_outlives_the_router", nobody_outlives_the_router),
        ("a_stranger_is_no_parent", a_stranger_is_no_parent),
        ("without_a_user_namespace_ids_stand_in", without_a_user_namespace_ids_stand_in),
        ("strict_refuses_an_incomplete_jail", strict_refuses_an_incomplete_jail),
        ("best_effort_does_without", best_effort_does_without),
        ("behind_the_list_of_calls_stands_more", behind_the_list_of_calls_stands_more),
        ("the_owner_of_a_folder_has_that_alone", the_owner_of_a_folder_has_that_alone),
        (
            "what_the_owner_of_a_folder_may_call_is_exactly_its_list",
            what_the_owner_of_a_folder_may_call_is_exactly_its_list,
        ),
        ("off_still_closes_and_bounds", off_still_closes_and_bounds),
    ];
    by_both(checks)
}

fn layers(told: &Told) -> Layers {
    Layers::from_bits(told.first("layers").parse().unwrap())
}

fn every_layer_is_in_force(user: As) {
    assert_eq!(layers(&play(user, "strict", "look")), Layers::attainable(user == As::Root));
}

fn the_router_sees_it_from_outside(user: As) {
    let told = play(user, "strict", "look");
    is_seen_from_outside(&told, user, &["user", "mnt", "net", "ipc", "uts", "pid"]);
}

/// Where the machine allows no user namespace, root's children are in all else, and an ordinary user has no jail.
fn without_a_user_namespace_ids_stand_in(user: As) {
    let told = play_without(user, "strict", "look", "user-namespace");
    if user == As::Ordinary {
        assert!(told.first("refused").starts_with("enter a user namespace: EPERM"));
        return;
    }
    let all_but_it = Layers::attainable(true).without(Layer::UserNamespace);
    assert_eq!((layers(&told), all_but_it.tier()), (all_but_it, "no-user-namespace"));
    is_seen_from_outside(&told, user, &["mnt", "net", "ipc", "uts", "pid"]);
    for call in FORBIDDEN {
        assert_eq!(play_without(user, "strict", call, "user-namespace").first("ended"), "SIGSYS", "{call}");
    }
}

fn is_seen_from_outside(told: &Told, user: As, namespaces: &[&str]) {
    for (field, expected) in [
        ("NoNewPrivs:", "1"),
        ("Seccomp:", "2"),
        ("Threads:", "1"),
        ("CapInh:", "0000000000000000"),
        ("CapPrm:", "0000000000000000"),
        ("CapEff:", "0000000000000000"),
        ("CapBnd:", "0000000000000000"),
        ("CapAmb:", "0000000000000000"),
    ] {
        assert_eq!(field_of(told, field), [expected], "{field}");
    }
    assert_eq!(field_of(told, "NSpid:")[1..], ["1"], "it is process 1 of a namespace right below ours");
    for kind in namespaces {
        assert_eq!(told.first(&format!("ns-{kind}")), "apart", "{kind}");
    }
    // 0, 1, 2 and the two that were handed over.
    assert_eq!(told.first("descriptors"), "Ok(5)");
    assert_eq!(told.first("root-entries"), "Ok(0)");
    assert_eq!(told.first("environment"), r#"Ok("TZ=UTC0\0")"#);
    assert_eq!(told.first("oom"), "1000");
    ids_are_its_own(told, user);
    limits_are_set(told);
    if let Some(slice) = told.all("sched se.slice").first() {
        assert_eq!(*slice, ": 20000000");
    }
}

fn field_of<'a>(told: &'a Told, field: &str) -> Vec<&'a str> {
    told.first(&format!("status {field}").replace(": ", ":")).split_whitespace().collect()
}

fn ids_are_its_own(told: &Told, user: As) {
    for field in ["Uid:", "Gid:"] {
        let ids: BTreeSet<u32> = field_of(told, field).iter().map(|id| id.parse().unwrap()).collect();
        assert_eq!(ids.len(), 1, "real, effective, saved and file system id are one: {ids:?}");
        let in_range = ids.iter().all(|id| (ID_BASE..ID_BASE + ID_COUNT).contains(id));
        assert_eq!(in_range, user == As::Root, "{field} {ids:?}");
    }
    if user == As::Root {
        assert!(told.says("status Groups:\t "), "groups are left");
    }
}

fn limits_are_set(told: &Told) {
    for (limit, value) in [
        ("Max address space", "268435456"),
        ("Max data size", "134217728"),
        ("Max cpu time", "1"),
        ("Max stack size", "8388608"),
        ("Max open files", "16"),
        ("Max processes", "0"),
        ("Max core file size", "0"),
        ("Max file size", "0"),
        ("Max locked memory", "0"),
        ("Max msgqueue size", "0"),
    ] {
        let values: Vec<&str> = told.first(&format!("limits {limit}")).split_whitespace().take(2).collect();
        assert_eq!(values, [value, value], "{limit}");
    }
}

fn the_probe_agrees(user: As) {
    let told = play(user, "best-effort", "probe");
    let reports = told.all("report");
    assert_eq!(reports.len(), Layer::ALL.len());
    for (report, layer) in reports.into_iter().zip(Layer::ALL) {
        let attainable = Layers::attainable(user == As::Root).contains(layer);
        let expected =
            if attainable { format!("{layer} None None") } else { format!("{layer} Some(ForRootAlone) Some(") };
        assert!(report.starts_with(&expected), "{report}");
    }
}

fn forbidden_calls_end_the_child(user: As) {
    let mut wrong = Vec::new();
    for call in FORBIDDEN {
        let told = play(user, "strict", call);
        assert!(layers(&told).contains(Layer::Seccomp));
        if !told.all("survived").is_empty() || told.first("ended") != "SIGSYS" {
            wrong.push(format!("{call}: {told:?}"));
        }
    }
    assert_eq!(wrong, [""; 0]);
}

fn clone3_is_no_such_call(user: As) {
    let told = play(user, "strict", "clone3");
    assert_eq!(told.first("survived"), format!("clone3 -1 {}", libc::ENOSYS));
    assert_eq!(told.first("ended"), "exit 7");
}

fn ends_of_all_kinds_get_out(user: As) {
    assert_eq!(play(user, "strict", "panic").first("ended"), "exit 101");
    assert_eq!(play(user, "strict", "abort").first("ended"), format!("exit {ABORTED}"));
    assert_eq!(play(user, "strict", "crash").first("ended"), "SIGSEGV");
}

fn bounds_hold(user: As) {
    let memory = play(user, "strict", "memory");
    assert_eq!((memory.first("reserved"), memory.first("ended")), ("true false false", "exit 7"));
    // Standard Rust says that the stack overflowed, and aborts.
    assert_eq!(play(user, "strict", "recurse").first("ended"), format!("exit {ABORTED}"));
    // Process 1 ignores SIGXCPU: the hard bound of one second kills.
    assert_eq!(play(user, "strict", "spin").first("ended"), "SIGKILL");
}

fn local_time_needs_no_file(user: As) {
    let told = play(user, "strict", "local-time");
    assert_eq!((told.first("zone-offset"), told.first("ended")), ("0", "exit 7"));
}

fn a_stopped_wait_goes_on(user: As) {
    let told = play(user, "strict", "pause");
    assert!(told.says("went on"), "{told:?}");
    assert_eq!(told.first("ended"), "exit 7");
}

fn two_hundred_are_born_and_reaped(user: As) {
    let told = play(user, "strict", "many");
    assert_eq!(told.all("born").len(), 200);
    assert_eq!(told.all("ended"), ["exit 7"; 200]);
    let (before, after) = told.first("free-descriptor").split_once(' ').unwrap();
    assert_eq!(before, after, "births leave descriptors behind");
    let hashes: BTreeSet<&str> = told.all("hash").into_iter().collect();
    assert_eq!(hashes.len(), 200, "children share the keys of their hash tables");
}

/// The router is killed with -9; nest and child must be gone without anybody telling them.
fn nobody_outlives_the_router(user: As) {
    let mut router = command(user, &["router", "strict", "orphan", "nothing"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut orphans: Vec<OwnedFd> = Vec::new();
    for line in BufReader::new(router.stdout.take().unwrap()).lines().map(Result::unwrap) {
        if let Some(pid) = line.strip_prefix("born ").or(line.strip_prefix("nest ")) {
            let pid = Pid::from_raw(pid.parse().unwrap()).unwrap();
            orphans.push(pidfd_open(pid, PidfdFlags::empty()).unwrap());
        }
        if line.starts_with("waiting") {
            break;
        }
    }
    router.kill().unwrap();
    router.wait().unwrap();
    assert_eq!(orphans.len(), 2);
    for orphan in orphans {
        let gone =
            poll(&mut [PollFd::new(orphan.as_fd(), PollFlags::POLLIN)], PollTimeout::from(PATIENCE_MS / 2)).unwrap();
        // Well before it would end by itself.
        assert_eq!(gone, 1, "a process outlived its router");
    }
}

fn a_stranger_is_no_parent(user: As) {
    let output = command(user, &["nest", "strict", "look", "1", "nothing"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "refused find the parent alive\n");
}

/// The call that the kernel refuses, the layer that is missing then, and what else falls with it.
const REFUSALS: &[(&str, &str, &[Layer])] = &[
    ("pivot_root", "move into an empty root", &[Layer::EmptyRoot]),
    ("capset", "give up capabilities", &[Layer::NoCapabilities]),
    ("landlock", "renounce files and ports", &[Layer::Landlock]),
    ("seccomp", "install the system call filter", &[Layer::Seccomp]),
    (
        "unshare",
        "enter a user namespace",
        &[
            Layer::UserNamespace,
            Layer::MountNamespace,
            Layer::EmptyRoot,
            Layer::NetNamespace,
            Layer::IpcNamespace,
            Layer::UtsNamespace,
        ],
    ),
];

fn strict_refuses_an_incomplete_jail(user: As) {
    for (call, step, _) in REFUSALS {
        let told = play_without(user, "strict", "look", call);
        let refusal = told.first("refused");
        // Root does without the user namespace, and stops at the next one.
        let step = if (user, *call) == (As::Root, "unshare") { "enter a net namespace" } else { step };
        assert!(refusal.starts_with(step), "{call}: {refusal}");
        // The crate takes any refusal of landlock for its absence.
        assert!(refusal.contains("EPERM") || *call == "landlock", "{call}: {refusal}");
        assert_eq!(told.all("look"), [""; 0], "{call}: a child lived");
    }
    let told = play_without(user, "strict", "look", "clone3");
    assert!(told.first("refused").starts_with("clone a process: EPERM"));
}

fn best_effort_does_without(user: As) {
    for (call, _, missing) in REFUSALS {
        let expected =
            missing.iter().fold(Layers::attainable(user == As::Root), |layers, layer| layers.without(*layer));
        let there = layers(&play_without(user, "best-effort", "look", call));
        // Without a namespace of its own an ordinary process has no privilege to give up, nor a pid namespace.
        let privileged = user == As::Root || *call != "unshare";
        let expected = [Layer::NoCapabilities, Layer::PidNamespace]
            .into_iter()
            .fold(expected, |layers, layer| if privileged { layers } else { layers.without(layer) });
        assert_eq!(there, expected, "{call}");
    }
}

/// On a kernel that knows no seccomp, the other layers answer for themselves.
fn behind_the_list_of_calls_stands_more(user: As) {
    let told = play_without(user, "best-effort", "deeper", "seccomp");
    for (what, answer) in
        [("dumpable", "gave 0"), ("root", "EACCES"), ("bind", "EACCES"), ("parent", "gave 0"), ("fork", "EAGAIN")]
    {
        assert_eq!(told.first(what), answer, "{what}");
    }
    if user == As::Root {
        assert_eq!(told.first("groups"), "gave 0");
    }
}

fn the_owner_of_a_folder_has_that_alone(user: As) {
    let folder = tempfile::tempdir().unwrap();
    if user == As::Ordinary {
        std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    }
    let output = command(user, &["confined", folder.path().to_str().unwrap()]).output().unwrap();
    let told = Told(String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect());
    assert_eq!(told.first("confined"), r#"{"not-dumpable", "no-new-privileges", "landlock", "seccomp"} []"#);
    for (what, expected) in [
        ("own-files", "done"),
        ("randomness", "done"),
        ("read-elsewhere", "PermissionDenied"),
        ("list-elsewhere", "PermissionDenied"),
        ("write-elsewhere", "PermissionDenied"),
        ("run", "PermissionDenied"),
        ("connect", "PermissionDenied"),
        ("listen", "PermissionDenied"),
        ("socket-file", "PermissionDenied"),
        ("link", "PermissionDenied"),
    ] {
        assert_eq!(told.first(what), expected, "{what}");
    }
    assert_eq!((told.first("thread"), told.first("pair")), ("done", "done"));
    let calls: Vec<&str> = told.0.iter().filter_map(|line| line.strip_prefix("call ")).collect();
    assert_eq!(calls.len(), 30);
    for call in calls {
        assert!(call.ends_with(" PermissionDenied"), "{call}");
    }
}

fn off_still_closes_and_bounds(user: As) {
    let told = play(user, "off", "look");
    let standing = Layer::ALL.into_iter().filter(|layer| layer.always_stands()).fold(Layers::NONE, Layers::with);
    assert_eq!(layers(&told), standing);
    assert_eq!(told.first("descriptors"), "Ok(5)");
    limits_are_set(&told);
    assert_eq!(told.first("ns-net"), "shared");
    assert_eq!(told.first("status Seccomp:"), "0");
}
