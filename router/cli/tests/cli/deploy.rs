//! `fazt app deploy` and `validate`: what is sent, what is left out, what is refused before anything is sent.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs::{self, File},
    io::Read,
    os::unix::{ffi::OsStrExt, fs::symlink, net::UnixListener},
    path::Path,
};

use crate::peer::{Ended, Got, Peer, TOKEN, fazt};
use serde_json::Value;
use tempfile::TempDir;

const DEPLOYED: &str = r#"{ "app": "todo", "version": 3, "active": true, "files": 3, "bytes": 1234,
    "url": "http://todo.localhost:8080/", "warnings": ["api/main.js is empty"] }"#;

fn app(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, content) in files {
        let at = folder.path().join(path);
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        fs::write(at, content).unwrap();
    }
    folder
}

/// As a farm without the app answers.
fn farm() -> Peer {
    Peer::new(|got: &Got| match got.method.as_str() {
        "GET" => (404, "application/problem+json", r#"{ "code": "app_not_found", "detail": "none" }"#.to_owned()),
        _ => (201, "application/json", DEPLOYED.to_owned()),
    })
}

fn unpack(archive: &[u8]) -> BTreeMap<String, String> {
    let mut tar = tar::Archive::new(zstd::Decoder::new(archive).unwrap());
    let mut files = BTreeMap::new();
    for entry in tar.entries().unwrap() {
        let mut entry = entry.unwrap();
        assert!(entry.header().entry_type().is_file());
        assert_eq!((entry.header().mtime().unwrap(), entry.header().uid().unwrap()), (0, 0));
        let mut content = String::new();
        entry.read_to_string(&mut content).unwrap();
        files.insert(entry.path().unwrap().to_str().unwrap().to_owned(), content);
    }
    files
}

fn deploy(peer: &Peer, folder: &Path, more: &[&str]) -> Ended {
    peer.fazt(&[&["app", "deploy", folder.to_str().unwrap()], more].concat())
}

fn validate(folder: &Path) -> Ended {
    fazt(folder, &["app", "validate", ".", "--name", "todo"])
}

#[test]
fn a_folder_arrives_whole() {
    let deep = format!("{}/page.html", ["folder-with-a-long-name"; 12].join("/"));
    let folder = app(&[
        ("index.html", "<h1>"),
        ("api/main.js", "respond(1)"),
        ("private/seed.json", "[]"),
        (&deep, "deep"),
        ("manifest.json", r#"{ "name": "todo" }"#),
        (".env", "SECRET=1"),
        (".git/config", ""),
        ("node_modules/a/index.js", ""),
        ("api/.hidden.js", ""),
    ]);
    let peer = farm();
    let ended = deploy(&peer, folder.path(), &["--env", "A=b c", "--env", "D=e&f=g"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stdout, "todo version 3 is served: 3 files, 1.21 KiB\nhttp://todo.localhost:8080/\n");
    assert!(ended.stderr.contains("left out") && ended.stderr.contains("api/main.js is empty"), "{ended:?}");
    let got = peer.got();
    let [greeting, upload] = got.as_slice() else { panic!("{got:?}") };
    assert_eq!(greeting.target, "/api/_admin/apps/todo");
    assert_eq!(
        (upload.method.as_str(), upload.target.as_str()),
        ("POST", "/api/_admin/apps/todo/deploy?activate=true")
    );
    assert_eq!(upload.headers["authorization"], format!("Bearer {TOKEN}"));
    assert_eq!(upload.headers["x-fazt-env"], "A=b%20c&D=e%26f%3Dg");
    assert!(!upload.headers.contains_key("content-encoding"));
    let files = unpack(&upload.body);
    let names = files.keys().map(String::as_str).collect::<Vec<_>>();
    assert_eq!(names, ["api/main.js", &deep, "index.html", "manifest.json", "private/seed.json"]);
    assert_eq!((files["api/main.js"].as_str(), files[&deep].as_str()), ("respond(1)", "deep"));
}

#[test]
fn one_folder_gives_one_archive() {
    let folder = app(&[("b.html", "b"), ("a.html", "a"), ("c/d.css", "d")]);
    let peer = farm();
    for _ in 0..2 {
        assert_eq!(deploy(&peer, folder.path(), &["--name", "todo"]).code, Some(0));
        File::open(folder.path().join("a.html")).unwrap().set_modified(std::time::SystemTime::now()).unwrap();
    }
    let got = peer.got();
    assert_eq!(got[1].body, got[3].body);
}

#[test]
fn json_is_the_servers_own_and_a_version_can_be_kept_back() {
    let folder = app(&[("index.html", "")]);
    let peer = farm();
    let ended = deploy(&peer, folder.path(), &["--name", "todo", "--no-activate", "--json"]);
    assert_eq!(serde_json::from_str::<Value>(&ended.stdout).unwrap(), serde_json::from_str::<Value>(DEPLOYED).unwrap());
    assert_eq!(peer.got()[1].target, "/api/_admin/apps/todo/deploy?activate=false");
}

#[test]
fn the_name_is_given_or_the_manifests_or_the_folders() {
    let folder = app(&[("my-app/index.html", ""), ("My App/index.html", "")]);
    let check = |dir: &str| fazt(folder.path(), &["app", "validate", dir, "--json"]);
    let name = |ended: Ended| serde_json::from_str::<Value>(&ended.stdout).unwrap()["app"].as_str().unwrap().to_owned();
    assert_eq!(name(check("my-app")), "my-app");
    assert_eq!(name(fazt(&folder.path().join("my-app"), &["app", "validate", ".", "--json"])), "my-app");
    assert_eq!(check("My App").code, Some(2));
    fs::write(folder.path().join("My App/manifest.json"), r#"{ "name": "mine" }"#).unwrap();
    assert_eq!(name(check("My App")), "mine");
    assert_eq!(name(fazt(folder.path(), &["app", "validate", "My App", "--name", "other", "--json"])), "other");
    assert_eq!(fazt(folder.path(), &["app", "validate", "my-app", "--name", "admin"]).code, Some(2));
}

#[test]
fn a_refusal_is_passed_on_with_its_reason() {
    let folder = app(&[("index.html", "")]);
    let peer = Peer::new(|got| match got.method.as_str() {
        "GET" => (200, "application/json", "{}".to_owned()),
        _ => {
            let problem = r#"{ "code": "deploy_refused", "title": "Deploy refused", "status": 422,
                               "detail": "a/\u001b[2J: a link", "requestId": "req_1" }"#;
            (422, "application/problem+json", problem.to_owned())
        }
    });
    let ended = deploy(&peer, folder.path(), &["--name", "todo"]);
    assert_eq!(ended.code, Some(1));
    assert_eq!(ended.stderr, "fazt: a/\\u{1b}[2J: a link (deploy_refused, req_1)\n");
    let ended = deploy(&peer, folder.path(), &["--name", "todo", "--json"]);
    assert_eq!(serde_json::from_str::<Value>(&ended.stderr).unwrap()["error"]["code"], "deploy_refused");
}

#[test]
fn nothing_is_sent_of_a_folder_that_breaks_a_rule() {
    let folder = app(&[("index.html", ""), ("manifest.json", r#"{ "timeoutMs": 0 }"#)]);
    let peer = farm();
    let ended = deploy(&peer, folder.path(), &["--name", "todo"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.starts_with("fazt: manifest.json: \"timeoutMs\""), "{ended:?}");
    assert!(peer.got().is_empty());
}

/// As the farm itself: it may be newer than this program, and the key be one of its own.
#[test]
fn an_unknown_key_of_a_manifest_is_no_reason_to_refuse() {
    let folder = app(&[("index.html", ""), ("manifest.json", r#"{ "nmae": "x" }"#)]);
    assert_eq!(deploy(&farm(), folder.path(), &["--name", "todo"]).code, Some(0));
    let ended = fazt(folder.path(), &["app", "validate", ".", "--name", "todo"]);
    assert_eq!(ended.code, Some(0));
    assert!(ended.stderr.contains("warning: manifest.json: the key \"nmae\" is not known here"), "{ended:?}");
}

#[test]
fn each_rule_names_the_file() {
    let big = |folder: &Path, path: &str, bytes| {
        fs::create_dir_all(folder.join(path).parent().unwrap()).unwrap();
        File::create(folder.join(path)).unwrap().set_len(bytes).unwrap();
    };
    type Break<'a> = &'a dyn Fn(&Path);
    let rows: [(&str, Break<'_>); 7] = [
        ("api/big.js: a source file has at most 1 MiB", &|at| big(at, "api/big.js", 1024 * 1024 + 1)),
        (".bin: an app has at most 100 MiB", &|at| {
            big(at, "a.bin", 60 << 20);
            big(at, "b.bin", 60 << 20);
        }),
        ("out: the link leads out", &|at| symlink("/etc/hostname", at.join("out")).unwrap()),
        ("up: the link leads out", &|at| symlink("..", at.join("up")).unwrap()),
        ("links make a circle", &|at| symlink(".", at.join("me")).unwrap()),
        ("talk: it is neither a file nor a folder", &|at| drop(UnixListener::bind(at.join("talk")).unwrap())),
        ("a file's name is UTF-8", &|at| fs::write(at.join(OsStr::from_bytes(b"\xff")), "").unwrap()),
    ];
    for (rule, break_it) in rows {
        let folder = app(&[("index.html", "")]);
        assert_eq!(validate(folder.path()).code, Some(0));
        break_it(folder.path());
        let ended = validate(folder.path());
        assert_eq!(ended.code, Some(1), "{rule}: {ended:?}");
        assert!(ended.stderr.contains(rule), "{rule}: {ended:?}");
    }
}

#[test]
fn what_lies_at_a_limit_is_taken() {
    let folder = app(&[("index.html", "")]);
    fs::create_dir(folder.path().join("api")).unwrap();
    File::create(folder.path().join("api/big.js")).unwrap().set_len(1024 * 1024).unwrap();
    File::create(folder.path().join("bundle.js")).unwrap().set_len(2 * 1024 * 1024).unwrap();
    symlink("index.html", folder.path().join("start.html")).unwrap();
    for index in 4..5_000 {
        File::create(folder.path().join(format!("{index}.txt"))).unwrap();
    }
    assert_eq!(validate(folder.path()).code, Some(0));
    File::create(folder.path().join("one-more.txt")).unwrap();
    let ended = validate(folder.path());
    assert!(ended.code == Some(1) && ended.stderr.contains("at most 5,000 files"), "{ended:?}");
}

#[test]
fn a_folder_without_files_is_refused() {
    let folder = app(&[(".env", "A=1")]);
    assert_eq!(validate(folder.path()).code, Some(1));
    assert_eq!(fazt(folder.path(), &["app", "validate", "nowhere"]).code, Some(2));
    assert_eq!(fazt(folder.path(), &["app", "validate", ".env"]).code, Some(2));
}
