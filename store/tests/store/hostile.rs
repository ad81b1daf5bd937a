//! A worker that lies: whatever it sends, its own channel is closed or its op refused, and nobody else notices.

use std::{io::Write, os::fd::OwnedFd, os::unix::net::UnixStream, time::Duration};

use fazt_protocol::{
    body::Part,
    clock, encode, fd,
    grant::GrantKey,
    id::RequestId,
    limit::CHUNK_BYTES,
    op::{Ask, Code, Op, ToStore, ds, kv},
    pipe::Pipe,
    registry::{self, Answer, App},
};

use crate::harness::{Farm, KEY, Worker, soon};

fn get() -> Op {
    Op::Kv(kv::Op::Get { key: "k".to_owned() })
}

fn set() -> Op {
    Op::Kv(kv::Op::Set { key: "k".to_owned(), ttl_ms: None, condition: kv::Condition::Always })
}

fn ask(number: u64, op: Op, body: Part) -> ToStore {
    ToStore::Ask(Box::new(Ask { number, grant: None, until_ns: u64::MAX, once: None, op, body }))
}

fn frame(message: &ToStore) -> Vec<u8> {
    let mut payload = Vec::new();
    encode(message, &mut payload).unwrap();
    let mut frame = u32::try_from(payload.len()).unwrap().to_le_bytes().to_vec();
    frame.extend_from_slice(&payload);
    frame
}

