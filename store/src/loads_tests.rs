//! Steps that are interrupted at each place in turn.

use std::os::unix::net::UnixStream;

use fazt_protocol::{
    clock,
    id::RequestId,
    op::files::{self, read_sources},
};

use super::*;
use crate::{
    chunks,
    leash::Leash,
    open::Opened,
    session::{Bound, Channel},
};

const APP: u64 = 1;

/// An app with sources of which each is of several rows, and a blob.
fn fill(sql: &rusqlite::Connection) -> (Vec<(String, Vec<u8>)>, Vec<u8>) {
    let put = |bytes: &[u8]| {
        let upload = chunks::begin(sql, 1).unwrap();
        chunks::write(sql, upload, bytes, 0, usize::MAX).unwrap();
        chunks::publish(sql, upload).unwrap();
        upload
    };
    sql.execute_batch(
        "INSERT INTO fileset (id, committed, begun_at) VALUES (1, 1, 1);
        INSERT INTO version VALUES (1, 1, 1, 1, '{}', '[]', 1);",
    )
    .unwrap();
    let sources: Vec<(String, Vec<u8>)> =
        (0..4_u8).map(|at| (format!("api/{at}.js"), vec![at; 3 * CHUNK_BYTES - usize::from(at)])).collect();
    for (path, bytes) in &sources {
        let (hash, upload) = (blake3::hash(bytes), put(bytes));
        let row = (hash.as_bytes(), upload, bytes.len() as i64);
        sql.execute("INSERT INTO content VALUES (?1, ?2, ?3)", row).unwrap();
        let row = (path, hash.as_bytes(), bytes.len() as i64);
        sql.execute("INSERT INTO file VALUES (1, ?1, 0, ?2, ?3, 0)", row).unwrap();
    }
    let blob: Vec<u8> = (0..9 * CHUNK_BYTES + 7).map(|at| (at / 1_000) as u8).collect();
    let row = (b"p", blob.len() as i64, put(&blob));
    sql.execute("INSERT INTO blob VALUES (1, ?1, 'x', ?2, 'h', ?3, 1)", row).unwrap();
    (sources, blob)
}

fn question(channel: &Arc<Channel>, budget: &Arc<crate::budget::Budget>, op: Op) -> Question {
    channel.begin(1);
    Question {
        channel: Arc::clone(channel),
        number: 1,
        request: RequestId::generate(),
        once: None,
        op,
        body: Vec::new(),
        hash: None,
        lease: budget.lease(APP),
        leash: Leash::until(u64::MAX),
        asked_ns: clock::now_ns(),
        ends_ns: u64::MAX,
        staging: None,
        tries: 0,
    }
}

#[test]
fn a_step_that_was_in_the_way_is_done_again_and_nothing_is_read_twice_or_missed() {
    let folder = tempfile::tempdir().unwrap();
    let (config, mut opened) = Opened::anew(folder.path());
    let (sources, blob) = fill(&opened.writer.sql);
    let store = Store::new(&config, opened.point, fazt_protocol::grant::GrantKey::new([7; 32]), String::new());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _within = runtime.enter();
    let (ours, _theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    let socket = Arc::new(tokio::net::UnixStream::from_std(ours).unwrap());
    let bound = Bound { bind: 1, app: APP, app_name: "a".to_owned(), version: 1, storage_ms: 1_000 };
    let channel = Arc::new(Channel::new(bound, socket));
    let mut interrupted: u32 = 0;
    for looks in 1..20 {
        for op in [Op::Files(files::Op::Sources), Op::S3(Blob::Get { path: "p".to_owned(), range: None })] {
            let mut loading = begin(&store, question(&channel, &store.bodies, op.clone()));
            let reply = loop {
                let left = Arc::new(std::sync::atomic::AtomicU32::new(looks));
                let seen = Arc::clone(&left);
                let look = move || seen.fetch_sub(1, std::sync::atomic::Ordering::SeqCst) == 1;
                opened.loads.sql.progress_handler(10, Some(look)).unwrap();
                let found = step(&opened.loads, &mut loading).unwrap();
                interrupted += u32::from(left.load(std::sync::atomic::Ordering::SeqCst) > looks);
                if let Some(reply) = found {
                    break reply;
                }
            };
            match op {
                Op::Files(_) => assert!(read_sources(&reply.body).unwrap() == sources, "after {looks} looks"),
                _ => assert!(reply.body == blob, "after {looks} looks"),
            }
        }
    }
    assert!(interrupted > 20, "{interrupted} steps were interrupted");
}
