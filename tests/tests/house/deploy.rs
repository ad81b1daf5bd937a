//! Deploys: whole or not at all, one version after the other, and nothing of a stranger's archive gets further than it should.

use std::{
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    thread,
    time::Instant,
};

use fazt_tests::{
    bundle::Bundle,
    farm::Farm,
    http::Request,
    oracle::{Watch, census::Census},
    setup::Setup,
    wait::{Over, PATIENCE, eventually, promised, seconds},
};
use tar::EntryType;

const MAIN: (&str, &str) = ("api/main.js", "respond('new')");

fn good() -> Bundle {
    Bundle::of(&[("index.html", "new"), MAIN])
}

/// Each row: what is wrong, the archive, and what the refusal must name.
fn bad_ones() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let file = |path: &str| good().file(path, b"x").bytes();
    let entry = |kind, target| good().entry(kind, "bad/entry", target, b"").bytes();
    let many = (0..5_001).fold(Bundle::default(), |bundle, number| bundle.file(&format!("f{number}"), b""));
    let mut cut = good().bytes();
    cut.truncate(700);
    vec![
        ("an absolute path", file("/etc/passwd"), "/etc/passwd"),
        ("a way up", file("a/../../up.txt"), "up.txt"),
        ("a way up at once", file("../up.txt"), "up.txt"),
        ("a backslash", file("a\\b.txt"), "b.txt"),
        ("an empty part", file("a//b.txt"), "b.txt"),
        ("a line break", file("a\nb.txt"), "b.txt"),
        ("a symbolic link", entry(EntryType::Symlink, "/etc/passwd"), "bad/entry"),
        ("a hard link", entry(EntryType::Link, "index.html"), "bad/entry"),
        ("a device", entry(EntryType::Char, ""), "bad/entry"),
        ("a block device", entry(EntryType::Block, ""), "bad/entry"),
        ("a pipe", entry(EntryType::Fifo, ""), "bad/entry"),
        ("a name twice", good().file("index.html", b"again").bytes(), "index.html"),
        ("a file where a folder is", good().file("index.html/x", b"x").bytes(), "index.html"),
        (
            "a source over a MiB",
            Bundle::of(&[MAIN]).file("api/big.js", &vec![b' '; (1 << 20) + 1]).bytes(),
            "api/big.js",
        ),
        ("too many files", many.bytes(), "5000"),
        ("a manifest that is no JSON", good().file("manifest.json", b"{").bytes(), "manifest.json"),
        (
            "a manifest with a limit that is none",
            good().file("manifest.json", br#"{ "timeoutMs": -5 }"#).bytes(),
            "timeoutMs",
        ),
        ("a manifest with a wrong type", good().file("manifest.json", br#"{ "spa": "yes" }"#).bytes(), "spa"),
        ("code that is no UTF-8", Bundle::of(&[MAIN]).file("api/x.js", b"\xff\xfe").bytes(), "api/x.js"),
        ("no tar", b"this is no archive at all, and long enough to be read as one".repeat(20), ""),
        ("a tar that is cut", cut, ""),
        ("nothing", Vec::new(), ""),
        ("a gzip of nothing good", b"\x1f\x8b\x08\x00rubbish".to_vec(), ""),
        ("a zstd bomb", zstd::encode_all(zeroes(300 << 20), 1).unwrap(), ""),
    ]
}

fn zeroes(count: u64) -> impl std::io::Read {
    std::io::Read::take(std::io::repeat(0), count)
}

#[test]
fn a_bad_archive_is_refused_whole_and_named() {
    let farm = Setup::new(2).start();
    farm.deploy("app", &[("index.html", "old"), ("api/main.js", "respond('old')")]);
    let app = farm.app("app");
    let mut wrong = Vec::new();
    for (what, archive, named) in bad_ones() {
        let answer = farm.try_deploy("app", archive);
        if !(400..500).contains(&answer.status) || answer.status == 401 || !answer.text().contains(named) {
            wrong.push(format!("{what}: {} {}", answer.status, answer.text()));
        }
        let still = (app.get("/").text(), app.get("/api/").text());
        if still != ("old".to_owned(), "old".to_owned()) {
            wrong.push(format!("after {what} the old version is gone: {still:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let info = farm.admin().get("/api/_admin/apps/app").text();
    assert!(farm.try_deploy("app", good().bytes()).json()["version"] == 2, "a refusal takes no version: {info}");
    assert_eq!((app.get("/").text().as_str(), app.get("/api/").text().as_str()), ("new", "new"));
}

#[test]
fn bad_names_are_refused() {
    let farm = Setup::new(2).start();
    for name in ["admin", "api", "www", "root", "system", "-a", "a-", "A", "a_b", "a.b", &"x".repeat(64)] {
        let answer = farm.try_deploy(name, good().bytes());
        assert!((400..500).contains(&answer.status), "{name}: {} {}", answer.status, answer.text());
    }
    assert_eq!(farm.try_deploy(&"x".repeat(63), good().bytes()).status, 201);
}

#[test]
fn compressed_archives_are_taken() {
    let farm = Setup::new(2).start();
    let archive = zstd::encode_all(good().bytes().as_slice(), 3).unwrap();
    assert_eq!(farm.try_deploy("app", archive).status, 201);
    assert_eq!(farm.app("app").get("/api/").text(), "new");
}

/// A request sees all of one version and nothing of another: page, code and module are of one number, which only rises.
#[test]
fn a_deploy_is_atomic_under_load() {
    let farm = Setup::new(3).start();
    let version = |number: u32| {
        let main = format!("const lib = require('./lib'); respond(200, lib.n === {number} ? {number} : 'mixed')");
        let lib = format!("exports.n = {number}");
        Bundle::of(&[("api/main.js", &main), ("api/lib.js", &lib), ("index.html", &number.to_string())]).bytes()
    };
    assert_eq!(farm.try_deploy("app", version(1)).status, 201);
    let (watch, over) = (Watch::over(&farm), AtomicBool::new(false));
    thread::scope(|scope| {
        let _over = Over::when_left(&over);
        let readers: Vec<_> = (0..3)
            .map(|_| {
                let (app, over) = (farm.app("app").keeping(), &over);
                scope.spawn(move || {
                    let mut last = 0;
                    while last < 15 && !over.load(SeqCst) {
                        let answer = app.get("/api/");
                        let seen = answer
                            .text()
                            .parse::<u32>()
                            .unwrap_or_else(|_| panic!("{} {}", answer.status, answer.text()));
                        assert!(seen >= last, "{seen} after {last}");
                        last = seen;
                    }
                })
            })
            .collect();
        for number in 2..=15 {
            let deployed = farm.try_deploy("app", version(number));
            assert_eq!(deployed.status, 201, "{}", deployed.text());
            // Whoever deployed is served by what was deployed.
            assert_eq!(
                (farm.app("app").get("/api/").text(), farm.app("app").get("/").text()),
                (number.to_string(), number.to_string())
            );
        }
        readers.into_iter().for_each(|reader| reader.join().unwrap());
    });
    watch.close();
}

/// P-19: apps that come and change in a rush are each served as deployed, and whoever was there before is served as ever.
#[test]
fn three_hundred_apps_come_and_change_beside_a_neighbour() {
    let farm = Setup::new(4).start();
    let watch = Watch::over(&farm);
    let (farm, started) = (&farm, Instant::now());
    thread::scope(|scope| {
        for client in 0..3 {
            scope.spawn(move || {
                for number in 0..100 {
                    let name = format!("app-{client}-{number}");
                    for version in if number % 4 == 0 { 1..=2 } else { 1..=1 } {
                        let app = farm.script(&name, &format!("respond('{name} {version}')"));
                        assert_eq!(app.get("/api/").text(), format!("{name} {version}"));
                    }
                }
            });
        }
    });
    assert!(started.elapsed() < promised(seconds(60)), "it took {:?}", started.elapsed());
    watch.close();
}

#[test]
fn deploys_leave_nothing_behind() {
    let farm = Setup::new(2).start();
    farm.script("app", "respond(200, 1)");
    let census = Census::take(&farm);
    for number in 0..10 {
        deploy_and_ask(&farm, number);
        assert!(farm.try_deploy("app", b"rubbish".repeat(300)).status >= 400);
    }
    census.holds(&farm);
    eventually(PATIENCE, "no builder is left", || farm.children("fazt-builder").is_empty());
}

fn deploy_and_ask(farm: &Farm, number: u32) {
    let app = farm.script("app", &format!("respond(200, {number})"));
    assert_eq!(app.get("/api/").text(), number.to_string());
}

#[test]
fn a_version_may_wait_to_be_served() {
    let farm = Setup::new(2).start();
    farm.script("app", "respond('first')");
    let request =
        Request::new("POST", "/api/_admin/apps/app/deploy?activate=false").body("application/x-tar", good().bytes());
    let answer = farm.admin().send(&request);
    assert_eq!((answer.status, &answer.json()["active"]), (201, &serde_json::json!(false)), "{}", answer.text());
    assert_eq!(farm.app("app").get("/api/").text(), "first");
}
