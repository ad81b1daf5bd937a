//! Documents: JSONB in one table for all collections, queries compiled to SQL in which everything of the app's is a bound
//! parameter, the names of its fields included.

mod collection;
mod compile;
mod delete;
mod document;
pub(crate) mod find;
mod insert;
mod order;
mod path;
pub(crate) mod plan;
mod query;
mod shape;
mod update;

use fazt_protocol::op::{
    Found,
    ds::{Op, Verb},
};

pub(crate) use self::{plan::Plan, shape::shape};
use crate::{
    question::Reply,
    refusal::{OpError, invalid},
    writer::Hand,
};

/// What the quota counts for a document beside its text and its id: about what its row costs.
const ROW_BYTES: u64 = 64;

/// Does a write; an update or a delete by a query as a reader has planned it.
pub(crate) fn write(
    hand: &mut Hand<'_>,
    app: u64,
    op: &Op,
    body: &[u8],
    plan: Option<&Plan>,
) -> Result<Reply, OpError> {
    collection::check_name(&op.collection)?;
    let name = op.collection.as_str();
    match op.verb {
        Verb::Insert => insert::one(hand, app, name, body),
        Verb::InsertMany => insert::many(hand, app, name, body),
        Verb::Update | Verb::Delete => plan::carry_out(hand, app, op, body, plan),
        Verb::Find { .. } | Verb::FindOne | Verb::Count => Err(invalid("not a write").into()),
    }
}

/// SQLite could not read JSON that we took for well formed: the app's argument, and no reason to give a group up.
fn unreadable(error: rusqlite::Error) -> OpError {
    match &error {
        rusqlite::Error::SqliteFailure(_, Some(message)) if message.contains("malformed JSON") => {
            invalid("doc: JSON that the store cannot read").into()
        }
        _ => error.into(),
    }
}

fn number(count: u64) -> Reply {
    Reply::of(Found::Number((count as f64).into()))
}
