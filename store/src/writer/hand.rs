//! What a write has at hand: the connection within the group's transaction, the counters, the limits, the time.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use fazt_protocol::{
    clock,
    op::{Code, Refusal},
};

use super::Write;
use crate::{
    connection::Connection,
    leash::Leash,
    queue::Queue,
    quota::{Account, Ledger},
    refusal::{OpError, late},
    store::Limits,
};

/// How long one op of many rows may keep the writer while another app's write waits: a tenth of the time that a call
/// has. With nobody waiting it may take all of its own time.
const TURN: Duration = Duration::from_millis(50);

#[derive(Debug)]
pub(crate) struct Hand<'a> {
    connection: &'a Connection,
    pub(crate) ledger: &'a mut Ledger,
    pub(crate) limits: Limits,
    /// Of the wall clock.
    pub(crate) now_ms: i64,
    leash: Arc<Leash>,
    turn: Turn<'a>,
}

/// Whose turn it is on the writer, since when, and who waits for its end.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    pub(super) app: u64,
    pub(super) queue: &'a Queue<Write>,
    /// Whether another app is in the same group: it waits for the commit.
    pub(super) shared: bool,
    pub(super) began: Instant,
}

impl<'a> Hand<'a> {
    pub(super) fn new(
        connection: &'a Connection,
        ledger: &'a mut Ledger,
        limits: Limits,
        leash: Arc<Leash>,
        turn: Turn<'a>,
    ) -> Self {
        Self { connection, ledger, limits, now_ms: crate::store::unix_ms(), leash, turn }
    }

    /// For statements that are short by themselves: one row, never interrupted.
    pub(crate) fn sql(&self) -> &'a rusqlite::Connection {
        &self.connection.sql
    }

    /// For a statement that reads one row and may be long all the same: an app's query on an app's document.
    pub(crate) fn look<T>(&self, read: impl FnOnce() -> T) -> T {
        if !self.turn.has_others() {
            return self.connection.within(&self.leash, |_sql| read());
        }
        let turn_ns = u64::try_from(TURN.as_nanos()).unwrap_or(u64::MAX);
        let leash = Leash::until(clock::now_ns().saturating_add(turn_ns).min(self.leash.deadline_ns()));
        self.connection.within(&leash, |_sql| read())
    }

    /// Between two statements of a long write.
    pub(crate) fn in_time(&self) -> Result<(), OpError> {
        if self.leash.is_past() { Err(late().into()) } else { Ok(()) }
    }

    /// Between two rows of a write that may be of very many.
    pub(crate) fn in_turn(&self) -> Result<(), OpError> {
        self.in_time()?;
        if self.turn.began.elapsed() < TURN || !self.turn.has_others() {
            return Ok(());
        }
        let ms = TURN.as_millis();
        let message = format!(
            "it took more than {ms} ms while others waited to write; nothing was changed: insert fewer documents in one \
             call, or change fewer by a narrower query"
        );
        Err(Refusal::new(Code::Timeout, message).into())
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

impl Turn<'_> {
    fn has_others(&self) -> bool {
        self.shared || self.queue.has_others(self.app)
    }
}
