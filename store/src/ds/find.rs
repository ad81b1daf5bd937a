//! Reads of documents. The answer is composed as text: what SQLite gives back as JSON is never parsed again.
//!
//! What is found by number is read a part at a time, each document as it was at some moment of the call; a find with an order is of
//! one moment.

use std::ops::ControlFlow;

use fazt_protocol::{
    limit::OP_BODY_BYTES,
    op::{
        Code, Found, Refusal,
        ds::{Op, Order, Verb},
    },
};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{
    collection::{self, Collection},
    compile::Sql,
    document, number,
    order::First,
    query::{self, Filter, Which},
    scan::{self, Part, Prepared, Query},
};
use crate::{
    question::Reply,
    readers::Reading,
    refusal::{OpError, invalid},
};

/// What every document meets.
const ANY: Filter = Filter::And(Vec::new());
/// A document by its number in the file. Its collection stands here as in every statement: no mistake in a number shows
/// another one's documents.
const BY_ROW: &str = "SELECT name, json(body), created_at, updated_at FROM document WHERE id = ?1 AND collection = ?2";
/// The number of a document by its id.
const BY_NAME: &str = "SELECT id FROM document WHERE collection = ?1 AND name = ?2";

/// Answers a read.
pub(crate) fn answer(reading: &Reading<'_>, op: &Op, body: &[u8]) -> Result<Reply, OpError> {
    collection::check_name(&op.collection)?;
    let name = op.collection.as_str();
    match &op.verb {
        Verb::Find { limit, offset, order } => {
            let filter = query::parse(body)?;
            let page = Page { filter: &filter, limit: u64::from(*limit), offset: u64::from(*offset) };
            let mut out = List::default();
            if order.is_empty() {
                page.find(reading, name, &mut out)?
            } else {
                page.sort(reading, name, (order, &mut out))?
            }
            Ok(out.into_reply())
        }
        Verb::FindOne => find_one(reading, name, &query::which(&query::json(body)?)?),
        Verb::Count => count(reading, name, &query::parse(body)?),
        Verb::Insert | Verb::InsertMany | Verb::Update | Verb::Delete => Err(invalid("not a read").into()),
    }
}

/// What is asked for.
#[derive(Debug, Clone, Copy)]
struct Page<'a> {
    filter: &'a Filter,
    limit: u64,
    offset: u64,
}

/// Documents as an answer has them.
#[derive(Debug, Default)]
struct List(Vec<u8>);

fn find_one(reading: &Reading<'_>, name: &str, which: &Which) -> Result<Reply, OpError> {
    let mut out = Vec::new();
    match which {
        Which::Id(id) => {
            let _snapshot = reading.sql().unchecked_transaction()?;
            let Some(collection) = collection::find(reading.sql(), reading.app, name)? else { return Ok(nothing()) };
            let Some(row) = by_name(reading.sql(), &collection, id)? else { return Ok(nothing()) };
            push_one(reading.sql(), (row, collection.id), &mut out)?;
        }
        Which::Query(filter) => {
            Page { filter, limit: 1, offset: 0 }
                .each(reading, name, |collection, row| push_one(reading.sql(), (row, collection.id), &mut out))?;
        }
    }
    Ok(if out.is_empty() { nothing() } else { Reply::json(out) })
}

fn nothing() -> Reply {
    Reply::of(Found::Nothing)
}

