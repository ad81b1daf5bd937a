//! What the router asks: apps, versions, files, environments, logs.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
};

use fazt_protocol::{
    builder::{Encoding, Manifest},
    call::{Level, Source},
    op::{Code, Op, ds, files},
    registry::{Answer, App, Ask, FileEntry, LogFilter, LogRecord},
};

use crate::harness::{Farm, Start, eventually};

fn named(name: &str) -> Ask {
    Ask::App { name: name.to_owned() }
}

fn app(farm: &mut Farm, name: &str) -> Option<App> {
    match farm.ask(named(name)).unwrap() {
        Answer::App(app) => app,
        other => panic!("{other:?}"),
    }
}

fn commit(upload: u64, name: &str) -> Ask {
    let (manifest, env) = (Manifest::default(), Vec::new());
    Ask::Commit { upload, name: name.to_owned(), manifest, env, activate: true }
}

fn index(farm: &mut Farm, app: &App) -> Vec<FileEntry> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let ask = Ask::Index { app: app.id, version: app.version, after: after.take() };
        let Ok(Answer::Index(mut page)) = farm.ask(ask) else { panic!("no index") };
        match page.last() {
            None => return all,
            Some(last) => after = Some(last.path.clone()),
        }
        all.append(&mut page);
    }
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[test]
fn a_deploy_is_a_version_and_its_files_are_there() {
    let mut farm = Farm::start();
    assert_eq!(app(&mut farm, "a"), None);
    let large: Vec<u8> = (0..5_000_000_u32).map(|at| (at / 3) as u8).collect();
    let files: &[(&str, &[u8])] = &[
        ("index.html", b"<p>"),
        ("css/empty.css", b""),
        ("video.bin", &large),
        ("copy.bin", &large),
        ("api/main.js", b"respond()"),
        ("private/x.json", b"{}"),
        ("manifest.json", b"{}"),
        (".env", b"SECRET"),
        ("a/.git/config", b"x"),
    ];
    let first = farm.deploy("a", files);
    assert_eq!((first.version, first.newest, first.handler, first.files), (1, 1, true, 9));
    assert_eq!(first.bytes, files.iter().map(|(_, content)| content.len() as u64).sum::<u64>());
    let index = index(&mut farm, &first);
    let paths: Vec<&str> = index.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["copy.bin", "css/empty.css", "index.html", "video.bin"]);
    for (path, content) in files {
        let hash = *blake3::hash(content).as_bytes();
        let (answer, bytes) = farm.ask_with(Ask::Content { hash }, &[]).unwrap();
        assert_eq!(answer, Answer::Content { found: true }, "{path}");
        assert!(bytes == *content, "{path}");
        if let Some(entry) = index.iter().find(|entry| entry.path == *path) {
            assert_eq!((entry.contents[0].hash, entry.contents[0].size), (hash, content.len() as u64));
        }
    }
    assert_eq!(farm.ask(Ask::Content { hash: [0; 32] }), Ok(Answer::Content { found: false }));
    let second = farm.deploy("a", &[("index.html", b"new")]);
    assert_eq!((second.id, second.version, second.handler), (first.id, 2, false));
    let Ok(Answer::Versions(versions)) = farm.ask(Ask::Versions { name: "a".to_owned(), before: None }) else {
        panic!()
    };
    assert_eq!(versions.iter().map(|version| version.version).collect::<Vec<_>>(), [2, 1]);
    let Ok(Answer::Versions(older)) = farm.ask(Ask::Versions { name: "a".to_owned(), before: Some(2) }) else {
        panic!()
    };
    assert_eq!(older, versions[1..]);
}

