//! Whose turn it is: work of many apps, taken in rounds, so that one app's thousand wait behind another's one only once.
//!
//! Pure state. An app that already has as many pieces in hand as it may have is passed over until one is done.

use std::collections::{HashMap, VecDeque};

#[derive(Debug)]
pub(crate) struct Rounds<T> {
    waiting: HashMap<u64, VecDeque<T>>,
    /// Apps with something waiting, the next one first.
    turns: VecDeque<u64>,
    in_hand: HashMap<u64, usize>,
    /// Pieces that one app may have in hand.
    most: usize,
}

impl<T> Rounds<T> {
    pub(crate) fn new(most: usize) -> Self {
        Self { waiting: HashMap::new(), turns: VecDeque::new(), in_hand: HashMap::new(), most }
    }

    pub(crate) fn push(&mut self, app: u64, work: T) {
        let line = self.waiting.entry(app).or_default();
        if line.is_empty() {
            self.turns.push_back(app);
        }
        line.push_back(work);
    }

    /// Gives a piece back that was taken last: it is the next of its app.
    pub(crate) fn put_back(&mut self, app: u64, work: T) {
        self.waiting.entry(app).or_default().push_front(work);
        if self.turns.front() != Some(&app) {
            self.turns.retain(|turn| *turn != app);
            self.turns.push_front(app);
        }
    }

    /// The next piece, which is then in hand until [`Self::done`].
    pub(crate) fn take(&mut self) -> Option<(u64, T)> {
        for _ in 0..self.turns.len() {
            let app = self.turns.pop_front()?;
            let held = self.in_hand.get(&app).copied().unwrap_or_default();
            if held >= self.most {
                self.turns.push_back(app);
                continue;
            }
            let work = self.next_of(app)?;
            if self.most < usize::MAX {
                self.in_hand.insert(app, held.saturating_add(1));
            }
            return Some((app, work));
        }
        None
    }

    /// A piece of that app is no longer in hand.
    pub(crate) fn done(&mut self, app: u64) {
        if let Some(held) = self.in_hand.get_mut(&app) {
            *held = held.saturating_sub(1);
            if *held == 0 {
                self.in_hand.remove(&app);
            }
        }
    }

    /// Whether something of another app than that one waits.
    pub(crate) fn has_others(&self, app: u64) -> bool {
        self.turns.iter().any(|turn| *turn != app)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    fn next_of(&mut self, app: u64) -> Option<T> {
        let line = self.waiting.get_mut(&app)?;
        let work = line.pop_front();
        if line.is_empty() {
            self.waiting.remove(&app);
        } else {
            self.turns.push_back(app);
        }
        work
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn apps_take_turns_and_keep_their_own_order() {
        let mut rounds = Rounds::new(usize::MAX);
        for work in ["a1", "a2", "a3"] {
            rounds.push(1, work);
        }
        rounds.push(2, "b1");
        let taken: Vec<_> = std::iter::from_fn(|| rounds.take()).map(|(_, work)| work).collect();
        assert_eq!(taken, ["a1", "b1", "a2", "a3"]);
        assert!(rounds.is_empty());
        rounds.push(1, "a4");
        assert!(rounds.has_others(2) && !rounds.has_others(1));
    }

    #[test]
    fn what_is_put_back_comes_first_again() {
        let mut rounds = Rounds::new(usize::MAX);
        for (app, work) in [(1, "a1"), (1, "a2"), (2, "b1"), (1, "a3")] {
            rounds.push(app, work);
        }
        let taken: Vec<_> = std::iter::from_fn(|| rounds.take()).take(3).collect();
        for (app, work) in taken.into_iter().rev() {
            rounds.put_back(app, work);
        }
        let taken: Vec<_> = std::iter::from_fn(|| rounds.take()).map(|(_, work)| work).collect();
        assert_eq!(taken, ["a1", "b1", "a2", "a3"]);
    }

    #[test]
    fn an_app_holds_no_more_than_its_share() {
        let mut rounds = Rounds::new(1);
        rounds.push(1, "a1");
        rounds.push(1, "a2");
        assert_eq!(rounds.take(), Some((1, "a1")));
        assert_eq!(rounds.take(), None);
        rounds.push(2, "b1");
        assert_eq!(rounds.take(), Some((2, "b1")));
        rounds.done(1);
        assert_eq!(rounds.take(), Some((1, "a2")));
    }
}
