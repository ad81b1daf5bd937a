//! Documents: JSONB in one table for all collections, queries compiled to SQL in which everything of the app's is a bound
//! parameter, the names of its fields included.

pub(crate) mod collection;
mod compile;
mod delete;
mod document;
pub(crate) mod find;
mod insert;
mod order;
mod path;
pub(crate) mod plan;
mod query;
mod scan;
mod shape;
mod update;

use fazt_protocol::op::{
    Found, Refusal,
    ds::{Op, Verb},
};

use self::plan::Named;
pub(crate) use self::{plan::Plan, shape::shape};
use crate::{
    question::Reply,
    refusal::{OpError, invalid},
    writer::Hand,
};

/// What the quota counts for a document beside its text and its id: about what its row costs.
const ROW_BYTES: u64 = 64;

/// Does a write; where a reader had something to do first, as that one has planned or refused it.
pub(crate) fn write(
    hand: &mut Hand<'_>,
    app: u64,
    op: &Op,
    body: &[u8],
    plan: Option<&Result<Plan, Refusal>>,
) -> Result<Reply, OpError> {
    collection::check_name(&op.collection)?;
    let name = op.collection.as_str();
    match (plan, &op.verb) {
        (Some(Err(refusal)), _) => Err(refusal.clone().into()),
        (Some(Ok(Plan::Named(named))), _) => plan::by_id(hand, app, name, named),
        (Some(Ok(Plan::Found(found))), _) => plan::by_query(hand, app, name, found),
        (Some(Ok(Plan::List(list))), _) => insert::many(hand, app, name, list),
        (None, Verb::Insert) => insert::one(hand, app, name, body),
        (None, Verb::InsertMany) => insert::many(hand, app, name, &insert::read(hand.sql(), body)?),
        (None, Verb::Update | Verb::Delete) => plan::by_id(hand, app, name, &Named::read(op, body)?),
        (None, Verb::Find { .. } | Verb::FindOne | Verb::Count) => Err(invalid("not a write").into()),
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