#[test]
fn precompressed_contents_come_after_the_identity() {
    let mut farm = Farm::start();
    let upload = farm.upload(&[("a.css", b"plain")]);
    for (encoding, content) in [(Encoding::Zstd, &b"z"[..]), (Encoding::Gzip, b"g"), (Encoding::Brotli, b"b")] {
        let ask = Ask::File { upload, path: "a.css".to_owned(), encoding };
        farm.ask_with(ask, content).unwrap();
    }
    farm.ask(commit(upload, "a")).unwrap();
    let made = app(&mut farm, "a").unwrap();
    assert_eq!((made.files, made.bytes), (1, 5));
    let index = index(&mut farm, &made);
    let encodings: Vec<Encoding> = index[0].contents.iter().map(|content| content.encoding).collect();
    assert_eq!(encodings, [Encoding::Identity, Encoding::Gzip, Encoding::Brotli, Encoding::Zstd]);
}

#[test]
fn a_deploy_that_is_wrong_changes_nothing() {
    let mut farm = Farm::start();
    let before = farm.app("a");
    let upload = farm.upload(&[("x.js", b"1")]);
    let file = |path: &str| Ask::File { upload, path: path.to_owned(), encoding: Encoding::Identity };
    for bad in ["../x", "/x", "a//b", "a/./b", "", "a\\b", "a\0b"] {
        assert_eq!(farm.ask_with(file(bad), b"1").unwrap_err().code, Code::InvalidArgument, "{bad:?}");
    }
    let twice = farm.ask_with(file("x.js"), b"2").unwrap_err();
    assert!(twice.code == Code::InvalidArgument && twice.message.contains("x.js"));
    assert_eq!(farm.ask(commit(upload, "No Name")).unwrap_err().code, Code::InvalidArgument);
    assert_eq!(farm.ask(commit(upload + 1, "a")).unwrap_err().code, Code::InvalidArgument);
    farm.ask(Ask::Abort { upload }).unwrap();
    assert_eq!(farm.ask(commit(upload, "a")).unwrap_err().code, Code::InvalidArgument);
    assert_eq!(farm.ask_with(file("y.js"), b"1").unwrap_err().code, Code::InvalidArgument);
    assert_eq!(app(&mut farm, "a"), Some(before));
    let upload = farm.upload(&[("x.js", b"1")]);
    let (manifest, env) = (Manifest::default(), Vec::new());
    let held = Ask::Commit { upload, name: "a".to_owned(), manifest, env, activate: false };
    let Ok(Answer::App(Some(held))) = farm.ask(held) else { panic!() };
    assert_eq!((held.version, held.newest), (1, 2), "made, and not served");
}

#[test]
fn a_reader_sees_all_of_one_version() {
    let mut farm = Farm::start();
    farm.deploy("a", &[("api/a.json", b"0"), ("api/b.json", b"0")]);
    let stop = Arc::new(AtomicBool::new(false));
    let first = app(&mut farm, "a").unwrap();
    let mut worker = farm.worker(&first);
    let watching = Arc::clone(&stop);
    let watcher = thread::spawn(move || {
        let mut looks = 0;
        while !watching.load(Relaxed) || looks == 0 {
            let (_, body) = worker.ask(Op::Files(files::Op::Sources), b"").unwrap();
            let sources = files::read_sources(&body).unwrap();
            assert!(sources.len() == 2 && sources[0].1 == b"0" && sources[1].1 == b"0", "{sources:?}");
            looks += 1;
            if looks % 1_000 == 0 {
                worker.begin(std::time::Duration::from_secs(60));
            }
        }
    });
    for round in 1..30_u32 {
        let content = round.to_string();
        let made = farm.deploy("a", &[("api/a.json", content.as_bytes()), ("api/b.json", content.as_bytes())]);
        assert_eq!(u64::from(round) + 1, made.version);
        let index = app(&mut farm, "a").unwrap();
        assert_eq!(index.version, made.version);
    }
    stop.store(true, Relaxed);
    watcher.join().unwrap();
}

