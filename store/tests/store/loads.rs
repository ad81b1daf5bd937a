//! Large bodies: deployed files that workers load, and answers that they leave unread. They are their own app's affair.

use std::thread;

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

use crate::harness::{Farm, Start, Worker};

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

#[test]
fn loads_hold_up_nobodys_quick_reads() {
    // Each op takes so long on the thread that does it.
    let mut farm = Farm::with(&Start { environment: &[("FAZT_STORE_TEST_DELAY", "60..60 ms")], ..Start::default() });
    let loading: Vec<Worker> =
        ["a", "b", "c", "d", "e", "f"].map(|name| farm.app(name)).map(|app| farm.worker(&app)).into();
    let other = farm.app("other");
    let mut neighbour = farm.worker(&other);
    let reads = thread::scope(|scope| {
        let loads = loading
            .into_iter()
            .map(|mut worker| scope.spawn(move || (0..4).for_each(|_| assert_eq!(load(&mut worker).len(), 1))));
        let loads: Vec<_> = loads.collect();
        let mut reads = 0;
        while loads.iter().any(|load| !load.is_finished()) {
            neighbour.json(Op::Kv(kv::Op::GetMany { keys: vec![kv::Key("k".to_owned())] }), b"").unwrap();
            reads += 1;
        }
        reads
    });
    // On one thread with them, in turns over the apps, it would come to four or five.
    assert!(reads > 10, "{reads} reads beside twenty-four loads");
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
