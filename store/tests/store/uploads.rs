//! Deploys that never become a version: nothing of them stays, and what is too much is refused while it is given.

use std::path::Path;

use fazt_protocol::{
    builder::Encoding,
    op::Code,
    registry::{Answer, Ask},
};

use crate::harness::{Farm, Start, eventually};

const MIB: usize = 1024 * 1024;

/// Rows of what a deploy writes to.
fn rows(database: &Path) -> Vec<u64> {
    let file = rusqlite::Connection::open(database).unwrap();
    let count = |table: &str| file.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap();
    ["fileset", "file", "content", "upload", "chunk"].map(count).to_vec()
}

/// Waits until no more is left than there was.
fn swept_to(before: &[u64], farm: &Farm) {
    eventually(|| (rows(&farm.database()) == before).then_some(()));
}

fn file(upload: u64, path: &str) -> Ask {
    Ask::File { upload, path: path.to_owned(), encoding: Encoding::Identity }
}

#[test]
fn a_new_store_drops_what_the_router_before_did_not_finish() {
    let folder = tempfile::tempdir().unwrap();
    let mut farm = Farm::on(folder.path(), &Start::default()).unwrap();
    farm.app("kept");
    let before = rows(&farm.database());
    farm.upload(&[("a.txt", &[1; 3 * MIB]), ("b.txt", b"b")]);
    assert_ne!(rows(&farm.database()), before);
    farm.kill();
    let farm = Farm::on(folder.path(), &Start::default()).unwrap();
    swept_to(&before, &farm);
}

/// A large content is written in steps, and only the last of them finds that there is no place for it.
#[test]
fn what_was_written_of_a_file_that_is_refused_at_its_end_is_swept() {
    let mut farm = Farm::start();
    let upload = farm.upload(&[("a.txt", b"a")]);
    let before = rows(&farm.database());
    let refused = farm.ask_with(file(upload, "a.txt"), &[1; 3 * MIB]).unwrap_err();
    assert!(refused.message.contains("given twice"), "{refused}");
    swept_to(&before, &farm);
}

#[test]
fn a_source_that_no_worker_could_load_is_refused_by_name_and_not_written() {
    let mut farm = Farm::start();
    let upload = farm.upload(&[("api/main.js", b"1")]);
    let before = rows(&farm.database());
    for bytes in [MIB + 1, 33 * MIB] {
        let refused = farm.ask_with(file(upload, "api/large.js"), &vec![b' '; bytes]).unwrap_err();
        assert_eq!(refused.code, Code::TooLarge);
        assert_eq!(refused.message, "api/large.js: a source has at most 1 MiB");
        assert_eq!(rows(&farm.database()), before);
    }
    // What no worker loads may be as large.
    assert_eq!(farm.ask_with(file(upload, "large.js"), &vec![b' '; 33 * MIB]).unwrap().0, Answer::Done);
}
