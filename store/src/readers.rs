//! The threads that read: one connection each, work in rounds over the apps, everything on a leash.

use std::{
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use fazt_protocol::op::{Op, Refusal};
use tokio::sync::oneshot;

use crate::{
    connection::Connection,
    ds, files, kv,
    question::{Question, Reply},
    queue::Taken,
    refusal::{OpError, late},
    s3,
    store::Store,
};

/// Work for a reader.
pub(crate) enum Read {
    /// A worker's op.
    Op(Box<Question>),
    /// The registry's.
    Task(Box<dyn FnOnce(&Connection) + Send>),
}

impl std::fmt::Debug for Read {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Op(_) => "Op",
            Self::Task(_) => "Task",
        })
    }
}

/// What a read has at hand.
#[derive(Debug)]
pub(crate) struct Reading<'a> {
    pub(crate) sql: &'a rusqlite::Connection,
    pub(crate) app: u64,
    /// Of the wall clock, for keys that expire.
    pub(crate) now_ms: i64,
}

/// The registry's work is nobody's turn but its own.
pub(crate) const REGISTRY: u64 = 0;

/// Starts the threads; each ends when the queue is closed and empty, and closes its connection.
pub(crate) fn start(store: &Arc<Store>, connections: Vec<Connection>) -> std::io::Result<Vec<JoinHandle<()>>> {
    let start = |connection| {
        let store = Arc::clone(store);
        thread::Builder::new().name("reader".to_owned()).spawn(move || run(&store, &connection))
    };
    connections.into_iter().map(start).collect()
}

fn run(store: &Store, connection: &Connection) {
    loop {
        match store.reads.take(1, Duration::from_secs(3_600)) {
            Taken::Work(work) => {
                for (app, read) in work {
                    match read {
                        Read::Op(question) => serve(store, connection, *question),
                        Read::Task(task) => task(connection),
                    }
                    store.reads.done(app);
                }
            }
            Taken::Nothing => {}
            Taken::Closed => return,
        }
    }
}

fn serve(store: &Store, connection: &Connection, question: Question) {
    if let Some(delay) = store.delay.filter(|_| question.is_wanted()) {
        delay.hold_up();
    }
    let outcome = if question.start() { execute(connection, &question, store) } else { Err(late()) };
    question.answer(store, outcome);
}

/// Executes an op that only reads.
pub(crate) fn execute(connection: &Connection, question: &Question, store: &Store) -> Result<Reply, Refusal> {
    let channel = &question.channel;
    let outcome = connection.within(&question.leash, |sql| {
        let reading = Reading { sql, app: channel.app, now_ms: crate::store::unix_ms() };
        match &question.op {
            Op::Kv(op) => kv::read::answer(&reading, op),
            Op::Ds(op) => ds::find::answer(&reading, op, &question.body),
            Op::S3(op) => s3::read::answer(&reading, op),
            Op::Files(op) => files::answer(&reading, channel.version, op),
        }
    });
    let outcome = outcome.map_err(|error| {
        if let (OpError::Sql(sql), false) = (&error, error.is_interrupt()) {
            let (request_id, app, op) = (question.request.as_str(), channel.app_name.as_str(), question.op.name());
            tracing::error!(request_id, app, op, "failed to read: {sql}");
        }
        error.into_refusal()
    });
    outcome.and_then(|reply| reply.leased(&store.bodies))
}

impl Store {
    /// Lets a reader do something for the registry, and waits for it.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&rusqlite::Connection) -> Result<T, OpError> + Send + 'static,
    ) -> Result<T, Refusal> {
        let (done, answer) = oneshot::channel();
        let task = Read::Task(Box::new(move |connection: &Connection| {
            // Who no longer waits does not want to know.
            let _gone = done.send(work(&connection.sql).map_err(OpError::into_refusal));
        }));
        let closing = || Refusal::new(fazt_protocol::op::Code::Unavailable, "the store is closing");
        self.reads.push(REGISTRY, task).map_err(|_task| closing())?;
        answer.await.unwrap_or_else(|_dropped| Err(closing()))
    }
}
