//! The farm: workers from birth to death, and the requests that they serve.
//!
//! [`pool`] decides and does nothing; [`keeper`], [`birth`] and [`death`] do and decide nothing; [`Ground`] joins them: events
//! go into the pool under one short lock, and what it orders is done outside of it.

pub mod account;
pub mod attendant;
pub mod binding;
pub mod birth;
pub mod builder;
pub mod config;
pub mod counts;
pub mod death;
pub mod door;
pub mod exchange;
pub mod ground;
pub mod hearing;
pub mod idleness;
pub mod inspect;
pub mod job;
pub mod keeper;
pub mod logs;
pub mod nursery;
pub mod pool;
pub mod queue;
pub mod sandbox;
pub mod status;
pub mod throttle;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use fazt_protocol::spawn::Role;
use tokio::time::timeout_at;

use birth::{BirthError, Newborn};
use door::{Verdict, Waiting};
use ground::Asked;
pub use ground::Ground;
use job::{Finished, Job, Timing};
use pool::AppKey;

use crate::fault::{Code, Fault};

/// How often a request whose worker was gone before it began is given to another one.
const TRIES: usize = 3;

/// The farm's door. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Farm(Arc<Ground>);

impl Farm {
    /// The door of a ground.
    #[must_use]
    pub fn new(ground: Arc<Ground>) -> Self {
        Self(ground)
    }

    /// Serves one request; ends by the job's deadline, a grace later at most. A caller may drop this at any time: the worker
    /// goes on to the end of the call and nothing is lost but the answer.
    pub async fn call(&self, job: Job) -> Finished {
        let mut job = Box::new(job);
        let app = AppKey { app: job.served.app.id, version: job.served.app.version };
        // Who was let in once is let in again where a worker gives the request back.
        if let Some(pause) = self.0.pause(app) {
            return Finished { reply: Err(overloaded(pause)), timing: Timing::queued(job.arrived) };
        }
        // The patience of the queue counts anew for who was given back.
        let mut since = job.arrived;
        for _ in 0..TRIES {
            match self.attempt(job, since).await {
                Verdict::Finished(finished) => return *finished,
                Verdict::Unserved(unserved) => (job, since) = (unserved, Instant::now()),
            }
        }
        let fault = Fault::new(Code::WorkerCrashed, "the app's processes ended before they could begin");
        Finished { reply: Err(fault), timing: Timing::queued(job.arrived) }
    }

    /// An app's version is no longer served, or the app is gone (`None`).
    pub fn forget(&self, app: u64, keep: Option<u64>) {
        self.0.forget(app, keep);
    }

    /// Whether any worker can serve, or does.
    #[must_use]
    pub fn has_worker(&self) -> bool {
        self.0.pool.lock().seats().next().is_some()
    }

    /// Waits until a worker is ready for its first app. For one who waits at a time.
    ///
    /// # Errors
    /// [`inspect::Shortfall`]: one was born, and is not in the jail that it reports. The next one would not be either.
    pub async fn first_worker(&self) -> Result<(), inspect::Shortfall> {
        // One that joins between two lines is remembered by the last.
        while !self.has_worker() {
            if let Some(shortfall) = self.0.wanting.lock().clone() {
                return Err(shortfall);
            }
            self.0.joined.notified().await;
        }
        Ok(())
    }

    /// How the farm is.
    #[must_use]
    pub fn status(&self) -> status::Status {
        status::Status::of(&self.0)
    }

    /// What there is to say of the jail.
    #[must_use]
    pub fn sandbox(&self) -> sandbox::Report {
        self.0.sandbox()
    }

    /// A jailed builder, for one deploy.
    ///
    /// # Errors
    /// [`BirthError`].
    pub async fn builder(&self) -> Result<(death::Life, Newborn), BirthError> {
        self.0.bear(Role::Builder).await
    }

    /// Gives the job to a worker, now or when one comes free in time.
    async fn attempt(&self, job: Box<Job>, since: Instant) -> Verdict {
        let app = AppKey { app: job.served.app.id, version: job.served.app.version };
        let (arrived, deadline) = (job.arrived, job.deadline);
        let until = since.checked_add(self.0.config.queue_timeout).unwrap_or(deadline).min(deadline);
        let (waiting, stub, mut verdict) = Waiting::new(job, ground::home());
        match self.0.claim(app, waiting) {
            Asked::Full => {
                let fault = Fault::new(Code::QueueFull, "too many requests of this app are waiting already");
                return refuse(arrived, fault);
            }
            Asked::Taken => {}
            Asked::Queued => match timeout_at(until.into(), &mut verdict).await {
                Ok(heard) => return heard.unwrap_or_else(|_keeper_gone| lost(arrived)),
                Err(_late) if stub.give_up() => return refuse(arrived, ran_out(until == deadline)),
                // A worker has just begun with it.
                Err(_late) => {}
            },
        }
        verdict.await.unwrap_or_else(|_keeper_gone| lost(arrived))
    }
}

/// A request that no worker began.
fn refuse(arrived: Instant, fault: Fault) -> Verdict {
    Verdict::Finished(Box::new(Finished { reply: Err(fault), timing: Timing::queued(arrived) }))
}

fn overloaded(pause: Duration) -> Fault {
    let detail = "the app's processes end before they answer; they are started more slowly";
    let mut fault = Fault::new(Code::Overloaded, detail);
    fault.retry_after = Some(pause);
    fault
}

/// The wait was over before a worker came free.
fn ran_out(by_deadline: bool) -> Fault {
    if by_deadline {
        Fault::new(Code::Timeout, "the whole request took longer than its limit; it was waiting for a worker")
    } else {
        Fault::new(Code::QueueTimeout, "no worker of this app came free in time")
    }
}

fn lost(arrived: Instant) -> Verdict {
    refuse(arrived, Fault::new(Code::WorkerCrashed, "the app's process ended in the middle of the request"))
}
