//! Leaves of `fazt.storage.ds`. Documents, queries and changes come and go as JSON text.

use fazt_protocol::{
    limit::{COLLECTION_BYTES, DOCUMENT_BYTES, FIELD_PATH_BYTES, OP_BODY_BYTES, ORDER_FIELDS, QUERY_BYTES},
    op::{
        Op,
        ds::{self, Order, Verb},
    },
};

use super::{Call, storage::Most};
use crate::engine::{realm::Thrown, value::Value};

const COLLECTION: Most = Most { name: "collection", bytes: COLLECTION_BYTES };
const DOCUMENT: Most = Most { name: "doc", bytes: DOCUMENT_BYTES };
const DOCUMENTS: Most = Most { name: "docs", bytes: OP_BODY_BYTES };
const QUERY: Most = Most { name: "query", bytes: QUERY_BYTES };
const CHANGES: Most = Most { name: "query and changes", bytes: QUERY_BYTES + DOCUMENT_BYTES };
const FIELD: Most = Most { name: "order", bytes: FIELD_PATH_BYTES };

/// (collection, document, token or undefined)
pub(super) fn insert<'a>(call: &Call<'a, '_>) -> Result<Value<'a>, Thrown> {
    write(call, "ds.insert", &DOCUMENT, Verb::Insert)
}

/// (collection, documents, token or undefined)
pub(super) fn insert_many<'a>(call: &Call<'a, '_>) -> Result<Value<'a>, Thrown> {
    write(call, "ds.insertMany", &DOCUMENTS, Verb::InsertMany)
}

/// (collection, query, limit, offset, array of fields, each with `-` in front for descending)
pub(super) fn find<'a>(call: &Call<'a, '_>) -> Result<Value<'a>, Thrown> {
    let named = |text: String| match text.strip_prefix('-') {
        Some(path) => Order { path: path.to_owned(), descending: true },
        None => Order { path: text, descending: false },
    };
    let order = call.strings("ds.find", 4, ORDER_FIELDS, &FIELD)?.into_iter().map(named).collect();
    let (limit, offset) = (call.number(2) as u32, call.number(3) as u32);
    ask(call, "ds.find", &QUERY, Verb::Find { limit, offset, order })
}

/// (collection, id or query)
pub(super) fn find_one<'a>(call: &Call<'a, '_>) -> Result<Value<'a>, Thrown> {
    ask(call, "ds.findOne", &QUERY, Verb::FindOne)
}

/// (collection, `{ "query", "changes" }`, token or undefined)
pub(super) fn update<'a>(call: &Call<'a, '_>) -> Result<Value<'a>, Thrown> {
    write(call, "ds.update", &CHANGES, Verb::Update)
}

/// (collection, id or query, token or undefined)
pub(super) fn delete<'a>(call: &Call<'a, '_>) -> Result<Value<'a>, Thrown> {
    write(call, "ds.delete", &QUERY, Verb::Delete)
}

/// (collection, query)
pub(super) fn count<'a>(call: &Call<'a, '_>) -> Result<Value<'a>, Thrown> {
    ask(call, "ds.count", &QUERY, Verb::Count)
}

fn ask<'a>(call: &Call<'a, '_>, op: &'static str, body: &Most, verb: Verb) -> Result<Value<'a>, Thrown> {
    let (op, json) = read(call, op, body, verb)?;
    call.ask(op, json.as_bytes())
}

fn write<'a>(call: &Call<'a, '_>, op: &'static str, body: &Most, verb: Verb) -> Result<Value<'a>, Thrown> {
    let (op, json) = read(call, op, body, verb)?;
    call.write(op, 2, json.as_bytes())
}

/// The op and its body, as all of them have them.
fn read(call: &Call<'_, '_>, op: &'static str, body: &Most, verb: Verb) -> Result<(Op, String), Thrown> {
    let collection = call.bounded(op, 0, &COLLECTION)?;
    let json = call.bounded(op, 1, body)?;
    Ok((Op::Ds(ds::Op { collection, verb }), json))
}
