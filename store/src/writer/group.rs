//! One group: begin, everybody's statements, commit, answers.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use fazt_protocol::op::{Op, Refusal};
use rusqlite::ErrorCode;

use super::{
    Hand,
    bill::Bill,
    hand::Turn,
    work::{Job, Task, Write},
};
use crate::{
    connection::Connection,
    ds,
    fair::Piece,
    kv,
    leash::Leash,
    once,
    question::Reply,
    queue::Cost,
    quota::Ledger,
    refusal::{OpError, invalid, late, of_sql},
    s3::write::{self as s3, Step},
    store::Store,
};

/// How long a group takes work in before it commits what it has, so that a slow op holds up no more than its own group.
const GROUP_TIME: Duration = Duration::from_millis(10);
/// How often the file's lock is asked for anew, so that deadlines are seen in between.
const LOCK_STEP: Duration = Duration::from_millis(10);
/// How often an op is done again because another one's failure took the transaction with it.
const TRIES: u8 = 3;

#[derive(Debug)]
pub(super) struct Group<'a> {
    store: &'a Store,
    connection: &'a Connection,
    ledger: &'a mut Ledger,
    /// Whether it is of more than one app.
    shared: bool,
}

/// What has been done and is not committed.
enum Done {
    Op(Box<Job>, Result<Reply, Refusal>),
    /// A step of a blob; the question goes on in the next group.
    Step(Box<Job>),
    Task(Box<Task>, Result<fazt_protocol::registry::Answer, Refusal>),
}

impl<'a> Group<'a> {
    pub(super) fn of(store: &'a Store, connection: &'a Connection, ledger: &'a mut Ledger) -> Self {
        Self { store, connection, ledger, shared: false }
    }

    /// Does it all; returns what it cost.
    pub(super) fn run(mut self, work: Vec<(u64, Write)>) -> Vec<Cost> {
        // Who was answered meanwhile, by a deadline, takes no part in a transaction.
        let (work, over): (Vec<_>, Vec<_>) = work.into_iter().partition(|(_, write)| write.is_wanted());
        self.turn_away(over);
        let work = self.begin(work);
        if work.is_empty() {
            return Vec::new();
        }
        self.shared = work.iter().zip(work.iter().skip(1)).any(|((app, _), (next, _))| app != next);
        let is_large = work.iter().any(|(_, write)| write.stands_back_ns() > 0);
        let mut bill = Bill::begin();
        let mut done = Vec::with_capacity(work.len());
        let mut work = work.into_iter();
        while let Some((app, write)) = work.next() {
            if bill.elapsed() > GROUP_TIME && !done.is_empty() {
                self.store.writes.put_back(std::iter::once((app, write)).chain(work).collect());
                break;
            }
            let (kind, bytes) = (write.kind(), write.bytes());
            let executed = self.execute(write, &mut done);
            bill.add(app, kind, bytes);
            if let Err((write, error)) = executed {
                tracing::error!(op = write.name(), "failed to write, the group is done again: {error}");
                write.refuse(self.store, of_sql(&error));
                self.give_up(done, work, &error);
                return bill.close(is_large);
            }
        }
        self.commit(done);
        bill.close(is_large)
    }

    /// Answers who is too late. What they had written of a blob is dropped in a transaction of its own, where one can be had
    /// at once; else it is swept as any unfinished upload.
    fn turn_away(&self, over: Vec<(u64, Write)>) {
        for (_, mut write) in over {
            if let Write::Op(question) = &mut write
                && question.staging.is_some()
            {
                let leash = Leash::lasting(LOCK_STEP);
                if let Err(error) = self.connection.within(&leash, |sql| s3::drop_staged(sql, question)) {
                    tracing::debug!("failed to drop what was written of a blob: {error}");
                }
            }
            write.refuse(self.store, late());
        }
    }

