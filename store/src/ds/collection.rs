//! Collections: a name of an app's, its number, its counters. One is made with its first document and goes with its
//! last.

use fazt_protocol::op::{Code, Refusal};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::ROW_BYTES;
use crate::{
    quota::Account,
    refusal::{OpError, invalid},
    writer::Hand,
};

/// Bits of a document's number that count within its collection.
const SEQUENCE_BITS: u32 = 36;
/// Numbers of documents in a collection, and of collections: together a number in the file, without its sign.
const SEQUENCES: i64 = 1 << SEQUENCE_BITS;
const COLLECTIONS: i64 = 1 << (63 - SEQUENCE_BITS);

/// A collection that has had more documents than that keeps its number when it goes: the next one would soon have none left.
const REUSED_MOST: i64 = SEQUENCES / 2;

const COUNT: &str = "SELECT count(*) FROM collection WHERE app = ?1";
const FREE: &str =
    "DELETE FROM free_collection WHERE id = (SELECT min(id) FROM free_collection) RETURNING id, sequence";
/// What the counter says is not enough: its number will be another one's, who must find nothing under it.
const REMOVE: &str = "DELETE FROM collection WHERE id = ?1
    AND NOT EXISTS (SELECT 1 FROM document WHERE id BETWEEN ?2 AND ?3)
    AND NOT EXISTS (SELECT 1 FROM indexed_field WHERE collection = ?1)";

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

/// Makes a collection, at its app's cost. Within a savepoint: it may refuse after it has written.
pub(super) fn make(hand: &mut Hand<'_>, app: u64, name: &str) -> Result<Collection, OpError> {
    let sql = hand.sql();
    let count: u64 = sql.prepare_cached(COUNT)?.query_row([app], |row| row.get(0))?;
    if count >= hand.limits.collections {
        let message = format!(
            "collection: the app has {count} collections, which is the most; use one with a field that tells its \
             documents apart, or delete all documents of another, which goes with the last"
        );
        return Err(Refusal::new(Code::QuotaExceeded, message).into());
    }
    let mut account = hand.account(app)?;
    account.charge(0, cost(name), hand.limits.app_bytes)?;
    let row = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?));
    let (free, sequence) = sql.prepare_cached(FREE)?.query_row([], row).optional()?.unzip();
    let sequence = sequence.unwrap_or_default();
    let mut insert = sql.prepare_cached("INSERT INTO collection (id, app, name, sequence) VALUES (?1, ?2, ?3, ?4)")?;
    let id = insert.insert(params![free, app, name, sequence])?;
    if !(1..COLLECTIONS).contains(&id) {
        return Err(exhausted("collection"));
    }
    hand.ledger.set(app, account);
    Ok(Collection { id, documents: 0, sequence })
}

/// The number of a collection that is gone, and the last one of its documents: both are given out again, and go on.
pub(crate) fn give_back(sql: &Connection, id: i64, sequence: i64) -> rusqlite::Result<()> {
    if sequence <= REUSED_MOST {
        sql.prepare_cached("INSERT INTO free_collection (id, sequence) VALUES (?1, ?2)")?.execute([id, sequence])?;
    }
    Ok(())
}

/// What the quota counts. The name stands in the table and in the index that finds it.
fn cost(name: &str) -> u64 {
    ROW_BYTES.saturating_add((name.len() as u64).saturating_mul(2))
}

/// No number is left. A larger one would lie among those of another collection.
fn exhausted(what: &str) -> OpError {
    tracing::error!("no number is left for another {what}");
    Refusal::new(Code::Unavailable, format!("the store has no number left for another {what}")).into()
}

impl Collection {
    /// Writes the counters.
    pub(super) fn save(&self, sql: &Connection) -> Result<(), OpError> {
        let mut statement = sql.prepare_cached("UPDATE collection SET documents = ?2, sequence = ?3 WHERE id = ?1")?;
        statement.execute(params![self.id, self.documents, self.sequence])?;
        Ok(())
    }

    /// Writes the counters, or removes the collection with its last document.
    pub(super) fn save_or_remove(&self, sql: &Connection, name: &str, account: &mut Account) -> Result<(), OpError> {
        let (first, last) = self.rows();
        if self.documents > 0 || sql.prepare_cached(REMOVE)?.execute([self.id, first, last])? == 0 {
            return self.save(sql);
        }
        give_back(sql, self.id, self.sequence)?;
        Ok(account.charge(cost(name), 0, u64::MAX)?)
    }

    /// The number of its next document.
    pub(super) fn next_row(&mut self) -> Result<i64, OpError> {
        let next = self.sequence.checked_add(1).filter(|next| (1..SEQUENCES).contains(next));
        self.sequence = next.ok_or_else(|| exhausted("document of the collection"))?;
        Ok(self.row(self.sequence))
    }

    /// The number of the document with that sequence.
    fn row(&self, sequence: i64) -> i64 {
        (self.id << SEQUENCE_BITS) | sequence
    }

    /// The number of its newest document.
    pub(super) fn newest(&self) -> i64 {
        self.row(self.sequence)
    }

    /// The first and the last number that a document of this collection can have.
    pub(super) fn rows(&self) -> (i64, i64) {
        (self.row(0), self.row(SEQUENCES - 1))
    }
}
