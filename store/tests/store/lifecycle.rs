//! Start and end: one owner, newer, foreign and corrupt files, the parent, closing.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    process::{Command, Stdio},
};

use fazt_protocol::{
    fd,
    pipe::{Pipe, PipeError},
    registry::{Answer, Ask, FromStore, ToStore},
    version,
};

use crate::harness::{Farm, Start, eventually, soon};

fn refusal(path: &std::path::Path) -> String {
    match Farm::on(path, &Start::default()) {
        Ok(_) => panic!("it started"),
        Err(reason) => {
            assert!(!reason.contains('\n'), "one line: {reason}");
            reason
        }
    }
}

#[test]
fn what_was_written_is_there_after_a_close() {
    let folder = tempfile::tempdir().unwrap();
    let mut farm = Farm::on(folder.path(), &Start::default()).unwrap();
    assert_eq!((farm.status.journal_mode.as_str(), farm.status.synchronous.as_str()), ("wal", "full"));
    assert_eq!((farm.status.busy_timeout_ms, farm.status.schema), (5_000, 6));
    let app = farm.app("a");
    farm.worker(&app).set("k", b"1").unwrap();
    farm.close();
    assert!(!folder.path().join("fazt.db-wal").exists(), "the log is written back");
    let start = Start { arguments: &["--durability", "normal", "--busy-timeout", "1s"], environment: &[] };
    let mut farm = Farm::on(folder.path(), &start).unwrap();
    assert_eq!((farm.status.synchronous.as_str(), farm.status.busy_timeout_ms), ("normal", 1_000));
    assert_eq!(farm.worker(&app).get("k").unwrap(), serde_json::json!(1));
}

#[test]
fn a_second_owner_is_refused() {
    let mut farm = Farm::start();
    let reason = refusal(farm.path());
    let expected = format!("another fazt-store, pid {}, owns", farm.child.id());
    assert!(reason.contains(&expected), "{reason}");
    assert!(matches!(farm.ask(Ask::Status), Ok(Answer::Status(_))));
    farm.kill();
    Farm::on(farm.path(), &Start::default()).unwrap();
}

#[test]
fn two_folders_cannot_share_one_file() {
    let (shared, one, other) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let database = shared.path().join("fazt.db");
    let start = Start { arguments: &["--database", database.to_str().unwrap()], environment: &[] };
    let mut farm = Farm::on(one.path(), &start).unwrap();
    let app = farm.app("a");
    farm.worker(&app).set("k", b"1").unwrap();
    let Err(reason) = Farm::on(other.path(), &start) else { panic!("it started") };
    assert!(reason.contains(&format!("pid {}", farm.child.id())), "{reason}");
    farm.close();
    assert!(!shared.path().join("fazt.db-wal").exists(), "the log is taken away from inside the jail too");
}

#[test]
fn newer_and_foreign_files_are_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    Farm::on(folder.path(), &Start::default()).unwrap().close();
    let database = folder.path().join("fazt.db");
    let sql = rusqlite::Connection::open(&database).unwrap();
    sql.pragma_update(None, "user_version", 999).unwrap();
    drop(sql);
    let reason = refusal(folder.path());
    assert!(reason.contains("999") && reason.contains("newer"), "{reason}");
    let sql = rusqlite::Connection::open(&database).unwrap();
    assert_eq!(sql.pragma_query_value(None, "user_version", |row| row.get::<_, u32>(0)).unwrap(), 999);
    let folder = tempfile::tempdir().unwrap();
    let sql = rusqlite::Connection::open(folder.path().join("fazt.db")).unwrap();
    sql.execute_batch("CREATE TABLE theirs (id INTEGER); INSERT INTO theirs VALUES (7)").unwrap();
    assert!(refusal(folder.path()).contains("another program"));
    assert_eq!(sql.query_row("SELECT id FROM theirs", [], |row| row.get::<_, i64>(0)).unwrap(), 7);
}

#[test]
fn a_corrupt_file_is_set_aside_and_never_begun_anew() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("fazt.db");
    let garbage = b"this was a database once, but it is not any more; ".repeat(100);
    fs::write(&database, &garbage).unwrap();
    let reason = refusal(folder.path());
    assert!(reason.contains("corrupt") && reason.contains("set aside"), "{reason}");
    let aside = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
    let aside = aside.into_iter().find(|path| path.to_string_lossy().contains(".corrupt-")).unwrap();
    assert_eq!(fs::read(&aside).unwrap(), garbage, "not a byte was changed");
    assert!(!database.exists() && reason.contains(aside.file_name().unwrap().to_str().unwrap()));
    assert!(refusal(folder.path()).contains("restore a backup"), "no empty database takes its place by itself");
    fs::remove_file(aside).unwrap();
    Farm::on(folder.path(), &Start::default()).unwrap();
}

#[test]
fn a_folder_that_is_not_writable_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    // A file where the folder should be stops root too.
    let blocked = folder.path().join("file");
    fs::write(&blocked, b"").unwrap();
    let reason = refusal(&blocked.join("data"));
    assert!(reason.contains("make it writable"), "{reason}");
    if !rustix::process::geteuid().is_root() {
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o500)).unwrap();
        assert!(refusal(folder.path()).contains("make it writable"));
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
    }
}

#[test]
fn it_ends_with_its_router() {
    let mut farm = Farm::start();
    let app = farm.app("a");
    farm.worker(&app).set("k", b"1").unwrap();
    let (spare, _other) = fd::pair().unwrap();
    farm.registry = Pipe::new(spare);
    assert!(farm.wait().success());
    assert!(!farm.path().join("fazt.db-wal").exists(), "closed in order");
}

#[test]
fn it_serves_nobody_but_its_parent() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = fd::pair().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_fazt-store"))
        .args(["--registry-fd", "0", "--parent", "1", "--data-dir"])
        .arg(folder.path())
        .stdin(Stdio::from(theirs))
        .spawn()
        .unwrap();
    assert!(!eventually(|| child.try_wait().unwrap()).success());
    let mut registry = Pipe::<FromStore, ToStore>::new(ours);
    assert!(matches!(registry.receive(soon()), Err(PipeError::Closed(_))));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing was touched");
}

#[test]
fn another_protocol_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = fd::pair().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_fazt-store"))
        .args(["--registry-fd", "0", "--parent", &std::process::id().to_string(), "--data-dir"])
        .arg(folder.path())
        .stdin(Stdio::from(theirs))
        .spawn()
        .unwrap();
    let mut registry = Pipe::<FromStore, ToStore>::new(ours);
    registry.send(&ToStore::Hello { protocol: version::PROTOCOL + 1, grant_key: [0; 32] }, soon()).unwrap();
    let Ok(FromStore::Refused { reason }) = registry.receive(soon()) else { panic!("no refusal") };
    assert!(reason.contains("protocol"), "{reason}");
    assert!(!eventually(|| child.try_wait().unwrap()).success());
}
