//! Binding: a blank worker becomes an app's for life, with a channel of its own to the store.
//!
//! When the store's process was replaced, a bound worker gets a new channel, in the middle of a call too.

use std::{
    os::fd::AsFd,
    sync::Arc,
    time::{Duration, Instant},
};

use fazt_protocol::{
    Breach,
    call::{Assign, FromWorker, Limits, LoadFailure, ToWorker},
    clock, fd,
    grant::Grant,
    id::RequestId,
    limit, op,
    pipe::PipeError,
    version,
};
use tokio::time::{error::Elapsed, timeout};

use super::{
    account::Exchange,
    death::Death,
    idleness,
    job::Job,
    keeper::{Fate, Keeper},
};
use crate::{
    catalog::Served,
    fault::{Code, Fault},
    store::link::Link,
};

/// The most that loading an app may take, within the request's own limit. Less than a queue's patience, 2 s where nobody says
/// otherwise: who finds all places taken by apps that do not load gets the first one that is given up. The most sources that
/// an app may have take a third of it (docs/capacity.md).
const LOAD_TIMEOUT: Duration = Duration::from_millis(1_500);
/// CPU time of a load below which one that was late was kept from the CPU by others, or waited for the store: half of what it had.
const LOAD_CPU: Duration = Duration::from_millis(750);
/// The most that a new channel for a bound worker may take: from the store, and again until the worker has it.
const REBIND_TIMEOUT: Duration = Duration::from_secs(1);

/// Whom a worker works for.
#[derive(Debug)]
pub struct Bound {
    /// The app, at its version.
    pub served: Arc<Served>,
    link: Arc<Link>,
    bind: u64,
    sequence: u64,
}

/// Why a worker could not be bound.
#[derive(Debug)]
pub enum BindError {
    /// The store is not there: the worker stays blank.
    Store(Fault),
    /// The worker did not load the app.
    Worker(Unloaded),
}

/// Why a worker did not load its app.
#[derive(Debug, thiserror::Error)]
pub enum Unloaded {
    /// As it says itself.
    #[error("{0}")]
    Told(LoadFailure),
    /// It did not get so far, in words.
    #[error("{0}")]
    Broken(String),
    /// It said nothing in time.
    #[error("it did not load the app in time")]
    Late,
}

impl Unloaded {
    /// What the store's being slow or away explains, which is no fault of the app's.
    #[must_use]
    pub fn storage(&self) -> Option<Code> {
        match self {
            Self::Told(LoadFailure::Store(refusal)) => match refusal.code {
                op::Code::Timeout => Some(Code::StorageTimeout),
                op::Code::Unavailable => Some(Code::StoreUnavailable),
                _ => None,
            },
            Self::Told(LoadFailure::Worker { .. }) | Self::Broken(_) | Self::Late => None,
        }
    }
}

impl Bound {
    /// Leave for the next call on this worker's channel.
    pub fn grant(&mut self, request: RequestId, deadline_ns: u64) -> Grant {
        self.sequence = self.sequence.saturating_add(1);
        self.link.key().grant(self.bind, self.sequence, request, deadline_ns)
    }

    /// Whether the channel leads to the store's process of now.
    fn leads_to(&self, link: &Arc<Link>) -> bool {
        Arc::ptr_eq(&self.link, link)
    }
}

impl Keeper {
    /// Binds this blank worker to the job's app and waits until it is loaded.
    pub(super) async fn bind(&mut self, job: &Job) -> Result<(), BindError> {
        let left = job.deadline.saturating_duration_since(Instant::now()).min(LOAD_TIMEOUT);
        let deadline = Instant::now().checked_add(left).unwrap_or(job.deadline);
        let unavailable = |error: &dyn std::fmt::Display| {
            BindError::Store(Fault::new(
                Code::StoreUnavailable,
                format!("the app could not be loaded: failed to {error}"),
            ))
        };
        let link = self.store.link(left).await.map_err(|error| unavailable(&error))?;
        let (theirs, ours) = fd::pair().map_err(|error| unavailable(&error))?;
        let app = &job.served.app;
        let storage_ms = u32::try_from(self.ground.config.storage_timeout.as_millis()).unwrap_or(u32::MAX);
        let bind = timeout(left, link.bind(app.id, app.version, storage_ms, theirs)).await;
        let bind =
            bind.map_err(|_late| unavailable(&"reach the store in time"))?.map_err(|error| unavailable(&error))?;
        let mut bound = Bound { served: Arc::clone(&job.served), link, bind, sequence: 0 };
        let grant = bound.grant(job.id.clone(), clock::now_ns().saturating_add(left.as_nanos() as u64));
        let assign = Assign {
            protocol: version::PROTOCOL,
            app: app.name.clone(),
            version: app.version,
            env: app.env.clone(),
            limits: self.limits(&job.served),
            grant,
        };
        self.bound = Some(bound);
        let until = tokio::time::Instant::from_std(deadline);
        match tokio::time::timeout_at(until, self.assign(assign, ours)).await {
            Ok(loaded) => loaded.map_err(BindError::Worker),
            Err(_late) => Err(BindError::Worker(Unloaded::Late)),
        }
    }

