//! A worker's life: ready, one app, then one call after the other until the router ends it.
//!
//! The engine is inherited from the zygote, so that a blank worker is warm. A call is served in this order: the whole body,
//! the run, the answer with `Done` behind it in one write where it is small, and only then the heap is put back: the router
//! does its part meanwhile. Whatever breaks the conversation ends the process, and is its last words on the board.

use std::{collections::BTreeMap, convert::Infallible, os::fd::OwnedFd, time::Duration};

use fazt_jail::Jailed;
use fazt_protocol::{
    board::{self, Phase},
    body::{Assembly, parts},
    call::{Assign, Assigned, Call, Done, Fault, FromWorker, LoadFailure, LogLine, Ready, Reply, ToWorker},
    clock,
    limit::{BODY_BYTES_MOST, ERROR_TEXT_BYTES},
    op::{Op, Refusal, files},
    pipe::PipeError,
    version,
};

use crate::{
    engine::{App, Blank, Engine, Finished, Host, Job, OpReply, Question},
    outcome::Outcome,
    outside::{Outside, Router},
    store::{Answered, Store},
    zygote::Birth,
};

/// Why a worker ended by itself. Its router sees that the conversation is over, and reads the reason on the board.
#[derive(Debug, thiserror::Error)]
pub enum Ending {
    /// The router closed the conversation: the orderly end.
    #[error("the router has no more calls")]
    Closed,
    /// The conversation broke.
    #[error("{0}")]
    Pipe(PipeError),
    /// The router said something out of phase, or a body that is not one.
    #[error("understand the router: {0}")]
    Breach(String),
    /// What a call needs outside was lost within it.
    #[error("go on without its conversation with the router or the store")]
    Cut,
}

/// Exit statuses of a worker, for whoever watches it from outside: the router goes by the conversation's end.
pub mod status {
    /// The router closed the conversation.
    pub const CLOSED: i32 = 0;
    /// The conversation broke.
    pub const BROKEN: i32 = 98;
}

/// Lives, and returns the exit status.
#[must_use]
pub fn run(birth: Birth, blank: Blank) -> i32 {
    let Birth { jailed, call, board, .. } = birth;
    let mut engine = Engine::new(&jailed, blank);
    let mut router = Router::new(call);
    board.enter(Phase::Idle, 0);
    match meet(&jailed, &mut router) {
        Err(ending) => end(&ending, &board),
        Ok((assign, op)) => {
            let most = Duration::from_millis(u64::from(assign.limits.storage_ms));
            let mut outside = Outside::new(router, Store::new(op, most), board.clone(), most);
            match work(&mut engine, &mut outside, assign) {
                Err(ending) => end(&ending, &board),
                Ok(never) => match never {},
            }
        }
    }
}

/// Leaves last words where the end is no orderly one. To be called while the conversation is open: the router looks for
/// them once it is not.
fn end(ending: &Ending, board: &board::Writer) -> i32 {
    if matches!(ending, Ending::Closed) {
        return status::CLOSED;
    }
    board.leave(&format!("failed to {ending}"));
    status::BROKEN
}

/// What the worker is to be, and its channel to the store.
fn meet(jailed: &Jailed, router: &mut Router) -> Result<(Assign, OwnedFd), Ending> {
    router.send(&FromWorker::Ready(Ready { protocol: version::PROTOCOL, layers: jailed.layers().bits() }), None)?;
    let ToWorker::Assign(assign) = router.receive(None)? else { return Err(breach("Assign was due")) };
    version::check(assign.protocol).map_err(breach)?;
    Ok((*assign, router.take_descriptor()?))
}

fn work(engine: &mut Engine, outside: &mut Outside, assign: Assign) -> Result<Infallible, Ending> {
    let assigned = load(engine, outside, assign);
    outside.router.send(&FromWorker::Assigned(assigned), None)?;
    loop {
        outside.enter(Phase::Idle);
        match outside.router.receive(None)? {
            ToWorker::Call(call) => serve(engine, outside, *call)?,
            ToWorker::Rebind { grant } => outside.rebind(grant)?,
            ToWorker::Assign(_) | ToWorker::Chunk(_) => return Err(breach("a Call was due")),
        }
    }
}

