//! A keeper owns one worker, from its first word to its end: one task, one conversation, one hard clock.
//!
//! Everything that a worker says is heard here and checked against its phase; a breach, silence past the hard clock, or its
//! death ends the worker, and the caller has its fault before the process is gone. A caller that goes away changes nothing:
//! the call is finished or cut off by its own clock.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use fazt_protocol::{
    board,
    call::{FromWorker, ToWorker, phase::Phase},
    pipe::{PipeError, asynchronous::Pipe},
    version,
};
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval, timeout},
};

use super::{
    Ground,
    binding::Bound,
    birth::Newborn,
    counts::count,
    death::{Death, Life},
    door::{Door, DoorPlate, Errand, Order},
    idleness::{Idleness, LOOK_EVERY},
    inspect,
};
use crate::store::Store;

/// How long a child may take from its birth until it is jailed.
pub(super) const READY_TIMEOUT: Duration = Duration::from_secs(5);
/// CPU time after which a worker is replaced, in microseconds: well before its rlimit would kill it in the middle of a call.
const CPU_BUDGET_US: u64 = 240 * 1_000_000;

/// What becomes of a worker after a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It serves on.
    Keep,
    /// It could not be bound, through no fault of its own.
    Blank,
    /// It ends.
    End(Death),
}

/// One worker and all that the router knows of it.
#[derive(Debug)]
pub struct Keeper {
    pub(super) ground: Arc<Ground>,
    pub(super) life: Life,
    pub(super) home: usize,
    pub(super) pipe: Pipe<FromWorker, ToWorker>,
    pub(super) phase: Phase,
    pub(super) bound: Option<Bound>,
    pub(super) door: Door,
    pub(super) store: Store,
    cpu_us: u64,
    orders: mpsc::Receiver<Order>,
}

impl Keeper {
    /// Takes charge of a newborn. Must run on the runtime that the keeper will live on.
    ///
    /// # Errors
    /// What the kernel says when the socket is registered.
    pub fn new(ground: Arc<Ground>, life: Life, home: usize, newborn: Newborn) -> std::io::Result<Self> {
        let (to_keeper, orders) = mpsc::channel(2);
        let door = Arc::new(DoorPlate {
            orders: to_keeper,
            pid: newborn.pid,
            born: std::time::Instant::now(),
            served: 0.into(),
            board: newborn.board,
            request: parking_lot::Mutex::new(None),
        });
        // Whatever descriptors a worker sends, nobody keeps them.
        let pipe = Pipe::plain(newborn.call)?;
        let store = ground.store.clone();
        Ok(Self { ground, life, home, pipe, phase: Phase::Born, bound: None, door, store, cpu_us: 0, orders })
    }

    /// Keeps the worker until its end.
    pub async fn run(mut self) {
        if let Err(death) = self.await_ready().await {
            say_last_words(self.life.pid, &self.door.board);
            self.ground.stillborn(self.life.worker, death);
            return;
        }
        self.ground.join(self.life.worker, self.home, &self.door);
        let death = self.keep().await;
        let death = self.life.cause(death);
        self.hand_back().await;
        tracing::debug!(worker = self.life.pid, served = self.door.served.load(Relaxed), "worker {}", death.word());
        if matches!(death, Death::Crashed | Death::Breach | Death::OutOfMemory) {
            count(&self.ground.counts.crashes);
            say_last_words(self.life.pid, &self.door.board);
        }
        // Dropping the life kills, frees the place and orders the successor; it happens before the next line of anybody.
    }

    /// An errand that came while the worker was ending was never begun: another worker may have it.
    async fn hand_back(&mut self) {
        self.orders.close();
        // To the end: one may be half way in, which only this wait sees.
        while let Some(order) = self.orders.recv().await {
            if let Order::Serve(errand) = order {
                errand.hand_back();
            }
        }
    }

