//! Large static files and slow clients: what of them is in memory, for how long, and what is answered without any of it.

use fazt_tests::{
    bundle::Bundle,
    farm::Farm,
    http::Request,
    oracle::Watch,
    setup::Setup,
    wait::{PATIENCE, eventually, seconds},
    wire::Wire,
};
use rusqlite::Connection;
use rustix::process::Signal;

const MIB: usize = 1 << 20;
/// More than is kept of files.
const FILE: usize = 70 * MIB;

/// A farm with one app, `files`, of one large file, `large.bin`.
fn farm() -> Farm {
    let farm = Setup::new(1).start();
    deploy(&farm, "files", &[("large.bin", &"x".repeat(FILE))]);
    farm
}

/// Deploys so many bytes: where a busy machine keeps the store from taking them in time, once more.
fn deploy(farm: &Farm, app: &str, files: &[(&str, &str)]) {
    let archive = Bundle::of(files).bytes();
    eventually(seconds(120), "it is deployed", || {
        let told = farm.try_deploy(app, archive.clone());
        let is_late = told.code() == "store_unavailable";
        assert!(told.status == 201 || is_late, "deploy of {app}: {} {}", told.status, told.text());
        !is_late
    });
}

/// A client of an app's file that takes nothing of it.
fn deaf(farm: &Farm, app: &str, path: &str) -> Wire {
    let mut wire = Wire::open_deaf(farm.address);
    wire.send(format!("GET /{path} HTTP/1.1\r\nHost: {app}.localhost\r\n\r\n"));
    wire
}

/// The statuses of an app's requests so far.
fn statuses(farm: &Farm, app: &str) -> Vec<u64> {
    let lines = farm.log.said("request").into_iter().filter(|line| line["app"] == app);
    lines.filter_map(|line| line["status"].as_u64()).collect()
}

/// Whoever comes while it is on its way gets the same copy.
#[test]
fn a_large_file_is_in_memory_once_however_many_take_it() {
    let farm = farm();
    let watch = Watch::over(&farm).unheard(6);
    let before = farm.router().resident_bytes();
    let mut clients = Vec::new();
    for number in 1..=6 {
        clients.push(deaf(&farm, "files", "large.bin"));
        eventually(seconds(20), "it is on its way", || statuses(&farm, "files").len() == number);
    }
    let more = farm.router().resident_bytes().saturating_sub(before);
    assert!(more < 2 * FILE as u64, "{more} bytes more for {} clients", clients.len());
    drop(clients);
    watch.close();
}

/// A content that is on its way from the store is the one of all who come for it, though whoever came first has gone.
#[test]
fn a_large_file_is_asked_for_once_however_many_come_and_go() {
    let farm = farm();
    let watch = Watch::over(&farm).unheard(200);
    let before = farm.router().resident_bytes();
    let (mut last, mut most) = (None::<Wire>, 0);
    let gone = || farm.log.said("request").iter().filter(|line| line["outcome"] == "client_gone").count();
    eventually(seconds(20), "some were heard and have gone", || {
        // A quick machine may have it loaded before the last one has come.
        most = most.max(farm.router().resident_bytes());
        if let Some(wire) = last.take() {
            wire.reset();
        }
        let mut wire = Wire::open(farm.address);
        wire.send("GET /large.bin HTTP/1.1\r\nHost: files.localhost\r\n\r\n");
        last = Some(wire);
        gone() >= 12
    });
    drop(last);
    eventually(seconds(30), "it was loaded, and let go again", || {
        let now = farm.router().resident_bytes();
        most = most.max(now);
        most > before + FILE as u64 / 2 && now < before + (16 << 20)
    });
    assert!(most < before + 3 * FILE as u64, "{most} bytes, {before} before");
    watch.close();
}

