//! Reads of documents. The answer is composed as text: what SQLite gives back as JSON is never parsed again.

use fazt_protocol::{
    limit::OP_BODY_BYTES,
    op::{
        Code, Found, Refusal,
        ds::{Op, Order, Verb},
    },
};
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter, types::Value as Bound};

use super::{
    collection::{self, Collection},
    compile::Sql,
    document, number,
    path::Field,
    query::{self, Filter, Scalar, Test, Which},
};
use crate::{
    question::Reply,
    readers::Reading,
    refusal::{OpError, invalid},
};

/// A document by its number in the file.
const BY_ROW: &str = "SELECT name, json(body), created_at, updated_at FROM document WHERE id = ?1";
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
            statement.query_row([row], |row| push(row, &mut out))?;
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
    sql.prepare_cached(BY_ROW)?.query_row([row], |row| push(row, &mut out))?;
    Ok(Reply::json(out))
}

fn count(sql: &Connection, collection: Option<Collection>, filter: &Filter) -> Result<Reply, OpError> {
    let Some(collection) = collection else { return Ok(number(0)) };
    if *filter == Filter::And(Vec::new()) {
        return Ok(number(collection.documents));
    }
    let select = select("count(*)", &collection, filter);
    let row = |row: &Row<'_>| row.get(0);
    Ok(number(run(sql, &select, |statement, bound| statement.query_row(params_from_iter(bound), row))?))
}

/// The numbers of all documents that meet a query, or of the one with that id.
pub(super) fn rows(sql: &Connection, collection: &Collection, which: &Which) -> Result<Vec<i64>, OpError> {
    match which {
        Which::Id(id) => Ok(by_name(sql, collection, id)?.into_iter().collect()),
        Which::Query(filter) => Page { filter, order: &[], limit: u32::MAX, offset: 0 }.rows(sql, collection),
    }
}

fn by_name(sql: &Connection, collection: &Collection, name: &str) -> Result<Option<i64>, OpError> {
    let mut statement = sql.prepare_cached(BY_NAME)?;
    Ok(statement.query_row(params![collection.id, name], |row| row.get(0)).optional()?)
}

impl Page<'_> {
    /// The numbers of the documents, in order: a sorter holds numbers and keys, not documents.
    fn rows(&self, sql: &Connection, collection: &Collection) -> Result<Vec<i64>, OpError> {
        let mut select = select("id", collection, self.filter);
        select.push_order(self.order)?;
        let (limit, offset) = (select.bind(i64::from(self.limit)), select.bind(i64::from(self.offset)));
        select.text.push_str(&format!(" LIMIT {limit} OFFSET {offset}"));
        Ok(run(sql, &select, |statement, bound| {
            statement.query_map(params_from_iter(bound), |row| row.get(0))?.collect()
        })?)
    }
}

/// `SELECT … FROM document` of those of a collection that meet a query.
fn select(what: &str, collection: &Collection, filter: &Filter) -> Sql {
    let mut sql = Sql::default();
    match wanted_id(filter) {
        Some(id) => {
            let (collection, id) = (sql.bind(collection.id), sql.bind(id.to_owned()));
            sql.text = format!("SELECT {what} FROM document WHERE collection = {collection} AND name = {id} AND ");
        }
        None => {
            let (first, last) = collection.rows();
            let (first, last) = (sql.bind(first), sql.bind(last));
            sql.text = format!("SELECT {what} FROM document WHERE id BETWEEN {first} AND {last} AND ");
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

/// Runs a statement of a query. A very long one is not kept prepared.
fn run<T>(
    sql: &Connection,
    select: &Sql,
    work: impl FnOnce(&mut rusqlite::Statement<'_>, &[Bound]) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    const KEPT_BYTES: usize = 8 * 1024;
    if select.text.len() <= KEPT_BYTES {
        work(&mut *sql.prepare_cached(&select.text)?, &select.bound)
    } else {
        work(&mut sql.prepare(&select.text)?, &select.bound)
    }
}

fn push(row: &Row<'_>, out: &mut Vec<u8>) -> rusqlite::Result<()> {
    let text = |at| Ok::<_, rusqlite::Error>(row.get_ref(at)?.as_str().unwrap_or_default());
    document::push(text(0)?, text(1)?, (row.get(2)?, row.get(3)?), out);
    Ok(())
}
