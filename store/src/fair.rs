//! Whose turn it is: work of many apps, given out so that each gets its share of the time, whoever asks more often or for more.
//!
//! Start-time fair queueing (Goyal, Vin, Cheng 1996), for several threads as by Jin, Chase and Kaur (2004). Each app has a
//! clock that what it uses moves on; the app whose clock is behind all others is next, and what it was given says what the
//! time is. An app that comes anew starts then: it cannot save up, and owes nothing either. What a piece costs is known and
//! charged when it is done; where it is known before that it will be long, short ones have a start ahead of it.
//!
//! Pure state; costs are nanoseconds that the caller measured.

use std::collections::{BTreeSet, HashMap, VecDeque};

/// What a piece costs at least, charged when it is taken: so pieces that are taken together are taken in turns.
const PIECE_NS: u64 = 20_000;
/// Apps of which it is kept that they are ahead, while nothing of theirs waits.
const AHEAD_MOST: usize = 4_096;

#[derive(Debug)]
pub(crate) struct FairQueue<T> {
    apps: HashMap<u64, Share<T>>,
    /// Apps that may be given something: their place, since when it waits, the app.
    ready: BTreeSet<(u64, u64, u64)>,
    /// Apps with nothing waiting nor in hand whose clock is ahead, to be forgotten when it no longer is.
    ahead: BTreeSet<(u64, u64)>,
    /// The time: the clock of who was given something last.
    now: u64,
    /// Counts who came anew, so that among equals the first is first.
    arrivals: u64,
    /// Pieces that one app may have in hand.
    most: usize,
    /// By how much a piece stands back behind others.
    stands_back_ns: fn(&T) -> u64,
    /// Pieces that wait, of all apps.
    waiting: usize,
}

/// What is known of one app.
#[derive(Debug)]
struct Share<T> {
    waiting: VecDeque<T>,
    in_hand: usize,
    clock: u64,
    since: u64,
}

impl<T> FairQueue<T> {
    pub(crate) fn new(most: usize, stands_back_ns: fn(&T) -> u64) -> Self {
        let (ready, ahead) = (BTreeSet::new(), BTreeSet::new());
        Self { apps: HashMap::new(), ready, ahead, now: 0, arrivals: 0, most, stands_back_ns, waiting: 0 }
    }

    pub(crate) fn push(&mut self, app: u64, work: T) {
        self.waiting = self.waiting.saturating_add(1);
        self.arrivals = self.arrivals.saturating_add(1);
        let (now, since) = (self.now, self.arrivals);
        self.change(app, |share| {
            if share.waiting.is_empty() {
                share.since = since;
                share.clock = share.clock.max(now);
            }
            share.waiting.push_back(work);
        });
    }

    /// Gives a piece back that was taken: it is the next of its app. In hand is what was taken all the same, until
    /// [`Self::done`].
    pub(crate) fn put_back(&mut self, app: u64, work: T) {
        self.waiting = self.waiting.saturating_add(1);
        self.change(app, |share| {
            share.waiting.push_front(work);
            share.clock = share.clock.saturating_sub(PIECE_NS);
        });
    }

    /// The next piece, which is then in hand until [`Self::done`].
    pub(crate) fn take(&mut self) -> Option<(u64, T)> {
        let (_, _, app) = *self.ready.first()?;
        self.take_of(app)
    }

    /// The next piece that stands back behind nobody. Who is passed over for that keeps its place, before all who come later.
    pub(crate) fn take_short(&mut self) -> Option<(u64, T)> {
        let is_short =
            |app: &u64| self.apps.get(app).is_some_and(|share| share.place(self.stands_back_ns) == share.clock);
        let (_, _, app) = *self.ready.iter().find(|(_, _, app)| is_short(app))?;
        self.take_of(app)
    }

    fn take_of(&mut self, app: u64) -> Option<(u64, T)> {
        let mut taken = None;
        self.change(app, |share| {
            taken = share.waiting.pop_front().map(|work| (share.clock, work));
            share.in_hand = share.in_hand.saturating_add(1);
            share.clock = share.clock.saturating_add(PIECE_NS);
        });
        let (clock, work) = taken?;
        self.waiting = self.waiting.saturating_sub(1);
        self.now = self.now.max(clock);
        self.forget();
        Some((app, work))
    }