    /// What follows where it could not be bound.
    pub(super) fn stay_unbound(&self, mut exchange: Exchange, error: BindError) -> Fate {
        match error {
            BindError::Store(fault) => {
                exchange.fault(fault);
                Fate::Blank
            }
            // Somebody stopped it before it had anything of the app.
            BindError::Worker(Unloaded::Late) if self.life.is_stopped() => self.pass_on(exchange),
            BindError::Worker(why) => {
                let app = &exchange.job.served.name;
                tracing::warn!(request_id = %exchange.job.id, %app, worker = self.life.pid, "worker could not load the app: {why}");
                let code = self.why_unloaded(&why, exchange.job.served.app.id);
                exchange.fault(Fault::new(code, format!("the app could not be loaded: {why}")));
                Fate::End(Death::Crashed)
            }
        }
    }

    /// What a worker that did not load costs its app. That the store is away we see; that it was slow is the worker's word,
    /// which is not doubted now and then; nor is one that was late with little CPU time, which a loaded machine makes of most.
    fn why_unloaded(&self, why: &Unloaded, app: u64) -> Code {
        let said = why.storage();
        if !self.store.is_up() {
            return said.unwrap_or(Code::StoreUnavailable);
        }
        let had_little = || idleness::used(self.life.pid).is_some_and(|used| used < LOAD_CPU);
        let was_starved = matches!(why, Unloaded::Late) && had_little();
        match said.or(was_starved.then_some(Code::Overloaded)) {
            Some(code) => {
                self.ground.wear(app);
                code
            }
            None => {
                self.ground.punish(app);
                Code::WorkerCrashed
            }
        }
    }

    async fn assign(&mut self, assign: Assign, op: std::os::fd::OwnedFd) -> Result<(), Unloaded> {
        self.phase = self.phase.assign()?;
        let assign = ToWorker::Assign(Box::new(assign));
        self.pipe.send_with(&assign, &[op.as_fd()]).await?;
        drop(op);
        let said = self.pipe.receive().await?;
        self.phase = self.phase.hear(&said)?;
        match said {
            FromWorker::Assigned(assigned) => assigned.failure.map_or(Ok(()), |why| Err(Unloaded::Told(why))),
            other => Err(Unloaded::Broken(format!("it said {} while loading", other.name()))),
        }
    }

    /// Gives the worker a channel to the store's process of now, where it has one to another. `call` is the call in hand:
    /// its request and deadline.
    ///
    /// # Errors
    /// It did not take the channel in time. Half a message may be on its way: it has to end.
    pub(super) async fn rebind(&mut self, call: Option<(RequestId, u64)>) -> Result<(), Elapsed> {
        let Some(link) = self.store.link_now() else { return Ok(()) };
        let Some(bound) = self.bound.as_mut().filter(|bound| !bound.leads_to(&link)) else { return Ok(()) };
        let Ok((theirs, ours)) = fd::pair() else { return Ok(()) };
        let app = &bound.served.app;
        let storage_ms = u32::try_from(self.ground.config.storage_timeout.as_millis()).unwrap_or(u32::MAX);
        let Ok(Ok(bind)) = timeout(REBIND_TIMEOUT, link.bind(app.id, app.version, storage_ms, theirs)).await else {
            // The store died again: the next change brings the next try.
            return Ok(());
        };
        *bound = Bound { served: Arc::clone(&bound.served), link, bind, sequence: 0 };
        let grant = call.map(|(request, deadline_ns)| bound.grant(request, deadline_ns));
        let (rebind, descriptors) = (ToWorker::Rebind { grant }, [ours.as_fd()]);
        // A worker that is gone shows itself at the next receive.
        timeout(REBIND_TIMEOUT, self.pipe.send_with(&rebind, &descriptors)).await.map(drop)
    }

    pub(super) fn limits(&self, served: &Served) -> Limits {
        let config = &self.ground.config;
        let lower = served.app.manifest.memory_mb.map(|mib| u64::from(mib).saturating_mul(1024 * 1024));
        Limits {
            heap_bytes: lower.map_or(config.memory_bytes, |lower| lower.min(config.memory_bytes)),
            stack_bytes: 512 * 1024,
            answer_bytes: config.answer_bytes as u64,
            storage_calls: limit::STORAGE_CALLS,
            storage_ms: u32::try_from(config.storage_timeout.as_millis()).unwrap_or(u32::MAX),
        }
    }
}

impl From<Breach> for Unloaded {
    fn from(breach: Breach) -> Self {
        Self::Broken(breach.to_string())
    }
}

impl From<PipeError> for Unloaded {
    fn from(error: PipeError) -> Self {
        Self::Broken(error.to_string())
    }
}
