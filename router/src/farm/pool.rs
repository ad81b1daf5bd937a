//! The pool: which worker serves whom. Pure state: events in, decisions out, no process and no clock of its own.
//!
//! A worker is blank, or bound to one app and version for life. The decision for a request, in this order: an idle worker of
//! its app (of the caller's runtime first, of these the one used last); a blank; the least recently used idle worker of
//! another app is retired and its successor serves; wait. An app never holds more than its cap; while no worker has loaded
//! it at this version, one at a time tries. A worker that comes free is given up where another app waits and holds at least
//! two fewer.
//!
//! Beside those that serve there are spares: blanks that are ready. Whoever leaves has its successor in the same moment.

mod choice;
mod decision;

use std::{
    collections::{HashMap, HashSet, VecDeque},
    time::Instant,
};

pub use decision::{AppKey, Claim, Crowd, Orders, Seated, Size, Taken};

use super::queue::{Queues, Waiter};

#[derive(Debug)]
struct Seat<D> {
    home: usize,
    door: D,
    seated: Seated,
    /// Busy for its first app: not bound to it yet.
    fresh: bool,
    /// Its version is no longer served: ends after the request in hand.
    forgotten: bool,
    since: Instant,
}

impl<D> Seat<D> {
    fn has(&self, app: AppKey) -> bool {
        matches!(self.seated, Seated::Idle(key) | Seated::Busy(key) if key == app)
    }
}

/// A blank that is ready to take the place of one that leaves.
#[derive(Debug)]
struct Spare<D> {
    worker: u64,
    home: usize,
    door: D,
}

/// The pool. `D` is the way to a worker, `W` someone who waits for one.
#[derive(Debug)]
pub struct Pool<D, W> {
    size: Size,
    seats: HashMap<u64, Seat<D>>,
    /// Workers without a request, the one used last at the end.
    resting: Vec<u64>,
    /// The one that came first goes first.
    spares: VecDeque<Spare<D>>,
    coming: usize,
    dying: HashSet<u64>,
    queues: Queues<W>,
}

impl<D: Clone, W: Waiter> Pool<D, W> {
    /// An empty pool.
    #[must_use]
    pub fn new(size: Size) -> Self {
        let queues = Queues::new(size.queue_depth);
        Self {
            size,
            seats: HashMap::new(),
            resting: Vec::new(),
            spares: VecDeque::new(),
            coming: 0,
            dying: HashSet::new(),
            queues,
        }
    }

    /// A request wants a worker of `app`.
    pub fn claim(&mut self, app: AppKey, waiter: W, now: Instant) -> (Claim<D, W>, Orders<D, W>) {
        let mut orders = Orders::none();
        let home = waiter.home();
        let found = self
            .find(Seated::Idle(app), home)
            .or_else(|| self.may_grow(app).then(|| self.find(Seated::Blank, home)).flatten());
        let claim = match found.and_then(|worker| self.seat(worker, app, now)) {
            Some(taken) => Claim::Taken(taken, waiter),
            None => match self.queues.push(app, waiter) {
                Ok(()) => {
                    self.make_room(app, now, &mut orders);
                    Claim::Queued
                }
                Err(waiter) => Claim::Full(waiter),
            },
        };
        orders.births = self.lacking();
        (claim, orders)
    }

    /// Whether a worker of `app` waits for its next request.
    #[must_use]
    pub fn has_idle(&self, app: AppKey) -> bool {
        self.seats.values().any(|seat| seat.seated == Seated::Idle(app) && !seat.forgotten)
    }

    /// A newborn worker is ready.
    pub fn join(&mut self, worker: u64, home: usize, door: D, now: Instant) -> Orders<D, W> {
        self.coming = self.coming.saturating_sub(1);
        self.spares.push_back(Spare { worker, home, door });
        self.fill(now);
        let mut orders = Orders::none();
        self.serve_waiting(now, &mut orders);
        self.make_room_for_waiting(now, &mut orders);
        orders.births = self.lacking();
        orders
    }

    /// A birth came to nothing. The next one is ordered by [`Self::lacking`], after a pause of the caller's choice.
    pub fn miscarry(&mut self) {
        self.coming = self.coming.saturating_sub(1);
    }

    /// A worker has loaded its app: others may do the same for those who wait.
    pub fn load(&mut self, worker: u64, now: Instant) -> Orders<D, W> {
        let mut orders = Orders::none();
        if let Some(seat) = self.seats.get_mut(&worker) {
            seat.fresh = false;
            self.serve_waiting(now, &mut orders);
            self.make_room_for_waiting(now, &mut orders);
            orders.births = self.lacking();
        }
        orders
    }

