//! Scans: a collection's documents by their numbers, the newest first, in parts of some milliseconds.
//!
//! As long as a snapshot is read from SQLite's log, the log cannot start over. Where the writer needs that, a scan lets its
//! snapshot go and reads on in a new one, with the documents that it has not looked at: it never begins anew, however much is
//! written meanwhile. A caller must be done with a document in the snapshot in which it was found.

use std::{
    ops::ControlFlow,
    time::{Duration, Instant},
};

use rusqlite::{CachedStatement, Connection, Statement, params_from_iter, types::Value as Bound};

use super::{
    collection::{self, Collection},
    compile::Sql,
    path::Field,
    query::{Filter, Scalar, Test},
};
use crate::{readers::Reading, refusal::OpError};

/// Numbers in the first part, divided by the query's conditions: of the largest documents one condition takes a millisecond, and 500
/// a quarter of a second.
const FIRST: usize = 64;
/// How much larger the next part is where one takes so little that it will not take long.
const GROWTH: i64 = 8;
/// About how long a part takes.
const PART: Duration = Duration::from_millis(5);

/// Numbers of documents that are to be looked at, from the last to the first.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    first: i64,
    last: i64,
}

/// How far a scan has come.
struct Scan<'a> {
    reading: &'a Reading<'a>,
    name: &'a str,
    /// The collection, once it was found, and the next number.
    begun: Option<(Collection, i64)>,
    width: i64,
}

