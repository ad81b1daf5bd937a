//! The threads that read: one connection each, work by the apps' shares of the time, everything on a leash. An app scans in one
//! thread at a time, beside others in theirs; what is quick has a thread that never scans.

use std::{
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use fazt_protocol::op::{Code, Op, Refusal};
use rustix::process::setpriority_process;
use tokio::sync::oneshot;

use crate::{
    connection::Connection,
    ds,
    fair::{Kind, Piece},
    kv,
    leash::Leash,
    question::{Question, REGISTRY_KIND, Reply},
    queue::{Cost, Queue, Taken},
    refusal::{OpError, invalid, late},
    s3,
    store::Store,
    writer::{Job, Write},
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

impl Piece for Read {
    fn kind(&self) -> Kind {
        match self {
            Self::Op(question) => question.kind(),
            Self::Task(_) => REGISTRY_KIND,
        }
    }
}

/// What a read has at hand.
#[derive(Debug)]
pub(crate) struct Reading<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) app: u64,
    /// Of the wall clock, for keys that expire.
    pub(crate) now_ms: i64,
}

impl<'a> Reading<'a> {
    pub(crate) fn new(connection: &'a Connection, app: u64) -> Self {
        Self { connection, app, now_ms: crate::store::unix_ms() }
    }

    /// SQLite's own.
    pub(crate) fn sql(&self) -> &'a rusqlite::Connection {
        &self.connection.sql
    }
}

/// How far scans stand back (nice, of 19): the kernel gives such a thread about a third of what one of the others gets.
const NICE: i32 = 5;

/// How long the registry's reads may take: the router waits as long.
const REGISTRY_TIME: Duration = Duration::from_secs(5);

/// The registry's work is nobody's turn but its own.
pub(crate) const REGISTRY: u64 = 0;

/// Starts the threads: one takes what is quick, the others scan. Each ends when its queue is closed and empty, and closes
/// its connection.
pub(crate) fn start(
    store: &Arc<Store>,
    quick: Connection,
    scanners: Vec<Connection>,
) -> std::io::Result<Vec<JoinHandle<()>>> {
    let thread = |name: &str| thread::Builder::new().name(name.to_owned());
    let shared = Arc::clone(store);
    let mut threads = vec![thread("reader").spawn(move || run(&shared, &shared.reads, &quick))?];
    for connection in scanners {
        let store = Arc::clone(store);
        threads.push(thread("scanner").spawn(move || {
            step_back();
            run(&store, &store.scans, &connection);
        })?);
    }
    Ok(threads)
}

/// Lets the writer and the reactor, which everybody waits for, run before this thread. Only a matter of speed.
fn step_back() {
    if let Err(error) = setpriority_process(None, NICE) {
        tracing::warn!("scans have the priority of writes: failed to set it: {error}");
    }
}

fn run(store: &Store, queue: &Queue<Read>, connection: &Connection) {
    loop {
        match queue.take(1, Duration::from_secs(3_600)) {
            Taken::Work(work) => {
                for (app, read) in work {
                    let (began, kind) = (Instant::now(), read.kind());
                    match read {
                        Read::Op(question) => serve(store, connection, *question),
                        Read::Task(task) => task(connection),
                    }
                    queue.done(&[app], &[Cost { app, kind, span: began.elapsed() }]);
                }
            }
            Taken::Nothing => {}
            Taken::Closed => return,
        }
    }
}

fn serve(store: &Store, connection: &Connection, question: Question) {
    if question.op.is_write() {
        return plan(store, connection, question);
    }
    if let Some(delay) = store.delay.filter(|_| question.is_wanted()) {
        delay.hold_up();
    }
    let outcome = if question.start() { answer(connection, &question, store) } else { Err(late()) };
    question.answer(store, outcome);
}

/// Does what takes long of a write, and passes it on to the writer. It is not begun by that: where it is late here,
/// nothing can have happened.
fn plan(store: &Store, connection: &Connection, mut question: Question) {
    let planned = match &question.op {
        _ if !question.is_wanted() => Err(late()),
        Op::Ds(op) => {
            let reading = Reading::new(connection, question.channel.app);
            let plan = connection.read(&question.leash, |_sql| ds::plan::make(&reading, op, &question.body));
            plan.map_err(|error| logged(error, &question))
        }
        Op::Kv(_) | Op::S3(_) | Op::Files(_) => Err(invalid("not a write of documents")),
    };
    let planned = planned.and_then(|plan| match question.lease.grow(plan.bytes()) {
        true => Ok(plan),
        false => Err(Refusal::new(Code::Unavailable, "too many large writes at once; try again")),
    });
    let plan = match planned {
        // Its token may have been used, and then the first answer is due whatever is asked now.
        Err(refusal) if question.once.is_none() || !matches!(refusal.code, Code::InvalidArgument | Code::TooLarge) => {
            return question.answer(store, Err(refusal));
        }
        planned => Some(planned),
    };
    let app = question.channel.app;
    if let Err(Write::Op(job)) = store.writes.push(app, Write::Op(Box::new(Job { question, plan }))) {
        job.question.answer(store, Err(Refusal::new(Code::Unavailable, "the store is closing")));
    }
}

