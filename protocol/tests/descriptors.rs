//! Descriptors that travel with messages: each arrives with its own, a flood is refused, and none is ever left open.
//!
//! One test at a time: they count what is open in this process.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]

use std::{
    collections::VecDeque,
    io::{ErrorKind, IoSlice},
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use fazt_protocol::{
    fd::{self, Waiting},
    frame,
    limit::{DESCRIPTORS_A_MESSAGE, DESCRIPTORS_WAITING},
    pipe::{Pipe, PipeError},
    spawn::{FromZygote, ToZygote},
};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

type Router = Pipe<FromZygote, ToZygote>;
type Zygote = Pipe<ToZygote, FromZygote>;

static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn open() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fn later() -> Option<Instant> {
    Instant::now().checked_add(Duration::from_secs(20))
}

fn born(number: u64) -> FromZygote {
    FromZygote::Spawned { number, pid: 1 }
}

/// Whether `sent` is the other end of `kept`: a byte written here is read there.
fn is_pair_of(sent: &OwnedFd, kept: &OwnedFd, mark: u8) -> bool {
    fd::send(sent.as_fd(), &[mark], &[], Waiting::Allowed).unwrap();
    let mut read = Vec::new();
    fd::receive_bytes(kept, &mut read).is_ok_and(|count| count == 1) && read == [mark]
}

/// A frame with more descriptors than the protocol allows.
fn flood(socket: &OwnedFd, bytes: &[u8], count: usize) {
    let (gift, _other) = fd::pair().unwrap();
    let all = vec![gift.as_fd(); count];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(64))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    assert!(control.push(SendAncillaryMessage::ScmRights(&all)));
    sendmsg(socket, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL).unwrap();
}

fn framed(message: &FromZygote) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame::write(message, &mut bytes).unwrap();
    bytes
}

#[test]
fn each_descriptor_arrives_with_its_message() {
    let _alone = alone();
    let before = open();
    {
        let (ours, theirs) = fd::pair().unwrap();
        let (mut router, mut zygote) = (Router::new(ours), Zygote::new(theirs));
        let pairs: Vec<_> = (0..3).map(|_| fd::pair().unwrap()).collect();
        for (number, (gift, _)) in (0..).zip(&pairs) {
            zygote.send_with(&born(number), &[gift.as_fd()], later()).unwrap();
            zygote.send(&FromZygote::Failed { number, reason: String::new() }, later()).unwrap();
        }
        for (number, (_, kept)) in (0..).zip(&pairs) {
            assert_eq!(router.receive(later()).unwrap(), born(number));
            let came = router.take_descriptor().unwrap();
            assert!(is_pair_of(&came, kept, number as u8));
            assert!(matches!(router.receive(later()).unwrap(), FromZygote::Failed { .. }));
        }
        assert!(matches!(router.take_descriptor(), Err(PipeError::NoDescriptor("spawn, from zygote"))));
        zygote.send(&born(3), None).unwrap();
        assert_eq!(router.receive(None).unwrap(), born(3));
        assert!(matches!(router.take_descriptor(), Err(PipeError::NoDescriptor("spawn, from zygote"))));
    }
    assert_eq!(open(), before);
}

#[test]
fn two_descriptors_arrive_in_their_order() {
    let _alone = alone();
    let (ours, theirs) = fd::pair().unwrap();
    let (mut router, mut zygote) = (Router::new(ours), Zygote::new(theirs));
    let ((first, first_kept), (second, second_kept)) = (fd::pair().unwrap(), fd::pair().unwrap());
    zygote.send_with(&born(1), &[first.as_fd(), second.as_fd()], None).unwrap();
    assert_eq!(router.receive(None).unwrap(), born(1));
    assert!(is_pair_of(&router.take_descriptor().unwrap(), &first_kept, 1));
    assert!(is_pair_of(&router.take_descriptor().unwrap(), &second_kept, 2));
}

#[test]
fn more_descriptors_than_a_message_may_carry_are_not_sent() {
    let _alone = alone();
    let (ours, _theirs) = fd::pair().unwrap();
    let mut zygote = Zygote::new(ours);
    let (gift, _kept) = fd::pair().unwrap();
    let all: Vec<BorrowedFd<'_>> = vec![gift.as_fd(); DESCRIPTORS_A_MESSAGE + 1];
    let refused = zygote.send_with(&born(1), &all, later());
    assert!(
        matches!(&refused, Err(PipeError::Socket { error, .. }) if error.kind() == ErrorKind::InvalidInput),
        "{refused:?}"
    );
}

#[test]
fn a_flood_in_one_message_is_refused() {
    let _alone = alone();
    let before = open();
    for count in [DESCRIPTORS_A_MESSAGE + 1, 64] {
        let (ours, theirs) = fd::pair().unwrap();
        let mut router = Router::new(ours);
        flood(&theirs, &framed(&born(1)), count);
        let refused = router.receive(later());
        assert!(
            matches!(&refused, Err(PipeError::Socket { error, .. }) if error.kind() == ErrorKind::InvalidData),
            "{count}: {refused:?}"
        );
    }
    assert_eq!(open(), before, "those that had come are closed");
}

#[test]
fn descriptors_that_nobody_takes_do_not_pile_up() {
    let _alone = alone();
    let before = open();
    {
        let (ours, theirs) = fd::pair().unwrap();
        let mut router = Router::new(ours);
        let mut heard = 0;
        let end = loop {
            flood(&theirs, &framed(&born(1)), 1);
            match router.receive(later()) {
                Ok(_) => heard += 1,
                Err(error) => break error,
            }
            assert!(heard <= DESCRIPTORS_WAITING);
        };
        assert!(matches!(&end, PipeError::Socket { error, .. } if error.kind() == ErrorKind::InvalidData), "{end}");
        assert_eq!(heard, DESCRIPTORS_WAITING);
    }
    assert_eq!(open(), before);
}

#[test]
fn a_read_without_room_for_descriptors_keeps_none() {
    let _alone = alone();
    let (ours, theirs) = fd::pair().unwrap();
    let before = open();
    let (mut bytes, mut sent) = (Vec::new(), 0);
    for _ in 0..100 {
        flood(&theirs, b"take", 20);
        sent += 4;
        while bytes.len() < sent {
            fd::receive_bytes(&ours, &mut bytes).unwrap();
        }
        assert_eq!(open(), before);
    }
}

#[test]
fn received_descriptors_are_closed_on_exec() {
    let _alone = alone();
    let (ours, theirs) = fd::pair().unwrap();
    flood(&theirs, b"take", 1);
    let (mut bytes, mut came) = (Vec::new(), VecDeque::new());
    fd::receive(ours.as_fd(), &mut bytes, &mut came).unwrap();
    let flags = rustix::io::fcntl_getfd(came.front().unwrap()).unwrap();
    assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
}

#[cfg(feature = "async")]
#[test]
fn a_plain_pipe_keeps_none() {
    use fazt_protocol::pipe::asynchronous;
    let _alone = alone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (ours, theirs) = fd::pair().unwrap();
    runtime.block_on(async {
        let mut router = asynchronous::Pipe::<FromZygote, ToZygote>::plain(ours).unwrap();
        let before = open();
        for number in 0..100 {
            flood(&theirs, &framed(&born(number)), 20);
            let heard = tokio::time::timeout(Duration::from_secs(20), router.receive()).await.unwrap().unwrap();
            assert_eq!((heard, open()), (born(number), before));
            assert!(matches!(router.take_descriptor(), Err(PipeError::NoDescriptor(_))));
        }
    });
}
