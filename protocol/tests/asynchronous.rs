//! The asynchronous pipe over real sockets: halves of frames, ends, receiving that was given up, a peer that does not
//! read, and descriptors in a row.
#![cfg_attr(
    feature = "async",
    expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on ends")
)]
#![cfg(feature = "async")]

use std::{
    os::fd::{AsFd, OwnedFd},
    time::Duration,
};

use fazt_protocol::{
    body::Part,
    call::{FromWorker, Ready, ToWorker},
    fd::{self, Waiting},
    frame,
    limit::CHUNK_BYTES,
    pipe::{PipeError, asynchronous::Pipe},
    spawn::{FromZygote, ToZygote},
};
use tokio::time::timeout;

const SHORT: Duration = Duration::from_millis(30);
/// Far enough to be no part of a test that passes.
const LONG: Duration = Duration::from_secs(20);

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

fn half() -> (Router, OwnedFd) {
    let (ours, theirs) = fd::pair().unwrap();
    (Pipe::plain(ours).unwrap(), theirs)
}

fn write(socket: &OwnedFd, bytes: &[u8]) {
    assert_eq!(fd::send(socket.as_fd(), bytes, &[], Waiting::Allowed).unwrap(), bytes.len());
}

async fn hear(pipe: &mut Router) -> Result<FromWorker, PipeError> {
    timeout(LONG, pipe.receive()).await.expect("something to hear")
}

#[tokio::test]
async fn messages_go_both_ways() {
    let (ours, theirs) = fd::pair().unwrap();
    let (mut router, mut worker) = (Router::plain(ours).unwrap(), Worker::new(theirs).unwrap());
    worker.send(&ready(7)).await.unwrap();
    assert_eq!(hear(&mut router).await.unwrap(), ready(7));
    let chunk = ToWorker::Chunk(Part::whole(vec![1]));
    router.queue(&chunk).unwrap();
    router.queue(&chunk).unwrap();
    assert!(timeout(SHORT, worker.receive()).await.is_err(), "what is queued is not sent");
    router.flush().await.unwrap();
    assert_eq!(timeout(LONG, worker.receive()).await.unwrap().unwrap(), chunk);
    assert_eq!(worker.take_ready().unwrap(), Some(chunk), "it came with the same read");
    assert_eq!(worker.take_ready().unwrap(), None);
}

#[tokio::test]
async fn half_a_frame_is_kept_when_its_reader_gives_up() {
    let (mut pipe, peer) = half();
    let bytes = framed(&ready(300));
    for byte in &bytes[..bytes.len() - 1] {
        write(&peer, &[*byte]);
        assert!(timeout(Duration::from_millis(2), pipe.receive()).await.is_err());
    }
    write(&peer, &bytes[bytes.len() - 1..]);
    assert_eq!(hear(&mut pipe).await.unwrap(), ready(300));
}

#[tokio::test]
async fn an_end_between_frames_is_orderly_and_one_within_is_not() {
    let (mut pipe, peer) = half();
    write(&peer, &framed(&ready(1)));
    drop(peer);
    assert_eq!(hear(&mut pipe).await.unwrap(), ready(1));
    assert!(matches!(hear(&mut pipe).await, Err(PipeError::Closed("call, from worker"))));
    for cut in [1, 4, 5] {
        let (mut pipe, peer) = half();
        write(&peer, &framed(&ready(1))[..cut]);
        drop(peer);
        assert!(matches!(hear(&mut pipe).await, Err(PipeError::Cut("call, from worker"))), "cut at {cut}");
    }
}

#[tokio::test]
async fn a_peer_that_does_not_read_does_not_hold_up_its_writer() {
    let (mut pipe, peer) = half();
    let chunk = ToWorker::Chunk(Part { bytes: vec![5; CHUNK_BYTES], last: false });
    let mut sent = 0;
    while timeout(SHORT, pipe.send(&chunk)).await.is_ok_and(|sent| sent.is_ok()) {
        sent += 1;
        assert!(sent < 64, "a socket takes only so much");
    }
    drop(peer);
    assert!(matches!(timeout(LONG, pipe.flush()).await, Ok(Err(PipeError::Socket { .. }))));
}

#[tokio::test]
async fn large_messages_pass_in_both_directions_at_once() {
    let (ours, theirs) = fd::pair().unwrap();
    let (mut reader, mut writer) = Router::plain(ours).unwrap().split();
    let (mut far_reader, mut far_writer) = Worker::new(theirs).unwrap().split();
    let part = Part { bytes: vec![5; CHUNK_BYTES], last: true };
    let (to, from) = (ToWorker::Chunk(part.clone()), FromWorker::Chunk(part));
    let all = async {
        tokio::join!(
            async {
                for _ in 0..8 {
                    writer.send(&to).await.unwrap();
                }
            },
            async {
                for _ in 0..8 {
                    far_writer.send(&from).await.unwrap();
                }
            },
            async {
                for _ in 0..8 {
                    assert_eq!(reader.receive().await.unwrap(), from);
                }
            },
            async {
                for _ in 0..8 {
                    assert_eq!(far_reader.receive().await.unwrap(), to);
                }
            },
        )
    };
    timeout(LONG, all).await.expect("both directions move");
}

/// The kernel ends a read at each message that carries descriptors, so a read that fills less than its room does not mean
/// that the socket is empty.
#[tokio::test]
async fn descriptors_in_a_row_arrive_each_with_its_message() {
    let (ours, theirs) = fd::pair().unwrap();
    let mut router = Pipe::<FromZygote, ToZygote>::new(ours).unwrap();
    let mut zygote = fazt_protocol::pipe::Pipe::<ToZygote, FromZygote>::new(theirs);
    let pairs: Vec<_> = (0..8).map(|_| fd::pair().unwrap()).collect();
    for (number, (gift, _)) in (0..).zip(&pairs) {
        zygote.send_with(&FromZygote::Spawned { number, pid: 1 }, &[gift.as_fd()], None).unwrap();
    }
    for (number, (_, kept)) in (0..).zip(&pairs) {
        let heard = timeout(LONG, router.receive()).await.expect("all were sent").unwrap();
        assert_eq!(heard, FromZygote::Spawned { number, pid: 1 });
        let came = router.take_descriptor().unwrap();
        fd::send(came.as_fd(), &[number as u8], &[], Waiting::Allowed).unwrap();
        let mut read = Vec::new();
        fd::receive_bytes(kept, &mut read).unwrap();
        assert_eq!(read, [number as u8]);
    }
}

#[tokio::test]
async fn what_is_no_message_ends_the_conversation() {
    let bad: [&[u8]; 4] = [&[0, 0, 0, 0], &[0xff, 0xff, 0xff, 0xff], &[1, 0, 0, 0, 99], &[4, 0, 0, 0, 0, 1, 1, 1]];
    for bytes in bad {
        let (mut pipe, peer) = half();
        write(&peer, bytes);
        assert!(matches!(hear(&mut pipe).await, Err(PipeError::Frame(_))), "{bytes:?}");
    }
}
