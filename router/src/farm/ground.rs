//! The ground of the farm: where the pool's decisions are carried out. Births that it orders are the [`super::nursery`]'s.

use std::{
    cell::Cell,
    hash::{BuildHasher, RandomState},
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use fazt_protocol::spawn::Jail;
use parking_lot::Mutex;
use tokio::{
    runtime::Handle,
    sync::{Notify, mpsc::error::TrySendError},
};

use super::{
    attendant::Births,
    config::Config,
    counts::Counts,
    door::{Door, Order, Waiting},
    inspect::Shortfall,
    logs::Logs,
    pool::{AppKey, Claim, Orders, Pool, Size, Taken},
    sandbox::Report,
    throttle::{Throttle, Wear},
};
use crate::store::Store;

/// Workers that stand by, so that the successor of one that is killed is there before it is gone. One is ready again in less
/// than a millisecond after it was needed; those that are killed together come one after the other.
const SPARES: usize = 1;

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
    /// The jail that every worker has to be in.
    pub jail: Jail,
    /// What there is to say of control groups.
    pub cgroup: String,
    pub(super) pool: Mutex<Pool<Door, Waiting>>,
    pub(super) births: Births,
    pub(super) homes: Vec<Handle>,
    pub(super) next_home: AtomicUsize,
    pub(super) children: AtomicU64,
    calls: AtomicU64,
    /// What calls are numbered with.
    secret: RandomState,
    apps: Mutex<Throttle<u64>>,
    worn: Mutex<Wear<u64>>,
    pub(super) newborns: Mutex<Throttle<()>>,
    /// Told of each worker that joins, and of the first that is found wanting.
    pub(super) joined: Notify,
    /// What the first worker that was not in its jail lacked.
    pub(super) wanting: Mutex<Option<Shortfall>>,
    pub(super) this: Weak<Ground>,
}

/// What a ground is founded with.
#[derive(Debug)]
pub struct Means {
    /// The store.
    pub store: Store,
    /// The zygote's attendant.
    pub births: Births,
    /// The jail that the zygote's own trial was in.
    pub jail: Jail,
    /// What there is to say of control groups.
    pub cgroup: String,
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

/// The runtime that this thread runs.
#[must_use]
pub fn home() -> usize {
    HOME.get()
}

/// What came of asking for a worker.
#[derive(Debug)]
pub enum Asked {
    /// A worker has it.
    Taken,
    /// It waits for one.
    Queued,
    /// Too many wait.
    Full,
}

impl Ground {
    /// A ground without workers; [`Self::open`] orders the first ones.
    #[must_use]
    pub fn new(config: Config, means: Means) -> Arc<Self> {
        let Means { store, births, jail, cgroup, logs, counts, homes } = means;
        let size = Size {
            workers: config.workers,
            app_max: config.app_max_workers,
            spares: SPARES,
            queue_depth: config.queue_depth,
        };
        Arc::new_cyclic(|this| Self {
            config,
            control: Handle::current(),
            store,
            counts,
            logs,
            jail,
            cgroup,
            pool: Mutex::new(Pool::new(size)),
            births,
            homes,
            next_home: AtomicUsize::new(0),
            children: AtomicU64::new(1),
            calls: AtomicU64::new(1),
            secret: RandomState::new(),
            apps: Mutex::default(),
            worn: Mutex::default(),
            newborns: Mutex::default(),
            joined: Notify::new(),
            wanting: Mutex::default(),
            this: this.clone(),
        })
    }

    /// Orders the first workers.
    pub fn open(&self) {
        let births = self.pool.lock().lacking();
        self.order_births(births, false);
    }

    /// The next call's number. No worker can tell it from those before: a reply that was sent before its call names none.
    pub fn number(&self) -> u64 {
        self.secret.hash_one(self.calls.fetch_add(1, Relaxed)) | 1
    }

    /// What there is to say of the jail.
    pub fn sandbox(&self) -> Report {
        let store = self.store.link_now().map(|link| link.status().sandbox_missing.clone());
        Report::of(self.config.sandbox, &self.jail, store.unwrap_or_default(), &self.cgroup)
    }

    /// Asks for a worker.
    pub fn claim(&self, app: AppKey, waiting: Waiting) -> Asked {
        let (claim, orders) = self.pool.lock().claim(app, waiting, Instant::now());
        self.follow(orders);
        match claim {
            Claim::Taken(taken, waiting) => {
                self.hand(&taken, &waiting);
                Asked::Taken
            }
            Claim::Queued => Asked::Queued,
            Claim::Full(_) => Asked::Full,
        }
    }

    /// A newborn worker is not in the jail that it reports.
    pub fn find_wanting(&self, shortfall: Shortfall) {
        self.wanting.lock().get_or_insert(shortfall);
        self.joined.notify_one();
    }

    /// A worker is ready for its first app.
    pub fn join(&self, worker: u64, home: usize, door: &Door) {
        self.newborns.lock().forgive(&());
        let orders = self.pool.lock().join(worker, home, Arc::clone(door), Instant::now());
        self.joined.notify_one();
        self.follow(orders);
    }

    /// A worker has finished a call.
    pub fn rest(&self, worker: u64) {
        let orders = self.pool.lock().rest(worker, Instant::now());
        self.follow(orders);
    }

    /// A worker has loaded its app.
    pub fn load(&self, worker: u64) {
        let orders = self.pool.lock().load(worker, Instant::now());
        self.follow(orders);
    }

    /// A worker could not be bound.
    pub fn unbind(&self, worker: u64) {
        let orders = self.pool.lock().unbind(worker, Instant::now());
        self.follow(orders);
    }

    /// Sends a request to the keeper of the worker that was taken for it.
    fn hand(&self, taken: &Taken<Door>, waiting: &Waiting) {
        let Some(errand) = waiting.take() else {
            // Its caller has given up just now.
            let orders = self.pool.lock().release(taken.worker, Instant::now());
            return self.follow(orders);
        };
        // A keeper that is gone frees the worker's place by itself.
        if let Err(TrySendError::Closed(Order::Serve(errand)) | TrySendError::Full(Order::Serve(errand))) =
            taken.door.orders.try_send(Order::Serve(errand))
        {
            errand.hand_back();
        }
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
        let orders = self.pool.lock().forget(app, keep, Instant::now());
        self.follow(orders);
    }

    /// How long an app whose workers die early has to wait.
    #[must_use]
    pub fn pause(&self, app: AppKey) -> Option<Duration> {
        let now = Instant::now();
        let pause = self.apps.lock().pause(&app.app, now).max(self.worn.lock().pause(&app.app, now))?;
        // Only a new one is held back: one that is loaded and waits has answered before.
        (!self.pool.lock().has_idle(app)).then_some(pause)
    }

    /// An app's worker died before its answer.
    pub fn punish(&self, app: u64) {
        self.apps.lock().punish(app, Instant::now());
    }

    /// An app's worker ended without a call, and neither we nor others are to blame.
    pub fn wear(&self, app: u64) {
        self.worn.lock().wear(app, Instant::now());
    }

    /// An app's worker has answered.
    pub fn forgive(&self, app: u64) {
        self.apps.lock().forgive(&app);
    }

    fn follow(&self, orders: Orders<Door, Waiting>) {
        for taken in orders.retire {
            // A keeper that is gone needs no order to end.
            let _gone = taken.door.orders.try_send(Order::Retire);
        }
        for (waiting, taken) in orders.hand {
            self.hand(&taken, &waiting);
        }
        self.order_births(orders.births, true);
    }
}