    /// A worker has finished its request and may serve again.
    pub fn rest(&mut self, worker: u64, now: Instant) -> Orders<D, W> {
        let mut orders = Orders::none();
        let Some(seat) = self.seats.get_mut(&worker) else { return orders };
        let Seated::Busy(app) = seat.seated else { return orders };
        seat.seated = Seated::Idle(app);
        seat.fresh = false;
        seat.since = now;
        let home = seat.home;
        if seat.forgotten || self.should_give_up(app) {
            self.retire(worker, now, &mut orders);
        } else {
            self.resting.push(worker);
            if let Some(waiter) = self.queues.pop(app, home)
                && let Some(taken) = self.seat(worker, app, now)
            {
                orders.hand.push((waiter, taken));
            }
        }
        self.serve_waiting(now, &mut orders);
        self.make_room_for_waiting(now, &mut orders);
        orders.births = self.lacking();
        orders
    }

    /// A worker was taken for an app and could not be bound to it, through no fault of its own: it is blank again.
    pub fn unbind(&mut self, worker: u64, now: Instant) -> Orders<D, W> {
        let mut orders = Orders::none();
        if let Some(seat) = self.seats.get_mut(&worker) {
            if let Seated::Busy(app) = seat.seated {
                self.queues.defer(app);
            }
            seat.seated = Seated::Blank;
            seat.fresh = false;
            seat.since = now;
            self.resting.push(worker);
            self.serve_waiting(now, &mut orders);
        }
        orders
    }

    /// A worker was taken for one who had given up just then: as before.
    pub fn release(&mut self, worker: u64, now: Instant) -> Orders<D, W> {
        if self.seats.get(&worker).is_some_and(|seat| seat.fresh) {
            self.unbind(worker, now)
        } else {
            self.rest(worker, now)
        }
    }

    /// A worker is ending or has ended: its place is free at once, for a spare one, and another one is ordered.
    pub fn leave(&mut self, worker: u64, now: Instant) -> Orders<D, W> {
        let mut orders = Orders::none();
        if let Some(seat) = self.seats.remove(&worker) {
            self.resting.retain(|resting| *resting != worker);
            self.dying.insert(worker);
            // It had its place for nothing: the next one is somebody else's.
            if let (true, Seated::Busy(app)) = (seat.fresh, seat.seated) {
                self.queues.defer(app);
            }
        } else if let Some(at) = self.spares.iter().position(|spare| spare.worker == worker) {
            self.spares.remove(at);
            self.dying.insert(worker);
        }
        self.fill(now);
        self.serve_waiting(now, &mut orders);
        orders.births = self.lacking();
        orders
    }

    /// A worker that left is gone for good.
    pub fn bury(&mut self, worker: u64) -> usize {
        self.dying.remove(&worker);
        self.lacking()
    }

    /// A version is no longer served: its idle workers end now, its busy ones after their request.
    pub fn forget(&mut self, app: u64, keep: Option<u64>, now: Instant) -> Orders<D, W> {
        let mut orders = Orders::none();
        let old: Vec<u64> = self
            .seats
            .iter_mut()
            .filter_map(|(worker, seat)| match seat.seated {
                Seated::Idle(key) | Seated::Busy(key) if key.app == app && Some(key.version) != keep => {
                    seat.forgotten = true;
                    matches!(seat.seated, Seated::Idle(_)).then_some(*worker)
                }
                _ => None,
            })
            .collect();
        for worker in old {
            self.retire(worker, now, &mut orders);
        }
        self.serve_waiting(now, &mut orders);
        orders.births = self.lacking();
        orders
    }

    /// Every worker and what it is doing, since when.
    pub fn seats(&self) -> impl Iterator<Item = (u64, Seated, Instant, &D)> {
        self.seats.iter().map(|(worker, seat)| (*worker, seat.seated, seat.since, &seat.door))
    }

    /// How many there are of whom and what has no seat.
    #[must_use]
    pub fn crowd(&self) -> Crowd {
        Crowd { waiting: self.queues.len(), spares: self.spares.len(), coming: self.coming, dying: self.dying.len() }
    }

    /// How many births to order now, which counts them as ordered. The dying still cost memory and CPU time, so there are
    /// never more of them, of the living and of those to come than the pool has places, twice, and spares.
    pub fn lacking(&mut self) -> usize {
        let there = self.seats.len().saturating_add(self.spares.len()).saturating_add(self.coming);
        let full = self.size.workers.saturating_add(self.size.spares);
        let most = full.saturating_add(self.size.workers);
        let births = full.min(most.saturating_sub(self.dying.len())).saturating_sub(there);
        self.coming = self.coming.saturating_add(births);
        births
    }
}

#[cfg(test)]
mod tests;
