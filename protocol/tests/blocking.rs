//! The blocking pipe over real sockets: halves of frames, ends, deadlines, and a peer that does not read.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]

use std::{
    os::fd::{AsFd, OwnedFd},
    time::{Duration, Instant},
};

use fazt_protocol::{
    body::Part,
    call::{FromWorker, Ready, ToWorker},
    fd::{self, Waiting},
    frame,
    limit::CHUNK_BYTES,
    pipe::{Pipe, PipeError},
};

const SHORT: Duration = Duration::from_millis(30);

type Router = Pipe<FromWorker, ToWorker>;
type Worker = Pipe<ToWorker, FromWorker>;

fn ready(layers: u32) -> FromWorker {
    FromWorker::Ready(Ready { protocol: 1, layers })
}

fn framed(message: &FromWorker) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame::write(message, &mut bytes).unwrap();
    bytes
}

/// A pipe, and the bare socket at its other end.
fn half() -> (Router, OwnedFd) {
    let (ours, theirs) = fd::pair().unwrap();
    (Pipe::new(ours), theirs)
}

fn write(socket: &OwnedFd, bytes: &[u8]) {
    assert_eq!(fd::send(socket.as_fd(), bytes, &[], Waiting::Allowed).unwrap(), bytes.len());
}

fn soon() -> Option<Instant> {
    Instant::now().checked_add(SHORT)
}

/// Far enough to be no part of a test that passes.
fn later() -> Option<Instant> {
    Instant::now().checked_add(Duration::from_secs(20))
}

#[test]
fn messages_go_both_ways() {
    let (ours, theirs) = fd::pair().unwrap();
    let (mut router, mut worker) = (Router::new(ours), Worker::new(theirs));
    worker.send(&ready(7), None).unwrap();
    assert_eq!(router.receive(None).unwrap(), ready(7));
    let chunk = ToWorker::Chunk(Part::whole(vec![1, 2, 3]));
    router.queue(&chunk).unwrap();
    router.queue(&chunk).unwrap();
    assert!(worker.try_receive().unwrap().is_none(), "what is queued is not sent");
    router.flush(later()).unwrap();
    assert_eq!(worker.receive(later()).unwrap(), chunk);
    assert_eq!(worker.try_receive().unwrap(), Some(chunk));
    assert!(worker.try_receive().unwrap().is_none());
}

#[test]
fn a_frame_may_arrive_byte_by_byte() {
    let (mut pipe, peer) = half();
    let bytes = framed(&ready(300));
    let (last, before) = bytes.split_last().unwrap();
    for byte in before {
        write(&peer, &[*byte]);
        assert!(pipe.try_receive().unwrap().is_none());
    }
    write(&peer, &[*last]);
    assert_eq!(pipe.try_receive().unwrap(), Some(ready(300)));
}

#[test]
fn several_frames_may_arrive_at_once() {
    let (mut pipe, peer) = half();
    let bytes = framed(&ready(1)).repeat(5);
    write(&peer, &bytes[..bytes.len() - 1]);
    for _ in 0..4 {
        assert_eq!(pipe.receive(later()).unwrap(), ready(1));
    }
    assert!(pipe.try_receive().unwrap().is_none());
    write(&peer, &bytes[bytes.len() - 1..]);
    assert_eq!(pipe.receive(later()).unwrap(), ready(1));
}

#[test]
fn an_end_between_frames_is_orderly_and_one_within_is_not() {
    for deadline in [None, later()] {
        let (mut pipe, peer) = half();
        write(&peer, &framed(&ready(1)));
        drop(peer);
        assert_eq!(pipe.receive(deadline).unwrap(), ready(1), "what was sent before the end is not lost");
        assert!(matches!(pipe.receive(deadline), Err(PipeError::Closed("call, from worker"))));
        for cut in [1, 4, 5] {
            let (mut pipe, peer) = half();
            write(&peer, &framed(&ready(1))[..cut]);
            drop(peer);
            assert!(matches!(pipe.receive(deadline), Err(PipeError::Cut("call, from worker"))), "cut at {cut}");
        }
    }
}

#[test]
fn half_a_frame_does_not_hold_up_its_reader() {
    let (mut pipe, peer) = half();
    let bytes = framed(&ready(9));
    write(&peer, &bytes[..3]);
    let began = Instant::now();
    assert!(matches!(pipe.receive(soon()), Err(PipeError::Late("call, from worker"))));
    assert!(began.elapsed() >= SHORT);
    write(&peer, &bytes[3..]);
    assert_eq!(pipe.receive(later()).unwrap(), ready(9), "what came before the deadline is still there");
}

#[test]
fn silence_does_not_hold_up_its_reader() {
    let (mut pipe, _peer) = half();
    let began = Instant::now();
    assert!(matches!(pipe.receive(soon()), Err(PipeError::Late(_))));
    assert!(began.elapsed() >= SHORT);
    let passed = began.checked_sub(SHORT);
    assert!(matches!(pipe.receive(passed), Err(PipeError::Late(_))));
}

#[test]
fn what_is_there_is_not_late() {
    let (mut pipe, peer) = half();
    write(&peer, &framed(&ready(2)));
    assert_eq!(pipe.receive(Instant::now().checked_sub(SHORT)).unwrap(), ready(2));
}

#[test]
fn a_peer_that_does_not_read_does_not_hold_up_its_writer() {
    let (mut pipe, peer) = half();
    let chunk = ToWorker::Chunk(Part { bytes: vec![5; CHUNK_BYTES], last: false });
    let began = Instant::now();
    let mut sent = 0;
    let end = loop {
        match pipe.send(&chunk, soon()) {
            Ok(()) => sent += 1,
            Err(error) => break error,
        }
        assert!(sent < 64, "a socket takes only so much");
    };
    assert!(matches!(end, PipeError::Late("call, to worker")), "{end}");
    assert!(began.elapsed() >= SHORT);
    drop(peer);
    assert!(matches!(pipe.flush(later()), Err(PipeError::Socket { .. })), "and no signal ends this process");
}

#[test]
fn a_large_message_passes_a_peer_that_reads_slowly() {
    let (ours, theirs) = fd::pair().unwrap();
    let chunk = ToWorker::Chunk(Part { bytes: vec![5; CHUNK_BYTES], last: true });
    let sent = chunk.clone();
    let writer = std::thread::spawn(move || {
        let mut router = Router::new(ours);
        (0..8).try_for_each(|_| router.send(&sent, later()))
    });
    let mut worker = Worker::new(theirs);
    for _ in 0..8 {
        assert_eq!(worker.receive(later()).unwrap(), chunk);
    }
    writer.join().unwrap().unwrap();
    assert!(matches!(worker.receive(None), Err(PipeError::Closed("call, to worker"))));
}

#[test]
fn what_is_no_message_ends_the_conversation() {
    let bad: [&[u8]; 4] = [&[0, 0, 0, 0], &[0xff, 0xff, 0xff, 0xff], &[1, 0, 0, 0, 99], &[4, 0, 0, 0, 0, 1, 1, 1]];
    for bytes in bad {
        let (mut pipe, peer) = half();
        write(&peer, bytes);
        assert!(matches!(pipe.receive(later()), Err(PipeError::Frame(_))), "{bytes:?}");
    }
}
