//! The throttle: an app whose workers die before their first answer is bound more slowly, and a farm whose newborns die
//! before they are ready bears more slowly. Pure state, clock passed in.
//!
//! A death after an answer is not held against anybody: a runaway is killed after a second, and its successor is due at once.
//! But one without a call is: no app's code runs then, so some may happen, and answers in between forgive no more of them.

use std::{
    collections::HashMap,
    hash::Hash,
    time::{Duration, Instant},
};

/// The pause after the first early death, doubled with each one that follows, up to [`PAUSE_MOST`].
pub const PAUSE_FIRST: Duration = Duration::from_millis(10);
/// See [`PAUSE_FIRST`].
pub const PAUSE_MOST: Duration = Duration::from_secs(1);
/// Names that are remembered; the quietest is forgotten for a new one.
const NAMES: usize = 4_096;
/// Deaths without a call that cost nothing.
const FREE: u32 = 4;
/// After so long one of them is forgotten, and where there are more, the next worker is due.
const FORGET_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug)]
struct Record {
    deaths: u32,
    until: Instant,
}

/// Deaths without a call by name: when the last of them will be forgotten.
#[derive(Debug)]
pub struct Wear<K>(HashMap<K, Instant>);

/// Early deaths by name.
#[derive(Debug)]
pub struct Throttle<K>(HashMap<K, Record>);

impl<K> Default for Throttle<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K> Default for Wear<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash + Clone> Throttle<K> {
    /// One died before its first answer. Returns the pause that follows.
    pub fn punish(&mut self, name: K, now: Instant) -> Duration {
        if self.0.len() >= NAMES && !self.0.contains_key(&name) {
            let quietest = self.0.iter().min_by_key(|(_, record)| record.until).map(|(name, _)| name.clone());
            quietest.map(|name| self.0.remove(&name));
        }
        let record = self.0.entry(name).or_insert(Record { deaths: 0, until: now });
        let pause = PAUSE_FIRST.saturating_mul(1_u32.checked_shl(record.deaths).unwrap_or(u32::MAX)).min(PAUSE_MOST);
        record.deaths = record.deaths.saturating_add(1).min(16);
        record.until = now.checked_add(pause).unwrap_or(now);
        pause
    }

    /// One has answered: all is forgiven.
    pub fn forgive(&mut self, name: &K) {
        self.0.remove(name);
    }

    /// How long to wait before the next one, if at all.
    #[must_use]
    pub fn pause(&self, name: &K, now: Instant) -> Option<Duration> {
        let left = self.0.get(name)?.until.saturating_duration_since(now);
        (!left.is_zero()).then_some(left)
    }
}

impl<K: Eq + Hash + Clone> Wear<K> {
    /// One died without a call.
    pub fn wear(&mut self, name: K, now: Instant) {
        if self.0.len() >= NAMES && !self.0.contains_key(&name) {
            let first = self.0.iter().min_by_key(|(_, until)| **until).map(|(name, _)| name.clone());
            first.map(|name| self.0.remove(&name));
        }
        let until = self.0.entry(name).or_insert(now);
        let most = now.checked_add(FORGET_EVERY.saturating_mul(FREE.saturating_add(1))).unwrap_or(now);
        *until = (*until).max(now).checked_add(FORGET_EVERY).unwrap_or(most).min(most);
    }

    /// How long to wait before the next one, if at all.
    #[must_use]
    pub fn pause(&self, name: &K, now: Instant) -> Option<Duration> {
        let left = self.0.get(name)?.saturating_duration_since(now);
        left.checked_sub(FORGET_EVERY.saturating_mul(FREE)).filter(|pause| !pause.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_deaths_without_a_call_are_free_and_the_next_one_waits() {
        let (mut wear, now) = (Wear::default(), Instant::now());
        for _ in 0..FREE {
            wear.wear(1, now);
            assert_eq!(wear.pause(&1, now), None);
        }
        wear.wear(1, now);
        assert_eq!((wear.pause(&1, now), wear.pause(&2, now)), (Some(FORGET_EVERY), None));
        (0..100).for_each(|_| wear.wear(1, now));
        assert_eq!(wear.pause(&1, now), Some(FORGET_EVERY), "it does not add up without end");
        assert_eq!(wear.pause(&1, now + FORGET_EVERY), None);
        wear.wear(1, now + FORGET_EVERY);
        assert_eq!(wear.pause(&1, now + FORGET_EVERY), Some(FORGET_EVERY), "one each time");
        wear.wear(1, now + 100 * FORGET_EVERY);
        assert_eq!(wear.pause(&1, now + 100 * FORGET_EVERY), None, "and all are forgotten");
    }

    #[test]
    fn pauses_double_up_to_the_most_and_end_with_an_answer() {
        let (mut throttle, now) = (Throttle::default(), Instant::now());
        assert_eq!(throttle.pause(&1, now), None);
        let pauses: Vec<Duration> = (0..9).map(|_| throttle.punish(1, now)).collect();
        assert_eq!(pauses[..3], [10, 20, 40].map(Duration::from_millis));
        assert_eq!(pauses[8], PAUSE_MOST);
        assert_eq!(throttle.pause(&1, now), Some(PAUSE_MOST));
        assert_eq!(throttle.pause(&2, now), None, "another app pays nothing");
        assert_eq!(throttle.pause(&1, now + PAUSE_MOST), None);
        throttle.forgive(&1);
        assert_eq!(throttle.punish(1, now), PAUSE_FIRST);
    }
}
