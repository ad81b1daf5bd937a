//! What a write has at hand: the connection within the group's transaction, the counters, the limits, the time.

use std::sync::Arc;

use crate::{
    connection::Connection,
    leash::Leash,
    quota::{Account, Ledger},
    refusal::{OpError, late},
    store::Limits,
};

#[derive(Debug)]
pub(crate) struct Hand<'a> {
    connection: &'a Connection,
    pub(crate) ledger: &'a mut Ledger,
    pub(crate) limits: Limits,
    /// Of the wall clock.
    pub(crate) now_ms: i64,
    leash: Arc<Leash>,
}

impl<'a> Hand<'a> {
    pub(crate) fn new(connection: &'a Connection, ledger: &'a mut Ledger, limits: Limits, leash: Arc<Leash>) -> Self {
        Self { connection, ledger, limits, now_ms: crate::store::unix_ms(), leash }
    }

    /// For statements that are short by themselves: one row, never interrupted.
    pub(crate) fn sql(&self) -> &'a rusqlite::Connection {
        &self.connection.sql
    }

    /// For a statement that reads and may be long.
    pub(crate) fn scan<T>(&self, read: impl FnOnce(&rusqlite::Connection) -> T) -> T {
        self.connection.within(&self.leash, read)
    }

    /// Between two statements of a long write.
    pub(crate) fn in_time(&self) -> Result<(), OpError> {
        if self.leash.is_past() { Err(late().into()) } else { Ok(()) }
    }

    pub(crate) fn account(&mut self, app: u64) -> Result<Account, OpError> {
        self.ledger.account(self.sql(), app)
    }

    /// Several statements, all or none: where they fail, the group's transaction is as it was before.
    pub(crate) fn all_or_none<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, OpError>) -> Result<T, OpError> {
        self.sql().prepare_cached("SAVEPOINT op")?.execute([])?;
        let kept = self.ledger.keep();
        let done = work(self);
        if done.is_err() {
            self.ledger.restore(kept);
            self.sql().prepare_cached("ROLLBACK TO op")?.execute([])?;
        }
        self.sql().prepare_cached("RELEASE op")?.execute([])?;
        done
    }
}
