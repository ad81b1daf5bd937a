//! One connection to the file, set up so that nothing in the file and nobody beside us can surprise it.
//!
//! The writer's may change the file; all others are read-only. Every connection interrupts itself when the [`Leash`] of the
//! work in hand runs out, and a reader's when the writer needs its snapshot gone. A write statement is never put on a leash: an
//! interrupted one rolls the whole transaction back, and with it the writes of others in the same group.

use std::{
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use rusqlite::{OpenFlags, config::DbConfig, ffi, functions::FunctionFlags, limits::Limit};

use crate::{
    config::{Config, Durability},
    leash::{Leash, Tether},
    refusal::OpError,
    snapshots::Snapshots,
};

/// How many steps of SQLite's machine pass between two looks at the clock. Looking is free at a thousand and costs 40 %
/// at ten; but one step may be a walk through a document of a mebibyte, and a thousand of these a second.
const STEPS: i32 = 100;
/// A function of SQL that is true, or interrupts the statement where it is to end. Of itself SQLite looks only where it jumps
/// back, and all conditions of a query are evaluated for one document without that.
pub(crate) const GO_ON: &str = "go_on";
/// How long a read waits that was in the writer's way.
const MOMENT: Duration = Duration::from_millis(5);
/// Prepared statements that the writer keeps.
const STATEMENTS: usize = 128;
/// The longest row: a chunk, a document or a value, with room for JSONB and what surrounds it.
const LENGTH_MOST: i32 = 64 * 1024 * 1024;
/// The longest statement; a query of a thousand branches is far below.
const SQL_MOST: i32 = 1024 * 1024;

/// What a connection that reads keeps in memory at most.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Keeps {
    /// Pages of the file, in KiB.
    pub(crate) pages_kib: u32,
    /// Prepared statements.
    pub(crate) statements: usize,
}

/// A connection and what its callbacks look at.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) sql: rusqlite::Connection,
    tether: Arc<Tether>,
    /// What is read from, by whatever connection.
    pub(crate) snapshots: Arc<Snapshots>,
}

