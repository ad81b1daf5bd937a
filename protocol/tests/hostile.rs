//! Bytes of a peer that lies: each is refused or decoded, none panics, and memory is taken for what arrived, not for what
//! was promised.
//!
//! Allocations are counted for the thread that makes them, so these tests may run beside each other.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on ends")]

mod directions;

use allocation_counter::measure;
use directions::{ALL, golden, named};
use fazt_protocol::{
    CodecError, Message,
    body::Part,
    builder::{self, Built, Manifest},
    call, decode, encode,
    frame::{FrameError, Inbox},
    limit, op,
    registry::{self, Ask},
    spawn,
};

/// Numbers as a peer may write them: one byte, then as many as that one says.
fn claims() -> Vec<Vec<u8>> {
    let sized = |tag: u8, bytes: &[u8]| [&[tag], bytes].concat();
    vec![
        vec![0],
        vec![250],
        sized(251, &u16::MAX.to_le_bytes()),
        sized(252, &(1u32 << 31).to_le_bytes()),
        sized(252, &u32::MAX.to_le_bytes()),
        sized(253, &(1u64 << 40).to_le_bytes()),
        sized(253, &(1u64 << 63).to_le_bytes()),
        sized(253, &u64::MAX.to_le_bytes()),
        sized(254, &u128::MAX.to_le_bytes()),
        vec![255],
    ]
}

#[test]
fn every_number_may_be_a_lie() {
    for direction in &ALL {
        for message in golden(direction) {
            for at in 0..message.len() {
                for claim in claims() {
                    let lie = [&message[..at], &claim, &message[at + 1..]].concat();
                    direction.withstand(&lie);
                }
            }
        }
    }
}

#[test]
fn a_message_cut_short_or_followed_by_more_is_refused() {
    for direction in &ALL {
        for mut message in golden(direction) {
            assert_eq!((direction.decode)(&message), Ok(()));
            for end in 0..message.len() {
                let refused = (direction.decode)(&message[..end]);
                assert!(matches!(refused, Err(CodecError::Decode(_))), "{} cut at {end}", direction.name);
            }
            message.push(0);
            assert_eq!((direction.decode)(&message), Err(CodecError::Trailing(1)), "{}", direction.name);
        }
    }
}

#[test]
fn an_unknown_variant_is_refused() {
    for direction in &ALL {
        for variant in [20u8, 100, 250] {
            let refused = (direction.decode)(&[&[variant], [0u8; 64].as_slice()].concat());
            assert!(matches!(refused, Err(CodecError::Decode(_))), "{} {variant}", direction.name);
        }
    }
}

/// The encoding of `message` with the one byte at `at` from its end replaced.
fn with_byte<M: Message>(message: &M, from_end: usize, byte: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(message, &mut bytes).unwrap();
    let at = bytes.len() - from_end;
    bytes[at] = byte;
    bytes
}

#[test]
fn a_boolean_is_0_or_1_and_an_option_too() {
    let chunk = call::ToWorker::Chunk(Part::whole(vec![9]));
    assert_eq!(decode::<call::ToWorker>(&with_byte(&chunk, 1, 1)), Ok(chunk.clone()));
    assert!(decode::<call::ToWorker>(&with_byte(&chunk, 1, 2)).is_err());
    let rebind = call::ToWorker::Rebind { grant: None };
    assert_eq!(decode::<call::ToWorker>(&with_byte(&rebind, 1, 0)), Ok(rebind.clone()));
    assert!(decode::<call::ToWorker>(&with_byte(&rebind, 1, 7)).is_err());
}

#[test]
fn a_text_is_utf_8() {
    let refused = spawn::FromZygote::Refused { reason: "ab".to_owned() };
    assert!(decode::<spawn::FromZygote>(&with_byte(&refused, 1, b'c')).is_ok());
    for bad in [0x80, 0xc3, 0xff] {
        assert!(decode::<spawn::FromZygote>(&with_byte(&refused, 1, bad)).is_err(), "{bad:x}");
    }
}

#[test]
fn a_request_id_of_another_form_is_refused() {
    let key = fazt_protocol::grant::GrantKey::new([7; 32]);
    let id = fazt_protocol::id::RequestId::parse("req_0000").unwrap();
    let rebind = call::ToWorker::Rebind { grant: Some(key.grant(1, 1, id, 1)) };
    // The last byte of the id stands before the deadline and the seal.
    assert!(decode::<call::ToWorker>(&with_byte(&rebind, 34, b'z')).is_ok());
    for bad in [b'\n', b' ', 0, b'/'] {
        assert!(decode::<call::ToWorker>(&with_byte(&rebind, 34, bad)).is_err(), "{bad:x}");
    }
}

