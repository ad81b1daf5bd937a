//! A worker's door: how a request reaches the keeper, and what everybody may read of a worker.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

use fazt_protocol::{board, id::RequestId};
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

use super::{
    job::{Finished, Job},
    queue::Waiter,
};

/// What a keeper is told.
#[derive(Debug)]
pub enum Order {
    /// Serve this.
    Serve(Box<Errand>),
    /// End: the place is wanted for somebody else, or the version is gone.
    Retire,
}

/// One request on its way to a keeper.
#[derive(Debug)]
pub struct Errand {
    /// The request.
    pub job: Box<Job>,
    /// Where to say what became of it.
    pub answer: oneshot::Sender<Verdict>,
}

/// A request that waits for a worker. Whoever takes it out has it: the keeper that begins, or the caller that gives up.
#[derive(Debug, Clone)]
pub struct Waiting(Arc<Slot>);

/// A caller's hold on its request: dropped, it takes the request out of the queue.
#[derive(Debug)]
pub struct Stub(Waiting);

#[derive(Debug)]
struct Slot {
    /// The runtime that the caller waits on.
    home: usize,
    errand: Mutex<Option<Box<Errand>>>,
}

/// What a keeper says of an errand.
#[derive(Debug)]
pub enum Verdict {
    /// It is over.
    Finished(Box<Finished>),
    /// The worker was gone before it began: the request may go to another one.
    Unserved(Box<Job>),
}

/// The way to a worker.
pub type Door = Arc<DoorPlate>;

/// What stands at a worker's door.
#[derive(Debug)]
pub struct DoorPlate {
    /// To its keeper.
    pub orders: mpsc::Sender<Order>,
    /// Its process.
    pub pid: i32,
    /// When it was ready.
    pub born: Instant,
    /// Requests so far.
    pub served: AtomicU64,
    /// What it says of itself.
    pub board: board::Reader,
    /// The request in hand, since when.
    pub request: Mutex<Option<(RequestId, Instant)>>,
}

impl DoorPlate {
    /// Counts one more request.
    pub fn count(&self) -> u64 {
        self.served.fetch_add(1, Relaxed).saturating_add(1)
    }
}

impl Errand {
    /// Gives the request back: it was never begun.
    pub fn hand_back(self) {
        // A caller that went away wants no other worker either.
        let _gone = self.answer.send(Verdict::Unserved(self.job));
    }
}

impl Waiting {
    /// A request that waits, its caller's hold on it, and where the caller will hear of it.
    #[must_use]
    pub fn new(job: Box<Job>, home: usize) -> (Self, Stub, oneshot::Receiver<Verdict>) {
        let (answer, verdict) = oneshot::channel();
        let errand = Mutex::new(Some(Box::new(Errand { job, answer })));
        let waiting = Self(Arc::new(Slot { home, errand }));
        let stub = Stub(waiting.clone());
        (waiting, stub, verdict)
    }

    /// Takes the request out, once.
    #[must_use]
    pub fn take(&self) -> Option<Box<Errand>> {
        self.0.errand.lock().take()
    }
}

impl Stub {
    /// The caller waits no longer. Whether it was in time; else a worker has begun.
    #[must_use]
    pub fn give_up(&self) -> bool {
        self.0.take().is_some()
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        // Its body is gone with it, however long its empty place stays in the queue.
        drop(self.0.take());
    }
}

impl Waiter for Waiting {
    fn is_gone(&self) -> bool {
        self.0.errand.lock().is_none()
    }

    fn home(&self) -> usize {
        self.0.home
    }
}
