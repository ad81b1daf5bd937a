//! Whatever is within the limits survives its encoding, fits its frame, and comes out of an inbox however it was cut.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on ends")]

mod builder;
mod call;
#[path = "../every/mod.rs"]
mod every;
mod op;
mod registry;
mod spawn;
mod value;

use fazt_protocol::{
    Message, builder as build, call as calls, decode, encode,
    frame::{self, Inbox},
    op as ops, registry as registers, spawn as spawns,
};
use proptest::prelude::*;

/// `message` as bytes and back, by itself and in a frame.
fn comes_back<M: Message + PartialEq + std::fmt::Debug>(message: &M) -> Result<(), TestCaseError> {
    let mut bytes = Vec::new();
    encode(message, &mut bytes).unwrap();
    prop_assert!(bytes.len() <= M::FRAME_BYTES, "{}: {} bytes", M::NAME, bytes.len());
    let back = decode::<M>(&bytes);
    prop_assert_eq!(back.as_ref(), Ok(message));
    let mut framed = Vec::new();
    frame::write(message, &mut framed).unwrap();
    prop_assert_eq!(framed.len(), bytes.len() + 4);
    let mut inbox = Inbox::default();
    inbox.space().extend_from_slice(&framed);
    let taken = inbox.take::<M>().unwrap();
    prop_assert_eq!(taken.as_ref(), Some(message));
    prop_assert!(!inbox.is_partial());
    Ok(())
}

/// A stream of messages, cut at any places, comes out as it went in: nothing early, nothing lost, nothing left.
fn survives_cutting<M: Message + PartialEq + std::fmt::Debug>(
    messages: &[M],
    cuts: &[prop::sample::Index],
) -> Result<(), TestCaseError> {
    let mut stream = Vec::new();
    for message in messages {
        frame::write(message, &mut stream).unwrap();
    }
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
    ends.push(stream.len());
    ends.sort_unstable();
    let (mut inbox, mut out, mut begin) = (Inbox::default(), Vec::new(), 0);
    for end in ends {
        inbox.space().extend_from_slice(&stream[begin..end]);
        begin = end;
        while let Some(message) = inbox.take::<M>().unwrap() {
            out.push(message);
        }
    }
    prop_assert!(!inbox.is_partial());
    prop_assert_eq!(out.as_slice(), messages);
    Ok(())
}

macro_rules! directions {
    ($($name:ident: $message:ty = $strategy:expr;)*) => {
        mod whole {
            use super::*;
            proptest! {
                #![proptest_config(ProptestConfig::with_cases(512))]
                $(#[test] fn $name(message in $strategy) { comes_back::<$message>(&message)?; })*
            }
        }
        mod cut {
            use super::*;
            proptest! {
                #![proptest_config(ProptestConfig::with_cases(96))]
                $(#[test] fn $name(
                    messages in prop::collection::vec($strategy, 0..6),
                    cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..24),
                ) {
                    survives_cutting::<$message>(&messages, &cuts)?;
                })*
            }
        }
    };
}

directions! {
    call_to_worker: calls::ToWorker = call::to_worker();
    call_from_worker: calls::FromWorker = call::from_worker();
    op_to_store: ops::ToStore = op::to_store();
    op_from_store: ops::FromStore = op::from_store();
    registry_to_store: registers::ToStore = registry::to_store();
    registry_from_store: registers::FromStore = registry::from_store();
    spawn_to_zygote: spawns::ToZygote = spawn::to_zygote();
    spawn_from_zygote: spawns::FromZygote = spawn::from_zygote();
    build_to_builder: build::ToBuilder = builder::to_builder();
    build_from_builder: build::FromBuilder = builder::from_builder();
}

/// Cut after every single byte.
#[test]
fn a_byte_at_a_time_is_a_stream_too() {
    let message = spawns::FromZygote::Spawned { number: 300, pid: 4711 };
    let mut framed = Vec::new();
    frame::write(&message, &mut framed).unwrap();
    let mut inbox = Inbox::default();
    for (at, byte) in framed.iter().enumerate() {
        assert_eq!(inbox.take::<spawns::FromZygote>().unwrap(), None);
        assert_eq!(inbox.is_partial(), at > 0);
        inbox.space().push(*byte);
    }
    assert_eq!(inbox.take::<spawns::FromZygote>().unwrap(), Some(message));
}