/// A channel as a plain socket.
fn raw(farm: &mut Farm, app: &App) -> UnixStream {
    let worker = farm.worker(app);
    let stream = UnixStream::from(rustix::io::dup(worker.pipe.socket()).unwrap());
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

fn is_closed(stream: &mut UnixStream) -> bool {
    let mut bytes = Vec::new();
    match std::io::Read::read_to_end(stream, &mut bytes) {
        Ok(_) => true,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

#[test]
fn bytes_that_are_no_frames_close_the_channel() {
    let mut farm = Farm::start();
    let app = farm.app("a");
    let mut neighbour = farm.worker(&app);
    let mut trailing = frame(&ask(1, get(), Part::empty()));
    trailing[0] += 1;
    trailing.push(0);
    let garbage: Vec<Vec<u8>> = vec![
        vec![0; 4],
        u32::MAX.to_le_bytes().to_vec(),
        (1_u32 << 31).to_le_bytes().to_vec(),
        (fazt_protocol::limit::FRAME_BYTES as u32 + 1).to_le_bytes().to_vec(),
        [&4_u32.to_le_bytes()[..], &[0xff; 4]].concat(),
        // A text that claims 2^40 bytes.
        [&12_u32.to_le_bytes()[..], &[0, 1, 0, 10, 1, 0, 253, 0, 0, 0, 0, 1]].concat(),
        trailing,
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
    ];
    for bytes in garbage {
        let mut stream = raw(&mut farm, &app);
        stream.write_all(&bytes).unwrap();
        assert!(is_closed(&mut stream), "{bytes:?}");
        neighbour.get("k").unwrap();
    }
    // Half a frame harms nobody, and ends with its sender.
    let mut stream = raw(&mut farm, &app);
    stream.write_all(&frame(&ask(1, get(), Part::empty()))[..9]).unwrap();
    neighbour.get("k").unwrap();
    drop(stream);
    neighbour.set("k", b"1").unwrap();
}

#[test]
fn messages_out_of_phase_close_the_channel() {
    let mut farm = Farm::start();
    let app = farm.app("a");
    let half = || Part { bytes: vec![b'1'; CHUNK_BYTES], last: false };
    let short = |bytes| Part { bytes: vec![b'1'; bytes], last: false };
    let conversations: Vec<Vec<ToStore>> = vec![
        vec![ToStore::Chunk(Part::empty())],
        vec![ask(1, set(), half()), ask(2, get(), Part::empty())],
        // A part of a body that leaves room and is not the last: a frame for each byte, or for none.
        vec![ask(1, set(), short(0))],
        vec![ask(1, set(), short(1))],
        vec![ask(1, set(), half()), ToStore::Chunk(short(0))],
        vec![ask(1, set(), half()), ToStore::Chunk(short(CHUNK_BYTES - 1))],
        vec![ask(u64::MAX, get(), Part::empty())],
    ];
    for conversation in conversations {
        let mut worker = farm.worker(&app);
        for message in &conversation {
            // The store may have hung up already.
            let _sent = worker.pipe.send(message, soon());
        }
        assert!(worker.is_closed(), "{conversation:?}");
    }
    for wrong in [1, 3, 0] {
        let mut worker = farm.worker(&app);
        worker.get("k").unwrap();
        worker.pipe.send(&ask(wrong, get(), Part::empty()), soon()).unwrap();
        assert!(worker.is_closed(), "number {wrong} after 1");
    }
}

#[test]
fn two_questions_at_once_close_the_channel() {
    let mut farm = Farm::start();
    let app = farm.app("a");
    let mut holder = farm.worker(&app);
    holder.set("x", b"1").unwrap();
    let foreign = rusqlite::Connection::open(farm.database()).unwrap();
    foreign.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let mut worker = farm.worker(&app);
    worker.send(set(), b"1").unwrap();
    worker.pipe.send(&ask(2, get(), Part::empty()), soon()).unwrap();
    assert!(worker.is_closed());
    foreign.execute_batch("COMMIT").unwrap();
    holder.set("x", b"2").unwrap();
}

#[test]
fn grants_cannot_be_made_up() {
    let mut farm = Farm::start();
    let app = farm.app("a");
    let now = clock::now_ns();
    let later = now + 10_000_000_000;
    let grant =
        |key: [u8; 32], bind, sequence, until| GrantKey::new(key).grant(bind, sequence, RequestId::generate(), until);
    let mut without = farm.worker(&app);
    without.present(None);
    let refused = without.get("k").unwrap_err();
    assert_eq!(refused.code, Code::Unavailable);
    assert_eq!(without.set("k", b"1").unwrap_err().code, Code::Unavailable);
    without.begin(Duration::from_secs(1));
    without.get("k").unwrap();

    let mut worker = farm.worker(&app);
    let forgeries = [grant([0; 32], worker.bind, 2, later), grant(KEY, worker.bind + 1, 2, later)];
    for forged in forgeries {
        let mut worker = farm.worker(&app);
        worker.present(Some(forged));
        worker.send(get(), b"").unwrap();
        assert!(worker.is_closed());
    }
    // An older one than the newest.
    worker.present(Some(grant(KEY, worker.bind, 9, later)));
    worker.get("k").unwrap();
    worker.present(Some(grant(KEY, worker.bind, 8, later)));
    worker.send(get(), b"").unwrap();
    assert!(worker.is_closed());
    // A deadline that is past, and one that is no deadline at all: the store's own clamp holds.
    let mut worker = farm.worker_within(&app, 50);
    worker.present(Some(grant(KEY, worker.bind, 3, now)));
    assert_eq!(worker.get("k").unwrap_err().code, Code::Timeout);
    worker.present(Some(grant(KEY, worker.bind, 4, u64::MAX)));
    worker.within_ms = u32::MAX;
    worker.set("k", b"1").unwrap();
}

#[test]
fn bodies_past_the_limit_close_the_channel_and_others_are_refused() {
    let mut farm = Farm::start();
    let app = farm.app("a");
    let mut worker = farm.worker(&app);
    let piece = vec![b'1'; 256 * 1024];
    worker.pipe.send(&ask(1, set(), Part { bytes: piece.clone(), last: false }), soon()).unwrap();
    for _ in 0..80 {
        if worker.pipe.send(&ToStore::Chunk(Part { bytes: piece.clone(), last: false }), soon()).is_err() {
            break;
        }
    }
    assert!(worker.is_closed());
    let mut worker = farm.worker(&app);
    assert_eq!(worker.set("k", &vec![b'1'; 16 * 1024 * 1024]).unwrap_err().code, Code::TooLarge);
    worker.set("k", b"1").unwrap();
}

#[test]
fn who_never_reads_is_cut_off_and_the_rest_goes_on() {
    let mut farm = Farm::start();
    let app = farm.app("a");
    let mut neighbour = farm.worker(&app);
    neighbour.set("large", &vec![b'1'; 200_000]).unwrap();
    let mut flood = farm.worker(&app);
    let large = Op::Kv(kv::Op::Get { key: "large".to_owned() });
    let until = std::time::Instant::now() + Duration::from_millis(300);
    flood.begin(Duration::from_secs(60));
    // Asks as long as the socket takes it: the store stops reading once an answer waits.
    let stuck = (0..100_000).find_map(|_| {
        flood.number += 1;
        let grant = GrantKey::new(KEY).grant(flood.bind, 2, RequestId::generate(), clock::now_ns() + 60_000_000_000);
        let ask = Ask {
            number: flood.number,
            grant: Some(grant),
            until_ns: u64::MAX,
            once: None,
            op: large.clone(),
            body: Part::empty(),
        };
        flood.pipe.send(&ToStore::Ask(Box::new(ask)), Some(until)).err()
    });
    assert!(stuck.is_some(), "100,000 questions were taken without one answer read");
    neighbour.set("k", b"1").unwrap();
    neighbour.get("k").unwrap();
}

#[test]
fn descriptors_of_a_worker_are_not_kept() {
    let mut farm = Farm::start();
    let app = farm.app("a");
    let count = |farm: &Farm| std::fs::read_dir(format!("/proc/{}/fd", farm.child.id())).unwrap().count();
    let mut worker = farm.worker(&app);
    worker.get("k").unwrap();
    // Not dumpable, so only root may look.
    if std::fs::read_dir(format!("/proc/{}/fd", farm.child.id())).is_err() {
        return;
    }
    let before = count(&farm);
    let (gift, _kept) = fd::pair().unwrap();
    for _ in 0..50 {
        worker.number += 1;
        let message = ask(worker.number, get(), Part::empty());
        worker.pipe.send_with(&message, &[std::os::fd::AsFd::as_fd(&gift)], soon()).unwrap();
        worker.hear().unwrap().unwrap();
    }
    assert_eq!(count(&farm), before);
}

#[test]
fn binds_need_a_descriptor_an_app_and_a_new_number() {
    let mut farm = Farm::start();
    let app = farm.app("a");
    let _first = farm.worker(&app);
    let bind = |bind, app, version| registry::Ask::Bind { bind, app, version, storage_ms: 100 };
    assert_eq!(farm.ask(bind(7, app.id, app.version)).unwrap_err().code, Code::InvalidArgument);
    let refused = |farm: &mut Farm, ask: registry::Ask, ours: &OwnedFd| {
        let message = registry::ToStore::Ask { correlation: 999, ask: Box::new(ask), body: Part::empty() };
        farm.registry.send_with(&message, &[std::os::fd::AsFd::as_fd(ours)], soon()).unwrap();
        match farm.registry.receive(soon()).unwrap() {
            registry::FromStore::Answer { outcome, .. } => outcome.unwrap_err().code,
            other => panic!("{other:?}"),
        }
    };
    for wrong in [bind(8, app.id + 1, 1), bind(8, app.id, 2), bind(1, app.id, app.version)] {
        let (_ours, theirs) = fd::pair().unwrap();
        assert_eq!(refused(&mut farm, wrong, &theirs), Code::InvalidArgument);
    }
    let Ok(Answer::Status(status)) = farm.ask(registry::Ask::Status) else { panic!() };
    assert_eq!(status.binds, 1);
}

#[test]
fn a_closed_channel_is_dropped() {
    let mut farm = Farm::start();
    let app = farm.app("a");
    let workers: Vec<Worker> = (0..50).map(|_| farm.worker(&app)).collect();
    drop(workers);
    crate::harness::eventually(|| match farm.ask(registry::Ask::Status) {
        Ok(Answer::Status(status)) => (status.binds == 0).then_some(()),
        other => panic!("{other:?}"),
    });
    let (ours, theirs) = fd::pair().unwrap();
    drop(theirs);
    assert!(Worker::from_pipe(Pipe::new(ours)).is_closed());
}

/// What SQLite cannot take of one app (a statement too deep, with too many values) is that app's own affair.
#[test]
fn an_op_that_is_too_much_for_sqlite_costs_nobody_else_anything() {
    let mut farm = Farm::start();
    let (app, neighbour) = (farm.app("a"), farm.app("b"));
    let mut neighbour = farm.worker(&neighbour);
    let unset: Vec<String> = (0..2_001).map(|at| format!("\"f{at}\":1")).collect();
    let update = format!(r#"{{"query":"x","changes":{{"$unset":{{{}}}}}}}"#, unset.join(","));
    let greedy: Vec<_> = (0..4)
        .map(|_| {
            let (mut worker, update) = (farm.worker(&app), update.clone());
            std::thread::spawn(move || {
                let _taken = worker.insert("c", r#"{"id":"x"}"#);
                (0..50).map(|_| worker.ds("c", ds::Verb::Update, &update).unwrap_err()).collect::<Vec<_>>()
            })
        })
        .collect();
    for at in 0..200 {
        neighbour.set(&format!("k{at}"), b"1").unwrap();
    }
    for refused in greedy.into_iter().flat_map(|greedy| greedy.join().unwrap()) {
        assert!(refused.code == Code::InvalidArgument && !refused.unknown, "{refused}");
    }
}
