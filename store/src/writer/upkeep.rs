//! What the writer does between groups: checkpoints, and sweeping what nobody needs any more, a little at a time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI32, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use rusqlite::wal::CheckpointMode;

use crate::{connection::Connection, leash::Leash, queue::Cost, quota::Ledger, store::Limits, sweep};

/// Pages in the log from which on it is written back (4 MiB): at 64 MiB one checkpoint stalls everybody for 80 ms.
const CHECKPOINT_PAGES: i32 = 1_024;
/// Where a reader kept a checkpoint from its end, how many more pages until the next try.
const RETRY_PAGES: i32 = 256;
/// Pages in the log from which on it must start over (64 MiB).
const LOG_PAGES: i32 = 16_384;
/// Where even then somebody reads on, how many more pages until the next try.
const LOG_RETRY_PAGES: i32 = 8_192;
/// Pages in the log from which on nothing is written before the log has started over (256 MiB), but for somebody else's
/// program that reads.
const LOG_PAGES_MOST: i32 = 65_536;
/// How long readers are waited for then; those that still read are interrupted, and waited for as long again.
const READERS_END: Duration = Duration::from_millis(100);
/// How long nothing is written at most: no read takes longer.
const MUST_END: Duration = Duration::from_secs(10);
/// How often they are interrupted. Once ends who reads what is not written back, twice who began before all was; once more for who
/// had to share an old snapshot's mark.
const ROUNDS: u32 = 3;
/// Between two looks for something to sweep.
const SWEEP_PAUSE: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(super) struct Upkeep {
    /// Pages in the log after the last commit.
    pages: Arc<AtomicI32>,
    next_checkpoint: i32,
    next_sweep: Instant,
    limits: Limits,
}

/// Lets SQLite say after each commit how long the log is.
pub(super) fn count_pages(connection: &mut Connection, pages: Arc<AtomicI32>) -> rusqlite::Result<()> {
    connection.sql.wal_hook(Some(move |_log: &mut rusqlite::hooks::Wal, count| {
        pages.store(count, Relaxed);
        Ok(())
    }))
}

impl Upkeep {
    pub(super) fn new(pages: Arc<AtomicI32>, limits: Limits) -> Self {
        Self { pages, next_checkpoint: CHECKPOINT_PAGES, next_sweep: Instant::now(), limits }
    }

    /// How long to wait for work.
    pub(super) fn patience(&self, idle: Duration) -> Duration {
        self.next_sweep.saturating_duration_since(Instant::now()).min(idle)
    }

    /// The answers are out: writes the log back where it has grown. From another thread, under constant writes, the log
    /// would never start over.
    pub(super) fn after_group(&mut self, connection: &Connection) {
        let pages = self.pages.load(Relaxed);
        if pages < self.next_checkpoint {
            if pages < CHECKPOINT_PAGES {
                self.next_checkpoint = CHECKPOINT_PAGES;
            }
            return;
        }
        let written = match pages {
            ..LOG_PAGES => connection.sql.wal_checkpoint_v2::<&str>(None, CheckpointMode::PASSIVE),
            LOG_PAGES..LOG_PAGES_MOST => start_over(connection, false),
            LOG_PAGES_MOST.. => start_over(connection, true),
        };
        match written {
            Ok((log, written)) if log == written => self.next_checkpoint = CHECKPOINT_PAGES,
            Ok(_) => self.next_checkpoint = pages.saturating_add(RETRY_PAGES),
            Err(error) => {
                tracing::warn!(pages, "failed to write the log back: {error}");
                let is_ours = pages < LOG_PAGES || connection.snapshots.has_old();
                let more = if is_ours { RETRY_PAGES } else { LOG_RETRY_PAGES };
                self.next_checkpoint = pages.saturating_add(more);
            }
        }
    }

    /// Nothing waits: writes the whole log back and cuts it.
    pub(super) fn while_idle(&mut self, connection: &Connection) {
        if self.pages.swap(0, Relaxed) > 0 {
            self.truncate(connection);
        }
    }

    /// The last thing before the connection is closed.
    pub(super) fn finish(&mut self, connection: &Connection) {
        self.truncate(connection);
    }