/// Answers an op that only reads.
fn answer(connection: &Connection, question: &Question, store: &Store) -> Result<Reply, Refusal> {
    let reading = Reading::new(connection, question.channel.app);
    let found = connection.read(&question.leash, |_sql| match &question.op {
        Op::Kv(op) => kv::read::answer(&reading, op),
        Op::Ds(op) => ds::find::answer(&reading, op, &question.body),
        Op::S3(op) => s3::read::answer(&reading, op),
        Op::Files(_) => Err(invalid("not for a reader").into()),
    });
    finish(found, question, store)
}

/// Answers a point read that is of so many bytes at most; nothing where it is of more, or was in the writer's way.
pub(crate) fn answer_small(
    connection: &Connection,
    question: &Question,
    (store, most): (&Store, usize),
) -> Option<Result<Reply, Refusal>> {
    let reading = Reading::new(connection, question.channel.app);
    let found = connection.within(&question.leash, |_sql| match &question.op {
        Op::Kv(op) => kv::read::answer_small(&reading, op, most),
        Op::S3(op) => s3::read::answer(&reading, op).map(Some),
        Op::Ds(_) | Op::Files(_) => Ok(None),
    });
    match found.transpose()? {
        Err(error) if error.is_interrupt() && question.is_wanted() => None,
        found => Some(finish(found, question, store)),
    }
}

fn finish(found: Result<Reply, OpError>, question: &Question, store: &Store) -> Result<Reply, Refusal> {
    let reply = found.map_err(|error| logged(error, question))?;
    reply.leased(&store.bodies, question.channel.app)
}

/// The answer to what failed; where SQLite did, the log has it.
pub(crate) fn logged(error: OpError, question: &Question) -> Refusal {
    if let (OpError::Sql(sql), false) = (&error, error.is_interrupt()) {
        let (request_id, app, op) = (question.request.as_str(), question.channel.app_name.as_str(), question.op.name());
        tracing::error!(request_id, app, op, "failed to read: {sql}");
    }
    error.into_refusal()
}

impl Store {
    /// Lets a reader do something for the registry, and waits for it.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl Fn(&rusqlite::Connection) -> Result<T, OpError> + Send + 'static,
    ) -> Result<T, Refusal> {
        let (done, answer) = oneshot::channel();
        let leash = Leash::lasting(REGISTRY_TIME);
        let task = Read::Task(Box::new(move |connection: &Connection| {
            // Who no longer waits does not want to know.
            let _gone = done.send(connection.read(&leash, &work).map_err(OpError::into_refusal));
        }));
        let closing = || Refusal::new(Code::Unavailable, "the store is closing");
        self.reads.push(REGISTRY, task).map_err(|_task| closing())?;
        answer.await.unwrap_or_else(|_dropped| Err(closing()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

    use fazt_protocol::grant::GrantKey;

    use super::*;
    use crate::open::Opened;

    /// Longer than the look at the clock is away.
    const LONG: &str = "WITH n (at) AS (SELECT 1 UNION ALL SELECT at + 1 FROM n LIMIT 1000) SELECT count(*) FROM n";

    #[test]
    fn a_read_of_the_registry_that_was_in_the_way_is_done_again() {
        let folder = tempfile::tempdir().unwrap();
        let (config, opened) = Opened::anew(folder.path());
        let snapshots = Arc::clone(&opened.writer.snapshots);
        let store = Store::new(&config, opened.point, GrantKey::new([7; 32]), String::new());
        let threads = start(&store, opened.reader, Vec::new()).unwrap();
        let times = Arc::new(AtomicU32::new(0));
        let read = {
            let times = Arc::clone(&times);
            move |sql: &rusqlite::Connection| {
                if times.fetch_add(1, SeqCst) < 30 {
                    snapshots.end_old();
                }
                Ok(sql.query_row(LONG, [], |row| row.get::<_, u32>(0))?)
            }
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        assert_eq!(runtime.block_on(store.read(read)), Ok(1_000));
        assert_eq!(times.load(SeqCst), 31, "each time that it was interrupted, and once more");
        store.reads.close();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    }

    #[test]
    fn a_read_that_is_always_in_the_way_ends_with_its_time() {
        let folder = tempfile::tempdir().unwrap();
        let (_config, opened) = Opened::anew(folder.path());
        let leash = Leash::lasting(Duration::from_millis(50));
        let look = |sql: &rusqlite::Connection| Ok(sql.query_row(LONG, [], |row| row.get::<_, u32>(0))?);
        let refused = opened.reader.read(&leash, |sql| {
            opened.writer.snapshots.end_old();
            look(sql)
        });
        assert!(leash.is_past() && refused.unwrap_err().into_refusal().code == Code::Timeout);
        let next = opened.reader.read(&Leash::until(u64::MAX), look);
        assert_eq!(next.unwrap(), 1_000);
    }
}
