//! What router and builder say to each other.

use fazt_protocol::{
    builder::{Built, Cors, Encoding, File, FromBuilder, Manifest, ToBuilder},
    call::Ready,
    limit::{
        APP_NAME_BYTES, ENV_BYTES, ENV_VARIABLES, ERROR_TEXT_BYTES, FILE_PATH_BYTES, ORIGINS, ORIGINS_BYTES, WARNINGS,
        WARNINGS_BYTES,
    },
};
use proptest::prelude::*;

use super::{
    every::ENCODINGS,
    value::{maybe_text, pairs, part, text, texts},
};

pub(super) fn encoding() -> impl Strategy<Value = Encoding> {
    prop::sample::select(ENCODINGS.to_vec())
}

pub(super) fn manifest() -> BoxedStrategy<Manifest> {
    let cors = (texts(ORIGINS, ORIGINS_BYTES), any::<bool>(), any::<u32>())
        .prop_map(|(origins, credentials, max_age)| Cors { origins, credentials, max_age });
    (
        maybe_text(APP_NAME_BYTES),
        any::<bool>(),
        any::<Option<u32>>(),
        any::<Option<u32>>(),
        pairs(ENV_VARIABLES, ENV_BYTES),
        prop::option::of(cors),
    )
        .prop_map(|(name, spa, timeout_ms, memory_mb, env, cors)| Manifest {
            name,
            spa,
            timeout_ms,
            memory_mb,
            env,
            cors,
        })
        .boxed()
}

pub(super) fn to_builder() -> impl Strategy<Value = ToBuilder> {
    prop_oneof![
        (any::<u16>(), part()).prop_map(|(protocol, body)| ToBuilder::Begin { protocol, body }),
        part().prop_map(ToBuilder::Chunk),
    ]
}

pub(super) fn from_builder() -> impl Strategy<Value = FromBuilder> {
    let built = (manifest(), texts(WARNINGS, WARNINGS_BYTES))
        .prop_map(|(manifest, warnings)| FromBuilder::Built(Box::new(Built { manifest, warnings })));
    prop_oneof![
        (any::<u16>(), any::<u32>()).prop_map(|(protocol, layers)| FromBuilder::Ready(Ready { protocol, layers })),
        (text(FILE_PATH_BYTES), encoding(), part()).prop_map(|(path, encoding, body)| FromBuilder::File(File {
            path,
            encoding,
            body
        })),
        part().prop_map(FromBuilder::Chunk),
        built,
        (text(2 * FILE_PATH_BYTES), text(ERROR_TEXT_BYTES))
            .prop_map(|(file, rule)| FromBuilder::Refused { file, rule }),
    ]
}