#[test]
fn environments_stand_over_manifests_and_make_versions() {
    let mut farm = Farm::start();
    let set = |set: &[(&str, &str)], unset: &[&str]| Ask::SetEnv {
        name: "a".to_owned(),
        set: set.iter().map(|(name, value)| pair(name, value)).collect(),
        unset: unset.iter().map(|name| (*name).to_owned()).collect(),
    };
    let env = || Ask::Env { name: "a".to_owned() };
    assert_eq!(farm.ask(set(&[("A", "1"), ("B", "2")], &[])), Ok(Answer::Done));
    assert_eq!(farm.ask(env()), Ok(Answer::Env(vec![pair("A", "1"), pair("B", "2")])));
    let upload = farm.upload(&[("api/main.js", b"1")]);
    let manifest = Manifest { env: vec![pair("A", "m"), pair("C", "m")], ..Manifest::default() };
    let ask = Ask::Commit { upload, name: "a".to_owned(), manifest, env: vec![pair("D", "d")], activate: true };
    let Ok(Answer::App(Some(first))) = farm.ask(ask) else { panic!() };
    assert_eq!(first.env, [pair("A", "1"), pair("B", "2"), pair("C", "m"), pair("D", "d")]);
    let Ok(Answer::App(Some(second))) = farm.ask(set(&[("C", "3")], &["A", "B"])) else { panic!() };
    assert_eq!(second.env, [pair("A", "m"), pair("C", "3"), pair("D", "d")]);
    assert_eq!((second.version, second.files, second.handler), (2, 1, true));
    assert_eq!(farm.ask(env()), Ok(Answer::Env(second.env.clone())));
    for bad in ["", "A=B", "A\0"] {
        assert_eq!(farm.ask(set(&[(bad, "x")], &[])).unwrap_err().code, Code::InvalidArgument, "{bad:?}");
    }
    let large = "x".repeat(40 * 1024);
    let Ok(Answer::App(third)) = farm.ask(set(&[("L", &large)], &[])) else { panic!() };
    assert_eq!(farm.ask(set(&[("M", &large)], &[])).unwrap_err().code, Code::TooLarge);
    assert_eq!(app(&mut farm, "a"), third);
}

#[test]
fn a_removed_app_is_gone_with_all_its_rows() {
    let mut farm = Farm::start();
    let shared: &[(&str, &[u8])] = &[("shared.js", b"both have it"), ("index.html", b"only a, at first")];
    let doomed = farm.deploy("a", shared);
    let kept = farm.deploy("b", &[("shared.js", b"both have it")]);
    let mut worker = farm.worker(&doomed);
    for n in 0..1_200 {
        worker.set(&format!("k{n}"), b"1").unwrap();
    }
    worker.ds("c", ds::Verb::InsertMany, &format!("[{}]", vec!["{}"; 900].join(","))).unwrap();
    worker.put("p", &[1; 3_000_000]).unwrap();
    let line = LogRecord {
        id: 0,
        app: doomed.id,
        at: 1,
        level: Level::Info,
        source: Source::Console,
        request: "req_12345".to_owned(),
        message: "m".to_owned(),
    };
    farm.ask(Ask::AppendLogs { lines: vec![line] }).unwrap();
    let remove = || Ask::Remove { name: "a".to_owned() };
    assert_eq!(farm.ask(remove()), Ok(Answer::Flag(true)));
    assert!(worker.is_closed(), "its workers are cut off");
    assert_eq!(farm.ask(remove()), Ok(Answer::Flag(false)));
    assert_eq!(app(&mut farm, "a"), None);
    let again = farm.deploy("a", &[("index.html", b"new")]);
    assert!(again.id != doomed.id && again.version == 1);
    let mut fresh = farm.worker(&again);
    assert!(fresh.get("k1").unwrap().is_null() && fresh.find("c", "{}").unwrap().is_empty());
    let file = rusqlite::Connection::open(farm.database()).unwrap();
    let count = |sql: &str| file.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    let left = "SELECT (SELECT count(*) FROM kv) + (SELECT count(*) FROM document) + (SELECT count(*) FROM blob)
        + (SELECT count(*) FROM log) + (SELECT count(*) FROM removed_app) + (SELECT count(*) FROM collection)";
    eventually(|| (count(left) == 0).then_some(()));
    // What only the removed app had is gone, what another one has is not.
    eventually(|| (count("SELECT count(*) FROM upload") == 2).then_some(()));
    assert_eq!(count("SELECT count(*) FROM file"), 2);
    let hash = *blake3::hash(b"both have it").as_bytes();
    assert_eq!(farm.ask_with(Ask::Content { hash }, &[]).unwrap().1, b"both have it");
    assert_eq!(index(&mut farm, &kept).len(), 1);
}

