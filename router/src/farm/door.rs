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
    Ground,
    job::{Finished, Job},
    pool::Taken,
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
    pub job: Job,
    /// How long it waited, in microseconds.
    pub queue_us: u64,
    /// Where to say what became of it.
    pub answer: oneshot::Sender<Verdict>,
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

/// A worker in somebody's hand. Dropped unused, it goes back to the pool: so no worker is lost where a request is given
/// up between being handed a worker and using it.
#[derive(Debug)]
pub struct Hold {
    taken: Option<Taken<Door>>,
    ground: Arc<Ground>,
}

impl Hold {
    /// Holds a worker.
    #[must_use]
    pub fn new(taken: Taken<Door>, ground: Arc<Ground>) -> Self {
        Self { taken: Some(taken), ground }
    }

    /// Sends the errand to the keeper.
    ///
    /// # Errors
    /// Gives the errand back where the keeper is gone: its worker died in between.
    pub fn serve(mut self, errand: Box<Errand>) -> Result<(), Box<Errand>> {
        let Some(taken) = self.taken.take() else { return Err(errand) };
        match taken.door.orders.try_send(Order::Serve(errand)) {
            Ok(()) => Ok(()),
            Err(
                mpsc::error::TrySendError::Closed(Order::Serve(errand))
                | mpsc::error::TrySendError::Full(Order::Serve(errand)),
            ) => Err(errand),
            Err(_) => Ok(()),
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(taken) = self.taken.take() {
            self.ground.release(taken.worker);
        }
    }
}

impl DoorPlate {
    /// Counts one more request.
    pub fn count(&self) -> u64 {
        self.served.fetch_add(1, Relaxed).saturating_add(1)
    }
}

/// Someone who waits for a worker.
#[derive(Debug)]
pub struct Ticket(pub oneshot::Sender<Hold>);

impl Waiter for Ticket {
    fn is_gone(&self) -> bool {
        self.0.is_closed()
    }
}
