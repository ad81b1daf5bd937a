//! Large bodies: deployed files that workers load, and answers that they leave unread. They are their own app's affair.

use std::{
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    thread,
};

use fazt_protocol::{
    limit::{OP_BODY_BYTES, SOURCE_BYTES},
    op::{
        Code, Found, Op,
        files::{self, read_sources},
        kv, s3,
    },
    registry::App,
};
use rustix::net::RecvFlags;

use crate::harness::{Farm, Over, Start, Worker};

/// An app with that many sources of the largest size.
fn large(farm: &mut Farm, name: &str, sources: usize) -> App {
    let paths: Vec<String> = (0..sources).map(|at| format!("api/{at:03}.js")).collect();
    let content = vec![b' '; SOURCE_BYTES];
    let files: Vec<(&str, &[u8])> = paths.iter().map(|path| (path.as_str(), content.as_slice())).collect();
    farm.deploy(name, &files)
}

fn load(worker: &mut Worker) -> Vec<(String, Vec<u8>)> {
    let (found, body) = worker.ask(Op::Files(files::Op::Sources), b"").unwrap();
    assert_eq!(found, Found::Bytes);
    read_sources(&body).unwrap()
}

/// How many quick reads an app has done when six others have done four such reads each.
fn quick_reads_beside(many: fn(&mut Worker)) -> u32 {
    // Each op takes so long on the thread that does it.
    let mut farm = Farm::with(&Start { environment: &[("FAZT_STORE_TEST_DELAY", "60..60 ms")], ..Start::default() });
    let reading: Vec<Worker> =
        ["a", "b", "c", "d", "e", "f"].map(|name| farm.app(name)).map(|app| farm.worker(&app)).into();
    let other = farm.app("other");
    let mut neighbour = farm.worker(&other);
    thread::scope(|scope| {
        let reading = reading.into_iter().map(|mut worker| scope.spawn(move || (0..4).for_each(|_| many(&mut worker))));
        let reading: Vec<_> = reading.collect();
        let mut quick = 0;
        while reading.iter().any(|reading| !reading.is_finished()) {
            neighbour.json(Op::Kv(kv::Op::GetMany { keys: vec![kv::Key("k".to_owned())] }), b"").unwrap();
            quick += 1;
        }
        quick
    })
}

#[test]
fn reads_of_many_bytes_hold_up_nobodys_quick_ones() {
    let beside_loads = quick_reads_beside(|worker| assert_eq!(load(worker).len(), 1));
    let beside_blobs = quick_reads_beside(|worker| assert_eq!(worker.blob("p", None).unwrap(), None));
    // On one thread with them, in turns over the apps, it would come to four or five.
    assert!(beside_loads > 10 && beside_blobs > 10, "{beside_loads} beside loads, {beside_blobs} beside blobs");
}

#[test]
fn a_small_app_is_loaded_soon_beside_a_large_one() {
    let mut farm = Farm::with(&Start { environment: &[("FAZT_STORE_TEST_DELAY", "60..60 ms")], ..Start::default() });
    let (large, small) = (large(&mut farm, "a", 16), farm.app("b"));
    let (mut worker, mut neighbour) = (farm.worker(&large), farm.worker(&small));
    worker.send(Op::Files(files::Op::Sources), b"").unwrap();
    for _ in 0..3 {
        assert_eq!(load(&mut neighbour).len(), 1);
    }
    let early = rustix::net::recv(worker.pipe.socket(), &mut [0_u8; 1][..], RecvFlags::PEEK | RecvFlags::DONTWAIT);
    assert_eq!(early, Err(rustix::io::Errno::AGAIN), "the large one is loaded in steps, and not at its end yet");
    assert_eq!(worker.hear().unwrap().unwrap().0, Found::Bytes);
}

#[test]
fn files_come_whole_however_many_steps_they_take() {
    let mut farm = Farm::start();
    let private: Vec<u8> = (0..3 * SOURCE_BYTES + 7).map(|at| (at / 1_000) as u8).collect();
    let sources: Vec<(String, Vec<u8>)> =
        (0..1_200_u32).map(|at| (format!("api/{at:04}.js"), at.to_string().into_bytes())).collect();
    let mut files: Vec<(&str, &[u8])> =
        sources.iter().map(|(path, content)| (path.as_str(), content.as_slice())).collect();
    files.extend([("private/empty", &b""[..]), ("private/large", &private), ("api/other.txt", b"no source")]);
    let app = farm.deploy("a", &files);
    let mut worker = farm.worker(&app);
    assert_eq!(load(&mut worker), sources);
    let mut read = |path: &str| worker.ask(Op::Files(files::Op::Read { path: path.to_owned() }), b"");
    assert_eq!(read("private/large"), Ok((Found::Bytes, private)));
    assert_eq!(read("private/empty"), Ok((Found::Bytes, Vec::new())));
    assert_eq!(read("private/none"), Ok((Found::Nothing, Vec::new())));
}

#[test]
fn a_blob_that_is_replaced_while_it_is_read_is_one_or_the_other() {
    let mut farm = Farm::start();
    let app = farm.app("a");
    let (mut writer, mut reader) = (farm.worker(&app), farm.worker(&app));
    let blob = |byte: u8| vec![byte; 5 * SOURCE_BYTES + usize::from(byte)];
    writer.put("p", &blob(0)).unwrap();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let _over = Over(&over);
        scope.spawn(|| {
            for byte in (0..=u8::MAX).cycle() {
                if over.load(SeqCst) {
                    break;
                }
                writer.put("p", &blob(byte)).unwrap();
            }
        });
        for _ in 0..40 {
            let (head, bytes) = reader.blob("p", None).unwrap().unwrap();
            assert!(bytes == blob(bytes[0]), "{} bytes, the first one {}", bytes.len(), bytes[0]);
            assert_eq!(head.hash, blake3::hash(&bytes).to_hex().to_string());
        }
    });
    let part = reader.blob("p", Some((SOURCE_BYTES as u64 - 1, 3 * SOURCE_BYTES as u64 + 1))).unwrap().unwrap().1;
    assert_eq!(part, vec![part[0]; 2 * SOURCE_BYTES + 2]);
}

#[test]
fn answers_left_unread_take_the_room_of_their_own_app_alone() {
    let mut farm = Farm::start();
    let (app, other) = (farm.app("a"), farm.app("b"));
    let (mut writer, mut neighbour) = (farm.worker(&app), farm.worker(&other));
    let bytes = vec![7; OP_BODY_BYTES];
    writer.put("large", &bytes).unwrap();
    let get = || Op::S3(s3::Op::Get { path: "large".to_owned(), range: None });
    let mut idle: Vec<Worker> = (0..20).map(|_| farm.worker(&app)).collect();
    for worker in &mut idle {
        worker.send(get(), b"").unwrap();
    }
    for worker in &idle {
        // Its answer is here, and nobody reads it.
        rustix::net::recv(worker.pipe.socket(), &mut [0_u8; 1][..], RecvFlags::PEEK).unwrap();
    }
    neighbour.put("large", &bytes).unwrap();
    assert_eq!(neighbour.blob("large", None).unwrap().unwrap().1, bytes);
    let refused = idle.iter_mut().filter_map(|worker| worker.hear().unwrap().err());
    let refused: Vec<Code> = refused.map(|refusal| refusal.code).collect();
    assert_eq!(refused, [Code::Unavailable; 12], "its share is half of 256 MiB");
    assert_eq!(writer.blob("large", None).unwrap().unwrap().1, bytes, "what was read makes room");
}
