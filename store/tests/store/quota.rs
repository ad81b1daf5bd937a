//! The quota counts about what the file takes, however long the names are: who stores names alone is stopped as well.

use fazt_protocol::{
    call::{Level, Source},
    limit::{
        BLOB_PATH_BYTES, COLLECTION_BYTES, DOCUMENT_ID_BYTES, KV_KEY_BYTES, LOG_BATCH, LOG_LINE_BYTES, MIME_BYTES,
        TOKEN_BYTES,
    },
    op::{Op, ds::Verb, kv, s3},
    registry::{Answer, Ask, LogRecord},
};

use crate::harness::{Farm, Start, Worker};

/// The file's bytes after a store has filled it, and what was counted.
fn filled(fill: impl FnOnce(&mut Worker)) -> (u64, u64) {
    let folder = tempfile::tempdir().unwrap();
    let start = Start { arguments: &["--durability", "normal"], ..Start::default() };
    let mut farm = Farm::on(folder.path(), &start).unwrap();
    let app = farm.app("a");
    fill(&mut farm.worker(&app));
    // With its end the log goes into the file.
    farm.close();
    let file = rusqlite::Connection::open(farm.database()).unwrap();
    let counted = file.query_row("SELECT bytes FROM usage", [], |row| row.get(0)).unwrap();
    (std::fs::metadata(farm.database()).unwrap().len(), counted)
}

/// The file has so many tenths of what is counted at most, and so much beside, and a third at least.
fn takes_at_most(tenths: u64, beside: u64) -> impl Fn(&str, &dyn Fn(&mut Worker)) {
    let (empty, _) = filled(|_| ());
    move |what, fill| {
        let (file, counted) = filled(fill);
        let grown = file - empty;
        assert!(
            10 * grown <= tenths * counted + 10 * beside,
            "{what}: {counted} bytes are counted, the file has {grown} more"
        );
        assert!(counted <= 3 * grown, "{what}: {counted} bytes are counted, the file has only {grown} more");
    }
}

/// The n-th name of that many bytes, near none of those before it: pages are then filled worst.
fn name(n: u32, bytes: usize) -> String {
    format!("{:08x}{}", n.wrapping_mul(0x9e37_79b9), "x".repeat(bytes - 8))
}

fn put(worker: &mut Worker, path: String, mime: &str) {
    worker.ask(Op::S3(s3::Op::Put { path, mime: Some(mime.to_owned()) }), b"").unwrap();
}

#[test]
fn the_file_takes_little_more_than_what_is_counted_however_long_the_names_are() {
    let check = takes_at_most(15, 32 << 10);
    check("keys", &|worker| (0..3_000).for_each(|n| drop(worker.set(&name(n, KV_KEY_BYTES), b"1").unwrap())));
    check("short paths", &|worker| (0..1_000).for_each(|n| put(worker, name(n, 16), "")));
    check("paths", &|worker| (0..1_000).for_each(|n| put(worker, name(n, BLOB_PATH_BYTES), "")));
    let mime = "m".repeat(MIME_BYTES);
    check("paths with long types", &|worker| (0..1_000).for_each(|n| put(worker, name(n, 900), &mime)));
    check("tokens", &|worker| {
        for n in 0..3_000 {
            worker.once(&name(n, TOKEN_BYTES)).ask(Op::Kv(kv::Op::Delete { key: "k".to_owned() }), b"").unwrap();
        }
    });
    check("tokens of long paths", &|worker| {
        for n in 0..1_000 {
            let path = name(n, BLOB_PATH_BYTES);
            worker.once(&name(n, TOKEN_BYTES)).ask(Op::S3(s3::Op::Delete { path }), b"").unwrap();
        }
    });
    let document = |n: u32| format!(r#"{{"id":"{}"}}"#, name(n, DOCUMENT_ID_BYTES));
    check("ids", &|worker| {
        for thousand in 0..6 {
            let documents: Vec<String> = (0..1_000).map(|n| document(thousand * 1_000 + n)).collect();
            worker.ds("c", Verb::InsertMany, &format!("[{}]", documents.join(","))).unwrap();
        }
    });
    check("collections", &|worker| {
        for n in 0..3_000 {
            worker.ds(&name(n, COLLECTION_BYTES), Verb::Insert, &document(n)).unwrap();
        }
    });
}

/// A page of the file is given back when less than a third of it is in use: so much more than what is counted the file may take.
#[test]
fn the_file_takes_three_times_what_is_counted_at_most_however_rows_change() {
    let check = takes_at_most(32, 64 << 10);
    let value = |bytes: usize| format!("\"{}\"", "x".repeat(bytes)).into_bytes();
    check("values of half a page, then shrunk", &|worker| {
        for bytes in [2_100, 1_330] {
            (0..800).for_each(|n| drop(worker.set(&name(n, 8), &value(bytes)).unwrap()));
        }
    });
    check("every third of three in a page", &|worker| {
        (0..1_200).for_each(|n| drop(worker.set(&name(n, 8), &value(1_330)).unwrap()));
        for n in (0..1_200).filter(|n| n % 3 != 0) {
            worker.ask(Op::Kv(kv::Op::Delete { key: name(n, 8) }), b"").unwrap();
        }
    });
    check("documents of half a page, then shrunk", &|worker| {
        for n in 0..800 {
            let text = "x".repeat(2_100);
            worker.insert("c", &format!(r#"{{"id":"{n}","t":"{text}"}}"#)).unwrap();
        }
        for n in 0..800 {
            let text = "x".repeat(1_330);
            worker.ds("c", Verb::Update, &format!(r#"{{"query":"{n}","changes":{{"t":"{text}"}}}}"#)).unwrap();
        }
    });
    check("blobs of half a page", &|worker| {
        for n in 0..800 {
            let put = Op::S3(s3::Op::Put { path: name(n, 16), mime: Some("a".to_owned()) });
            worker.ask(put, &[1; 2_100]).unwrap();
        }
    });
}

/// What an app logs is outside its quota: so many lines, and a line is so long at most.
#[test]
fn an_apps_log_has_an_end_whoever_else_logs() {
    let mut farm =
        Farm::with(&Start { arguments: &["--log-lines", "100", "--durability", "normal"], ..Start::default() });
    let (one, other) = (farm.app("a"), farm.app("b"));
    let line = |app: u64| LogRecord {
        id: 0,
        app,
        at: i64::MAX,
        level: Level::Info,
        source: Source::Console,
        request: "req_00000000".to_owned(),
        message: "x".repeat(LOG_LINE_BYTES),
    };
    // Every second line of the store is the one's, every second one the other's.
    let lines: Vec<LogRecord> = (0..LOG_BATCH / 2).flat_map(|_| [line(one.id), line(other.id)]).collect();
    for _ in 0..32 {
        assert_eq!(farm.ask(Ask::AppendLogs { lines: lines[..32].to_vec() }), Ok(Answer::Done));
    }
    let file = rusqlite::Connection::open(farm.database()).unwrap();
    let kept = |app: u64| {
        file.query_row("SELECT count(*) FROM log WHERE app = ?1", [app], |row| row.get::<_, u32>(0)).unwrap()
    };
    assert!(kept(one.id) < 400 && kept(other.id) < 400, "{} and {} lines are kept", kept(one.id), kept(other.id));
}
