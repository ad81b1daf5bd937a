//! Whose turn it is: work of many apps, given out so that each gets its share of the time, whoever asks more often or for more.
//!
//! Start-time fair queueing (Goyal, Vin, Cheng 1996), for several threads as by Jin, Chase and Kaur (2004). Each app has a
//! clock that what it uses moves on; the clock of who is next says what the time is. An app that comes anew starts then: it cannot
//! save up, and owes nothing either. What a piece costs is known when it is done, and what it will probably cost before that: by
//! what such pieces have cost ([`Estimates`]). It is charged when the piece is taken and set right when it is done, and the
//! next one is who would be at its end first (as in weighted fair queueing: Demers, Keshav, Shenker 1989). By the beginning alone
//! each of many apps that come anew, one after the other and each with a dear piece, would go before whoever has used a little.
//!
//! How far a dear piece stands back is bounded: else those who are cheap would put it off until it is too late. Nobody can be
//! told from others before what he does first, or does otherwise than before: he is charged all the same.
//!
//! Pure state; costs are nanoseconds that the caller measured.

mod estimates;

use std::collections::{BTreeSet, HashMap, VecDeque};

use self::estimates::Estimates;
pub(crate) use self::estimates::Kind;

/// What a piece costs at least, charged when it is taken: so pieces that are taken together are taken in turns.
const PIECE_NS: u64 = 20_000;
/// What probably takes longer is taken alone, where several are taken at once: the others wait for the end of all of them.
const LONG_NS: u64 = 5_000_000;
/// Apps of which it is kept that they are ahead, while nothing of theirs waits.
const AHEAD_MOST: usize = 4_096;

/// What is to be done.
pub(crate) trait Piece {
    fn kind(&self) -> Kind;

    /// By how much it stands back behind others at least, where it is seen to be long.
    fn stands_back_ns(&self) -> u64 {
        0
    }
}

#[derive(Debug)]
pub(crate) struct FairQueue<T> {
    apps: HashMap<u64, Share<T>>,
    /// Apps that may be given something.
    ready: BTreeSet<Place>,
    /// Apps with nothing waiting nor in hand whose clock is ahead, to be forgotten when it no longer is.
    ahead: BTreeSet<(u64, u64)>,
    /// The time: the clock of who was next.
    now: u64,
    /// Counts who came anew, so that among equals the first is first.
    arrivals: u64,
    /// Pieces that one app may have in hand.
    most: usize,
    /// How far a piece may stand back for what it will probably cost.
    back_most_ns: u64,
    estimates: Estimates,
    /// Pieces that wait, of all apps.
    waiting: usize,
}

/// Where an app stands: at what time its next piece would be done, since when it waits, the app.
type Place = (u64, u64, u64);

/// What is known of one app.
#[derive(Debug)]
struct Share<T> {
    waiting: VecDeque<T>,
    in_hand: usize,
    /// What was charged for pieces in hand before anybody knew what they cost.
    charged: Vec<(Kind, u64)>,
    clock: u64,
    since: u64,
    /// Its place among those that are ready.
    place: Option<Place>,
}

impl<T: Piece> FairQueue<T> {
    pub(crate) fn new(most: usize, back_most_ns: u64) -> Self {
        let (ready, ahead, estimates) = (BTreeSet::new(), BTreeSet::new(), Estimates::default());
        Self { apps: HashMap::new(), ready, ahead, now: 0, arrivals: 0, most, back_most_ns, estimates, waiting: 0 }
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
            share.settle(work.kind(), 0);
            share.waiting.push_front(work);
        });
    }

    /// The next piece, which is then in hand until [`Self::done`].
    pub(crate) fn take(&mut self) -> Option<(u64, T)> {
        let app = self.next()?;
        let clock = self.apps.get(&app).map_or(0, |share| share.clock);
        self.now = self.now.max(clock);
        self.take_of(app)
    }

    /// One more piece beside what was taken, that is not long. It does not say what the time is: it may be put back, and who
    /// comes meanwhile would be behind all that waits.
    pub(crate) fn take_short(&mut self) -> Option<(u64, T)> {
        let is_short = |app: &u64| {
            self.apps.get(app).and_then(|share| share.waiting.front()).is_some_and(|work| !self.is_long(*app, work))
        };
        let (_, _, app) = *self.ready.iter().find(|(_, _, app)| is_short(app))?;
        self.take_of(app)
    }

    /// Whether nobody else is to wait for its end.
    pub(crate) fn is_long(&self, app: u64, work: &T) -> bool {
        work.stands_back_ns() > 0 || self.estimates.of(app, work.kind()) >= LONG_NS
    }

    /// Whose turn it is, by what is known by now: more may be than when they came.
    fn next(&mut self) -> Option<u64> {
        loop {
            let first @ (_, _, app) = *self.ready.first()?;
            self.change(app, |_| ());
            if self.apps.get(&app).and_then(|share| share.place).is_none_or(|place| place <= first) {
                return Some(app);
            }
        }
    }

    fn take_of(&mut self, app: u64) -> Option<(u64, T)> {
        let kind = self.apps.get(&app)?.waiting.front()?.kind();
        let charged = self.estimates.of(app, kind).clamp(PIECE_NS, self.back_most_ns.max(PIECE_NS));
        let mut taken = None;
        self.change(app, |share| {
            taken = share.waiting.pop_front();
            share.in_hand = share.in_hand.saturating_add(1);
            share.clock = share.clock.saturating_add(charged);
            share.charged.push((kind, charged));
        });
        self.waiting = self.waiting.saturating_sub(1);
        self.forget();
        Some((app, taken?))
    }

    /// A piece of that app's has cost that much.
    pub(crate) fn charge(&mut self, app: u64, kind: Kind, cost_ns: u64) {
        self.estimates.learn(app, kind, cost_ns);
        self.change(app, |share| share.settle(kind, cost_ns.max(PIECE_NS)));
    }

    /// A piece of that app is no longer in hand. Where nobody said what it has cost, it was as good as nothing.
    pub(crate) fn done(&mut self, app: u64) {
        self.change(app, |share| {
            share.in_hand = share.in_hand.saturating_sub(1);
            if share.charged.len() > share.in_hand
                && let Some((kind, _)) = share.charged.last().copied()
            {
                share.settle(kind, PIECE_NS);
            }
        });
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
        let share = self.apps.entry(app).or_insert_with(|| Share::new(self.now));
        if let Some(place) = share.place.take() {
            self.ready.remove(&place);
        }
        self.ahead.remove(&(share.clock, app));
        change(share);
        match share.waiting.front() {
            Some(next) if share.in_hand < self.most => {
                let probably = self.estimates.of(app, next.kind()).min(self.back_most_ns);
                let end = share.clock.saturating_add(probably.max(next.stands_back_ns()));
                let place = (end, share.since, app);
                share.place = Some(place);
                self.ready.insert(place);
            }
            None if share.in_hand == 0 => {
                self.ahead.insert((share.clock, app));
            }
            Some(_) | None => {}
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
    fn new(clock: u64) -> Self {
        Self { waiting: VecDeque::new(), in_hand: 0, charged: Vec::new(), clock, since: 0, place: None }
    }

    /// Puts what a piece of that kind has cost in the place of what was charged for it.
    fn settle(&mut self, kind: Kind, cost_ns: u64) {
        let charged = self.charged.iter().position(|(of, _)| *of == kind).map(|at| self.charged.swap_remove(at).1);
        self.clock = self.clock.saturating_sub(charged.unwrap_or_default()).saturating_add(cost_ns);
    }
}

#[cfg(test)]
#[path = "fair_tests.rs"]
mod tests;
