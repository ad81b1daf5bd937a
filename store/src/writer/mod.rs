//! The one thread that writes: takes what waits, by the apps' shares of its time, one transaction, one commit, then the answers.
//! A write of many documents has a transaction to itself.
//!
//! Groups form by themselves while the last commit is flushed. Between groups it checkpoints and sweeps. An op that fails
//! harms no other: what refuses has had no effect, what is several statements has a savepoint, and where SQLite itself
//! fails the transaction is given up and the others of the group are done again.

mod bill;
mod group;
mod hand;
mod upkeep;
mod work;

use std::{
    sync::{Arc, atomic::AtomicI32},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use fazt_protocol::{
    op::{Code, Refusal},
    registry::Answer,
};
use tokio::sync::oneshot;

use self::{group::Group, upkeep::Upkeep, work::Task};
pub(crate) use self::{
    hand::Hand,
    work::{Job, Write},
};
use crate::{
    connection::Connection, leash::Leash, queue::Taken, quota::Ledger, readers::REGISTRY, refusal::OpError,
    store::Store,
};

/// Ops in one group.
const GROUP_MOST: usize = 256;
/// How long the registry's own work may wait for the file's lock.
const TASK_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a queue must be empty before the log is written back and cut.
const IDLE: Duration = Duration::from_secs(1);

/// The thread's own.
#[derive(Debug)]
struct Writer {
    store: Arc<Store>,
    connection: Connection,
    ledger: Ledger,
    upkeep: Upkeep,
}

/// Starts the thread. It ends when the queue is closed and empty, with the log written back into the file.
pub(crate) fn start(store: &Arc<Store>, mut connection: Connection) -> std::io::Result<JoinHandle<()>> {
    let pages = Arc::new(AtomicI32::new(0));
    let upkeep = Upkeep::new(Arc::clone(&pages), store.limits);
    let store = Arc::clone(store);
    thread::Builder::new().name("writer".to_owned()).spawn(move || {
        if let Err(error) = upkeep::count_pages(&mut connection, pages) {
            tracing::error!("failed to watch the size of the log: {error}");
        }
        let writer = Writer { store, connection, ledger: Ledger::default(), upkeep };
        writer.run();
    })
}

impl Writer {
    fn run(mut self) {
        loop {
            let patience = self.upkeep.patience(IDLE);
            let mut spent = Duration::ZERO;
            match self.store.writes.take(GROUP_MOST, patience) {
                Taken::Work(work) => {
                    let began = Instant::now();
                    let apps: Vec<u64> = work.iter().map(|(app, _)| *app).collect();
                    let costs = Group::of(&self.store, &self.connection, &mut self.ledger).run(work);
                    self.store.writes.done(&apps, &costs);
                    spent = began.elapsed();
                    self.upkeep.after_group(&self.connection);
                }
                Taken::Nothing => self.upkeep.while_idle(&self.connection),
                Taken::Closed => break,
            }
            let swept = self.upkeep.sweep(&self.connection, &mut self.ledger, spent);
            if !swept.is_empty() {
                self.store.writes.done(&[], &swept);
            }
        }
        self.upkeep.finish(&self.connection);
    }
}

impl Store {
    /// Lets the writer do something for the registry, and waits until it is committed.
    pub(crate) async fn write(
        &self,
        work: impl FnMut(&mut Hand<'_>) -> Result<Answer, OpError> + Send + 'static,
    ) -> Result<Answer, Refusal> {
        let (done, answer) = oneshot::channel();
        let task = Task { work: Box::new(work), done, leash: Leash::lasting(TASK_TIMEOUT), tries: 0 };
        let closing = || Refusal::new(Code::Unavailable, "the store is closing");
        self.writes.push(REGISTRY, Write::Task(Box::new(task))).map_err(|_task| closing())?;
        answer.await.unwrap_or_else(|_dropped| Err(closing()))
    }
}
