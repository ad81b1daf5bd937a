//! The assertions.

use std::{
    collections::BTreeSet,
    env, fs,
    os::{
        fd::AsRawFd,
        unix::{fs::PermissionsExt, process::CommandExt},
    },
    path::PathBuf,
    process::Command,
};

use fazt_jail::{ID_BASE, ID_COUNT, Layers};
use fazt_protocol::{
    board::Phase,
    spawn::{FromZygote, Role, Spawn, ToZygote},
};
use fazt_worker::zygote::status;
use libtest_mimic::{Failed, Trial};
use nix::{sys::wait::WaitStatus, unistd::geteuid};

use crate::{
    child::{BOARD, END, ENDED, HASH, PANIC},
    farm::{Farm, deadline},
};

pub(crate) fn all() -> Vec<Trial> {
    let checks: &[(&str, fn())] = &[
        ("a_child_has_every_layer_that_the_zygote_promised", a_child_has_every_layer_that_the_zygote_promised),
        ("the_pidfd_is_the_child_s", the_pidfd_is_the_child_s),
        ("as_root_each_child_has_an_id_of_its_own", as_root_each_child_has_an_id_of_its_own),
        ("chance_differs_between_children", chance_differs_between_children),
        ("a_panic_is_an_exit_status", a_panic_is_an_exit_status),
        ("the_board_is_shared", the_board_is_shared),
        ("a_child_ends_with_its_conversation", a_child_ends_with_its_conversation),
        ("births_may_be_ordered_ahead", births_may_be_ordered_ahead),
        ("children_outlive_a_killed_zygote", children_outlive_a_killed_zygote),
        ("a_closed_conversation_ends_the_zygote", a_closed_conversation_ends_the_zygote),
        ("an_order_without_descriptors_ends_the_zygote", an_order_without_descriptors_ends_the_zygote),
        ("a_zygote_of_somebody_else_refuses", a_zygote_of_somebody_else_refuses),
        ("the_shipped_program_bears_workers_with_an_engine", the_shipped_program_bears_workers_with_an_engine),
        ("the_shipped_program_checks_its_jail", the_shipped_program_checks_its_jail),
        ("without_a_sandbox_children_are_born_too", without_a_sandbox_children_are_born_too),
    ];
    let trial = |(name, check): &(&str, fn())| {
        let check = *check;
        Trial::test(*name, move || -> Result<(), Failed> {
            check();
            Ok(())
        })
    };
    let second =
        Trial::test("all_of_this_as_an_ordinary_user", as_an_ordinary_user).with_ignored_flag(!geteuid().is_root());
    checks.iter().map(trial).chain([second]).collect()
}

/// Runs this program's other tests as nobody, from a copy that nobody can read.
fn as_an_ordinary_user() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755))?;
    let copy = folder.path().join("zygote");
    // By a child: what this process had open to write would be open in whatever the other tests start at that moment, and the
    // kernel runs no such file.
    for (from, to) in [(env::current_exe()?, &copy), (program(), &folder.path().join(PROGRAM))] {
        assert!(Command::new("cp").args([&from, to]).status()?.success(), "no copy of {}", from.display());
    }
    let output = Command::new(&copy).uid(65_534).gid(65_534).current_dir("/").output()?;
    let told = String::from_utf8_lossy(&output.stdout);
    if output.status.success() { Ok(()) } else { Err(format!("as nobody:\n{told}").into()) }
}

const PROGRAM: &str = "fazt-worker";

/// The shipped program: beside the copy of this one, or where cargo has put it.
fn program() -> PathBuf {
    let beside = env::current_exe().unwrap().with_file_name(PROGRAM);
    if beside.exists() { beside } else { PathBuf::from(env!("CARGO_BIN_EXE_fazt-worker")) }
}

/// Its workers say `Ready` once their engine stands: nothing that it does on the way is forbidden.
fn the_shipped_program_bears_workers_with_an_engine() {
    let mut farm = Farm::start_program(&program(), "strict", std::process::id());
    let promised = farm.layers();
    let worker = farm.bear(1);
    assert_eq!(worker.ready.layers, promised);
    assert!(matches!(worker.end(), WaitStatus::Exited(_, 0)));
}

fn the_shipped_program_checks_its_jail() {
    let output = Command::new(program()).arg("--check-jail").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let table = String::from_utf8(output.stdout).unwrap();
    let mut lines: Vec<serde_json::Value> = table.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let tier = lines.pop().unwrap();
    assert_eq!(tier.get("tier").unwrap(), Layers::attainable(geteuid().is_root()).tier());
    assert_eq!(lines.len(), fazt_jail::Layer::ALL.len());
    let in_force = |line: &serde_json::Value| line.get("inForce").is_some_and(|value| value == true);
    let bit = |line: serde_json::Value| line.get("bit").and_then(serde_json::Value::as_u64).unwrap();
    let there = lines.into_iter().filter(in_force).map(bit);
    assert_eq!(there.fold(0, |bits, bit| bits | 1 << bit), Layers::attainable(geteuid().is_root()).bits());
}

