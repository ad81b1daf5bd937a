//! Collections: a name of an app's, its number, its counters.

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::refusal::{OpError, invalid};

/// Bits of a document's number that count within its collection.
const SEQUENCE_BITS: u32 = 36;

#[derive(Debug, Clone, Copy)]
pub(super) struct Collection {
    pub(super) id: i64,
    pub(super) documents: u64,
    pub(super) sequence: i64,
}

pub(super) fn check_name(name: &str) -> Result<(), OpError> {
    if name.is_empty() { Err(invalid("collection: the name is empty").into()) } else { Ok(()) }
}

pub(super) fn find(sql: &Connection, app: u64, name: &str) -> Result<Option<Collection>, OpError> {
    let mut statement =
        sql.prepare_cached("SELECT id, documents, sequence FROM collection WHERE app = ?1 AND name = ?2")?;
    let row = |row: &Row<'_>| Ok(Collection { id: row.get(0)?, documents: row.get(1)?, sequence: row.get(2)? });
    Ok(statement.query_row(params![app, name], row).optional()?)
}

pub(super) fn make(sql: &Connection, app: u64, name: &str) -> Result<Collection, OpError> {
    let id = sql.prepare_cached("INSERT INTO collection (app, name) VALUES (?1, ?2)")?.insert(params![app, name])?;
    Ok(Collection { id, documents: 0, sequence: 0 })
}

impl Collection {
    /// Writes the counters.
    pub(super) fn save(&self, sql: &Connection) -> Result<(), OpError> {
        let mut statement = sql.prepare_cached("UPDATE collection SET documents = ?2, sequence = ?3 WHERE id = ?1")?;
        statement.execute(params![self.id, self.documents, self.sequence])?;
        Ok(())
    }

    /// The number of the document with that sequence.
    pub(super) fn row(&self, sequence: i64) -> i64 {
        (self.id << SEQUENCE_BITS) | sequence
    }

    /// The first and the last number that a document of this collection can have.
    pub(super) fn rows(&self) -> (i64, i64) {
        (self.row(0), self.row((1 << SEQUENCE_BITS) - 1))
    }
}