/// Looks at a collection's documents a part at a time, until it is told to stop or there are no more.
pub(super) fn run(
    reading: &Reading<'_>,
    name: &str,
    query: &mut Query<'_>,
    mut look: impl FnMut(&mut Query<'_>, &Collection, &mut Part) -> Result<ControlFlow<()>, OpError>,
) -> Result<(), OpError> {
    let mut scan = Scan { reading, name, begun: None, width: query.first };
    loop {
        match scan.go_on(|collection, part| look(query, collection, part)) {
            Ok(ControlFlow::Break(())) => return Ok(()),
            Ok(ControlFlow::Continue(())) => {}
            Err(error) if error.is_interrupt() && reading.connection.is_in_the_way() => {}
            Err(error) => return Err(error),
        }
    }
}

impl Scan<'_> {
    /// Goes on in a snapshot until that is in the way.
    fn go_on(
        &mut self,
        mut look: impl FnMut(&Collection, &mut Part) -> Result<ControlFlow<()>, OpError>,
    ) -> Result<ControlFlow<()>, OpError> {
        let connection = self.reading.connection;
        let _snapshot = connection.snapshot()?;
        let found = collection::find(self.reading.sql(), self.reading.app, self.name)?;
        let Some(collection) = found else { return Ok(ControlFlow::Break(())) };
        let (begun, mut last) = self.begun.unwrap_or((collection, collection.newest()));
        if begun.id != collection.id {
            // It went with its last document, and what is there under its name is another one. One that got its number goes on with
            // numbers that no document has had, beyond those that are left to this scan.
            return Ok(ControlFlow::Break(()));
        }
        while !connection.is_in_the_way() {
            let first = last.saturating_sub(self.width.saturating_sub(1)).max(collection.rows().0);
            if last < first {
                return Ok(ControlFlow::Break(()));
            }
            let mut part = Part { first, last };
            let since = Instant::now();
            let looked = look(&collection, &mut part);
            last = if looked.is_ok() { first.saturating_sub(1) } else { part.last };
            let width = if looked.is_ok() { next_width(self.width, since.elapsed()) } else { self.width / GROWTH };
            (self.begun, self.width) = (Some((begun, last)), width.max(1));
            if looked?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

fn next_width(width: i64, took: Duration) -> i64 {
    match took {
        _ if took < PART / GROWTH as u32 => width.saturating_mul(GROWTH),
        _ if took < PART => width.saturating_mul(2),
        _ if took > PART.saturating_mul(2) => width / 2,
        _ => width,
    }
}

impl Part {
    /// All numbers of a collection.
    pub(super) fn whole(collection: &Collection) -> Self {
        let (first, last) = collection.rows();
        Self { first, last }
    }

    /// This document, and those before it in the scan, have been looked at.
    pub(super) fn done(&mut self, row: i64) {
        self.last = row.saturating_sub(1);
    }
}

/// A query, prepared once for all parts of a scan.
pub(super) struct Query<'c> {
    prepared: Prepared<'c>,
    bound: Vec<Bound>,
    /// Numbers in the first part.
    first: i64,
}

impl<'c> Query<'c> {
    /// `SELECT … FROM document` of those that meet a filter. The first four parameters are a part's; what is selected may have
    /// bound more of its own after them.
    pub(super) fn new(
        sql: &'c Connection,
        select: impl FnOnce(&mut Sql) -> Result<String, OpError>,
        (filter, order): (&Filter, &str),
    ) -> Result<Self, OpError> {
        let mut query = Sql::default();
        let [first, last, collection, limit] = [(); 4].map(|()| query.bind(0));
        let what = select(&mut query)?;
        query.text = match wanted_id(filter) {
            Some(id) => {
                let id = query.bind(id.to_owned());
                format!(
                    "SELECT {what} FROM document
                    WHERE +id BETWEEN {first} AND {last} AND collection = {collection} AND name = {id} AND "
                )
            }
            // The sign keeps SQLite from the index on the collection, whose rows would have to be sorted.
            None => format!(
                "SELECT {what} FROM document WHERE id BETWEEN {first} AND {last} AND +collection = {collection} AND "
            ),
        };
        query.push_filter(filter);
        query.text.push_str(&format!(" {order} LIMIT {limit}"));
        let prepared = Prepared::of(sql, &query.text)?;
        // An index finds the one document of an id, wherever it is.
        let first = if wanted_id(filter).is_some() { usize::MAX } else { FIRST / query.fields.max(1) };
        Ok(Self { prepared, bound: query.bound, first: i64::try_from(first).unwrap_or(i64::MAX).max(1) })
    }

    /// The documents of a part, so many of them at most.
    pub(super) fn rows(
        &mut self,
        collection: &Collection,
        part: Part,
        most: u64,
    ) -> rusqlite::Result<rusqlite::Rows<'_>> {
        let of_a_part = [part.first, part.last, collection.id, i64::try_from(most).unwrap_or(i64::MAX)];
        for (bound, value) in self.bound.iter_mut().zip(of_a_part) {
            *bound = value.into();
        }
        self.prepared.statement().query(params_from_iter(&self.bound))
    }

    /// The numbers of a part's documents.
    pub(super) fn numbers(&mut self, collection: &Collection, part: Part, most: u64) -> rusqlite::Result<Vec<i64>> {
        self.rows(collection, part, most)?.mapped(|row| row.get(0)).collect()
    }
}

/// The id that a query asks for beside all else, if it does.
fn wanted_id(filter: &Filter) -> Option<&str> {
    match filter {
        Filter::And(parts) => parts.iter().find_map(wanted_id),
        Filter::Test(Field::Id, Test::Equal(Scalar::Text(id))) => Some(id),
        _ => None,
    }
}

/// A statement of a query. A long one is not kept: it takes 1.3 KiB of memory for each condition, and preparing it some 10 µs.
pub(super) enum Prepared<'c> {
    Kept(CachedStatement<'c>),
    Once(Statement<'c>),
}

impl<'c> Prepared<'c> {
    pub(super) fn of(sql: &'c Connection, text: &str) -> rusqlite::Result<Self> {
        const KEPT_BYTES: usize = 2 * 1024;
        if text.len() <= KEPT_BYTES {
            sql.prepare_cached(text).map(Self::Kept)
        } else {
            sql.prepare(text).map(Self::Once)
        }
    }

    pub(super) fn statement(&mut self) -> &mut Statement<'c> {
        match self {
            Self::Kept(statement) => statement,
            Self::Once(statement) => statement,
        }
    }
}

#[cfg(test)]
#[path = "scan_tests.rs"]
mod tests;
