//! What a piece of work will probably cost, by what such pieces have cost before: its app's own, and for an app of which none is
//! known, the first ones of others. A moving average, so that one that was held up by the machine does not count for long.
//!
//! Bounded: what was used longest ago is forgotten, and with it what an app could gain by having many.

use std::{collections::HashMap, mem};

/// What tells pieces apart: what is done, and how large what is given with it is.
pub(crate) type Kind = (&'static str, u8);

/// Costs that are kept at least, and half of those that are kept at most.
const KEPT: usize = 4_096;
/// So much of the last cost, as its part, is in the average.
const PART: u64 = 4;

#[derive(Debug, Default)]
pub(super) struct Estimates {
    recent: HashMap<(u64, Kind), u64>,
    older: HashMap<(u64, Kind), u64>,
    /// Of apps whose first piece of that kind it was.
    first: HashMap<Kind, u64>,
}

impl Estimates {
    /// Nanoseconds; nothing where no such piece was ever done.
    pub(super) fn of(&self, app: u64, kind: Kind) -> u64 {
        let known = self.recent.get(&(app, kind)).or_else(|| self.older.get(&(app, kind)));
        known.or_else(|| self.first.get(&kind)).copied().unwrap_or_default()
    }

    /// A piece of that app's has cost that much.
    pub(super) fn learn(&mut self, app: u64, kind: Kind, cost_ns: u64) {
        let key = (app, kind);
        let known = self.recent.remove(&key).or_else(|| self.older.remove(&key));
        if known.is_none() {
            let first = self.first.entry(kind).or_insert(cost_ns);
            *first = average(*first, cost_ns);
        }
        if self.recent.len() >= KEPT {
            self.older = mem::take(&mut self.recent);
        }
        self.recent.insert(key, known.map_or(cost_ns, |known| average(known, cost_ns)));
    }
}

fn average(before: u64, last: u64) -> u64 {
    before.saturating_sub(before / PART).saturating_add(last / PART)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: Kind = ("write", 0);

    #[test]
    fn an_app_is_known_by_its_own_and_a_new_one_by_the_first_of_others() {
        let mut estimates = Estimates::default();
        assert_eq!(estimates.of(1, KIND), 0);
        estimates.learn(1, KIND, 1_000);
        (0..50).for_each(|_| estimates.learn(1, KIND, 10));
        assert!(estimates.of(1, KIND) < 20, "its own last ones");
        assert_eq!(estimates.of(2, KIND), 1_000, "the first of another");
        assert_eq!(estimates.of(2, ("write", 1)), 0, "of another size");
    }

    #[test]
    fn what_was_used_longest_ago_is_forgotten() {
        let mut estimates = Estimates::default();
        for app in 0..100_000 {
            estimates.learn(app, KIND, 10);
            estimates.learn(7, KIND, 1_000);
            assert!(estimates.recent.len() + estimates.older.len() <= 2 * KEPT);
        }
        assert_eq!(estimates.of(7, KIND), 1_000, "who goes on is known");
        assert!(!estimates.recent.contains_key(&(8, KIND)) && !estimates.older.contains_key(&(8, KIND)));
    }
}