    pub(crate) fn stands_back(&self, work: &T) -> bool {
        (self.stands_back_ns)(work) > 0
    }

    /// A piece of that app has cost that much.
    pub(crate) fn charge(&mut self, app: u64, cost_ns: u64) {
        self.change(app, |share| share.clock = share.clock.saturating_add(cost_ns.saturating_sub(PIECE_NS)));
    }

    /// A piece of that app is no longer in hand.
    pub(crate) fn done(&mut self, app: u64) {
        self.change(app, |share| share.in_hand = share.in_hand.saturating_sub(1));
        self.forget();
    }

    /// Whether something of another app than that one waits.
    pub(crate) fn has_others(&self, app: u64) -> bool {
        self.ready.iter().any(|(_, _, other)| *other != app)
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// Changes what is known of an app, and its place with it.
    fn change(&mut self, app: u64, change: impl FnOnce(&mut Share<T>)) {
        let now = self.now;
        let new = || Share { waiting: VecDeque::new(), in_hand: 0, clock: now, since: 0 };
        let share = self.apps.entry(app).or_insert_with(new);
        self.ready.remove(&(share.place(self.stands_back_ns), share.since, app));
        self.ahead.remove(&(share.clock, app));
        change(share);
        if share.waiting.is_empty() && share.in_hand == 0 {
            self.ahead.insert((share.clock, app));
        } else if !share.waiting.is_empty() && share.in_hand < self.most {
            self.ready.insert((share.place(self.stands_back_ns), share.since, app));
        }
    }

    /// Forgets apps whose clock is no longer ahead, and all where nobody waits for what they used.
    fn forget(&mut self) {
        let idle = self.ahead.len() == self.apps.len();
        while let Some((clock, app)) = self.ahead.first().copied()
            && (idle || clock <= self.now || self.ahead.len() > AHEAD_MOST)
        {
            self.ahead.pop_first();
            self.apps.remove(&app);
        }
    }
}

impl<T> Share<T> {
    /// Its place in the order: who has the lowest is next.
    fn place(&self, stands_back_ns: fn(&T) -> u64) -> u64 {
        self.clock.saturating_add(self.waiting.front().map_or(0, stands_back_ns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn queue(most: usize) -> FairQueue<&'static str> {
        FairQueue::new(most, |work| if *work == "large" { 10 * MS } else { 0 })
    }

    fn next(queue: &mut FairQueue<&'static str>) -> Option<&'static str> {
        queue.take().map(|(_, work)| work)
    }

    fn end(queue: &mut FairQueue<&'static str>, app: u64, cost_ns: u64) {
        queue.charge(app, cost_ns);
        queue.done(app);
    }

    #[test]
    fn what_is_taken_together_is_taken_in_turns_and_in_each_apps_order() {
        let mut queue = queue(usize::MAX);
        for work in ["a1", "a2", "a3"] {
            queue.push(1, work);
        }
        queue.push(2, "b1");
        let taken: Vec<_> = std::iter::from_fn(|| next(&mut queue)).collect();
        assert_eq!(taken, ["a1", "b1", "a2", "a3"]);
        assert!(queue.is_empty());
        queue.push(1, "a4");
        assert!(queue.has_others(2) && !queue.has_others(1));
    }

    #[test]
    fn who_uses_little_waits_for_nobody_but_the_one_at_work() {
        let mut queue = queue(usize::MAX);
        for app in 1..=4 {
            queue.push(app, "scan");
        }
        let mut scans = 0;
        for _ in 0..100 {
            queue.push(9, "small");
            while let Some((app, work)) = queue.take() {
                end(&mut queue, app, if app == 9 { MS } else { (50 + app) * MS });
                if work == "small" {
                    break;
                }
                queue.push(app, work);
                scans += 1;
            }
            // Comes again while the next one is at work.
            let (app, work) = queue.take().unwrap();
            queue.push(app, work);
            end(&mut queue, app, (50 + app) * MS);
        }
        // At the very beginning nobody has used anything, and who came first is first.
        assert!(scans < 15, "{scans} scans before a hundred small ones");
    }

    #[test]
    fn short_ones_have_a_start_ahead_of_those_that_are_known_to_be_long() {
        let mut queue = queue(usize::MAX);
        for app in 1..=10 {
            queue.push(app, "large");
        }
        for round in 0..10 {
            queue.push(99, "small");
            assert_eq!(next(&mut queue), Some("small"), "round {round}");
            end(&mut queue, 99, MS / 2);
            let (app, work) = queue.take().unwrap();
            assert_eq!(work, "large");
            end(&mut queue, app, 50 * MS);
        }
    }

    #[test]
    fn long_ones_are_not_put_off_for_ever() {
        let mut queue = queue(usize::MAX);
        queue.push(1, "large");
        let before = (0..).find(|_| {
            queue.push(2, "small");
            let (app, work) = queue.take().unwrap();
            end(&mut queue, app, MS);
            work == "large"
        });
        assert!(before.is_some_and(|before| before <= 11), "{before:?}");
    }

    #[test]
    fn time_is_shared_and_not_calls() {
        let mut queue = queue(usize::MAX);
        let mut counts = [0; 2];
        queue.push(0, "long");
        queue.push(1, "short");
        for _ in 0..1_100 {
            let (app, work) = queue.take().unwrap();
            counts[usize::from(app == 1)] += 1;
            queue.push(app, work);
            end(&mut queue, app, if app == 0 { 10 * MS } else { MS });
        }
        assert!((90..=110).contains(&counts[0]) && (990..=1_010).contains(&counts[1]), "{counts:?}");
    }

    #[test]
    fn nobody_saves_up() {
        let mut queue = queue(usize::MAX);
        for _ in 0..100 {
            queue.push(1, "a");
            let (app, _) = queue.take().unwrap();
            queue.push(1, "a");
            end(&mut queue, app, 10 * MS);
        }
        // One that comes now has no claim to all that time.
        let mut old = 0;
        for _ in 0..10 {
            queue.push(2, "new");
            queue.push(2, "new");
            let (app, work) = queue.take().unwrap();
            queue.push(app, work);
            end(&mut queue, app, 10 * MS);
            old += u32::from(app == 1);
        }
        assert!((4..=6).contains(&old), "{old} of ten");
    }

    #[test]
    fn what_is_put_back_comes_first_again() {
        let mut queue = queue(usize::MAX);
        for (app, work) in [(1, "a1"), (1, "a2"), (2, "b1"), (1, "a3")] {
            queue.push(app, work);
        }
        let taken: Vec<_> = std::iter::from_fn(|| queue.take()).take(3).collect();
        for (app, work) in taken.into_iter().rev() {
            queue.put_back(app, work);
            queue.done(app);
        }
        let taken: Vec<_> = std::iter::from_fn(|| next(&mut queue)).collect();
        assert_eq!(taken, ["a1", "b1", "a2", "a3"]);
    }

    #[test]
    fn long_ones_are_passed_over_where_short_ones_are_wanted() {
        let mut queue = queue(usize::MAX);
        for (app, work) in [(1, "large"), (2, "b1"), (3, "large"), (2, "b2"), (4, "c1")] {
            queue.push(app, work);
        }
        let taken: Vec<_> = std::iter::from_fn(|| queue.take_short()).map(|(_, work)| work).collect();
        assert_eq!(taken, ["b1", "c1", "b2"]);
        assert_eq!((queue.take(), queue.take()), (Some((1, "large")), Some((3, "large"))));
    }

    #[test]
    fn an_app_holds_no_more_than_its_share() {
        let mut queue = queue(1);
        queue.push(1, "a1");
        queue.push(1, "a2");
        assert_eq!(next(&mut queue), Some("a1"));
        assert_eq!(next(&mut queue), None);
        queue.push(2, "b1");
        assert_eq!(next(&mut queue), Some("b1"));
        queue.done(1);
        assert_eq!(next(&mut queue), Some("a2"));
    }

    #[test]
    fn what_no_longer_matters_is_forgotten() {
        let mut queue = queue(usize::MAX);
        queue.push(0, "always");
        for app in 1..10_000 {
            queue.push(app, "once");
            let (app, _) = queue.take().unwrap();
            queue.push(0, "always");
            end(&mut queue, app, MS);
            assert!(queue.apps.len() <= queue.waiting + AHEAD_MOST);
        }
        while let Some((app, _)) = queue.take() {
            end(&mut queue, app, MS);
        }
        assert!(queue.apps.is_empty() && queue.ready.is_empty() && queue.ahead.is_empty());
    }
}