    /// One small step of sweeping, when it is due. Takes about as long as the last group did: what a group replaced is
    /// gone before the next ones have replaced much more. Returns what it cost.
    pub(super) fn sweep(&mut self, connection: &Connection, ledger: &mut Ledger, group: Duration) -> Vec<Cost> {
        if Instant::now() < self.next_sweep {
            return Vec::new();
        }
        let mut bill = sweep::Bill::default();
        let more = sweep::step(connection, (ledger, &mut bill), self.limits, group).unwrap_or_else(|error| {
            tracing::warn!("failed to sweep: {error}");
            false
        });
        let now = Instant::now();
        self.next_sweep = if more { now } else { now.checked_add(SWEEP_PAUSE).unwrap_or(now) };
        bill.costs()
    }

    fn truncate(&mut self, connection: &Connection) {
        self.next_checkpoint = CHECKPOINT_PAGES;
        let leash = Leash::lasting(Duration::from_millis(50));
        let cut = connection.within(&leash, |sql| sql.wal_checkpoint_v2::<&str>(None, CheckpointMode::TRUNCATE));
        if let Err(error) = cut {
            tracing::debug!("failed to cut the log: {error}");
        }
    }
}

/// Writes the log back and lets it start over, which it never would under scans that follow each other without a gap. Those
/// that begin after it was written back read the file alone, and are in nobody's way. Where it `must`, all reads of our own are
/// waited for: each has a leash.
fn start_over(connection: &Connection, must: bool) -> rusqlite::Result<(i32, i32)> {
    let restart = || {
        let leash = Leash::lasting(READERS_END);
        connection.within(&leash, |sql| sql.wal_checkpoint_v2::<&str>(None, CheckpointMode::RESTART))
    };
    let began = Instant::now();
    let mut written = restart();
    let mut round = 0;
    while written.is_err() && round < ROUNDS {
        connection.snapshots.end_old();
        written = restart();
        // Some may read on although they were interrupted: a step of theirs takes long.
        if !(must && connection.snapshots.has_old() && began.elapsed() < MUST_END) {
            round = round.saturating_add(1);
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, thread};

    use super::*;
    use crate::open::Opened;

    fn write(connection: &Connection) {
        connection.sql.execute("INSERT INTO removed_app DEFAULT VALUES", []).unwrap();
    }

    #[test]
    fn a_log_that_must_start_over_waits_for_the_last_of_our_readers() {
        let folder = tempfile::tempdir().unwrap();
        let (_config, opened) = Opened::anew(folder.path());
        let Opened { writer, reader, .. } = opened;
        write(&writer);
        let leash = Leash::until(u64::MAX);
        let (held, reads) = (Arc::clone(&leash), mpsc::channel());
        let reading = thread::spawn(move || {
            reader.within(&held, |sql| {
                let snapshot = sql.unchecked_transaction().unwrap();
                snapshot.query_row("SELECT count(*) FROM removed_app", [], |row| row.get::<_, u32>(0)).unwrap();
                reads.0.send(()).unwrap();
                // A step that looks at nothing but its own end.
                while !held.is_past() {
                    thread::yield_now();
                }
            });
        });
        reads.1.recv().unwrap();
        write(&writer);
        assert!(start_over(&writer, false).is_err(), "it is given up for this time");
        let began = Instant::now();
        leash.extend(Leash::lasting(READERS_END.saturating_mul(ROUNDS.saturating_add(4))).deadline_ns());
        assert!(start_over(&writer, true).is_ok(), "after {:?}", began.elapsed());
        assert!(leash.is_past());
        reading.join().unwrap();
    }

    #[test]
    fn another_program_that_reads_holds_nobody_up_for_long() {
        let folder = tempfile::tempdir().unwrap();
        let (config, opened) = Opened::anew(folder.path());
        write(&opened.writer);
        let foreign = rusqlite::Connection::open(config.database()).unwrap();
        foreign.execute_batch("BEGIN; SELECT count(*) FROM removed_app").unwrap();
        write(&opened.writer);
        let began = Instant::now();
        assert!(start_over(&opened.writer, true).is_err());
        assert!(began.elapsed() < MUST_END / 2, "{:?}", began.elapsed());
        foreign.execute_batch("COMMIT").unwrap();
        assert!(start_over(&opened.writer, true).is_ok());
    }
}