    /// Begins the transaction. Waits for a lock of somebody else's as long as anybody's deadline allows; gives back
    /// what is still wanted then, or nothing.
    fn begin(&self, mut work: Vec<(u64, Write)>) -> Vec<(u64, Write)> {
        let since = Instant::now();
        while !work.is_empty() {
            let leash = Leash::lasting(LOCK_STEP);
            let Err(error) = self.connection.begin(&leash) else { return work };
            if !is_worth_waiting(&error) {
                tracing::error!("failed to begin a transaction: {error}");
                work.into_iter().for_each(|(_, write)| write.refuse(self.store, of_sql(&error)));
                return Vec::new();
            }
            let too_long = since.elapsed() >= self.store.busy_timeout();
            let (over, left): (Vec<_>, Vec<_>) = work.into_iter().partition(|(_, write)| too_long || write.is_past());
            over.into_iter().for_each(|(_, write)| write.refuse(self.store, of_sql(&error)));
            work = left;
        }
        work
    }

    /// Does one piece; where SQLite failed, gives it back with the error.
    fn execute(&mut self, write: Write, done: &mut Vec<Done>) -> Result<(), (Write, rusqlite::Error)> {
        match write {
            Write::Op(mut question) => {
                if let Some(delay) = self.store.delay.filter(|_| question.is_wanted()) {
                    delay.hold_up();
                }
                let outcome = if question.start() { self.op(&mut question) } else { Err(late().into()) };
                let outcome = match outcome {
                    Ok(Step::Done(reply)) => Ok(reply),
                    Ok(Step::More) => {
                        done.push(Done::Step(question));
                        return Ok(());
                    }
                    Err(OpError::Refused(refusal)) => Err(refusal),
                    Err(error) if error.is_interrupt() => Err(late()),
                    Err(error) if error.is_of_the_op_alone() && !self.connection.sql.is_autocommit() => {
                        Err(invalid("more than one call can say: use fewer fields or conditions, and less depth"))
                    }
                    Err(OpError::Sql(error)) => return Err((Write::Op(question), error)),
                };
                // Whatever is left of a blob that was not published.
                if let Err(error) = s3::drop_staged(&self.connection.sql, &mut question) {
                    return Err((Write::Op(question), error));
                }
                done.push(Done::Op(question, outcome));
            }
            Write::Task(mut task) => {
                let leash = Arc::clone(&task.leash);
                let mut hand = self.hand(crate::readers::REGISTRY, leash);
                match hand.all_or_none(&mut task.work) {
                    Ok(answer) => done.push(Done::Task(task, Ok(answer))),
                    Err(OpError::Refused(refusal)) => done.push(Done::Task(task, Err(refusal))),
                    Err(OpError::Sql(error)) => return Err((Write::Task(task), error)),
                }
            }
        }
        Ok(())
    }

    fn op(&mut self, job: &mut Job) -> Result<Step, OpError> {
        let Job { question, plan } = job;
        let app = question.channel.app;
        let leash = Arc::clone(&question.leash);
        once::answer(&mut self.hand(app, leash), question, |hand, question| match &question.op {
            Op::Kv(op) => kv::write::answer(hand, app, op, &question.body).map(Step::Done),
            Op::Ds(op) => ds::write(hand, app, op, &question.body, plan.as_ref()).map(Step::Done),
            Op::S3(_) => s3::answer(hand, question),
            Op::Files(_) => Err(invalid("not a write").into()),
        })
    }

