//! Builders that lie, born by the true zygote into the true jail: whatever one gives, its deploy is refused for what was wrong,
//! nothing of it stays in the file, and the app is served as before.
//!
//! What it may give untrue and nobody can know is its own archive's content: whoever sends the archive could have put it there.

use std::{fs, thread};

use fazt_tests::{
    farm::Farm,
    http::Answer,
    oracle::Watch,
    programs,
    setup::Setup,
    wait::{PATIENCE, eventually, seconds},
};
use rusqlite::Connection;
use tempfile::TempDir;

/// A farm whose builders lie where they are asked to, with an honest app.
fn farm() -> (Farm, TempDir) {
    let programs = programs::with_worker("impostor");
    fs::write(programs.path().join("builders-lie"), "").unwrap();
    let farm = Setup::new(3).programs(programs.path()).start();
    farm.script("echo", "");
    (farm, programs)
}

fn tell(farm: &Farm, lie: &str) -> Answer {
    farm.try_deploy("echo", format!("lie: {lie}").into_bytes())
}

/// Rows of each table that a deploy writes to.
fn kept(farm: &Farm) -> Vec<u64> {
    let file = Connection::open(farm.data().database()).unwrap();
    let count = |table: &str| file.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap();
    ["app", "version", "fileset", "file", "content", "upload", "chunk"].map(count).to_vec()
}

/// Tells each lie; the words that say what was wrong are the answer's or the log's.
fn check(farm: &Farm, rows: &[(&str, &str)]) -> Vec<String> {
    let (before, mut wrong) = (kept(farm), Vec::new());
    for (lie, said) in rows {
        let mark = farm.log.mark();
        let answer = tell(farm, lie);
        let is_said = || {
            let lost = |line: &serde_json::Value| line["message"].as_str().unwrap_or_default().contains(said);
            answer.text().contains(said) || farm.log.events(mark).iter().any(lost)
        };
        if answer.code() != "deploy_refused" || !is_said() {
            wrong.push(format!("- {lie:?}: {} {}", answer.status, answer.text()));
        }
        let served = farm.app("echo").get(&format!("/api/?{}", lie.len()));
        if served.text() != lie.len().to_string() {
            wrong.push(format!("- after {lie:?}: {} {}", served.status, served.text()));
        }
    }
    eventually(seconds(60), "nothing of any of them is kept", || kept(farm) == before);
    wrong
}

#[test]
fn what_a_builder_gives_untrue_is_refused_and_nothing_of_it_is_kept() {
    let (farm, _programs) = farm();
    let watch = Watch::over(&farm);
    let wrong = check(
        &farm,
        &[
            ("ready twice", "Ready is not permitted while giving files"),
            ("a part of nothing", "Chunk is not permitted while giving files"),
            ("built within a file", "Built is not permitted while within a file"),
            ("no file", "an app without a file"),
            ("an encoding as large", "an encoding that is not smaller than its file"),
            ("an encoding that is larger", "an encoding that is not smaller than its file"),
            ("an encoding of nothing", "an encoding of none"),
            ("an encoding twice", "a.txt: given twice"),
            ("a file twice", "a file twice"),
            ("path /etc/passwd", "a path that is not one"),
            ("path ../a", "a path that is not one"),
            ("path a/../../b", "a path that is not one"),
            ("path a//b", "a path that is not one"),
            ("path ./a", "a path that is not one"),
            ("path ", "a path that is not one"),
            ("path a\\b", "a path that is not one"),
            ("path a\nb", "a path that is not one"),
            ("too long a path", "read or write build, from builder"),
            ("garbage", "read or write build, from builder"),
            ("the end", "the peer is gone"),
        ],
    );
    watch.conclude(&wrong);
}

#[test]
fn what_a_builder_gives_too_much_of_is_refused_and_nothing_of_it_is_kept() {
    let (farm, _programs) = farm();
    // A neighbour's writes would wait for the disk to which 100 MiB are flushed.
    let watch = Watch::without_neighbour(&farm);
    let wrong = check(
        &farm,
        &[
            ("too many files", "an app has at most 5000 files"),
            ("too many bytes", "an app has at most 100 MiB"),
            ("too large a source", "a source has at most 1 MiB"),
            ("a file without an end", "take a body of more than"),
        ],
    );
    watch.conclude(&wrong);
}

/// It holds up its own deploy alone, and that not for ever.
#[test]
fn a_builder_that_says_nothing_is_given_up() {
    let (farm, _programs) = farm();
    thread::scope(|scope| {
        let silent = scope.spawn(|| tell(&farm, "silence"));
        eventually(PATIENCE, "a builder that is silent", || !farm.children("fazt-builder").is_empty());
        farm.script("other", "");
        assert_eq!(farm.app("other").get("/api/?served").text(), "served");
        let refused = silent.join().unwrap();
        assert_eq!(refused.code(), "deploy_refused");
        assert!(refused.text().contains("took longer than 60 s"), "{}", refused.text());
    });
    eventually(PATIENCE, "it is gone", || farm.children("fazt-builder").is_empty());
}
