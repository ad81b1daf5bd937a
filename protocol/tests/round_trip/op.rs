//! The op conversation.

use fazt_protocol::{
    limit::{
        BLOB_PATH_BYTES, COLLECTION_BYTES, ERROR_TEXT_BYTES, FIELD_PATH_BYTES, FILE_PATH_BYTES, KV_KEY_BYTES, KV_KEYS,
        MIME_BYTES, ORDER_FIELDS, TOKEN_BYTES,
    },
    op::{Answer, Ask, Found, FromStore, Op, Refusal, ToStore, ds, files, kv, s3},
};
use proptest::prelude::*;

use super::{
    every::CODES,
    value::{grant, list, maybe_text, part, text},
};

fn kv_op() -> impl Strategy<Value = kv::Op> {
    let key = || text(KV_KEY_BYTES);
    let condition = prop_oneof![
        Just(kv::Condition::Always),
        Just(kv::Condition::IfAbsent),
        any::<u64>().prop_map(kv::Condition::IfVersion),
    ];
    prop_oneof![
        key().prop_map(|key| kv::Op::Get { key }),
        key().prop_map(|key| kv::Op::GetVersion { key }),
        list(key().prop_map(kv::Key), KV_KEYS).prop_map(|keys| kv::Op::GetMany { keys }),
        (key(), any::<Option<u64>>(), condition).prop_map(|(key, ttl_ms, condition)| kv::Op::Set {
            key,
            ttl_ms,
            condition
        }),
        key().prop_map(|key| kv::Op::Delete { key }),
        // Every pattern of bits, those that are no number included.
        (key(), any::<u64>()).prop_map(|(key, bits)| kv::Op::Incr { key, by: f64::from_bits(bits).into() }),
        (key(), any::<u32>(), maybe_text(KV_KEY_BYTES)).prop_map(|(prefix, limit, after)| kv::Op::List {
            prefix,
            limit,
            after
        }),
    ]
}

fn ds_op() -> impl Strategy<Value = ds::Op> {
    let order = (text(FIELD_PATH_BYTES), any::<bool>()).prop_map(|(path, descending)| ds::Order { path, descending });
    let verb = prop_oneof![
        prop::sample::select(vec![
            ds::Verb::Insert,
            ds::Verb::InsertMany,
            ds::Verb::FindOne,
            ds::Verb::Update,
            ds::Verb::Delete,
            ds::Verb::Count
        ]),
        (any::<[u32; 2]>(), list(order, ORDER_FIELDS)).prop_map(|([limit, offset], order)| ds::Verb::Find {
            limit,
            offset,
            order
        }),
    ];
    (text(COLLECTION_BYTES), verb).prop_map(|(collection, verb)| ds::Op { collection, verb })
}

fn s3_op() -> impl Strategy<Value = s3::Op> {
    let path = || text(BLOB_PATH_BYTES);
    prop_oneof![
        (path(), maybe_text(MIME_BYTES)).prop_map(|(path, mime)| s3::Op::Put { path, mime }),
        (path(), any::<Option<(u64, u64)>>()).prop_map(|(path, range)| s3::Op::Get { path, range }),
        path().prop_map(|path| s3::Op::Head { path }),
        path().prop_map(|path| s3::Op::Delete { path }),
        (path(), any::<u32>(), maybe_text(BLOB_PATH_BYTES)).prop_map(|(prefix, limit, after)| s3::Op::List {
            prefix,
            limit,
            after
        }),
    ]
}

pub(super) fn to_store() -> impl Strategy<Value = ToStore> {
    let op = prop_oneof![
        Just(Op::Files(files::Op::Sources)),
        text(FILE_PATH_BYTES).prop_map(|path| Op::Files(files::Op::Read { path })),
        kv_op().prop_map(Op::Kv),
        ds_op().prop_map(Op::Ds),
        s3_op().prop_map(Op::S3),
    ];
    let ask = (any::<[u64; 2]>(), prop::option::of(grant()), maybe_text(TOKEN_BYTES), op, part())
        .prop_map(|([number, until_ns], grant, once, op, body)| Ask { number, grant, until_ns, once, op, body });
    prop_oneof![
        6 => ask.prop_map(|ask| ToStore::Ask(Box::new(ask))),
        1 => part().prop_map(ToStore::Chunk),
    ]
}

pub(super) fn refusal() -> impl Strategy<Value = Refusal> {
    (prop::sample::select(CODES.to_vec()), text(ERROR_TEXT_BYTES), any::<bool>())
        .prop_map(|(code, message, unknown)| Refusal { code, message, unknown })
}

pub(super) fn from_store() -> impl Strategy<Value = FromStore> {
    let head = (text(MIME_BYTES), any::<u64>(), text(64), any::<i64>())
        .prop_map(|(mime, size, hash, updated_at)| s3::Head { mime, size, hash, updated_at });
    let found = prop_oneof![
        Just(Found::Done),
        Just(Found::Nothing),
        any::<bool>().prop_map(Found::Flag),
        any::<u64>().prop_map(|bits| Found::Number(f64::from_bits(bits).into())),
        Just(Found::Json),
        Just(Found::Bytes),
        head.prop_map(Found::Blob),
    ];
    let outcome = prop_oneof![3 => found.prop_map(Ok), 1 => refusal().prop_map(Err)];
    let answer = (any::<u64>(), any::<u32>(), outcome, part()).prop_map(|(number, spent_us, outcome, body)| Answer {
        number,
        spent_us,
        outcome,
        body,
    });
    prop_oneof![
        5 => answer.prop_map(|answer| FromStore::Answer(Box::new(answer))),
        1 => part().prop_map(FromStore::Chunk),
    ]
}
