//! What goes into the pool's decisions and what comes out of them: plain values.

/// An app at a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AppKey {
    /// The app's number.
    pub app: u64,
    /// Its version.
    pub version: u64,
}

/// How large the pool is.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Workers that serve.
    pub workers: usize,
    /// Of these, the most for one app.
    pub app_max: usize,
    /// Blanks that are ready beside them.
    pub spares: usize,
    /// The most that wait for one app.
    pub queue_depth: usize,
}

/// How many there are of whom and what has no seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crowd {
    /// Requests without a worker.
    pub waiting: usize,
    /// Workers that are ready to take another one's place.
    pub spares: usize,
    /// Workers on their way.
    pub coming: usize,
    /// Workers that are ending.
    pub dying: usize,
}

/// What a worker is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seated {
    /// Waiting for an app.
    Blank,
    /// Waiting for a request of its app.
    Idle(AppKey),
    /// Serving a request of its app.
    Busy(AppKey),
}

/// A worker given to a request.
#[derive(Debug, PartialEq, Eq)]
pub struct Taken<D> {
    /// The worker.
    pub worker: u64,
    /// The way to it.
    pub door: D,
}

/// What comes of asking for a worker.
#[derive(Debug)]
pub enum Claim<D, W> {
    /// Here it is; nobody waits.
    Taken(Taken<D>, W),
    /// Queued; the waiter will be handed over.
    Queued,
    /// The app's queue is full.
    Full(W),
}

/// What has to be done after an event.
#[derive(Debug)]
pub struct Orders<D, W> {
    /// Workers to end: they are no longer of the pool.
    pub retire: Vec<Taken<D>>,
    /// Waiters to hand to their worker.
    pub hand: Vec<(W, Taken<D>)>,
    /// Workers to bring into the world.
    pub births: usize,
}

impl<D, W> Orders<D, W> {
    pub(super) fn none() -> Self {
        Self { retire: Vec::new(), hand: Vec::new(), births: 0 }
    }
}