fn count(reading: &Reading<'_>, name: &str, filter: &Filter) -> Result<Reply, OpError> {
    if *filter == ANY {
        let collection = collection::find(reading.sql(), reading.app, name)?;
        return Ok(number(collection.map_or(0, |collection| collection.documents)));
    }
    let mut count: u64 = 0;
    let mut query = Query::new(reading.sql(), |_| Ok("count(*)".to_owned()), (filter, ""))?;
    scan::run(reading, name, &mut query, |query, collection, part| {
        let of_part: u64 = query.rows(collection, *part, u64::MAX)?.next()?.map_or(Ok(0), |row| row.get(0))?;
        count = count.saturating_add(of_part);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(number(count))
}

/// The numbers of all documents that meet a query.
pub(super) fn rows(reading: &Reading<'_>, name: &str, filter: &Filter) -> Result<Vec<i64>, OpError> {
    let mut rows = Vec::new();
    Page { filter, limit: u64::MAX, offset: 0 }.each(reading, name, |_, row| {
        rows.push(row);
        Ok(())
    })?;
    Ok(rows)
}

pub(super) fn by_name(sql: &Connection, collection: &Collection, name: &str) -> Result<Option<i64>, OpError> {
    let mut statement = sql.prepare_cached(BY_NAME)?;
    Ok(statement.query_row(params![collection.id, name], |row| row.get(0)).optional()?)
}

impl Page<'_> {
    fn find(&self, reading: &Reading<'_>, name: &str, out: &mut List) -> Result<(), OpError> {
        self.each(reading, name, |collection, row| out.push(reading.sql(), (row, collection.id)))
    }

    /// Does something with each document, the newest first, in the snapshot in which it met the query.
    fn each(
        &self,
        reading: &Reading<'_>,
        name: &str,
        mut each: impl FnMut(&Collection, i64) -> Result<(), OpError>,
    ) -> Result<(), OpError> {
        let (mut pass, mut left) = (self.offset, self.limit);
        let mut query = Query::new(reading.sql(), |_| Ok("id".to_owned()), (self.filter, "ORDER BY id DESC"))?;
        scan::run(reading, name, &mut query, |query, collection, part| {
            for row in query.numbers(collection, *part, pass.saturating_add(left))? {
                if pass > 0 {
                    pass = pass.saturating_sub(1);
                } else {
                    each(collection, row)?;
                    left = left.saturating_sub(1);
                }
                part.done(row);
            }
            Ok(if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })
    }

    /// As the documents were at one moment: what is sorted are numbers and keys, not documents, and those that come first are read
    /// only then.
    fn sort(&self, reading: &Reading<'_>, name: &str, (order, out): (&[Order], &mut List)) -> Result<(), OpError> {
        let _snapshot = reading.sql().unchecked_transaction()?;
        let Some(collection) = collection::find(reading.sql(), reading.app, name)? else { return Ok(()) };
        let columns = |select: &mut Sql| {
            let mut what = "id".to_owned();
            for field in order {
                what.push_str(", ");
                what.push_str(&select.column(&field.path)?);
            }
            Ok(what)
        };
        let count = |number| usize::try_from(number).unwrap_or(usize::MAX);
        let mut first = First::new(order, count(self.limit).saturating_add(count(self.offset)));
        let mut query = Query::new(reading.sql(), columns, (self.filter, ""))?;
        let mut rows = query.rows(&collection, Part::whole(&collection), u64::MAX)?;
        while let Some(row) = rows.next()? {
            first.look(row)?;
        }
        drop(rows);
        first.rows(count(self.offset)).into_iter().try_for_each(|row| out.push(reading.sql(), (row, collection.id)))
    }
}

impl List {
    fn push(&mut self, sql: &Connection, document: (i64, i64)) -> Result<(), OpError> {
        let out = &mut self.0;
        out.push(if out.is_empty() { b'[' } else { b',' });
        if let Err(error) = push_one(sql, document, out) {
            // It may be read again.
            out.pop();
            return Err(error);
        }
        if out.len() >= OP_BODY_BYTES {
            let message = format!("the documents come to more than {OP_BODY_BYTES} bytes: ask for fewer with limit");
            return Err(Refusal::new(Code::TooLarge, message).into());
        }
        Ok(())
    }

    fn into_reply(mut self) -> Reply {
        if self.0.is_empty() {
            self.0.push(b'[');
        }
        self.0.push(b']');
        Reply::json(self.0)
    }
}

/// Looks at documents one by one: whether they are still there, and still meet a query.
pub(super) struct Again<'c>(Prepared<'c>);

impl<'c> Again<'c> {
    pub(super) fn new(sql: &'c Connection, what: &str, id: i64, filter: &Filter) -> rusqlite::Result<Self> {
        let mut select = Sql::default();
        let (row, collection) = (select.bind(0), select.bind(id));
        select.text = format!("SELECT {what} FROM document WHERE id = {row} AND collection = {collection} AND ");
        select.push_filter(filter);
        let mut prepared = Prepared::of(sql, &select.text)?;
        for (bound, at) in select.bound.iter().zip(1..) {
            prepared.statement().raw_bind_parameter(at, bound)?;
        }
        Ok(Self(prepared))
    }

    /// What is wanted of that document, if it does.
    pub(super) fn look<T>(
        &mut self,
        row: i64,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Option<T>> {
        let statement = self.0.statement();
        statement.raw_bind_parameter(1, row)?;
        let mut rows = statement.raw_query();
        rows.next()?.map(read).transpose()
    }
}

/// Appends a document by its number and that of its collection; nothing where that fails.
fn push_one(sql: &Connection, (row, collection): (i64, i64), out: &mut Vec<u8>) -> Result<(), OpError> {
    let mut statement = sql.prepare_cached(BY_ROW)?;
    Ok(statement.query_row([row, collection], |row| {
        let text = |at| Ok::<_, rusqlite::Error>(row.get_ref(at)?.as_str().unwrap_or_default());
        document::push(text(0)?, text(1)?, (row.get(2)?, row.get(3)?), out);
        Ok(())
    })?)
}