fn a_child_has_every_layer_that_the_zygote_promised() {
    let mut farm = Farm::start();
    let promised = farm.layers();
    assert_eq!(Layers::from_bits(promised), Layers::attainable(geteuid().is_root()));
    assert_eq!(farm.bear(1).ready.layers, promised);
}

fn the_pidfd_is_the_child_s() {
    let mut farm = Farm::start();
    farm.layers();
    let mut worker = farm.bear(1);
    let told = fs::read_to_string(format!("/proc/self/fdinfo/{}", worker.pidfd.as_raw_fd())).unwrap();
    assert!(told.lines().any(|line| line == format!("Pid:\t{}", worker.pid)), "{told}");
    assert_eq!(fs::read_to_string(format!("/proc/{}/comm", worker.pid)).unwrap(), "fazt-worker\n");
    worker.tell(END);
    assert!(matches!(worker.reap(), WaitStatus::Exited(_, ENDED)));
}

fn as_root_each_child_has_an_id_of_its_own() {
    let mut farm = Farm::start();
    farm.layers();
    let workers = [farm.bear(1), farm.bear(2), farm.bear(3)];
    let ids: BTreeSet<u32> = workers.iter().map(|worker| uid(worker.pid)).collect();
    if geteuid().is_root() {
        assert_eq!(ids.len(), workers.len());
        assert!(ids.iter().all(|id| (ID_BASE..ID_BASE + ID_COUNT).contains(id)), "{ids:?}");
    } else {
        assert_eq!(ids, BTreeSet::from([geteuid().as_raw()]));
    }
}

fn uid(pid: i32) -> u32 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

fn chance_differs_between_children() {
    let mut farm = Farm::start();
    farm.layers();
    let hashes: BTreeSet<u64> = (1..=8).map(|number| farm.bear(number).ask(HASH)).collect();
    assert_eq!(hashes.len(), 8, "the zygote has drawn the keys of its children's hash tables");
}

fn a_panic_is_an_exit_status() {
    let mut farm = Farm::start();
    farm.layers();
    let mut worker = farm.bear(1);
    worker.tell(PANIC);
    assert!(matches!(worker.reap(), WaitStatus::Exited(_, status::PANIC)));
}

fn the_board_is_shared() {
    let mut farm = Farm::start();
    farm.layers();
    let mut worker = farm.bear(1);
    assert_eq!(worker.board.snapshot().phase, None);
    worker.ask(BOARD);
    let seen = worker.board.snapshot();
    assert_eq!((seen.phase, seen.call), (Some(Phase::Execute), 42));
}

/// No other process may hold an end of it: neither the zygote nor a sibling born later.
fn a_child_ends_with_its_conversation() {
    let mut farm = Farm::start();
    farm.layers();
    let mut worker = farm.bear(1);
    let _sibling = farm.bear(2);
    assert_eq!(worker.ask(b'x'), u64::from(b'x'));
    assert!(matches!(worker.end(), WaitStatus::Exited(_, 0)));
}

fn births_may_be_ordered_ahead() {
    let mut farm = Farm::start();
    farm.layers();
    let mut calls = Vec::new();
    for number in 1..=20 {
        calls.push(farm.order(number));
    }
    for number in 1..=20 {
        let answer = farm.spawn.receive(deadline()).unwrap();
        assert!(matches!(answer, FromZygote::Spawned { number: born, .. } if born == number), "{answer:?}");
        farm.spawn.take_descriptor().unwrap();
    }
}

fn children_outlive_a_killed_zygote() {
    let mut farm = Farm::start();
    farm.layers();
    let mut worker = farm.bear(1);
    farm.zygote.kill().unwrap();
    farm.zygote.wait().unwrap();
    assert_eq!(worker.ask(b'x'), u64::from(b'x'));
    worker.tell(END);
    assert!(matches!(worker.reap(), WaitStatus::Exited(_, ENDED)));
}

fn a_closed_conversation_ends_the_zygote() {
    let mut farm = Farm::start();
    farm.layers();
    let (other, _) = fazt_protocol::fd::pair().unwrap();
    farm.spawn = fazt_protocol::pipe::Pipe::new(other);
    assert!(farm.ended().success());
}

fn an_order_without_descriptors_ends_the_zygote() {
    let mut farm = Farm::start();
    farm.layers();
    farm.spawn.send(&ToZygote::Spawn(Spawn { number: 1, role: Role::Worker, grouped: false }), deadline()).unwrap();
    assert!(farm.is_closed());
    assert_eq!(farm.ended().code(), Some(1));
}

fn a_zygote_of_somebody_else_refuses() {
    let mut farm = Farm::start_as("strict", 1);
    match farm.spawn.receive(deadline()).unwrap() {
        FromZygote::Refused { reason } => assert!(reason.contains("find the parent alive"), "{reason}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(farm.ended().code(), Some(1));
}

fn without_a_sandbox_children_are_born_too() {
    let mut farm = Farm::start_as("off", std::process::id());
    let promised = farm.layers();
    assert_eq!(farm.bear(1).ready.layers, promised);
    assert!(Layers::from_bits(promised).iter().all(fazt_jail::Layer::always_stands));
}
