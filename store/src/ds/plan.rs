//! Updates and deletes by a query, in two parts: a reader finds the documents in its snapshot, the writer looks at each
//! of them again by its number and changes those that still meet the query.
//!
//! So the writer's work is bounded by what truly changes: a scan on its thread would hold up everybody's writes. A
//! document that others made to meet the query after the snapshot is left alone, as if the call had come before them.

use fazt_protocol::op::{
    Code, Op as AnyOp, Refusal,
    ds::{Op, Verb},
};

use super::{
    collection, delete, find, number,
    query::{self, Which},
    update::{self, Update},
};
use crate::{
    question::Reply,
    readers::Reading,
    refusal::{OpError, invalid},
    writer::Hand,
};

/// What is wanted, and the documents that it is for.
#[derive(Debug)]
pub(crate) struct Plan {
    wanted: Wanted,
    rows: Vec<i64>,
}

/// A call's arguments, read.
#[derive(Debug)]
enum Wanted {
    Update(Update),
    Delete(Which),
}

/// Whether a write must look for its documents, as far as a glance tells: what names its document by an id need not.
/// Only a matter of speed; either way it is carried out.
pub(crate) fn is_due(op: &AnyOp, body: &[u8]) -> bool {
    let AnyOp::Ds(op) = op else { return false };
    match op.verb {
        Verb::Update => !body.starts_with(br#"{"query":""#),
        Verb::Delete => !body.starts_with(b"\""),
        Verb::Insert | Verb::InsertMany | Verb::Find { .. } | Verb::FindOne | Verb::Count => false,
    }
}

/// The reader's part.
pub(crate) fn make(reading: &Reading<'_>, op: &Op, body: &[u8]) -> Result<Plan, OpError> {
    collection::check_name(&op.collection)?;
    let wanted = Wanted::read(op, body)?;
    let snapshot = reading.sql.unchecked_transaction()?;
    let rows = match (collection::find(reading.sql, reading.app, &op.collection)?, wanted.which()) {
        (Some(collection), Which::Query(filter)) => find::rows(reading.sql, &collection, filter)?,
        (None, _) | (Some(_), Which::Id(_)) => Vec::new(),
    };
    drop(snapshot);
    Ok(Plan { wanted, rows })
}

/// The writer's part; all of it, without a plan, where the document is named by its id.
pub(super) fn carry_out(
    hand: &mut Hand<'_>,
    app: u64,
    op: &Op,
    body: &[u8],
    plan: Option<&Plan>,
) -> Result<Reply, OpError> {
    let read;
    let (wanted, found) = match plan {
        Some(plan) => (&plan.wanted, plan.rows.as_slice()),
        None => {
            read = Wanted::read(op, body)?;
            (&read, &[][..])
        }
    };
    let Some(mut collection) = collection::find(hand.sql(), app, &op.collection)? else { return Ok(number(0)) };
    let named: Option<i64>;
    let rows = match wanted.which() {
        Which::Id(id) => {
            named = find::by_name(hand.sql(), &collection, id)?;
            named.as_slice()
        }
        Which::Query(_) if plan.is_none() => {
            return Err(Refusal::new(Code::Unavailable, "nobody has looked for the documents; try again").into());
        }
        Which::Query(_) => found,
    };
    let changed = hand.all_or_none(|hand| match wanted {
        Wanted::Update(update) => update::change(hand, app, &collection, (rows, update)),
        Wanted::Delete(which) => delete::remove(hand, app, &mut collection, (&op.collection, rows, which)),
    })?;
    Ok(number(changed))
}

impl Plan {
    /// What it takes of memory while it waits for the writer.
    pub(crate) fn bytes(&self) -> usize {
        self.rows.capacity().saturating_mul(size_of::<i64>())
    }
}

impl Wanted {
    fn read(op: &Op, body: &[u8]) -> Result<Self, OpError> {
        match op.verb {
            Verb::Update => Ok(Self::Update(update::read(body)?)),
            Verb::Delete => Ok(Self::Delete(query::which(&query::json(body)?)?)),
            Verb::Insert | Verb::InsertMany | Verb::Find { .. } | Verb::FindOne | Verb::Count => {
                Err(invalid("not an update, nor a delete").into())
            }
        }
    }

    fn which(&self) -> &Which {
        match self {
            Self::Update(update) => &update.which,
            Self::Delete(which) => which,
        }
    }
}
