//! The ground of the farm: where the pool's decisions are carried out.

use std::{
    cell::Cell,
    hash::{BuildHasher, RandomState},
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use fazt_protocol::spawn::Role;
use parking_lot::Mutex;
use tokio::runtime::Handle;

use super::{
    birth::{BirthError, Births, Newborn},
    config::Config,
    counts::{Counts, count},
    death::{Death, Life},
    door::{Door, Hold, Order, Ticket},
    keeper::Keeper,
    logs::Logs,
    pool::{AppKey, Claim, Orders, Pool, Size},
    throttle::Throttle,
};
use crate::store::Store;

/// How often the pool looks for what to do ahead of need.
const TEND_EVERY: Duration = Duration::from_millis(250);

thread_local! {
    /// The runtime that this thread runs.
    static HOME: Cell<usize> = const { Cell::new(0) };
}

/// All that keepers share.
#[derive(Debug)]
pub struct Ground {
    /// What the farm was told at its start.
    pub config: Config,
    /// The runtime of the router's first thread.
    pub control: Handle,
    /// The store.
    pub store: Store,
    /// What is counted.
    pub counts: Arc<Counts>,
    /// Where apps' log lines go.
    pub logs: Logs,
    /// The layers of the jail that every worker has to be in, a bit each.
    pub layers: u32,
    pub(super) pool: Mutex<Pool<Door, Ticket>>,
    births: Births,
    homes: Vec<Handle>,
    next_home: AtomicUsize,
    children: AtomicU64,
    calls: AtomicU64,
    /// What calls are numbered with.
    secret: RandomState,
    apps: Mutex<Throttle<u64>>,
    newborns: Mutex<Throttle<()>>,
    this: Weak<Ground>,
}

/// What a ground is founded with.
#[derive(Debug)]
pub struct Means {
    /// The store.
    pub store: Store,
    /// The zygote's attendant.
    pub births: Births,
    /// The layers of the jail that the zygote's own trial was in, a bit each.
    pub layers: u32,
    /// Where apps' log lines go.
    pub logs: Logs,
    /// What is counted.
    pub counts: Arc<Counts>,
    /// The runtimes that keepers live on.
    pub homes: Vec<Handle>,
}

/// Says which runtime this thread runs, so that it gets workers whose keepers live on it.
pub fn settle(home: usize) {
    HOME.set(home);
}

impl Ground {
    /// A ground without workers; [`Self::open`] orders the first ones.
    #[must_use]
    pub fn new(config: Config, means: Means) -> Arc<Self> {
        let Means { store, births, layers, logs, counts, homes } = means;
        let size = Size { workers: config.workers, app_max: config.app_max_workers, queue_depth: config.queue_depth };
        Arc::new_cyclic(|this| Self {
            config,
            control: Handle::current(),
            store,
            counts,
            logs,
            layers,
            pool: Mutex::new(Pool::new(size)),
            births,
            homes,
            next_home: AtomicUsize::new(0),
            children: AtomicU64::new(1),
            calls: AtomicU64::new(1),
            secret: RandomState::new(),
            apps: Mutex::default(),
            newborns: Mutex::default(),
            this: this.clone(),
        })
    }

    /// Orders the first workers, and tends the pool from now on.
    pub fn open(self: &Arc<Self>) {
        let births = self.pool.lock().lacking();
        self.order_births(births, false);
        let this = self.this.clone();
        self.control.spawn(async move {
            let mut tick = tokio::time::interval(TEND_EVERY);
            loop {
                tick.tick().await;
                let Some(ground) = this.upgrade() else { return };
                let orders = ground.pool.lock().tend(Instant::now());
                ground.follow(orders);
            }
        });
    }

    /// The next call's number. No worker can tell it from those before: a reply that was sent before its call names none.
    pub fn number(&self) -> u64 {
        self.secret.hash_one(self.calls.fetch_add(1, Relaxed)) | 1
    }

    /// Asks for a worker.
    pub fn claim(&self, app: AppKey, ticket: impl FnOnce() -> Ticket) -> Claim<Door, Ticket> {
        let (claim, orders) = self.pool.lock().claim(app, HOME.get(), ticket, Instant::now());
        self.follow(orders);
        claim
    }

    /// A worker is ready for its first app.
    pub fn join(&self, worker: u64, home: usize, door: &Door) {
        self.newborns.lock().forgive(&());
        let orders = self.pool.lock().join(worker, home, Arc::clone(door), Instant::now());
        self.follow(orders);
    }

    /// A worker has finished a call.
    pub fn rest(&self, worker: u64) {
        let orders = self.pool.lock().rest(worker, Instant::now());
        self.follow(orders);
    }

    /// A worker could not be bound.
    pub fn unbind(&self, worker: u64) {
        let orders = self.pool.lock().unbind(worker, Instant::now());
        self.follow(orders);
    }

    /// A worker was taken and nobody came for it.
    pub fn release(&self, worker: u64) {
        let orders = self.pool.lock().release(worker, Instant::now());
        self.follow(orders);
    }

    /// A worker is about to be killed.
    pub fn leave(&self, worker: u64) {
        let orders = self.pool.lock().leave(worker, Instant::now());
        self.follow(orders);
    }

    /// A killed worker is gone.
    pub fn bury(&self, worker: u64) {
        let births = self.pool.lock().bury(worker);
        self.order_births(births, true);
    }

    /// A version is no longer served.
    pub fn forget(&self, app: u64, keep: Option<u64>) {
        let orders = self.pool.lock().forget(app, keep);
        self.follow(orders);
    }

    /// A child died before it was ready, or was not born at all: the next one after a pause.
    pub fn stillborn(&self, worker: u64, death: Death) {
        tracing::error!("worker {worker} {} before it was ready", death.word());
        self.miscarry();
    }

    /// How long an app whose workers die early has to wait.
    #[must_use]
    pub fn pause(&self, app: AppKey) -> Option<Duration> {
        let pause = self.apps.lock().pause(&app.app, Instant::now())?;
        // Only a new one is held back: one that is loaded and waits has answered before.
        (!self.pool.lock().has_idle(app)).then_some(pause)
    }

    /// An app's worker died before its answer.
    pub fn punish(&self, app: u64) {
        self.apps.lock().punish(app, Instant::now());
    }

    /// An app's worker has answered.
    pub fn forgive(&self, app: u64) {
        self.apps.lock().forgive(&app);
    }

    /// Brings a child into the world.
    ///
    /// # Errors
    /// [`BirthError`].
    pub async fn bear(&self, role: Role) -> Result<(Life, Newborn), BirthError> {
        let number = self.children.fetch_add(1, Relaxed);
        let mut newborn = self.births.bear(number, role).await?;
        // The life takes the handle; the newborn keeps a copy that dies with it.
        let pidfd = newborn.pidfd.try_clone().map_err(|error| BirthError::Failed(error.to_string()))?;
        let life = Life::new(number, newborn.pid, std::mem::replace(&mut newborn.pidfd, pidfd), self.this.clone());
        Ok((life, newborn))
    }

    fn miscarry(&self) {
        self.pool.lock().miscarry();
        let pause = self.newborns.lock().punish((), Instant::now());
        let this = self.this.clone();
        self.control.spawn(async move {
            tokio::time::sleep(pause).await;
            if let Some(ground) = this.upgrade() {
                let births = ground.pool.lock().lacking();
                ground.order_births(births, true);
            }
        });
    }

    fn follow(&self, orders: Orders<Door, Ticket>) {
        for taken in orders.retire {
            // A keeper that is gone needs no order to end.
            let _gone = taken.door.orders.try_send(Order::Retire);
        }
        if let Some(this) = self.this.upgrade() {
            for (ticket, taken) in orders.hand {
                // Where nobody waits any more, the hold comes back and returns the worker to the pool.
                drop(ticket.0.send(Hold::new(taken, Arc::clone(&this))));
            }
        }
        self.order_births(orders.births, true);
    }

    fn order_births(&self, births: usize, again: bool) {
        for _ in 0..births {
            if again {
                count(&self.counts.respawns);
            }
            let this = self.this.clone();
            self.control.spawn(async move {
                if let Some(ground) = this.upgrade() {
                    ground.raise().await;
                }
            });
        }
    }

    /// One worker, from the order until its keeper has it.
    async fn raise(self: Arc<Self>) {
        let (life, newborn) = match self.bear(Role::Worker).await {
            Ok(born) => born,
            Err(error) => {
                tracing::error!("failed to {error}");
                return self.miscarry();
            }
        };
        let home = self.next_home.fetch_add(1, Relaxed).checked_rem(self.homes.len()).unwrap_or_default();
        let Some(runtime) = self.homes.get(home) else { return };
        let ground = Arc::clone(&self);
        runtime.spawn(async move {
            match Keeper::new(Arc::clone(&ground), life, home, newborn) {
                Ok(keeper) => keeper.run().await,
                Err(error) => {
                    tracing::error!("failed to hear a newborn worker: {error}");
                    ground.miscarry();
                }
            }
        });
    }
}
