//! Reads of documents. The answer is composed as text: what SQLite gives back as JSON is never parsed again.

use fazt_protocol::{
    limit::OP_BODY_BYTES,
    op::{
        Code, Found, Refusal,
        ds::{Op, Order, Verb},
    },
};
use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, Statement, params, params_from_iter};

use super::{
    collection::{self, Collection},
    compile::Sql,
    document, number,
    order::First,
    path::Field,
    query::{self, Filter, Scalar, Test, Which},
};
use crate::{
    question::Reply,
    readers::Reading,
    refusal::{OpError, invalid},
};

/// A document by its number in the file. Its collection stands here as in every statement: no mistake in a number shows
/// another one's documents.
const BY_ROW: &str = "SELECT name, json(body), created_at, updated_at FROM document WHERE id = ?1 AND collection = ?2";
/// The number of a document by its id.
const BY_NAME: &str = "SELECT id FROM document WHERE collection = ?1 AND name = ?2";

/// Answers a read.
pub(crate) fn answer(reading: &Reading<'_>, op: &Op, body: &[u8]) -> Result<Reply, OpError> {
    collection::check_name(&op.collection)?;
    // One snapshot: the documents of one answer are of one moment.
    let snapshot = reading.sql.unchecked_transaction()?;
    let collection = collection::find(reading.sql, reading.app, &op.collection)?;
    let reply = match &op.verb {
        Verb::Find { limit, offset, order } => {
            let filter = query::parse(body)?;
            find(reading.sql, collection, &Page { filter: &filter, order, limit: *limit, offset: *offset })
        }
        Verb::FindOne => find_one(reading.sql, collection, &query::which(&query::json(body)?)?),
        Verb::Count => count(reading.sql, collection, &query::parse(body)?),
        Verb::Insert | Verb::InsertMany | Verb::Update | Verb::Delete => Err(invalid("not a read").into()),
    };
    drop(snapshot);
    reply
}

/// What is asked for.
#[derive(Debug, Clone, Copy)]
struct Page<'a> {
    filter: &'a Filter,
    order: &'a [Order],
    limit: u32,
    offset: u32,
}

fn find(sql: &Connection, collection: Option<Collection>, page: &Page<'_>) -> Result<Reply, OpError> {
    let mut out = b"[".to_vec();
    if let Some(collection) = collection {
        let mut statement = sql.prepare_cached(BY_ROW)?;
        for row in page.rows(sql, &collection)? {
            if out.len() > 1 {
                out.push(b',');
            }
            statement.query_row([row, collection.id], |row| push(row, &mut out))?;
            if out.len() >= OP_BODY_BYTES {
                let message =
                    format!("the documents come to more than {OP_BODY_BYTES} bytes: ask for fewer with limit");
                return Err(Refusal::new(Code::TooLarge, message).into());
            }
        }
    }
    out.push(b']');
    Ok(Reply::json(out))
}

fn find_one(sql: &Connection, collection: Option<Collection>, which: &Which) -> Result<Reply, OpError> {
    let nothing = || Ok(Reply::of(Found::Nothing));
    let Some(collection) = collection else { return nothing() };
    let row = match which {
        Which::Id(id) => by_name(sql, &collection, id)?,
        Which::Query(filter) => {
            Page { filter, order: &[], limit: 1, offset: 0 }.rows(sql, &collection)?.first().copied()
        }
    };
    let Some(row) = row else { return nothing() };
    let mut out = Vec::new();
    sql.prepare_cached(BY_ROW)?.query_row([row, collection.id], |row| push(row, &mut out))?;
    Ok(Reply::json(out))
}

fn count(sql: &Connection, collection: Option<Collection>, filter: &Filter) -> Result<Reply, OpError> {
    let Some(collection) = collection else { return Ok(number(0)) };
    if *filter == Filter::And(Vec::new()) {
        return Ok(number(collection.documents));
    }
    let select = select(Sql::default(), "count(*)", &collection, filter);
    let mut prepared = Prepared::of(sql, &select.text)?;
    Ok(number(prepared.statement().query_row(params_from_iter(&select.bound), |row| row.get(0))?))
}

