//! A worker's life: ready, one app, then one call after the other until the router ends it.
//!
//! The engine is inherited from the zygote, so that a blank worker is warm. A call is served in this order: the whole body,
//! the run, the answer with `Done` behind it in one write where it is small, and only then the heap is put back: the router
//! does its part meanwhile. Whatever breaks the conversation ends the process.

use std::{collections::BTreeMap, time::Duration};

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

/// Why a worker ended by itself. Its router sees the exit status and the end of the conversation.
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
}

/// Exit statuses of a worker.
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
    match live(&jailed, Router::new(call), board, blank) {
        Err(Ending::Closed) => status::CLOSED,
        Err(Ending::Pipe(_) | Ending::Breach(_)) => status::BROKEN,
        Ok(never) => match never {},
    }
}

fn live(
    jailed: &Jailed,
    mut router: Router,
    board: board::Writer,
    blank: Blank,
) -> Result<std::convert::Infallible, Ending> {
    let mut engine = Engine::new(jailed, blank);
    board.enter(Phase::Idle, 0);
    router.send(&FromWorker::Ready(Ready { protocol: version::PROTOCOL, layers: jailed.layers().bits() }), None)?;
    let ToWorker::Assign(assign) = router.receive(None)? else { return Err(breach("Assign was due")) };
    version::check(assign.protocol).map_err(breach)?;
    let most = Duration::from_millis(u64::from(assign.limits.storage_ms));
    let store = Store::new(router.take_descriptor()?, most);
    let mut outside = Outside::new(router, store, board, most);
    let assigned = load(&mut engine, &mut outside, *assign);
    outside.router.send(&FromWorker::Assigned(assigned), None)?;
    loop {
        outside.enter(Phase::Idle);
        match outside.router.receive(None)? {
            ToWorker::Call(call) => serve(&mut engine, &mut outside, *call)?,
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
    let Call { number, grant, run_us, work, debug: _, body, .. } = call;
    let body = whole_body(outside, body)?;
    let id = grant.request.clone();
    outside.begin(number, grant);
    let job = Job { id: id.as_str(), work: &work, body: &body, run: Duration::from_micros(run_us) };
    let finished = engine.serve(&job, outside);
    answer(outside, number, finished)?;
    outside.enter(Phase::Restore);
    engine.renew();
    if outside.is_broken() { Err(breach("the conversation broke within a call")) } else { Ok(()) }
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

fn answer(outside: &mut Outside, number: u64, finished: Finished) -> Result<(), Ending> {
    let Finished { outcome, spans, cpu_us, heap_peak, storage_ops, ops, retire } = finished;
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
            let fault = Fault { number, kind, message: other.message(), place: other.place(), spans };
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