/// The store stands still: what sends no byte of a file asks it for none.
#[test]
fn what_sends_nothing_of_a_file_loads_nothing_of_it() {
    let farm = farm();
    let files = farm.app("files");
    let store = farm.child("fazt-store");
    store.signal(Signal::STOP);
    eventually(PATIENCE, "it stands still", || store.is_stopped());
    let ask =
        |method: &str, header: (&str, &str)| files.send(&Request::new(method, "/large.bin").header(header.0, header.1));
    let head = ask("HEAD", ("Accept", "*/*"));
    assert_eq!((head.status, head.header("content-length")), (200, Some(FILE.to_string().as_str())));
    let etag = head.header("etag").unwrap();
    for (method, header, status) in [
        ("HEAD", ("Range", "bytes=0-9"), 200),
        ("GET", ("Range", "bytes=73400320-"), 416),
        ("GET", ("Range", "bytes=-0"), 416),
        ("GET", ("If-None-Match", etag), 304),
        ("GET", ("If-Match", "\"another\""), 412),
    ] {
        let answer = ask(method, header);
        assert_eq!(answer.status, status, "{method} {header:?}");
        if status == 416 {
            assert_eq!(answer.header("content-range"), Some("bytes */73400320"), "{header:?}");
        }
    }
    store.signal(Signal::CONT);
    let part = ask("GET", ("Range", "bytes=-9"));
    assert_eq!((part.status, part.text().as_str()), (206, "xxxxxxxxx"));
}

/// A catalogue that says another length than the content has: no client gets less than was promised, or more.
#[test]
fn a_content_of_another_length_than_its_entry_says_is_no_answer() {
    let setup = Setup::new(1);
    let farm = setup.start();
    let large = "x".repeat(MIB);
    let all = [("right.txt", "right"), ("less.txt", "less"), ("more.txt", "more"), ("large.txt", large.as_str())];
    farm.deploy("files", &all);
    drop(farm);
    let file = Connection::open(setup.data().database()).unwrap();
    for (path, by) in [("less.txt", 1), ("more.txt", -1), ("large.txt", 1)] {
        let changed = file.execute("UPDATE file SET size = size + ?2 WHERE path = ?1", (path, by)).unwrap();
        assert!(changed > 0, "{path}");
    }
    drop(file);
    let farm = setup.start();
    let files = farm.app("files");
    // The second time as well: nothing of it was kept.
    for _ in 0..2 {
        for path in ["/less.txt", "/more.txt", "/large.txt"] {
            let told = files.get(path);
            assert_eq!((told.status, told.code().as_str()), (503, "store_unavailable"), "{path}: {}", told.text());
        }
    }
    farm.log.heard("a file's content is not as long as it should be");
    assert_eq!(files.get("/right.txt").text(), "right");
}

/// Files of one app are among its answers: what clients do not take of them fills no more than its share.
#[test]
fn files_that_nobody_takes_fill_no_more_than_their_apps_share() {
    let farm = Setup::new(1).start();
    // What the first holds leaves the second room for two of three.
    let sizes = [("first", 95 * MIB), ("second", 30 * MIB), ("third", 30 * MIB), ("fourth", 30 * MIB)];
    for (app, files) in [("wide", &sizes[..1]), ("many", &sizes[1..])] {
        let handler = ("api/main.js".to_owned(), "respond('small')".to_owned());
        let large = files.iter().map(|(name, bytes)| (format!("{name}.bin"), name[..1].repeat(*bytes)));
        let texts: Vec<(String, String)> = large.chain([handler]).collect();
        let files: Vec<(&str, &str)> = texts.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        deploy(&farm, app, &files);
    }
    deploy(&farm, "other", &[("own.bin", &"o".repeat(10 * MIB))]);
    let before = farm.router().resident_bytes();
    let mut clients = Vec::new();
    for (number, (app, path)) in
        [("wide", "first.bin"), ("many", "second.bin"), ("many", "third.bin")].into_iter().enumerate()
    {
        clients.push(deaf(&farm, app, path));
        eventually(seconds(20), "it is on its way", || {
            statuses(&farm, "wide").len() + statuses(&farm, "many").len() == number + 1
        });
    }
    let refused = farm.app("many").get("/fourth.bin");
    assert_eq!((refused.status, refused.code().as_str()), (503, "overloaded"));
    eventually(PATIENCE, "the refusal is in the log", || statuses(&farm, "many").len() == 3);
    assert_eq!((statuses(&farm, "wide"), statuses(&farm, "many")), (vec![200], vec![200, 200, 503]));
    // Its code, what is on its way already, and what another app is sure of.
    assert_eq!(farm.app("many").get("/api/").text(), "small");
    assert_eq!(farm.app("many").send(&Request::new("GET", "/third.bin").header("Range", "bytes=0-3")).text(), "tttt");
    assert_eq!(farm.app("other").get("/own.bin").body.len(), 10 * MIB);
    let more = farm.router().resident_bytes().saturating_sub(before);
    assert!(more < 240 * MIB as u64, "{more} bytes more");
    drop(clients);
    eventually(seconds(10), "its room is free again", || farm.app("many").get("/fourth.bin").status == 200);
}
