//! The process after its start: one runtime on the first thread, the writer, the readers; and how all of it ends.

use std::{
    io,
    os::fd::OwnedFd,
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use fazt_protocol::{
    clock,
    grant::GrantKey,
    pipe::{
        PipeError,
        asynchronous::{Pipe, Writer},
    },
    registry::{Answer, FromStore, ToStore},
    version::{self, PROTOCOL},
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
    time::{sleep, timeout},
};

use crate::{
    config::Config,
    control::{self, Control, Ended},
    loads,
    open::{self, Opened},
    readers,
    store::Store,
    writer,
};

/// How long the router may take to say hello.
const HELLO: Duration = Duration::from_secs(10);

/// Why the process ends with an error.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failed {
    #[error("hear the router: {0}")]
    Router(#[from] PipeError),
    #[error("hear the router: it said nothing in time")]
    Silent,
    #[error("hear the router: it did not say hello")]
    NoHello,
    #[error("start: {0}")]
    Version(#[from] version::Mismatch),
    #[error("start: {0}")]
    Io(#[from] io::Error),
}

/// Serves until the router closes the store or is gone. What of its jail is missing it says of itself.
pub(crate) async fn run(
    config: Config,
    opened: Opened,
    registry: OwnedFd,
    sandbox_missing: String,
) -> Result<(), Failed> {
    let mut pipe = Pipe::<ToStore, FromStore>::new(registry)?;
    let hello = timeout(HELLO, pipe.receive()).await.map_err(|_late| Failed::Silent)??;
    let ToStore::Hello { protocol, grant_key } = hello else { return Err(Failed::NoHello) };
    if let Err(mismatch) = version::check(protocol) {
        pipe.send(&FromStore::Refused { reason: mismatch.to_string() }).await?;
        return Err(mismatch.into());
    }
    let Opened { locks, writer, point, reader, scanners, loads, check } = opened;
    let store = Store::new(&config, point, GrantKey::new(grant_key), sandbox_missing);
    let mut readers = readers::start(&store, reader, scanners)?;
    readers.push(loads::start(&store, loads)?);
    let writer = writer::start(&store, writer)?;
    if let Some(check) = check {
        thread::Builder::new().name("check".to_owned()).spawn(move || open::check(&check))?;
    }
    let status = Box::new(store.status());
    pipe.send(&FromStore::Ready { protocol: PROTOCOL, status }).await?;
    tracing::info!(pid = std::process::id(), database = %config.database().display(), "ready");

    let (mut reader, out) = pipe.split();
    let (outgoing, frames) = mpsc::channel(control::OUTGOING);
    let writing = tokio::spawn(write(out, frames));
    // A terminal's Ctrl-C and a service manager's SIGTERM reach every process of the farm; the router decides when the store
    // ends: what it has accepted still needs it.
    let _ignored = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let ended = Control::new(Arc::clone(&store), outgoing.clone()).run(&mut reader).await;
    let asked_ns = clock::now_ns();
    close(&store, readers, writer).await;
    match ended {
        Ended::Close(correlation) => {
            control::send(&outgoing, correlation, asked_ns, Ok(Answer::Done)).await;
            tracing::info!("closed");
        }
        Ended::Gone(error) => tracing::info!("closed: {error}"),
    }
    drop(outgoing);
    // The tasks of unanswered questions hold the other senders; whoever asked them has said that it does not wait.
    let _late = timeout(Duration::from_secs(1), writing).await;
    drop(locks);
    Ok(())
}

/// Lets everybody finish: first who reads, so that the writer's connection is the last, which takes the log away with it.
async fn close(store: &Store, readers: Vec<JoinHandle<()>>, writer: JoinHandle<()>) {
    store.scans.close();
    store.reads.close();
    store.loads.close();
    join(readers).await;
    drop(store.point.lock().take());
    store.writes.close();
    join(vec![writer]).await;
    for channel in store.channels.lock().values() {
        channel.end.notify_one();
    }
}

/// Waits for threads while the reactor goes on: what they answered may still be on its way out.
async fn join(threads: Vec<JoinHandle<()>>) {
    for thread in threads {
        while !thread.is_finished() {
            sleep(Duration::from_millis(1)).await;
        }
        if thread.join().is_err() {
            tracing::error!("a thread of the store panicked");
        }
    }
}

async fn write(mut out: Writer<FromStore>, mut frames: mpsc::Receiver<FromStore>) {
    while let Some(frame) = frames.recv().await {
        let mut queued = out.queue(&frame);
        // What waits meanwhile goes out with the same call.
        while let (Ok(()), Ok(frame)) = (&queued, frames.try_recv()) {
            queued = out.queue(&frame);
        }
        if let Err(error) = queued {
            tracing::error!("failed to {error}");
        }
        if let Err(error) = out.flush().await {
            tracing::debug!("failed to {error}");
            return;
        }
    }
}
