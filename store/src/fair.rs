//! Whose turn it is: work of many apps, given out so that each gets its share of the time, whoever asks more often or for more.
//!
//! Start-time fair queueing (Goyal, Vin, Cheng 1996), for several threads as by Jin, Chase and Kaur (2004). Each app has a
//! clock that what it uses moves on; the app whose clock is behind all others is next, and that clock says what the time is. An
//! app that comes anew starts then: it cannot save up, and owes nothing either. What a piece costs is known and charged when it is
//! done; where it is known before that it will be long, short ones have a start ahead of it.
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
    /// The time: the clock of who was next.
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
        let clock = self.apps.get(&app).map_or(0, |share| share.clock);
        self.now = self.now.max(clock);
        self.take_of(app)
    }

    /// One more piece beside what was taken, that stands back behind nobody. It does not say what the time is: it may be put back,
    /// and who comes meanwhile would be behind all that waits.
    pub(crate) fn take_short(&mut self) -> Option<(u64, T)> {
        let is_short =
            |app: &u64| self.apps.get(app).is_some_and(|share| share.place(self.stands_back_ns) == share.clock);
        let (_, _, app) = *self.ready.iter().find(|(_, _, app)| is_short(app))?;
        self.take_of(app)
    }

    fn take_of(&mut self, app: u64) -> Option<(u64, T)> {
        let mut taken = None;
        self.change(app, |share| {
            taken = share.waiting.pop_front();
            share.in_hand = share.in_hand.saturating_add(1);
            share.clock = share.clock.saturating_add(PIECE_NS);
        });
        let work = taken?;
        self.waiting = self.waiting.saturating_sub(1);
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
#[path = "fair_tests.rs"]
mod tests;