impl Connection {
    /// The one that writes; makes the file where there is none.
    pub(crate) fn writer(path: &Path, config: &Config) -> rusqlite::Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Self::open(path, flags, Tether::default(), config.busy_timeout)?;
        let sql = &connection.sql;
        sql.pragma_update(None, "journal_mode", "WAL")?;
        let synchronous = if config.durability == Durability::Full { "FULL" } else { "NORMAL" };
        sql.pragma_update(None, "synchronous", synchronous)?;
        // Checkpoints are the writer's own business, between groups and never within a commit.
        sql.pragma_update(None, "wal_autocheckpoint", 0)?;
        sql.pragma_update(None, "cache_size", -16_384)?;
        Ok(connection)
    }

    /// One that only reads, and gives way to this writer.
    pub(crate) fn reader(path: &Path, config: &Config, writer: &Self, keeps: Keeps) -> rusqlite::Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let tether = Tether::new(Some(writer.snapshots.place()));
        let connection = Self::open(path, flags, tether, config.busy_timeout)?;
        connection.sql.pragma_update(None, "cache_size", -i64::from(keeps.pages_kib))?;
        connection.sql.set_prepared_statement_cache_capacity(keeps.statements);
        Ok(Self { snapshots: Arc::clone(&writer.snapshots), ..connection })
    }

    fn open(path: &Path, flags: OpenFlags, tether: Tether, busy_timeout: Duration) -> rusqlite::Result<Self> {
        let sql = rusqlite::Connection::open_with_flags(path, flags)?;
        sql.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        sql.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
        sql.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
        sql.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, false)?;
        sql.set_limit(Limit::SQLITE_LIMIT_LENGTH, LENGTH_MOST)?;
        sql.set_limit(Limit::SQLITE_LIMIT_SQL_LENGTH, SQL_MOST)?;
        sql.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
        sql.set_limit(Limit::SQLITE_LIMIT_EXPR_DEPTH, 400)?;
        sql.set_limit(Limit::SQLITE_LIMIT_VARIABLE_NUMBER, 10_000)?;
        sql.set_limit(Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 1)?;
        sql.set_limit(Limit::SQLITE_LIMIT_WORKER_THREADS, 0)?;
        // A truncated file under a memory map is a SIGBUS.
        sql.pragma_update(None, "mmap_size", 0)?;
        sql.pragma_update(None, "foreign_keys", true)?;
        sql.pragma_update(None, "cell_size_check", true)?;
        // No temporary file outside the data folder, nor in it.
        sql.pragma_update(None, "temp_store", "MEMORY")?;
        sql.set_prepared_statement_cache_capacity(STATEMENTS);
        Self::tethered(sql, tether, busy_timeout)
    }

    fn tethered(mut sql: rusqlite::Connection, tether: Tether, busy_timeout: Duration) -> rusqlite::Result<Self> {
        let tether = Arc::new(tether);
        let seen = Arc::clone(&tether);
        sql.progress_handler(STEPS, Some(move || seen.must_end()))?;
        let seen = Arc::clone(&tether);
        sql.create_scalar_function(GO_ON, 0, FunctionFlags::SQLITE_DIRECTONLY, move |_| match seen.must_end() {
            true => Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_INTERRUPT), None)),
            false => Ok(true),
        })?;
        let seen = Arc::clone(&tether);
        let mut since = Instant::now();
        sql.busy_handler(Some(move |count: i32| {
            if count == 0 {
                since = Instant::now();
            }
            if seen.is_past() || since.elapsed() >= busy_timeout {
                return false;
            }
            thread::sleep(Duration::from_millis(if count < 10 { 1 } else { 5 }));
            true
        }))?;
        Ok(Self { sql, tether, snapshots: Arc::default() })
    }

    /// Begins a transaction that writes. At the end of a statement SQLite asks the progress handler once more, and calls the
    /// statement interrupted although it has done its work: the transaction has begun then, and begun again it would be
    /// refused, as all that follow.
    pub(crate) fn begin(&self, leash: &Arc<Leash>) -> rusqlite::Result<()> {
        match self.within(leash, |sql| sql.prepare_cached("BEGIN IMMEDIATE")?.execute([])) {
            Err(error) if self.sql.is_autocommit() => Err(error),
            _ => Ok(()),
        }
    }

    /// Does something with the connection on a leash: only reads, and waiting for locks.
    pub(crate) fn within<T>(&self, leash: &Arc<Leash>, work: impl FnOnce(&rusqlite::Connection) -> T) -> T {
        self.tether.hold(leash);
        let done = work(&self.sql);
        self.tether.let_go();
        done
    }

    /// Reads on a leash, and once more each time that the writer had it interrupted. Nobody else's time is to be spent here: who
    /// was in the writer's way waits for a moment.
    pub(crate) fn read<T>(
        &self,
        leash: &Arc<Leash>,
        mut work: impl FnMut(&rusqlite::Connection) -> Result<T, OpError>,
    ) -> Result<T, OpError> {
        loop {
            match self.within(leash, &mut work) {
                Err(error) if error.is_interrupt() && !leash.is_past() => thread::sleep(MOMENT),
                outcome => return outcome,
            }
        }
    }

    /// Whether the writer needs the snapshot gone that is being read.
    pub(crate) fn is_in_the_way(&self) -> bool {
        self.tether.is_in_the_way()
    }

    /// Begins a snapshot. Whoever holds one that is in the way may let it go, begin another, and read on.
    pub(crate) fn snapshot(&self) -> rusqlite::Result<rusqlite::Transaction<'_>> {
        self.tether.begin_anew();
        self.sql.unchecked_transaction()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_that_has_begun_is_begun_whatever_its_statement_says() {
        let folder = tempfile::tempdir().unwrap();
        let sql = rusqlite::Connection::open(folder.path().join("db")).unwrap();
        let mut connection = Connection::tethered(sql, Tether::default(), Duration::ZERO).unwrap();
        let leash = Leash::until(u64::MAX);
        connection.begin(&leash).unwrap();
        connection.sql.execute_batch("ROLLBACK").unwrap();
        // As where the time runs out at this step or that one of the statement, the last one too.
        let begun = (1..20).filter(|steps| {
            connection.sql.progress_handler(*steps, Some(|| true)).unwrap();
            let said = connection.begin(&leash);
            connection.sql.progress_handler(0, None::<fn() -> bool>).unwrap();
            let has_begun = !connection.sql.is_autocommit();
            assert_eq!(said.is_ok(), has_begun, "interrupted after {steps} steps");
            if has_begun {
                connection.sql.execute_batch("ROLLBACK").unwrap();
            }
            has_begun
        });
        assert!(begun.count() > 0);
    }
}
