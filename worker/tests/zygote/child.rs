//! What a child does in these tests: says that it is ready, then obeys one byte at a time.

use std::{
    collections::hash_map::RandomState,
    hash::BuildHasher,
    io::{IoSliceMut, Write},
    os::unix::net::UnixStream,
};

use fazt_protocol::{
    board::Phase,
    call::{FromWorker, Ready},
    frame,
    version::PROTOCOL,
};
use fazt_worker::zygote::Birth;
use rustix::{
    event::{PollFd, PollFlags, poll},
    net::{RecvAncillaryBuffer, RecvFlags, recvmsg},
};

pub(crate) const HASH: u8 = b'h';
pub(crate) const PANIC: u8 = b'p';
pub(crate) const BOARD: u8 = b'b';
pub(crate) const END: u8 = b'e';

/// What [`END`] ends it with.
pub(crate) const ENDED: i32 = 7;

pub(crate) fn live(birth: Birth, (): ()) -> i32 {
    let ready = Ready { protocol: PROTOCOL, layers: birth.jailed.layers().bits() };
    let mut bytes = Vec::new();
    frame::write(&FromWorker::Ready(ready), &mut bytes).unwrap();
    let mut call = UnixStream::from(birth.call);
    call.write_all(&bytes).unwrap();
    let mut order = [0];
    while hear(&call, &mut order) {
        let answer = match order[0] {
            HASH => RandomState::new().hash_one(1),
            PANIC => panic!("on purpose"),
            BOARD => {
                birth.board.enter(Phase::Execute, 42);
                1
            }
            END => return ENDED,
            other => u64::from(other),
        };
        call.write_all(&answer.to_le_bytes()).unwrap();
    }
    0
}

/// One byte, by the calls that a jailed process may wait and hear with.
fn hear(call: &UnixStream, order: &mut [u8; 1]) -> bool {
    let mut nothing = RecvAncillaryBuffer::new(&mut []);
    poll(&mut [PollFd::new(call, PollFlags::IN)], None).unwrap();
    let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
    let heard = recvmsg(call, &mut [IoSliceMut::new(order)], &mut nothing, flags);
    heard.is_ok_and(|heard| heard.bytes == 1)
}
