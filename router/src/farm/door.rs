//! A worker's door: how a request reaches the keeper, and what everybody may read of a worker.

use std::{
    sync::{
        Arc,
        atomic::{
            AtomicBool, AtomicU64,
            Ordering::{AcqRel, Acquire, Relaxed},
        },
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

/// One request on its way to a keeper, or waiting for one.
#[derive(Debug)]
pub struct Errand {
    /// The request.
    pub job: Box<Job>,
    /// The runtime that its caller waits on.
    pub home: usize,
    /// Where to say what became of it.
    pub answer: oneshot::Sender<Verdict>,
    /// Whether it may still be begun.
    pub patience: Patience,
}

/// A wait that ends once: with a worker, or with the caller's patience.
#[derive(Debug, Clone, Default)]
pub struct Patience(Arc<AtomicBool>);

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
    /// One request, and where its caller will hear of it.
    #[must_use]
    pub fn new(job: Box<Job>, home: usize) -> (Box<Self>, oneshot::Receiver<Verdict>, Patience) {
        let (answer, verdict) = oneshot::channel();
        let patience = Patience::default();
        (Box::new(Self { job, home, answer, patience: patience.clone() }), verdict, patience)
    }

    /// Gives the request back: it was never begun.
    pub fn hand_back(self) {
        // A caller that went away wants no other worker either.
        let _gone = self.answer.send(Verdict::Unserved(self.job));
    }
}

impl Patience {
    /// Ends the wait. Whether it had not ended before: a worker begins, or the caller gives up, never both.
    #[must_use]
    pub fn end(&self) -> bool {
        !self.0.swap(true, AcqRel)
    }
}

impl Waiter for Box<Errand> {
    fn is_gone(&self) -> bool {
        self.answer.is_closed() || self.patience.0.load(Acquire)
    }

    fn home(&self) -> usize {
        self.home
    }
}