    fn hand(&mut self, app: u64, leash: Arc<Leash>) -> Hand<'_> {
        let turn = Turn { app, queue: &self.store.writes, shared: self.shared, began: Instant::now() };
        Hand::new(self.connection, self.ledger, self.store.limits, leash, turn)
    }

    /// Commits, then answers.
    fn commit(&mut self, done: Vec<Done>) {
        let committed = self
            .ledger
            .write(&self.connection.sql)
            .and_then(|()| self.connection.sql.prepare_cached("COMMIT")?.execute([]).map(drop));
        if let Err(error) = committed {
            return self.fail(done, &error);
        }
        self.store.counters.commits.fetch_add(1, Relaxed);
        self.store.counters.writes.fetch_add(done.len() as u64, Relaxed);
        for done in done {
            match done {
                Done::Op(question, outcome) => question.answer(self.store, outcome),
                Done::Step(question) => self.step_on(question),
                // Who no longer waits does not want to know.
                Done::Task(task, outcome) => drop(task.done.send(outcome)),
            }
        }
    }

    /// The next step of a blob has a deadline of its own.
    fn step_on(&self, question: Box<Job>) {
        question.leash.extend(question.channel.latest_ns(&question.op, question.ends_ns));
        self.store.writes.put_back(vec![(question.channel.app, Write::Op(question))]);
    }

    /// The commit failed: nobody can say whether the log has it, unless it was a lock.
    fn fail(&mut self, done: Vec<Done>, error: &rusqlite::Error) {
        tracing::error!("failed to commit: {error}");
        self.roll_back();
        let unknown = !is_locked(error) && error.sqlite_error_code() != Some(ErrorCode::DiskFull);
        let refusal = Refusal { unknown, ..of_sql(error) };
        for done in done {
            match done {
                Done::Op(question, Err(refusal)) => question.answer(self.store, Err(refusal)),
                Done::Op(question, Ok(_)) | Done::Step(question) => question.answer(self.store, Err(refusal.clone())),
                Done::Task(task, _) => drop(task.done.send(Err(refusal.clone()))),
            }
        }
        if error.sqlite_error_code() == Some(ErrorCode::SystemIoFailure) {
            // After a failed flush the kernel may have dropped what it did not write; only a new start reads the truth.
            tracing::error!("the disk failed; the store ends, to be started again on what the file really holds");
            std::process::exit(3);
        }
    }

    /// The transaction is lost: what had been done in it is done again in the next one.
    fn give_up(&mut self, done: Vec<Done>, left: impl Iterator<Item = (u64, Write)>, error: &rusqlite::Error) {
        self.roll_back();
        let again = done.into_iter().filter_map(|done| match done {
            Done::Op(question, Err(refusal)) => {
                question.answer(self.store, Err(refusal));
                None
            }
            Done::Op(mut question, Ok(_)) | Done::Step(mut question) => {
                question.tries = question.tries.saturating_add(1);
                question.staging = None;
                Some((question.channel.app, Write::Op(question)))
            }
            Done::Task(mut task, _) => {
                task.tries = task.tries.saturating_add(1);
                Some((crate::readers::REGISTRY, Write::Task(task)))
            }
        });
        let again: Vec<_> = again.chain(left).collect();
        let (again, tired): (Vec<_>, Vec<_>) = again.into_iter().partition(|(_, write)| write.tries() < TRIES);
        tired.into_iter().for_each(|(_, write)| write.refuse(self.store, of_sql(error)));
        self.store.writes.put_back(again);
    }

    fn roll_back(&mut self) {
        self.ledger.forget();
        if !self.connection.sql.is_autocommit()
            && let Err(error) = self.connection.sql.execute_batch("ROLLBACK")
        {
            tracing::error!("failed to roll back: {error}");
        }
    }
}

/// Whether a transaction that did not begin may begin the next time: somebody else has the lock, or what SQLite had to read of
/// the file anew after somebody else's lock took longer than one step of waiting.
fn is_worth_waiting(error: &rusqlite::Error) -> bool {
    is_locked(error) || error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted)
}

fn is_locked(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    #[test]
    fn a_lock_and_a_step_that_ran_out_are_waited_for_and_nothing_else_is() {
        let error = |code| rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
        for code in [ffi::SQLITE_BUSY, ffi::SQLITE_LOCKED, ffi::SQLITE_BUSY_SNAPSHOT, ffi::SQLITE_INTERRUPT] {
            assert!(is_worth_waiting(&error(code)), "{code}");
        }
        for code in [ffi::SQLITE_IOERR, ffi::SQLITE_CORRUPT, ffi::SQLITE_FULL, ffi::SQLITE_READONLY] {
            assert!(!is_worth_waiting(&error(code)), "{code}");
        }
    }
}
