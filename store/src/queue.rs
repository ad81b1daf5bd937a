//! What waits for a thread. Its length is bounded by what fills it: one op a channel, and the registry's open questions.
//!
//! A waiting thread is woken only where one waits: on two cores, wake-ups are what a small op costs most.

use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::rounds::Rounds;

#[derive(Debug)]
pub(crate) struct Queue<T> {
    state: Mutex<State<T>>,
    ready: Condvar,
}

#[derive(Debug)]
struct State<T> {
    rounds: Rounds<T>,
    sleepers: usize,
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

impl<T> Queue<T> {
    /// A queue out of which one app may have at most `most` pieces in hand.
    pub(crate) fn new(most: usize) -> Self {
        let state = State { rounds: Rounds::new(most), sleepers: 0, closed: false };
        Self { state: Mutex::new(state), ready: Condvar::new() }
    }

    /// Adds work; gives it back where the queue is closed.
    pub(crate) fn push(&self, app: u64, work: T) -> Result<(), T> {
        let mut state = self.state.lock();
        if state.closed {
            return Err(work);
        }
        state.rounds.push(app, work);
        let wake = state.sleepers > 0;
        drop(state);
        if wake {
            self.ready.notify_one();
        }
        Ok(())
    }

    /// Gives back what was taken and not done, to be taken first again; also while the queue is closed.
    pub(crate) fn put_back(&self, work: Vec<(u64, T)>) {
        let mut state = self.state.lock();
        for (app, work) in work.into_iter().rev() {
            state.rounds.put_back(app, work);
        }
    }

    /// Takes up to `count` pieces in rounds over the apps, waiting for the first one.
    pub(crate) fn take(&self, count: usize, patience: Duration) -> Taken<T> {
        let until = Instant::now().checked_add(patience);
        let mut state = self.state.lock();
        loop {
            let work: Vec<_> = std::iter::from_fn(|| state.rounds.take()).take(count).collect();
            if !work.is_empty() {
                return Taken::Work(work);
            }
            if state.closed && state.rounds.is_empty() {
                return Taken::Closed;
            }
            state.sleepers = state.sleepers.saturating_add(1);
            let late = match until {
                Some(until) => self.ready.wait_until(&mut state, until).timed_out(),
                None => {
                    self.ready.wait(&mut state);
                    false
                }
            };
            state.sleepers = state.sleepers.saturating_sub(1);
            if late && state.rounds.is_empty() && !state.closed {
                return Taken::Nothing;
            }
            if late {
                let work: Vec<_> = std::iter::from_fn(|| state.rounds.take()).take(count).collect();
                return if work.is_empty() { Taken::Nothing } else { Taken::Work(work) };
            }
        }
    }

    /// Whether anybody but that app waits.
    pub(crate) fn has_others(&self, app: u64) -> bool {
        self.state.lock().rounds.has_others(app)
    }

    /// A piece of that app is no longer in hand.
    pub(crate) fn done(&self, app: u64) {
        let mut state = self.state.lock();
        state.rounds.done(app);
        let wake = state.sleepers > 0 && !state.rounds.is_empty();
        drop(state);
        if wake {
            self.ready.notify_one();
        }
    }

    /// Nothing more is taken in; what waits is still given out.
    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        self.ready.notify_all();
    }
}