#[test]
fn logs_are_kept_read_and_cut() {
    let mut farm = Farm::with(&Start { arguments: &["--log-lines", "300"], environment: &[] });
    let (one, other) = (farm.app("a"), farm.app("b"));
    let line = |app: u64, at: i64, level, message: String| LogRecord {
        id: 0,
        app,
        at,
        level,
        source: Source::Fazt,
        request: format!("req_{:08}", at % 7),
        message,
    };
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64;
    for batch in 0..20_i64 {
        let lines =
            (0..50).map(|n| line(one.id, now + batch * 50 + n, Level::Info, format!("{}", batch * 50 + n))).collect();
        assert_eq!(farm.ask(Ask::AppendLogs { lines }), Ok(Answer::Done));
    }
    let lines =
        vec![line(other.id, now, Level::Error, "other".to_owned()), line(999, now, Level::Error, "nobody".to_owned())];
    farm.ask(Ask::AppendLogs { lines }).unwrap();
    let all = LogFilter { limit: 250, level: Level::Debug, since: None, request: None, after: None };
    let mut logs = |name: &str, filter: &LogFilter| -> Vec<LogRecord> {
        match farm.ask(Ask::Logs { name: name.to_owned(), filter: filter.clone() }).unwrap() {
            Answer::Logs(lines) => lines,
            other => panic!("{other:?}"),
        }
    };
    let newest = logs("a", &all);
    assert_eq!((newest.len(), newest[0].message.as_str(), newest[249].message.as_str()), (250, "750", "999"));
    assert_eq!(logs("a", &LogFilter { limit: 2, ..all.clone() })[0].message, "998");
    assert_eq!(logs("a", &LogFilter { level: Level::Warn, ..all.clone() }), []);
    assert_eq!(logs("a", &LogFilter { since: Some(now + 990), ..all.clone() }).len(), 10);
    let request = Some(newest[249].request.clone());
    assert!(
        logs("a", &LogFilter { request: request.clone(), ..all.clone() })
            .iter()
            .all(|line| Some(&line.request) == request.as_ref())
    );
    let followed = logs("a", &LogFilter { after: Some(newest[239].id), limit: 5, ..all.clone() });
    assert_eq!(followed, newest[240..245]);
    assert_eq!(logs("b", &all).len(), 1);
    assert_eq!(logs("none", &all), []);
    let file = rusqlite::Connection::open(farm.database()).unwrap();
    let count =
        file.query_row("SELECT count(*) FROM log WHERE app = ?1", [one.id], |row| row.get::<_, i64>(0)).unwrap();
    assert!((300..600).contains(&count), "{count} lines are kept");
}

#[test]
fn apps_are_listed_in_pages() {
    let mut farm = Farm::start();
    for n in 0..30 {
        farm.app(&format!("app-{n:02}"));
    }
    let Ok(Answer::Apps(apps)) = farm.ask(Ask::Apps { after: Some("app-09".to_owned()) }) else { panic!() };
    let names: Vec<&str> = apps.iter().map(|app| app.name.as_str()).collect();
    assert_eq!((names.len(), names[0], names[19]), (20, "app-10", "app-29"));
    let Ok(Answer::Apps(end)) = farm.ask(Ask::Apps { after: Some("app-29".to_owned()) }) else { panic!() };
    assert_eq!(end, []);
}
