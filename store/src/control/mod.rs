//! The registry conversation: the router's questions, many at once, and the descriptors of workers' channels.
//!
//! Each question is a task of the reactor; an upload's parts are put together as they come and hold up nobody. The router is
//! trusted: limits here bound mistakes.

mod answer;
mod content;

use std::{collections::HashMap, os::fd::OwnedFd, sync::Arc};

use fazt_protocol::{
    body::{Assembly, Part},
    clock,
    limit::APP_BYTES,
    op::{Code, Refusal},
    pipe::{PipeError, asynchronous::Reader},
    registry::{Answer, Ask, FromStore, ToStore},
};
use tokio::sync::{Semaphore, mpsc};

use self::answer::Body;
use crate::{
    apps,
    budget::Lease,
    refusal::invalid,
    session::{Bound, Session},
    store::{BINDS, Store},
};

/// Questions of the router that are open at once.
const QUESTIONS: usize = 1_024;
/// Frames that wait to be written to the router.
pub(crate) const OUTGOING: usize = 64;

/// Frames on their way to the router.
pub(crate) type Outgoing = mpsc::Sender<FromStore>;

/// How the conversation ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// The router asked for it, under this number.
    Close(u64),
    /// The router is gone.
    Gone(PipeError),
}

/// The store's side.
#[derive(Debug)]
pub(crate) struct Control {
    store: Arc<Store>,
    outgoing: Outgoing,
    /// Questions whose body is still coming.
    coming: HashMap<u64, Coming>,
    open: Arc<Semaphore>,
}

/// A question and what has come of its body.
#[derive(Debug)]
struct Coming {
    ask: Box<Ask>,
    asked_ns: u64,
    body: Result<(Assembly, Lease), Refusal>,
    hasher: blake3::Hasher,
}

impl Control {
    pub(crate) fn new(store: Arc<Store>, outgoing: Outgoing) -> Self {
        Self { store, outgoing, coming: HashMap::new(), open: Arc::new(Semaphore::new(QUESTIONS)) }
    }

    /// Hears the router to the end.
    pub(crate) async fn run(mut self, reader: &mut Reader<ToStore>) -> Ended {
        loop {
            let heard = match reader.receive().await {
                Ok(message) => message,
                Err(error) => return Ended::Gone(error),
            };
            match heard {
                ToStore::Hello { .. } => tracing::warn!("the router said hello twice"),
                ToStore::Ask { correlation, ask, .. } if *ask == Ask::Close => return Ended::Close(correlation),
                ToStore::Ask { correlation, ask, body } => {
                    if let Ask::Bind { bind, app, version, storage_ms } = *ask {
                        let asked_ns = clock::now_ns();
                        let bound = Bound { bind, app, app_name: String::new(), version, storage_ms };
                        let outcome = match reader.take_descriptor() {
                            Ok(descriptor) => self.bind(bound, descriptor),
                            Err(error) => Err(invalid(error.to_string())),
                        };
                        send(&self.outgoing, correlation, asked_ns, outcome).await;
                    } else {
                        self.begin(correlation, ask, body);
                    }
                }
                ToStore::Chunk { correlation, part } => self.go_on(correlation, part),
            }
        }
    }

    /// A worker's channel.
    fn bind(&self, bound: Bound, descriptor: OwnedFd) -> Result<Answer, Refusal> {
        if self.store.channels.lock().len() >= BINDS {
            return Err(Refusal::new(Code::Unavailable, format!("there are {BINDS} channels already")));
        }
        if self.store.channels.lock().contains_key(&bound.bind) {
            return Err(invalid(format!("bind: {} was used before", bound.bind)));
        }
        let name = {
            let point = self.store.point.lock();
            let point = point.as_ref().ok_or_else(|| Refusal::new(Code::Unavailable, "the store is closing"))?;
            apps::name_of(&point.sql, bound.app, bound.version).map_err(crate::refusal::OpError::into_refusal)?
        };
        let app_name = name.ok_or_else(|| invalid("app: there is no such app or version"))?;
        let session = Session::open(Arc::clone(&self.store), Bound { app_name, ..bound }, descriptor)
            .map_err(|error| Refusal::new(Code::Unavailable, format!("failed to open the channel: {error}")))?;
        tokio::spawn(session.run());
        Ok(Answer::Done)
    }

    fn begin(&mut self, correlation: u64, ask: Box<Ask>, first: Part) {
        let limit = if matches!(*ask, Ask::File { .. }) { APP_BYTES } else { 0 };
        let mut lease = self.store.bodies.lease_for_registry();
        let mut hasher = blake3::Hasher::new();
        hasher.update(&first.bytes);
        let whole = first.last;
        let body = if lease.grow(first.bytes.len()) {
            Assembly::begin(first, limit).map(|body| (body, lease)).map_err(|error| invalid(format!("body: {error}")))
        } else {
            Err(full())
        };
        let coming = Coming { ask, asked_ns: clock::now_ns(), body, hasher };
        if whole {
            self.answer(correlation, coming);
        } else {
            self.coming.insert(correlation, coming);
        }
    }

    fn go_on(&mut self, correlation: u64, part: Part) {
        let Some(mut coming) = self.coming.remove(&correlation) else { return };
        coming.hasher.update(&part.bytes);
        let whole = part.last;
        let length = part.bytes.len();
        coming.body = coming.body.and_then(|(mut body, mut lease)| {
            if !lease.grow(length) {
                return Err(full());
            }
            body.push(part).map_err(|error| invalid(format!("body: {error}")))?;
            Ok((body, lease))
        });
        if whole {
            self.answer(correlation, coming);
        } else {
            self.coming.insert(correlation, coming);
        }
    }

    /// Answers in a task of its own.
    fn answer(&self, correlation: u64, coming: Coming) {
        let (store, outgoing) = (Arc::clone(&self.store), self.outgoing.clone());
        let place = Arc::clone(&self.open).try_acquire_owned();
        tokio::spawn(async move {
            let Coming { ask, asked_ns, body, hasher } = coming;
            let busy = |_full| Refusal::new(Code::Unavailable, "too many questions at once");
            let outcome = match place.map_err(busy).and_then(|place| Ok((place, body?))) {
                Ok((_place, (assembly, _lease))) => {
                    if let Ask::Content { hash } = *ask {
                        return content::send(&store, &outgoing, correlation, hash).await;
                    }
                    let body = Body { bytes: Arc::new(assembly.into_bytes()), hash: *hasher.finalize().as_bytes() };
                    answer::answer(&store, *ask, body).await
                }
                Err(refusal) => Err(refusal),
            };
            send(&outgoing, correlation, asked_ns, outcome).await;
        });
    }
}

fn full() -> Refusal {
    Refusal::new(Code::Unavailable, "too many large bodies at once; try again")
}

/// Sends an answer without a body.
pub(crate) async fn send(outgoing: &Outgoing, correlation: u64, asked_ns: u64, outcome: Result<Answer, Refusal>) {
    let spent_us = u32::try_from(clock::now_ns().saturating_sub(asked_ns) / 1_000).unwrap_or(u32::MAX);
    let answer = FromStore::Answer { correlation, spent_us, outcome: outcome.map(Box::new), body: Part::empty() };
    // The router may be gone; then so are we, soon.
    let _gone = outgoing.send(answer).await;
}
