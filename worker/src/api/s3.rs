//! Leaves of `fazt.storage.s3`.

use fazt_protocol::{
    limit::{BLOB_PATH_BYTES, MIME_BYTES, OP_BODY_BYTES},
    op::{
        Code, Found, Op, Refusal,
        s3::{self, Head},
    },
};

use super::{Call, storage::Most};
use crate::engine::{OpReply, Question, realm::Thrown, value::Value};

const PATH: Most = Most { name: "path", bytes: BLOB_PATH_BYTES };
const MIME: Most = Most { name: "mime", bytes: MIME_BYTES };

/// (path, string or bytes, mime or undefined, token or undefined)
pub(super) fn put<'a>(call: &Call<'a, '_>) -> Result<Value<'a>, Thrown> {
    let path = call.bounded("s3.put", 0, &PATH)?;
    let mime = call.optional("s3.put", 2, &MIME)?;
    let data = call.argument(1);
    let bytes = if data.is_string() {
        Some(data.with_text(|text| (text.len() <= OP_BODY_BYTES).then(|| crate::engine::value::well_formed(text)))?)
    } else {
        data.with_bytes(|bytes| (bytes.len() <= OP_BODY_BYTES).then(|| bytes.to_vec()))
    };
    match bytes {
        Some(Some(bytes)) => call.write(Op::S3(s3::Op::Put { path, mime }), 3, &bytes),
        Some(None) => Err(call.refuse("s3.put", &Refusal::new(Code::TooLarge, "one call moves at most 16 MiB"))),
        None => Err(call.refuse("s3.put", &Refusal::new(Code::InvalidArgument, "data is a buffer that was detached"))),
    }
}

/// (path, start or -1, end or -1): `[data, mime, size, hash, updated at]` or `null`.
pub(super) fn get<'a>(call: &Call<'a, '_>) -> Result<Value<'a>, Thrown> {
    let path = call.bounded("s3.get", 0, &PATH)?;
    let (start, end) = (call.number(1), call.number(2));
    let range = (start >= 0.0).then_some((start as u64, if end >= 0.0 { end as u64 } else { u64::MAX }));
    blob(call, Op::S3(s3::Op::Get { path, range }))
}

/// (path): as `get`, without data.
pub(super) fn head<'a>(call: &Call<'a, '_>) -> Result<Value<'a>, Thrown> {
    let path = call.bounded("s3.head", 0, &PATH)?;
    blob(call, Op::S3(s3::Op::Head { path }))
}

/// (path, token or undefined)
pub(super) fn delete<'a>(call: &Call<'a, '_>) -> Result<Value<'a>, Thrown> {
    let path = call.bounded("s3.delete", 0, &PATH)?;
    call.write(Op::S3(s3::Op::Delete { path }), 1, &[])
}

/// (prefix, limit, after or undefined)
pub(super) fn list<'a>(call: &Call<'a, '_>) -> Result<Value<'a>, Thrown> {
    let prefix = call.bounded("s3.list", 0, &Most { name: "prefix", ..PATH })?;
    let after = call.optional("s3.list", 2, &Most { name: "after", ..PATH })?;
    call.ask(Op::S3(s3::Op::List { prefix, limit: call.number(1) as u32, after }), &[])
}

fn blob<'a>(call: &Call<'a, '_>, op: Op) -> Result<Value<'a>, Thrown> {
    let name = op.name();
    let OpReply { found, body, .. } = call.reply(&Question::new(&op, &[]))?;
    let Head { mime, size, hash, updated_at } = match found {
        Found::Blob(head) => head,
        Found::Nothing => return Ok(call.realm.null()),
        _ => return Err(call.refuse(name, &Refusal::new(Code::Unavailable, "the store answered with something else"))),
    };
    let (realm, parts) = (call.realm, call.realm.array()?);
    let updated_at = realm.number(updated_at as f64);
    let values =
        [realm.buffer(&body)?, realm.string(&mime)?, realm.number(size as f64), realm.string(&hash)?, updated_at];
    for (index, value) in (0..).zip(values) {
        parts.define_at(index, value)?;
    }
    Ok(parts)
}
