//! What waits for a thread. Its length is bounded by what fills it: one op a channel, and the registry's open questions.
//!
//! A waiting thread is woken only where one waits: on two cores, wake-ups are what a small op costs most. Of several the one
//! that worked last is woken: what its connection has in memory is the newest.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::fair::{FairQueue, Kind, Piece};

#[derive(Debug)]
pub(crate) struct Queue<T> {
    state: Mutex<State<T>>,
}

#[derive(Debug)]
struct State<T> {
    fair: FairQueue<T>,
    /// What wakes each of the threads that wait.
    sleepers: Vec<Arc<Condvar>>,
    closed: bool,
}

/// What a thread got.
#[derive(Debug)]
pub(crate) enum Taken<T> {
    /// Work, and the apps that it is of.
    Work(Vec<(u64, T)>),
    /// Nothing came in that time.
    Nothing,
    /// Nothing is left, and nothing will come.
    Closed,
}

/// What a piece of an app's has cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) app: u64,
    pub(crate) kind: Kind,
    pub(crate) span: Duration,
}

impl<T: Piece> Queue<T> {
    /// A queue out of which one app may have at most `most` pieces in hand, and how far each piece may stand back for what it will
    /// probably cost.
    pub(crate) fn new(most: usize, back_most: Duration) -> Self {
        let fair = FairQueue::new(most, u64::try_from(back_most.as_nanos()).unwrap_or(u64::MAX));
        Self { state: Mutex::new(State { fair, sleepers: Vec::new(), closed: false }) }
    }

    /// Adds work; gives it back where the queue is closed.
    pub(crate) fn push(&self, app: u64, work: T) -> Result<(), T> {
        let mut state = self.state.lock();
        if state.closed {
            return Err(work);
        }
        state.fair.push(app, work);
        wake_one(state);
        Ok(())
    }

    /// Gives back what was taken and not done, to be taken first again; also while the queue is closed.
    pub(crate) fn put_back(&self, work: Vec<(u64, T)>) {
        let mut state = self.state.lock();
        for (app, work) in work.into_iter().rev() {
            state.fair.put_back(app, work);
        }
    }

    /// Takes up to `count` pieces, waiting for the first one. A long one is taken alone.
    pub(crate) fn take(&self, count: usize, patience: Duration) -> Taken<T> {
        let until = Instant::now().checked_add(patience);
        let bell = Arc::new(Condvar::new());
        let mut state = self.state.lock();
        loop {
            let work = state.take(count);
            if !work.is_empty() {
                return Taken::Work(work);
            }
            if state.closed && state.fair.is_empty() {
                return Taken::Closed;
            }
            state.sleepers.push(Arc::clone(&bell));
            let late = match until {
                Some(until) => bell.wait_until(&mut state, until).timed_out(),
                None => {
                    bell.wait(&mut state);
                    false
                }
            };
            if late {
                state.sleepers.retain(|sleeper| !Arc::ptr_eq(sleeper, &bell));
                let work = state.take(count);
                return if work.is_empty() { Taken::Nothing } else { Taken::Work(work) };
            }
        }
    }

    /// Whether anybody but that app waits.
    pub(crate) fn has_others(&self, app: u64) -> bool {
        self.state.lock().fair.has_others(app)
    }

    /// Pieces of these apps are no longer in hand, and what was done of them has cost that.
    pub(crate) fn done(&self, apps: &[u64], costs: &[Cost]) {
        let mut state = self.state.lock();
        for Cost { app, kind, span } in costs {
            state.fair.charge(*app, *kind, u64::try_from(span.as_nanos()).unwrap_or(u64::MAX));
        }
        for app in apps {
            state.fair.done(*app);
        }
        if state.closed {
            // Who waits for the last pieces is to see that there are none.
            wake_all(&mut state);
        } else if !state.fair.is_empty() {
            wake_one(state);
        }
    }

    /// Nothing more is taken in; what waits is still given out.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        wake_all(&mut state);
    }
}

impl<T: Piece> State<T> {
    fn take(&mut self, count: usize) -> Vec<(u64, T)> {
        let Some((app, work)) = self.fair.take() else { return Vec::new() };
        if self.fair.is_long(app, &work) {
            return vec![(app, work)];
        }
        let others = std::iter::from_fn(|| self.fair.take_short());
        std::iter::once((app, work)).chain(others).take(count).collect()
    }
}

fn wake_all<T>(state: &mut State<T>) {
    for sleeper in state.sleepers.drain(..) {
        sleeper.notify_one();
    }
}

/// Wakes the thread that sleeps since the shortest time, if any does.
fn wake_one<T>(mut state: MutexGuard<'_, State<T>>) {
    let sleeper = state.sleepers.pop();
    drop(state);
    if let Some(sleeper) = sleeper {
        sleeper.notify_one();
    }
}