fn load(engine: &mut Engine, outside: &mut Outside, assign: Assign) -> Assigned {
    let began = std::time::Instant::now();
    outside.begin(0, assign.grant.clone());
    outside.enter(Phase::Load);
    let failure = sources(outside)
        .and_then(|files| {
            let Assign { app, version, env, limits, .. } = assign;
            engine.load(App { name: app, version, env, files, limits }).map_err(unloaded)
        })
        .err();
    Assigned { spent_us: clock::micros(began.elapsed()), handler: engine.has_handler(), failure }
}

/// The app's sources. What is not UTF-8 was refused at its deploy; should it be here all the same, it is read as well as it can.
fn sources(outside: &mut Outside) -> Result<BTreeMap<String, String>, LoadFailure> {
    outside.enter(Phase::Storage);
    let answered = outside.ask(&Question::new(&Op::Files(files::Op::Sources), &[]));
    outside.enter(Phase::Load);
    let answered = answered.map_err(LoadFailure::Store)?;
    let sources =
        files::read_sources(&answered.body).ok_or_else(|| unloaded("the store's list of sources is not one"))?;
    Ok(sources.into_iter().map(|(path, text)| (path, String::from_utf8_lossy(&text).into_owned())).collect())
}

fn unloaded(why: impl std::fmt::Display) -> LoadFailure {
    let mut reason = why.to_string();
    reason.truncate(reason.floor_char_boundary(ERROR_TEXT_BYTES));
    LoadFailure::Worker { reason }
}

fn serve(engine: &mut Engine, outside: &mut Outside, call: Call) -> Result<(), Ending> {
    let Call { number, grant, run_us, work, debug, body, .. } = call;
    let id = grant.request.clone();
    // Before the body's parts: a new channel may come among them, with leave of its own.
    outside.begin(number, grant);
    let body = whole_body(outside, body)?;
    let job = Job { id: id.as_str(), work: &work, body: &body, run: Duration::from_micros(run_us) };
    let finished = engine.serve(&job, outside);
    answer(outside, number, finished, debug)?;
    outside.enter(Phase::Restore);
    engine.renew();
    if outside.is_broken() { Err(Ending::Cut) } else { Ok(()) }
}

fn whole_body(outside: &mut Outside, first: fazt_protocol::body::Part) -> Result<Vec<u8>, Ending> {
    let mut body = Assembly::begin(first, BODY_BYTES_MOST).map_err(breach)?;
    while !body.is_whole() {
        match outside.router.receive(None)? {
            ToWorker::Chunk(part) => body.push(part).map_err(breach)?,
            ToWorker::Rebind { grant } => outside.rebind(grant)?,
            ToWorker::Assign(_) | ToWorker::Call(_) => return Err(breach("a part of the body was due")),
        }
    }
    Ok(body.into_bytes())
}

/// `debug`: whoever hears of it may know the app's source. For all others its log has what they are not told.
fn answer(outside: &mut Outside, number: u64, finished: Finished, debug: bool) -> Result<(), Ending> {
    let Finished { outcome, public, spans, cpu_us, heap_peak, storage_ops, ops, retire } = finished;
    match outcome {
        Outcome::Reply(answer) => {
            let (body, rest) = parts(&answer.body);
            let reply = Reply { number, status: answer.status, headers: answer.headers, spans, body };
            outside.router.queue(&FromWorker::Reply(Box::new(reply)))?;
            for part in rest {
                outside.router.flush(None)?;
                outside.router.queue(&FromWorker::Chunk(part))?;
            }
        }
        other => {
            let Some(kind) = other.fault() else { return Err(breach("an outcome of no kind")) };
            let message = public.filter(|_| !debug).unwrap_or_else(|| other.message());
            let fault = Fault { number, kind, message, place: other.place(), spans };
            outside.router.queue(&FromWorker::Fault(Box::new(fault)))?;
        }
    }
    let done = Done { number, cpu_us, heap_peak, spans, storage_ops, ops, retire };
    outside.router.send(&FromWorker::Done(Box::new(done)), None)?;
    Ok(())
}

