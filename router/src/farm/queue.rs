//! The queues of those who wait for a worker: one for each app and version, bounded, served in turn.
//!
//! Pure state. Turns are deficit round robin with a quantum of one worker: whoever was served goes to the end of the round.

use std::collections::{HashMap, VecDeque};

use super::pool::AppKey;

/// Someone who waits, and may have given up.
pub trait Waiter {
    /// Whether nobody waits any more.
    fn is_gone(&self) -> bool;
}

/// All queues.
#[derive(Debug)]
pub struct Queues<W> {
    depth: usize,
    waiting: HashMap<AppKey, VecDeque<W>>,
    round: VecDeque<AppKey>,
}

impl<W: Waiter> Queues<W> {
    /// Queues of at most `depth` each.
    #[must_use]
    pub fn new(depth: usize) -> Self {
        Self { depth, waiting: HashMap::new(), round: VecDeque::new() }
    }

    /// Puts one at the end of its app's queue.
    ///
    /// # Errors
    /// Gives it back where the queue is full.
    pub fn push(&mut self, app: AppKey, waiter: W) -> Result<(), W> {
        let queue = self.waiting.entry(app).or_default();
        if queue.len() >= self.depth {
            queue.retain(|waiter| !waiter.is_gone());
        }
        if queue.len() >= self.depth {
            return Err(waiter);
        }
        if queue.is_empty() {
            self.round.push_back(app);
        }
        queue.push_back(waiter);
        Ok(())
    }

    /// The next one of this app.
    pub fn pop(&mut self, app: AppKey) -> Option<W> {
        let queue = self.waiting.get_mut(&app)?;
        let next = loop {
            match queue.pop_front() {
                Some(waiter) if waiter.is_gone() => {}
                other => break other,
            }
        };
        self.end_turn(app);
        next
    }

    /// The next app in the round that `holds`, with its next waiter.
    pub fn pop_next(&mut self, holds: impl Fn(AppKey) -> bool) -> Option<(AppKey, W)> {
        let candidates: Vec<AppKey> = self.round.iter().copied().filter(|app| holds(*app)).collect();
        candidates.into_iter().find_map(|app| self.pop(app).map(|waiter| (app, waiter)))
    }

    /// Whether an app in the round `holds` and someone of it still waits.
    pub fn any(&self, holds: impl Fn(AppKey) -> bool) -> bool {
        let waits = |app: &AppKey| self.waiting.get(app).is_some_and(|queue| queue.iter().any(|one| !one.is_gone()));
        self.round.iter().any(|app| holds(*app) && waits(app))
    }

    /// Whether nobody waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// How many wait, those that gave up included until their turn comes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.values().map(VecDeque::len).sum()
    }

    fn end_turn(&mut self, app: AppKey) {
        self.round.retain(|waiting| *waiting != app);
        if self.waiting.get(&app).is_some_and(|queue| !queue.is_empty()) {
            self.round.push_back(app);
        } else {
            self.waiting.remove(&app);
        }
    }
}