/// The numbers of all documents that meet a query.
pub(super) fn rows(sql: &Connection, collection: &Collection, filter: &Filter) -> Result<Vec<i64>, OpError> {
    Page { filter, order: &[], limit: u32::MAX, offset: 0 }.rows(sql, collection)
}

pub(super) fn by_name(sql: &Connection, collection: &Collection, name: &str) -> Result<Option<i64>, OpError> {
    let mut statement = sql.prepare_cached(BY_NAME)?;
    Ok(statement.query_row(params![collection.id, name], |row| row.get(0)).optional()?)
}

impl Page<'_> {
    /// The numbers of the documents, in order: what is sorted are numbers and keys, not documents.
    fn rows(&self, sql: &Connection, collection: &Collection) -> Result<Vec<i64>, OpError> {
        if !self.order.is_empty() {
            return self.ordered(sql, collection);
        }
        let mut select = select(Sql::default(), "id", collection, self.filter);
        let (limit, offset) = (select.bind(i64::from(self.limit)), select.bind(i64::from(self.offset)));
        select.text.push_str(&format!(" ORDER BY id DESC LIMIT {limit} OFFSET {offset}"));
        let mut prepared = Prepared::of(sql, &select.text)?;
        let rows = prepared.statement().query_map(params_from_iter(&select.bound), |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn ordered(&self, sql: &Connection, collection: &Collection) -> Result<Vec<i64>, OpError> {
        let mut columns = Sql::default();
        let mut what = "id".to_owned();
        for field in self.order {
            what.push_str(", ");
            what.push_str(&columns.column(&field.path)?);
        }
        let select = select(columns, &what, collection, self.filter);
        let count = |number| usize::try_from(number).unwrap_or(usize::MAX);
        let mut first = First::new(self.order, count(self.limit).saturating_add(count(self.offset)));
        let mut prepared = Prepared::of(sql, &select.text)?;
        let mut rows = prepared.statement().query(params_from_iter(&select.bound))?;
        while let Some(row) = rows.next()? {
            first.look(row)?;
        }
        Ok(first.rows(count(self.offset)))
    }
}

/// `SELECT … FROM document` of those of a collection that meet a query.
fn select(mut sql: Sql, what: &str, collection: &Collection, filter: &Filter) -> Sql {
    match wanted_id(filter) {
        Some(id) => {
            let (collection, id) = (sql.bind(collection.id), sql.bind(id.to_owned()));
            sql.text = format!("SELECT {what} FROM document WHERE collection = {collection} AND name = {id} AND ");
        }
        None => {
            let (first, last) = collection.rows();
            let (first, last, collection) = (sql.bind(first), sql.bind(last), sql.bind(collection.id));
            // The sign keeps SQLite from the index on the collection, whose rows would have to be sorted.
            sql.text = format!(
                "SELECT {what} FROM document WHERE id BETWEEN {first} AND {last} AND +collection = {collection} AND "
            );
        }
    }
    sql.push_filter(filter);
    sql
}

/// The id that a query asks for beside all else, if it does.
fn wanted_id(filter: &Filter) -> Option<&str> {
    match filter {
        Filter::And(parts) => parts.iter().find_map(wanted_id),
        Filter::Test(Field::Id, Test::Equal(Scalar::Text(id))) => Some(id),
        _ => None,
    }
}

/// A statement of a query. A very long one is not kept prepared.
enum Prepared<'c> {
    Kept(CachedStatement<'c>),
    Once(Statement<'c>),
}

impl<'c> Prepared<'c> {
    fn of(sql: &'c Connection, text: &str) -> rusqlite::Result<Self> {
        const KEPT_BYTES: usize = 8 * 1024;
        if text.len() <= KEPT_BYTES {
            sql.prepare_cached(text).map(Self::Kept)
        } else {
            sql.prepare(text).map(Self::Once)
        }
    }

    fn statement(&mut self) -> &mut Statement<'c> {
        match self {
            Self::Kept(statement) => statement,
            Self::Once(statement) => statement,
        }
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

fn push(row: &Row<'_>, out: &mut Vec<u8>) -> rusqlite::Result<()> {
    let text = |at| Ok::<_, rusqlite::Error>(row.get_ref(at)?.as_str().unwrap_or_default());
    document::push(text(0)?, text(1)?, (row.get(2)?, row.get(3)?), out);
    Ok(())
}
