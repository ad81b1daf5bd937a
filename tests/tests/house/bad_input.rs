//! What cannot start says so in one line, with exit code 2, and leaves nothing running.

use std::{fs, os::unix::fs::PermissionsExt};

use fazt_tests::{
    oracle::Watch,
    process, programs,
    setup::{Refusal, Setup},
    wait::{eventually, seconds},
};
use rusqlite::Connection;

fn refuses(refusal: &Refusal, what: &[&str]) {
    assert_eq!(refusal.code, Some(2), "{refusal:?}");
    let lines: Vec<&str> = refusal.said.lines().filter(|line| !line.is_empty() && !line.starts_with('{')).collect();
    assert_eq!(lines.len(), 1, "one line that says what to do: {refusal:?}");
    for word in what {
        assert!(lines[0].contains(word), "{word:?} in {refusal:?}");
    }
}

/// No process whose command line names that folder is left.
fn nothing_runs(setup: &Setup) {
    let folder = setup.data().path().display().to_string();
    eventually(seconds(10), "nothing runs on that data", || process::named(&folder).is_empty());
}

#[test]
fn a_port_in_use() {
    let farm = Setup::new(2).start();
    let other = Setup::new(2).flag("--listen", &farm.address.to_string());
    refuses(&other.refused(), &[&farm.address.to_string()]);
    nothing_runs(&other);
    assert_eq!(farm.admin().get("/healthz").status, 200);
}

#[test]
fn a_second_router_on_the_same_data() {
    let setup = Setup::new(2);
    let farm = setup.start();
    let store = farm.child("fazt-store").pid.to_string();
    let watch = Watch::over(&farm);
    refuses(&setup.refused(), &["another", &store]);
    watch.close();
    assert_eq!(farm.script("app", "respond(200, fazt.storage.kv.incr('n'))").get("/api/").text(), "1");
}

#[test]
fn a_data_folder_that_cannot_be_written() {
    let setup = Setup::new(2).as_nobody();
    let folder = setup.data().path();
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, PermissionsExt::from_mode(0o555)).unwrap();
    let programs = programs::with_worker("fazt-worker");
    let setup = setup.programs(programs.path());
    refuses(&setup.refused(), &[folder.to_str().unwrap()]);
    nothing_runs(&setup);
    let file = Setup::new(2);
    fs::write(file.data().path(), "a file").unwrap();
    refuses(&file.refused(), &[]);
}

#[test]
fn a_missing_sibling() {
    for missing in ["fazt-store", "fazt-worker"] {
        let there: Vec<_> = programs::FARM.iter().filter(|name| **name != missing).map(|name| (*name, *name)).collect();
        let programs = programs::copied(&there);
        let setup = Setup::new(2).programs(programs.path());
        refuses(&setup.refused(), &[missing]);
        nothing_runs(&setup);
    }
}

#[test]
fn a_newer_database() {
    let setup = Setup::new(2);
    drop(setup.start());
    let file = Connection::open(setup.data().database()).unwrap();
    file.execute_batch("PRAGMA user_version = 9999").unwrap();
    drop(file);
    refuses(&setup.refused(), &["9999"]);
    nothing_runs(&setup);
}

#[test]
fn a_file_that_is_no_database() {
    let setup = Setup::new(2);
    fs::create_dir(setup.data().path()).unwrap();
    fs::write(setup.data().database(), "this is no database ".repeat(1_000)).unwrap();
    let refusal = setup.refused();
    assert_eq!(refusal.code, Some(2), "{refusal:?}");
    let kept = fs::read_dir(setup.data().path()).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap());
    assert!(kept.into_iter().any(|content| content.starts_with(b"this is no database")), "it was overwritten");
}

#[test]
fn configurations_that_do_not_hold() {
    let rows: [(&str, &str, &[&str]); 8] = [
        ("--workers", "0", &["workers"]),
        ("--workers", "many", &["workers"]),
        ("--timeout", "1 fortnight", &["timeout"]),
        ("--timeout", "10s", &["timeout"]),
        ("--memory", "1KiB", &["memory"]),
        ("--sandbox", "strikt", &["strict"]),
        ("--listen", "nowhere", &["listen"]),
        ("--app-max-workers", "99", &["app-max-workers"]),
    ];
    for (flag, value, words) in rows {
        refuses(&Setup::new(2).flag(flag, value).refused(), words);
    }
    let unknown = Setup::new(2).flag("--wrokers", "3").refused();
    assert!(unknown.code == Some(2) && unknown.said.contains("--workers"), "{unknown:?}");
}

#[test]
fn a_file_with_a_mistake_is_named_with_its_line() {
    let setup = Setup::new(2);
    let file = setup.data().above().join("fazt.toml");
    let rows = [
        ("# a comment\nwrokers = 3\n", ["fazt.toml:2", "`workers`"]),
        ("\n\ntimeout = \"soon\"\n", ["fazt.toml:3", "timeout"]),
        ("workers = [", ["fazt.toml:1", ""]),
    ];
    for (text, words) in rows {
        fs::write(&file, text).unwrap();
        refuses(&setup.refused(), &words);
    }
    nothing_runs(&setup);
    let slip = Setup::new(2).variable("FAZT_WROKERS", "3").refused();
    refuses(&slip, &["FAZT_WROKERS", "FAZT_WORKERS"]);
}

#[test]
fn every_source_of_a_setting_is_shown() {
    let setup = Setup::new(3).variable("FAZT_MEMORY", "32MiB").flag("--print-config", "");
    fs::write(setup.data().above().join("fazt.toml"), "timeout = \"700ms\"\nmemory = \"16MiB\"\nworkers = 9\n")
        .unwrap();
    let printed = setup.refused();
    assert_eq!(printed.code, Some(0), "{printed:?}");
    let line = |name: &str| printed.told.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
    assert!(line("workers").contains('3') && line("workers").contains("flag"), "{printed:?}");
    assert!(line("memory").contains("32MiB") && line("memory").contains("FAZT_MEMORY"), "{printed:?}");
    assert!(line("timeout").contains("700ms") && line("timeout").contains("fazt.toml:1"), "{printed:?}");
    assert!(line("queue-depth").contains("default"), "{printed:?}");
}

#[test]
fn a_check_says_what_is_there() {
    let setup = Setup::new(2).flag("--check", "");
    let checked = setup.refused();
    assert_eq!(checked.code, Some(0), "{checked:?}");
    for word in ["seccomp", "landlock"] {
        assert!(checked.told.contains(word), "{word} in {checked:?}");
    }
    nothing_runs(&setup);
}