impl Host for Outside {
    fn ask(&mut self, question: &Question<'_>) -> Result<OpReply, Refusal> {
        let Answered { found, body, store_us } = Self::ask(self, question)?;
        Ok(OpReply { found, body, store_us })
    }

    fn log(&mut self, line: LogLine) {
        Self::log(self, line);
    }

    fn phase(&mut self, phase: Phase) {
        self.enter(phase);
    }
}

impl From<PipeError> for Ending {
    fn from(error: PipeError) -> Self {
        match error {
            PipeError::Closed(_) => Self::Closed,
            other => Self::Pipe(other),
        }
    }
}

fn breach(what: impl std::fmt::Display) -> Ending {
    Ending::Breach(what.to_string())
}

#[cfg(test)]
mod tests {
    use std::{os::fd::AsFd, thread};

    use fazt_protocol::{
        body::Part,
        call::{Before, Limits, Work},
        fd,
        grant::GrantKey,
        id::RequestId,
        limit::CHUNK_BYTES,
        op::{Answer, Found, FromStore, ToStore},
        pipe::Pipe,
    };

    use super::*;
    use crate::engine::{Config, FreshState, Standard};

    const LIMITS: Limits = Limits {
        heap_bytes: 32 << 20,
        stack_bytes: 512 << 10,
        answer_bytes: 1 << 20,
        storage_calls: 9,
        storage_ms: 5_000,
    };

    fn engine() -> Engine {
        let config = Config { fresh_state: FreshState::Image, heap_bytes_most: 64 << 20 };
        let mut engine = Engine::new(&Jailed::for_tests(), Blank::make(&Standard::compile().unwrap(), config).unwrap());
        let files = BTreeMap::from([("api/main.js".to_owned(), "respond(1)".to_owned())]);
        engine.load(App { name: "app".to_owned(), version: 1, env: Vec::new(), files, limits: LIMITS }).unwrap();
        engine
    }

    /// The store's process of before forgets its leave with its channels, and takes it for a forgery on another's.
    #[test]
    fn a_channel_that_comes_within_a_body_is_asked_with_its_own_leave() {
        let ((to_router, router), (to_store, _gone)) = (fd::pair().unwrap(), fd::pair().unwrap());
        let page = board::create().unwrap();
        let (board, most) = (board::Writer::map(page.as_fd()).unwrap(), Duration::from_secs(5));
        let mut outside = Outside::new(Router::new(to_router), Store::new(to_store, most), board, most);
        let (key, until_ns) = (GrantKey::new([1; 32]), clock::now_ns() + 10_000_000_000);
        let [before, now] = [1, 2].map(|bind| key.grant(bind, 1, RequestId::generate(), until_ns));
        let script = format!("fazt.storage.kv.get('k'){}", " ".repeat(CHUNK_BYTES));
        let (first, rest) = parts(script.as_bytes());
        let rest: Vec<Part> = rest.collect();
        let others = thread::spawn(move || {
            let mut router = Pipe::<FromWorker, ToWorker>::new(router);
            let (next, theirs) = fd::pair().unwrap();
            router.send_with(&ToWorker::Rebind { grant: Some(now) }, &[theirs.as_fd()], None).unwrap();
            rest.into_iter().for_each(|part| router.send(&ToWorker::Chunk(part), None).unwrap());
            let mut store = Pipe::<ToStore, FromStore>::new(next);
            let ToStore::Ask(ask) = store.receive(None).unwrap() else { panic!("a question was due") };
            let answer = Answer { number: 1, spent_us: 1, outcome: Ok(Found::Nothing), body: Part::empty() };
            store.send(&FromStore::Answer(Box::new(answer)), None).unwrap();
            (ask.grant.map(|grant| grant.bind), router)
        });
        let (work, spent, run_us) = (Work::Execute, Before::default(), 5_000_000);
        let call = Call { number: 1, grant: before, run_us, work, spent, debug: false, body: first };
        serve(&mut engine(), &mut outside, call).unwrap();
        assert_eq!(others.join().unwrap().0, Some(2));
    }
}
