//! Leaves of `fazt.storage.kv`.

use fazt_protocol::{
    limit::{KV_KEY_BYTES, KV_KEYS, KV_VALUE_BYTES},
    op::{
        Op,
        kv::{self, Condition, Key},
    },
};

use super::{Call, storage::Most};
use crate::engine::{realm::Thrown, value::Value};

const KEY: Most = Most { name: "key", bytes: KV_KEY_BYTES };
const VALUE: Most = Most { name: "value", bytes: KV_VALUE_BYTES };

pub(super) fn get<'a>(call: &Call<'a, '_>) -> Result<Value<'a>, Thrown> {
    let key = call.bounded("kv.get", 0, &KEY)?;
    call.ask_or_undefined(Op::Kv(kv::Op::Get { key }))
}

pub(super) fn get_version<'a>(call: &Call<'a, '_>) -> Result<Value<'a>, Thrown> {
    let key = call.bounded("kv.getVersion", 0, &KEY)?;
    call.ask_or_undefined(Op::Kv(kv::Op::GetVersion { key }))
}

/// (array of strings)
pub(super) fn get_many<'a>(call: &Call<'a, '_>) -> Result<Value<'a>, Thrown> {
    let keys = call.strings("kv.getMany", 0, KV_KEYS, &Most { name: "keys", ..KEY })?.into_iter().map(Key).collect();
    call.ask(Op::Kv(kv::Op::GetMany { keys }), &[])
}

/// (key, JSON, ttl in ms or -1, only if absent, only if this version or -1, token or undefined)
pub(super) fn set<'a>(call: &Call<'a, '_>) -> Result<Value<'a>, Thrown> {
    let key = call.bounded("kv.set", 0, &KEY)?;
    let json = call.bounded("kv.set", 1, &VALUE)?;
    let (ttl, absent, version) = (call.number(2), call.argument(3).as_boolean() == Some(true), call.number(4));
    let condition = match () {
        () if absent => Condition::IfAbsent,
        () if version >= 0.0 => Condition::IfVersion(version as u64),
        () => Condition::Always,
    };
    let ttl_ms = (ttl >= 0.0).then_some(ttl as u64);
    call.write(Op::Kv(kv::Op::Set { key, ttl_ms, condition }), 5, json.as_bytes())
}

/// (key, token or undefined)
pub(super) fn delete<'a>(call: &Call<'a, '_>) -> Result<Value<'a>, Thrown> {
    let key = call.bounded("kv.delete", 0, &KEY)?;
    call.write(Op::Kv(kv::Op::Delete { key }), 1, &[])
}

/// (key, by, token or undefined)
pub(super) fn incr<'a>(call: &Call<'a, '_>) -> Result<Value<'a>, Thrown> {
    let key = call.bounded("kv.incr", 0, &KEY)?;
    call.write(Op::Kv(kv::Op::Incr { key, by: call.number(1).into() }), 2, &[])
}

/// (prefix, limit, after or undefined)
pub(super) fn list<'a>(call: &Call<'a, '_>) -> Result<Value<'a>, Thrown> {
    let prefix = call.bounded("kv.list", 0, &Most { name: "prefix", ..KEY })?;
    let after = call.optional("kv.list", 2, &Most { name: "after", ..KEY })?;
    call.ask(Op::Kv(kv::Op::List { prefix, limit: call.number(1) as u32, after }), &[])
}
