//! Values that messages are made of: mostly small, now and then exactly at their limit.

use fazt_protocol::{
    body::Part,
    grant::{Grant, GrantKey},
    id::RequestId,
    limit::CHUNK_BYTES,
};
use proptest::{collection::vec, prelude::*};

/// A text of at most `most` bytes.
pub(super) fn text(most: usize) -> BoxedStrategy<String> {
    let cut = move |mut text: String| {
        text.truncate(text.floor_char_boundary(most));
        text
    };
    prop_oneof![
        6 => "[ -~]{0,24}".prop_map(cut),
        2 => "\\PC{0,12}".prop_map(cut),
        1 => Just("x".repeat(most)),
        1 => Just("é".repeat(most / 2)),
    ]
    .boxed()
}

/// A text, or none.
pub(super) fn maybe_text(most: usize) -> BoxedStrategy<Option<String>> {
    prop::option::of(text(most)).boxed()
}

/// A list of at most `most`.
pub(super) fn list<T: Clone + std::fmt::Debug + 'static>(
    element: impl Strategy<Value = T> + 'static,
    most: usize,
) -> BoxedStrategy<Vec<T>> {
    let element = element.boxed();
    prop_oneof![
        9 => vec(element.clone(), 0..4.min(most + 1)),
        1 => element.prop_map(move |one| vec![one; most]),
    ]
    .boxed()
}

/// At most `count` names and values, of at most `bytes` together.
pub(super) fn pairs(count: usize, bytes: usize) -> BoxedStrategy<Vec<(String, String)>> {
    prop_oneof![
        9 => vec((text(40), text(200)), 0..4.min(count + 1)),
        1 => Just(full_pairs(count, bytes)),
    ]
    .boxed()
}

/// `count` names and values of exactly `bytes` together.
pub(super) fn full_pairs(count: usize, bytes: usize) -> Vec<(String, String)> {
    let each = bytes / count;
    let mut pairs = vec![("n".repeat(each / 4), "v".repeat(each - each / 4)); count];
    pairs[0].1.push_str(&"v".repeat(bytes - each * count));
    pairs
}

/// At most `count` texts, of at most `bytes` together.
pub(super) fn texts(count: usize, bytes: usize) -> BoxedStrategy<Vec<String>> {
    prop_oneof![
        9 => vec(text(60), 0..4.min(count + 1)),
        1 => Just(vec!["t".repeat(bytes / count); count]),
    ]
    .boxed()
}

/// A piece of a body.
pub(super) fn part() -> BoxedStrategy<Part> {
    let bytes = prop_oneof![
        8 => vec(any::<u8>(), 0..64),
        1 => any::<u8>().prop_map(|byte| vec![byte; CHUNK_BYTES]),
    ];
    (bytes, any::<bool>()).prop_map(|(bytes, last)| Part { bytes, last }).boxed()
}

/// A request's id.
pub(super) fn request() -> BoxedStrategy<RequestId> {
    "[A-Za-z0-9_-]{8,64}".prop_map(|text| RequestId::parse(&text).unwrap()).boxed()
}

/// A sealed grant.
pub(super) fn grant() -> BoxedStrategy<Grant> {
    (any::<[u8; 32]>(), any::<u64>(), any::<u64>(), request(), any::<u64>())
        .prop_map(|(key, bind, sequence, request, deadline)| {
            GrantKey::new(key).grant(bind, sequence, request, deadline)
        })
        .boxed()
}