    async fn await_ready(&mut self) -> Result<(), Death> {
        let said = timeout(READY_TIMEOUT, self.pipe.receive()).await.map_err(|_late| Death::Killed)?;
        let said = said.map_err(|_gone| Death::Crashed)?;
        self.phase = self.phase.hear(&said).map_err(|_breach| Death::Breach)?;
        match said {
            FromWorker::Ready(ready) if version::check(ready.protocol).is_ok() => {
                inspect::child(self.life.pid, ready.layers, self.ground.jail.layers).map_err(|shortfall| {
                    tracing::error!(worker = self.life.pid, "failed to {shortfall}");
                    // Of one that has died meanwhile the kernel shows nothing, which is no news of the jail.
                    if !self.life.is_over() {
                        self.ground.find_wanting(shortfall);
                    }
                    Death::Breach
                })
            }
            _ => Err(Death::Breach),
        }
    }

    async fn keep(&mut self) -> Death {
        let mut changes = self.store.changes();
        let mut idleness = Idleness::of(self.life.pid, self.ground.config.memory_bytes);
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                // An idle worker has nothing to say: its end, or a breach. Heard before a new order, which another worker
                // may then have.
                said = self.pipe.receive() => return self.spoke_idle(said).await,
                order = self.orders.recv() => match order {
                    Some(Order::Serve(errand)) => {
                        if let Some(what) = idleness.end() {
                            errand.hand_back();
                            return self.busy_idle(what);
                        }
                        if let Some(death) = self.serve(*errand).await {
                            return death;
                        }
                        idleness.begin();
                    }
                    Some(Order::Retire) | None => return Death::Retired,
                },
                _ = changes.changed() => if self.rebind(None).await.is_err() {
                    return self.deaf_idle();
                },
                _ = look.tick() => if let Some(what) = idleness.look() {
                    return self.busy_idle(what);
                },
            }
        }
    }

    async fn spoke_idle(&self, said: Result<FromWorker, PipeError>) -> Death {
        match said {
            Ok(message) => {
                tracing::warn!(worker = self.life.pid, "worker breach: {} while {}", message.name(), self.phase.word());
                self.wear();
                Death::Breach
            }
            Err(error) => {
                tracing::warn!(worker = self.life.pid, "idle worker gone: {error}");
                if self.bound.is_some() && !self.life.was_killed().await {
                    self.wear();
                }
                Death::Crashed
            }
        }
    }

    fn busy_idle(&self, what: &str) -> Death {
        tracing::warn!(worker = self.life.pid, "worker {what} while it has no request");
        self.wear();
        Death::Breach
    }

    fn deaf_idle(&self) -> Death {
        tracing::warn!(worker = self.life.pid, "idle worker does not take its new channel to the store");
        // One that somebody has stopped can take nothing.
        if !self.life.is_stopped() {
            self.wear();
        }
        Death::Breach
    }

    /// It came to its end without a call, and nobody else brought that about: its app's affair, where it has one.
    fn wear(&self) {
        if let Some(bound) = &self.bound {
            self.ground.wear(bound.served.app.id);
        }
    }

    async fn serve(&mut self, errand: Errand) -> Option<Death> {
        *self.door.request.lock() = Some((errand.job.id.clone(), std::time::Instant::now()));
        let fate = self.answer(errand).await;
        *self.door.request.lock() = None;
        match fate {
            Fate::Keep if self.is_spent() => Some(Death::Retired),
            Fate::Keep => {
                self.ground.rest(self.life.worker);
                None
            }
            Fate::Blank => {
                self.ground.unbind(self.life.worker);
                None
            }
            Fate::End(death) => Some(death),
        }
    }

    fn is_spent(&self) -> bool {
        let served = self.door.served.load(Relaxed);
        served >= self.ground.config.max_requests_per_worker || self.cpu_us >= CPU_BUDGET_US
    }

    /// Counts CPU time that the worker says it has used. It may lie; then its rlimit ends it.
    pub(super) fn spend(&mut self, cpu_us: u32) {
        self.cpu_us = self.cpu_us.saturating_add(u64::from(cpu_us));
    }
}

/// Writes down what a child that ended by itself has left on its board. It may be a lie, as all that stands there.
pub(super) fn say_last_words(pid: i32, board: &board::Reader) {
    if let Some(last_words) = board.last_words() {
        tracing::error!(worker = pid, last_words, "worker's last words");
    }
}
