//! Every direction of every conversation by name, with what must hold for any bytes that come from it.
#![allow(dead_code, reason = "each test, and each fuzz target, takes a part of it")]

use std::fmt::Debug;

use allocation_counter::measure;
use fazt_protocol::{
    CodecError, Message, builder, call, decode, encode,
    frame::{FrameError, Inbox},
    op::{
        self,
        files::{read_sources, write_source},
    },
    registry, spawn,
};

/// One direction.
pub(crate) struct Direction {
    /// As names in `golden.txt` begin.
    pub(crate) name: &'static str,
    /// The largest frame.
    pub(crate) frame_bytes: usize,
    /// Decodes and drops.
    pub(crate) decode: fn(&[u8]) -> Result<(), CodecError>,
    /// Takes one message from a stream: whether there was one.
    pub(crate) take: fn(&mut Inbox) -> Result<bool, FrameError>,
    /// Panics where what decoded does not survive being said again. Says whether it decoded.
    pub(crate) say_again: fn(&[u8]) -> bool,
}

impl Direction {
    const fn of<M: Message + PartialEq + Debug>(name: &'static str) -> Self {
        Self { name, frame_bytes: M::FRAME_BYTES, decode: decode_only::<M>, take: take::<M>, say_again: say_again::<M> }
    }

    /// Panics unless these bytes, as a message, are refused or decoded for a fair price, and what decoded can be said again.
    /// Says whether they decoded.
    pub(crate) fn withstand(&self, bytes: &[u8]) -> bool {
        let mut decoded = false;
        let taken = measure(|| decoded = (self.decode)(bytes).is_ok());
        assert!(taken.bytes_max <= fair(bytes.len()), "{}: {} of {bytes:02x?}", self.name, taken.bytes_max);
        assert_eq!((self.say_again)(bytes), decoded);
        decoded
    }

    /// Panics unless a stream of these bytes gives the same however it is cut, and a frame around them what they are alone.
    pub(crate) fn withstand_stream(&self, bytes: &[u8]) {
        let piece = 1 + usize::from(bytes.first().copied().unwrap_or_default() % 13);
        assert_eq!(self.hear(bytes, piece), self.hear(bytes, usize::MAX), "{}: cut by {piece}", self.name);
        let length = u32::try_from(bytes.len()).unwrap().to_le_bytes();
        let framed = [&length, bytes].concat().repeat(2);
        let (heard, end) = self.hear(&framed, piece);
        let decodes = !bytes.is_empty() && bytes.len() <= self.frame_bytes && (self.decode)(bytes).is_ok();
        assert_eq!((heard, end.is_none()), if decodes { (2, true) } else { (0, false) }, "{}: framed", self.name);
    }

    /// How many messages a stream gives when it comes in pieces of that size, and what ended it.
    fn hear(&self, stream: &[u8], piece: usize) -> (usize, Option<FrameError>) {
        let (mut inbox, mut heard) = (Inbox::default(), 0);
        for piece in stream.chunks(piece) {
            inbox.space().extend_from_slice(piece);
            loop {
                match (self.take)(&mut inbox) {
                    Ok(true) => heard += 1,
                    Ok(false) => break,
                    Err(error) => return (heard, Some(error)),
                }
            }
        }
        (heard, None)
    }
}

/// The most memory that decoding so many bytes may take at a time. What costs the most are lists of things that are small
/// on the wire; the limits of such lists bound the sum.
fn fair(arrived: usize) -> u64 {
    let (steep, flat) = (64 * arrived + 1024, 4 * arrived + 192 * 1024);
    steep.min(flat) as u64
}

/// All of them.
pub(crate) const ALL: [Direction; 10] = [
    Direction::of::<call::ToWorker>("call.to_worker"),
    Direction::of::<call::FromWorker>("call.from_worker"),
    Direction::of::<op::ToStore>("op.to_store"),
    Direction::of::<op::FromStore>("op.from_store"),
    Direction::of::<registry::ToStore>("registry.to_store"),
    Direction::of::<registry::FromStore>("registry.from_store"),
    Direction::of::<spawn::ToZygote>("spawn.to_zygote"),
    Direction::of::<spawn::FromZygote>("spawn.from_zygote"),
    Direction::of::<builder::ToBuilder>("build.to_builder"),
    Direction::of::<builder::FromBuilder>("build.from_builder"),
];

/// The golden messages of a direction.
pub(crate) fn golden(direction: &Direction) -> Vec<Vec<u8>> {
    let mine = |line: &&str| line.starts_with(direction.name);
    include_str!("../golden.txt").lines().filter(mine).map(|line| unhexed(line.split_once(' ').unwrap().1)).collect()
}

/// The bytes of a line of hex.
pub(crate) fn unhexed(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn decode_only<M: Message>(bytes: &[u8]) -> Result<(), CodecError> {
    decode::<M>(bytes).map(drop)
}

fn take<M: Message>(inbox: &mut Inbox) -> Result<bool, FrameError> {
    inbox.take::<M>().map(|message| message.is_some())
}

fn say_again<M: Message + PartialEq + Debug>(bytes: &[u8]) -> bool {
    let Ok(message) = decode::<M>(bytes) else { return false };
    let mut again = Vec::new();
    encode(&message, &mut again).unwrap();
    // A number may have come in more bytes than it needs, never in fewer.
    assert!(again.len() <= bytes.len(), "{}: {} bytes became {}", M::NAME, bytes.len(), again.len());
    assert_eq!(decode::<M>(&again).as_ref(), Ok(&message), "{}", M::NAME);
    true
}

/// The direction of that name.
pub(crate) fn named(name: &str) -> &'static Direction {
    const { &ALL }.iter().find(|direction| direction.name == name).unwrap()
}

/// Panics unless these bytes, as an app's sources, are refused or read for a fair price, and what was read is written
/// back to the same bytes.
pub(crate) fn sources_withstand(bytes: &[u8]) {
    let mut read = None;
    let taken = measure(|| read = read_sources(bytes));
    assert!(taken.bytes_max <= fair(bytes.len()), "sources: {} of {bytes:02x?}", taken.bytes_max);
    let Some(sources) = read else { return };
    let mut again = Vec::new();
    sources.iter().for_each(|(path, content)| write_source(path, content, &mut again));
    assert_eq!(again, bytes);
}
