//! The farm: workers from birth to death, and the requests that they serve.
//!
//! [`pool`] decides and does nothing; [`keeper`], [`birth`] and [`death`] do and decide nothing; [`Ground`] joins them: events
//! go into the pool under one short lock, and what it orders is done outside of it.

pub mod account;
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
pub mod job;
pub mod keeper;
pub mod logs;
pub mod pool;
pub mod queue;
pub mod status;
pub mod throttle;

use std::{sync::Arc, time::Instant};

use fazt_protocol::spawn::Role;
use tokio::{sync::oneshot, time::timeout_at};

use birth::{BirthError, Newborn};
use door::{Errand, Hold, Ticket, Verdict};
pub use ground::Ground;
use job::{Finished, Job, Timing};
use pool::{AppKey, Claim};

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
        for _ in 0..TRIES {
            let hold = match self.take(&job).await {
                Ok(hold) => hold,
                Err(fault) => return Self::unserved(&job, fault),
            };
            let (answer, verdict) = oneshot::channel();
            let queue_us = waited_us(&job);
            let errand = Box::new(Errand { job: *job, queue_us, answer });
            match hold.serve(errand) {
                Err(errand) => *job = errand.job,
                Ok(()) => match verdict.await {
                    Ok(Verdict::Finished(finished)) => return *finished,
                    Ok(Verdict::Unserved(unserved)) => job = unserved,
                    Err(_keeper_gone) => {
                        let fault =
                            Fault::new(Code::WorkerCrashed, "the app's process ended in the middle of the request");
                        return Finished { reply: Err(fault), timing: Timing { queue_us, ..Timing::default() } };
                    }
                },
            }
        }
        let fault = Fault::new(Code::WorkerCrashed, "the app's processes ended before they could begin");
        Self::unserved(&job, fault)
    }

    /// An app's version is no longer served, or the app is gone (`None`).
    pub fn forget(&self, app: u64, keep: Option<u64>) {
        self.0.forget(app, keep);
    }

    /// How the farm is.
    #[must_use]
    pub fn status(&self) -> status::Status {
        status::Status::of(&self.0)
    }

    /// A jailed builder, for one deploy.
    ///
    /// # Errors
    /// [`BirthError`].
    pub async fn builder(&self) -> Result<(death::Life, Newborn), BirthError> {
        self.0.bear(Role::Builder).await
    }

    async fn take(&self, job: &Job) -> Result<Hold, Fault> {
        let app = AppKey { app: job.served.app.id, version: job.served.app.version };
        if let Some(pause) = self.0.pause(app) {
            let mut fault = Fault::new(
                Code::Overloaded,
                "the app's processes end before they answer; they are started more slowly",
            );
            fault.retry_after = Some(pause);
            return Err(fault);
        }
        let (handed, waiting) = oneshot::channel();
        match self.0.claim(app, || Ticket(handed)) {
            Claim::Taken(taken) => Ok(Hold::new(taken, Arc::clone(&self.0))),
            Claim::Full(_) => Err(Fault::new(Code::QueueFull, "too many requests of this app are waiting already")),
            Claim::Queued => {
                let patience = job.arrived.checked_add(self.0.config.queue_timeout).unwrap_or(job.deadline);
                let until = patience.min(job.deadline);
                match timeout_at(until.into(), waiting).await {
                    Ok(Ok(hold)) => Ok(hold),
                    _ if until == job.deadline => Err(Fault::new(
                        Code::Timeout,
                        "the whole request took longer than its limit; it was waiting for a worker",
                    )),
                    _ => Err(Fault::new(Code::QueueTimeout, "no worker of this app came free in time")),
                }
            }
        }
    }

    fn unserved(job: &Job, fault: Fault) -> Finished {
        Finished { reply: Err(fault), timing: Timing { queue_us: waited_us(job), ..Timing::default() } }
    }
}

fn waited_us(job: &Job) -> u64 {
    u64::try_from(Instant::now().saturating_duration_since(job.arrived).as_micros()).unwrap_or(u64::MAX)
}