/// A few bytes that promise a great text, list or body are refused for almost nothing.
#[test]
fn promises_cost_nothing() {
    let claim = |tag: u8, count: u64| [&[tag], count.to_le_bytes().as_slice()].concat();
    for count in [1u64 << 40, limit::FRAME_BYTES as u64, limit::CHUNK_BYTES as u64, 2_048, 300] {
        let text = [vec![3], claim(253, count)].concat();
        // Ask, number 0, no grant, until 0, no token, kv, getMany.
        let list = [vec![0, 0, 0, 0, 0, 1, 2], claim(253, count)].concat();
        let body = [vec![1], claim(253, count)].concat();
        let taken = measure(|| {
            assert!(decode::<spawn::FromZygote>(&text).is_err());
            assert!(decode::<op::ToStore>(&list).is_err());
            assert!(decode::<op::ToStore>(&body).is_err());
        });
        assert!(taken.bytes_max < 1024, "{count}: {}", taken.bytes_max);
    }
    let list = [vec![0, 0, 0, 0, 0, 1, 2, 1, 1, b'k'], vec![0, 1]].concat();
    assert!(decode::<op::ToStore>(&list).is_ok(), "the same with an honest count");
}

/// Nothing else is as small on the wire for what it is in memory. Found by fuzzing: a list of more than 128 pairs held
/// more than its fair share while it grew.
#[test]
fn lists_of_empty_texts_cost_no_more_than_others() {
    let mut bytes = Vec::new();
    for texts in 0..=limit::ENV_VARIABLES {
        let manifest = Manifest { env: vec![Default::default(); texts], ..Manifest::default() };
        bytes.clear();
        encode(&builder::FromBuilder::Built(Box::new(Built { manifest, warnings: Vec::new() })), &mut bytes).unwrap();
        assert!(named("build.from_builder").withstand(&bytes), "{texts} pairs");
        let ask = Box::new(Ask::SetEnv { name: String::new(), set: Vec::new(), unset: vec![String::new(); texts] });
        bytes.clear();
        encode(&registry::ToStore::Ask { correlation: 0, ask, body: Part::empty() }, &mut bytes).unwrap();
        assert!(named("registry.to_store").withstand(&bytes), "{texts} names");
    }
}

#[test]
fn a_length_is_checked_before_anything_is_kept_for_it() {
    for direction in &ALL {
        let most = direction.frame_bytes;
        for length in [0, most + 1, 1 << 31, u32::MAX as usize] {
            let prefix = u32::try_from(length).unwrap().to_le_bytes();
            let mut inbox = Inbox::default();
            inbox.space().extend_from_slice(&prefix);
            let taken = measure(|| {
                let refused = (direction.take)(&mut inbox).unwrap_err();
                match refused {
                    FrameError::Empty { .. } => assert_eq!(length, 0),
                    FrameError::TooLong { length: told, limit, .. } => assert_eq!((told, limit), (length, most)),
                    FrameError::Codec { .. } => panic!("{}: decoded before its length was looked at", direction.name),
                }
            });
            assert_eq!(taken.bytes_max, 0, "{}", direction.name);
        }
        let mut inbox = Inbox::default();
        inbox.space().extend_from_slice(&u32::try_from(most).unwrap().to_le_bytes());
        let taken = measure(|| assert_eq!((direction.take)(&mut inbox), Ok(false)));
        assert_eq!((taken.bytes_max, inbox.is_partial()), (0, true), "{}: nothing is reserved", direction.name);
    }
}

/// A peer that sends the largest frame in small pieces costs a small multiple of it, and nothing once it was taken.
#[test]
fn an_inbox_holds_what_arrived() {
    let chunk = call::FromWorker::Chunk(Part { bytes: vec![7; limit::CHUNK_BYTES], last: false });
    let mut framed = Vec::new();
    fazt_protocol::frame::write(&chunk, &mut framed).unwrap();
    let (mut inbox, mut largest) = (Inbox::default(), 0);
    let held = measure(|| {
        for _ in 0..20 {
            for piece in framed.chunks(4_000) {
                assert_eq!(inbox.take::<call::FromWorker>(), Ok(None));
                inbox.space().extend_from_slice(piece);
                largest = largest.max(inbox.space().capacity());
            }
            assert_eq!(inbox.take::<call::FromWorker>().as_ref(), Ok(&Some(chunk.clone())));
        }
        inbox.space();
    });
    assert!(largest <= 2 * framed.len(), "{largest}");
    assert!(held.bytes_current <= 64 * 1024, "{held:?}");
}
