//! The choices within a decision: which worker is found, which one goes, who is served next.

use std::{
    collections::{HashMap, HashSet},
    time::Instant,
};

use super::{AppKey, Orders, Pool, Seat, Seated, Spare, Taken};
use crate::farm::queue::Waiter;

impl<D: Clone, W: Waiter> Pool<D, W> {
    pub(super) fn find(&self, seated: Seated, home: usize) -> Option<u64> {
        let fits = |worker: &&u64| self.seats.get(worker).is_some_and(|seat| seat.seated == seated);
        let near = |worker: &&u64| self.seats.get(worker).is_some_and(|seat| seat.home == home);
        let mut all = self.resting.iter().rev().filter(fits);
        all.clone().find(near).or_else(|| all.next()).copied()
    }

    pub(super) fn seat(&mut self, worker: u64, app: AppKey, now: Instant) -> Option<Taken<D>> {
        let seat = self.seats.get_mut(&worker)?;
        seat.fresh = seat.seated == Seated::Blank;
        seat.seated = Seated::Busy(app);
        seat.since = now;
        let door = seat.door.clone();
        if let Some(at) = self.resting.iter().rposition(|resting| *resting == worker) {
            self.resting.remove(at);
        }
        Some(Taken { worker, door })
    }

    pub(super) fn held(&self, app: u64) -> usize {
        let holds = |seat: &&Seat<D>| matches!(seat.seated, Seated::Idle(key) | Seated::Busy(key) if key.app == app);
        self.seats.values().filter(holds).count()
    }

    /// Whether another app waits that holds at least two workers fewer than this one, and none is blank for it.
    pub(super) fn should_give_up(&self, app: AppKey) -> bool {
        let held = self.held(app.app);
        let fewer = |other: AppKey| other.app != app.app && self.held(other.app).saturating_add(1) < held;
        held > 1 && self.queues.next(|other| fewer(other) && !self.loads_first(other)).is_some()
    }

    /// Whether one more worker may be bound to this app.
    pub(super) fn may_grow(&self, app: AppKey) -> bool {
        self.held(app.app) < self.size.app_max && !self.loads_first(app)
    }

    /// Whether a worker loads this app, and no other one has it. What may take long or come to nothing takes one place.
    fn loads_first(&self, app: AppKey) -> bool {
        let mut own = self.seats.values().filter(|seat| seat.has(app)).peekable();
        own.peek().is_some() && own.all(|seat| seat.fresh)
    }

    /// Someone of `app` waits: where its cap allows one more worker and no place is free for one to come, an idle one of another
    /// app goes. Where a spare one stands by, the wait is over.
    pub(super) fn make_room(&mut self, app: AppKey, now: Instant, orders: &mut Orders<D, W>) {
        if self.seats.len() < self.size.workers || !self.may_grow(app) {
            return;
        }
        if let Some(worker) = self.oldest_idle(|other| other != app) {
            self.retire(worker, now, orders);
            self.serve_waiting(now, orders);
        }
    }

    /// The same for one who waits already: what was coming when it began to wait went to somebody else.
    pub(super) fn make_room_for_waiting(&mut self, now: Instant, orders: &mut Orders<D, W>) {
        if self.queues.is_empty() {
            return;
        }
        let capped = self.at_cap();
        if let Some(app) = self.queues.next(|app| !capped.contains(&app.app) && !self.loads_first(app)) {
            self.make_room(app, now, orders);
        }
    }

    pub(super) fn oldest_idle(&self, holds: impl Fn(AppKey) -> bool) -> Option<u64> {
        let idle = |worker: &&u64| matches!(self.seats.get(worker).map(|seat| seat.seated), Some(Seated::Idle(app)) if holds(app));
        self.resting.iter().find(idle).copied()
    }

    /// Ends a worker; a spare one has its place.
    pub(super) fn retire(&mut self, worker: u64, now: Instant, orders: &mut Orders<D, W>) {
        if let Some(seat) = self.seats.remove(&worker) {
            self.resting.retain(|resting| *resting != worker);
            self.dying.insert(worker);
            orders.retire.push(Taken { worker, door: seat.door });
            self.fill(now);
        }
    }

    /// Free places go to spares.
    pub(super) fn fill(&mut self, now: Instant) {
        while self.seats.len() < self.size.workers
            && let Some(Spare { worker, home, door }) = self.spares.pop_front()
        {
            let seat = Seat { home, door, seated: Seated::Blank, fresh: false, forgotten: false, since: now };
            self.seats.insert(worker, seat);
            self.resting.push(worker);
        }
    }

    pub(super) fn serve_waiting(&mut self, now: Instant, orders: &mut Orders<D, W>) {
        if self.queues.is_empty() {
            return;
        }
        while let Some(blank) = self.find(Seated::Blank, 0) {
            let capped = self.at_cap();
            let loading = self.loading_first();
            let below = |app: AppKey| !capped.contains(&app.app) && !loading.contains(&app);
            let home = self.seats.get(&blank).map_or(0, |seat| seat.home);
            let Some((app, waiter)) = self.queues.pop_next(home, below) else { return };
            let Some(taken) = self.seat(blank, app, now) else { return };
            orders.hand.push((waiter, taken));
        }
    }

    /// Apps that no further worker may be bound to now, because one loads them for the first time.
    fn loading_first(&self) -> HashSet<AppKey> {
        let keys = self.seats.values().filter(|seat| seat.fresh).filter_map(|seat| match seat.seated {
            Seated::Idle(key) | Seated::Busy(key) => Some(key),
            Seated::Blank => None,
        });
        keys.filter(|app| self.loads_first(*app)).collect()
    }

    /// Apps that are at their cap.
    pub(super) fn at_cap(&self) -> HashSet<u64> {
        let mut held: HashMap<u64, usize> = HashMap::new();
        for seat in self.seats.values() {
            if let Seated::Idle(key) | Seated::Busy(key) = seat.seated {
                let count = held.entry(key.app).or_default();
                *count = count.saturating_add(1);
            }
        }
        held.into_iter().filter(|(_, count)| *count >= self.size.app_max).map(|(app, _)| app).collect()
    }
}
