//! Writes of documents in two parts: a reader does what takes long, the writer what changes the file.
//!
//! For an update or a delete by a query the reader finds the documents in its snapshot; the writer looks at each of them again by
//! its number and changes those that still meet the query. A document that others made to meet it after the snapshot is left
//! alone, as if the call had come before them. A list of documents the reader reads and converts; the writer inserts rows. So the
//! writer's work is bounded by what truly changes: all else on its thread would hold up everybody's writes.

use fazt_protocol::op::{
    Op as AnyOp, Refusal,
    ds::{Op, Verb},
};

use super::{
    collection, delete, find,
    insert::{self, List},
    number,
    query::{self, Filter, Which},
    update::{self, Node},
};
use crate::{
    question::Reply,
    readers::Reading,
    refusal::{OpError, invalid},
    writer::Hand,
};

/// A shorter list is read by the writer: handing it over would cost more.
const SHORT_LIST_BYTES: usize = 4 * 1024;
/// Rows from which on a write is a large one.
const LARGE_ROWS: usize = 8;
/// What every document meets.
const ANY: &Filter = &Filter::And(Vec::new());

/// What a reader made of a call.
#[derive(Debug)]
pub(crate) enum Plan {
    /// The document was named by its id after all.
    Named(Named),
    Found(Found),
    List(List),
}

/// A document that is named by its id, and what is to be done with it.
#[derive(Debug)]
pub(crate) struct Named {
    id: String,
    change: Change,
}

/// Documents that met a query, and what is to be done with them.
#[derive(Debug)]
pub(crate) struct Found {
    filter: Filter,
    rows: Vec<i64>,
    change: Change,
}

#[derive(Debug)]
enum Change {
    Update(Node),
    Delete,
}

/// Whether a reader has something to do first, as far as a glance tells: what names its document by an id need not be looked
/// for.
pub(crate) fn is_due(op: &AnyOp, body: &[u8]) -> bool {
    let AnyOp::Ds(op) = op else { return false };
    match op.verb {
        Verb::Update => !body.starts_with(br#"{"query":""#),
        Verb::Delete => !body.starts_with(b"\""),
        Verb::InsertMany => body.len() > SHORT_LIST_BYTES,
        Verb::Insert | Verb::Find { .. } | Verb::FindOne | Verb::Count => false,
    }
}

/// The reader's part.
pub(crate) fn make(reading: &Reading<'_>, op: &Op, body: &[u8]) -> Result<Plan, OpError> {
    collection::check_name(&op.collection)?;
    let (which, change) = match op.verb {
        Verb::InsertMany => return Ok(Plan::List(insert::read(reading.sql(), body)?)),
        Verb::Update => {
            let (which, changes) = update::read(body)?;
            (which, Change::Update(changes))
        }
        Verb::Delete => (query::which(&query::json(body)?)?, Change::Delete),
        Verb::Insert | Verb::Find { .. } | Verb::FindOne | Verb::Count => return Err(invalid("needs no plan").into()),
    };
    let filter = match which {
        Which::Id(id) => return Ok(Plan::Named(Named { id, change })),
        Which::Query(filter) => filter,
    };
    let rows = find::rows(reading, &op.collection, &filter)?;
    Ok(Plan::Found(Found { filter, rows, change }))
}

/// The writer's part of an update or a delete by an id.
pub(super) fn by_id(hand: &mut Hand<'_>, app: u64, name: &str, named: &Named) -> Result<Reply, OpError> {
    let Some(collection) = collection::find(hand.sql(), app, name)? else { return Ok(number(0)) };
    let row = find::by_name(hand.sql(), &collection, &named.id)?;
    change(hand, app, name, (row.as_slice(), ANY), &named.change)
}

/// The writer's part of an update or a delete by a query.
pub(super) fn by_query(hand: &mut Hand<'_>, app: u64, name: &str, found: &Found) -> Result<Reply, OpError> {
    change(hand, app, name, (&found.rows, &found.filter), &found.change)
}

fn change(
    hand: &mut Hand<'_>,
    app: u64,
    name: &str,
    (rows, filter): (&[i64], &Filter),
    change: &Change,
) -> Result<Reply, OpError> {
    let Some(mut collection) = collection::find(hand.sql(), app, name)? else { return Ok(number(0)) };
    let changed = hand.all_or_none(|hand| match change {
        Change::Update(changes) => update::change(hand, app, &collection, (rows, filter), changes),
        Change::Delete => delete::remove(hand, app, &mut collection, (name, rows, filter)),
    })?;
    Ok(number(changed))
}

impl Plan {
    /// What it takes of memory while it waits for the writer.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Named(_) => 0,
            Self::Found(found) => found.rows.capacity().saturating_mul(size_of::<i64>()),
            Self::List(list) => list.bytes(),
        }
    }

    /// Whether it may take the writer long.
    pub(crate) fn is_large(&self) -> bool {
        match self {
            Self::Named(_) => false,
            Self::Found(found) => found.rows.len() > LARGE_ROWS,
            Self::List(_) => true,
        }
    }
}

impl Named {
    /// Reads a call that names its document by an id.
    pub(super) fn read(op: &Op, body: &[u8]) -> Result<Self, Refusal> {
        match op.verb {
            Verb::Update => update::read_named(body).map(|(id, changes)| Self { id, change: Change::Update(changes) }),
            Verb::Delete => match serde_json::from_slice(body) {
                Ok(id) => Ok(Self { id, change: Change::Delete }),
                Err(error) => Err(invalid(format!("query: not JSON: {error}"))),
            },
            Verb::Insert | Verb::InsertMany | Verb::Find { .. } | Verb::FindOne | Verb::Count => {
                Err(invalid("not an update, nor a delete"))
            }
        }
    }
}
