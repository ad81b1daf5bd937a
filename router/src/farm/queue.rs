//! The queues of those who wait for a worker: one for each app and version, bounded, served in turn.
//!
//! Pure state. Turns are deficit round robin with a quantum of one worker: whoever was served goes to the end of the round.
//! Within an app's queue it is first come, first served, but that a worker may pass over the first few times for one who
//! waits on its own runtime: an answer across runtimes costs a system call and a thread's sleep.

use std::collections::{HashMap, VecDeque};

use super::pool::AppKey;

/// How far a worker looks for someone who is near.
const LOOK: usize = 16;
/// How often the first in a queue may be passed over.
const PASSES: u32 = 4;

/// Someone who waits, and may have given up.
pub trait Waiter {
    /// Whether nobody waits any more.
    fn is_gone(&self) -> bool;

    /// The runtime that it waits on.
    fn home(&self) -> usize;
}

/// One app's queue.
#[derive(Debug)]
struct Line<W> {
    waiting: VecDeque<W>,
    /// How often the first was passed over.
    passed: u32,
}

/// All queues.
#[derive(Debug)]
pub struct Queues<W> {
    depth: usize,
    lines: HashMap<AppKey, Line<W>>,
    round: VecDeque<AppKey>,
}

impl<W: Waiter> Queues<W> {
    /// Queues of at most `depth` each.
    #[must_use]
    pub fn new(depth: usize) -> Self {
        Self { depth, lines: HashMap::new(), round: VecDeque::new() }
    }

    /// Puts one at the end of its app's queue.
    ///
    /// # Errors
    /// Gives it back where the queue is full.
    pub fn push(&mut self, app: AppKey, waiter: W) -> Result<(), W> {
        let queue = &mut self.lines.entry(app).or_default().waiting;
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

    /// The next one of this app, for a worker of runtime `home`.
    pub fn pop(&mut self, app: AppKey, home: usize) -> Option<W> {
        let next = self.lines.get_mut(&app)?.pop(home);
        self.end_turn(app);
        next
    }

    /// The next app in the round that `holds`, with its next waiter.
    pub fn pop_next(&mut self, home: usize, holds: impl Fn(AppKey) -> bool) -> Option<(AppKey, W)> {
        let candidates: Vec<AppKey> = self.round.iter().copied().filter(|app| holds(*app)).collect();
        candidates.into_iter().find_map(|app| self.pop(app, home).map(|waiter| (app, waiter)))
    }

    /// The next app in the round that `holds` and of which someone still waits.
    pub fn next(&self, holds: impl Fn(AppKey) -> bool) -> Option<AppKey> {
        let waits =
            |app: &AppKey| self.lines.get(app).is_some_and(|line| line.waiting.iter().any(|one| !one.is_gone()));
        self.round.iter().copied().find(|app| holds(*app) && waits(app))
    }

    /// An app had a turn: where some of it wait, all others go first.
    pub fn defer(&mut self, app: AppKey) {
        if let Some(at) = self.round.iter().position(|waiting| *waiting == app) {
            self.round.remove(at);
            self.round.push_back(app);
        }
    }

    /// Whether nobody waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// How many wait, those that gave up included until their turn comes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lines.values().map(|line| line.waiting.len()).sum()
    }

    fn end_turn(&mut self, app: AppKey) {
        self.round.retain(|waiting| *waiting != app);
        if self.lines.get(&app).is_some_and(|line| !line.waiting.is_empty()) {
            self.round.push_back(app);
        } else {
            self.lines.remove(&app);
        }
    }
}

impl<W: Waiter> Line<W> {
    fn pop(&mut self, home: usize) -> Option<W> {
        while self.waiting.front().is_some_and(Waiter::is_gone) {
            self.waiting.pop_front();
            self.passed = 0;
        }
        let is_near = |waiter: &W| waiter.home() == home && !waiter.is_gone();
        let near = if self.passed < PASSES { self.waiting.iter().take(LOOK).position(is_near) } else { None };
        let at = near.unwrap_or_default();
        self.passed = if at == 0 { 0 } else { self.passed.saturating_add(1) };
        self.waiting.remove(at)
    }
}

impl<W> Default for Line<W> {
    fn default() -> Self {
        Self { waiting: VecDeque::new(), passed: 0 }
    }
}
