//! The thread that reads what may come to many mebibytes: blobs, and apps' deployed files for their workers. Nothing else
//! waits for it, and it reads a step of each app's in turn, so that a small app is loaded soon beside large ones.

use std::{
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use fazt_protocol::{
    limit::CHUNK_BYTES,
    op::{Code, Op, Refusal, s3::Op as Blob},
};

use crate::{
    budget::Lease,
    connection::Connection,
    files,
    question::{Question, Reply},
    queue::Taken,
    readers::{Reading, logged},
    refusal::{invalid, late},
    s3,
    store::Store,
};

/// A question that is being answered.
#[derive(Debug)]
struct Loading {
    question: Question,
    load: Load,
    bytes: Vec<u8>,
    lease: Lease,
}

#[derive(Debug)]
enum Load {
    Files(files::Load),
    Blob(s3::read::Load),
}

/// Starts the thread. It ends when its queue is closed and empty, and closes its connection.
pub(crate) fn start(store: &Arc<Store>, connection: Connection) -> std::io::Result<JoinHandle<()>> {
    let store = Arc::clone(store);
    thread::Builder::new().name("loads".to_owned()).spawn(move || run(&store, &connection))
}

fn run(store: &Store, connection: &Connection) {
    let mut loading: Vec<Loading> = Vec::new();
    loop {
        // The queue gives out one of each app at a time.
        let patience = if loading.is_empty() { Duration::from_secs(3_600) } else { Duration::ZERO };
        match store.loads.take(usize::MAX, patience) {
            Taken::Work(questions) => {
                loading.extend(questions.into_iter().map(|(_app, question)| begin(store, question)))
            }
            Taken::Closed if loading.is_empty() => return,
            Taken::Nothing | Taken::Closed => {}
        }
        let round = std::mem::take(&mut loading);
        loading.extend(round.into_iter().filter_map(|next| go_on(store, connection, next)));
    }
}

fn begin(store: &Store, question: Question) -> Loading {
    let lease = store.bodies.lease(question.channel.app);
    let load = match &question.op {
        Op::Files(_) => Load::Files(files::Load::new()),
        Op::S3(_) | Op::Kv(_) | Op::Ds(_) => Load::Blob(s3::read::Load::default()),
    };
    Loading { question, load, bytes: Vec::new(), lease }
}

/// Reads a step; gives back what is not at its end.
fn go_on(store: &Store, connection: &Connection, mut loading: Loading) -> Option<Loading> {
    if let Some(delay) = store.delay.filter(|_| loading.question.is_wanted()) {
        delay.hold_up();
    }
    let outcome = match step(connection, &mut loading) {
        Ok(None) => return Some(loading),
        Ok(Some(reply)) => Ok(Reply { lease: Some(loading.lease), ..reply }),
        Err(refusal) => Err(refusal),
    };
    let app = loading.question.channel.app;
    loading.question.answer(store, outcome);
    store.loads.done(&[app], &[]);
    None
}

fn step(connection: &Connection, loading: &mut Loading) -> Result<Option<Reply>, Refusal> {
    let Loading { question, load, bytes, lease } = loading;
    if !question.start() {
        return Err(late());
    }
    let channel = &question.channel;
    let reading = Reading::new(connection, channel.app);
    // A step that was interrupted has read whole pieces, and begun again it goes on behind them.
    let found = connection.read(&question.leash, |_sql| match (&mut *load, &question.op) {
        (Load::Files(load), Op::Files(op)) => load.step(&reading, (channel.version, op), bytes),
        (Load::Blob(load), Op::S3(Blob::Get { path, range })) => load.step(&reading, (path, *range), bytes),
        _ => Err(invalid("not a read of many bytes").into()),
    });
    let found = found.map_err(|error| logged(error, question))?;
    if bytes.len() > CHUNK_BYTES && !lease.reach(bytes.len()) {
        return Err(Refusal::new(Code::Unavailable, "too many large answers at once; try again"));
    }
    Ok(found.map(|found| Reply::with(found, std::mem::take(bytes))))
}

#[cfg(test)]
#[path = "loads_tests.rs"]
mod tests;
