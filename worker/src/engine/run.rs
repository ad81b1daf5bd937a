//! One run: the body parsed, the request made, the app's code run, its answer taken; and what the end of it means.

use std::time::Instant;

use fazt_protocol::{
    board::Phase,
    call::{Level, Source, Spans, Work},
    clock::micros,
};

use super::{
    CODE, Job, answer, body,
    bytecode::{self, Fault, Form},
    discretion::SYNTAX,
    inject,
    modules::{Code, MAIN},
    realm::{Realm, Thrown},
    settle::settle,
    trouble::{Trouble, describe},
    turn::Turn,
    value::Value,
};
use crate::outcome::{Answer, Outcome};

/// Why a run ended without an answer.
#[derive(Debug)]
pub(super) enum Stop {
    /// An exception is pending.
    Thrown,
    /// The soft clock fired.
    Interrupted,
    /// Nothing can settle the answer's promise.
    NeverSettled,
    /// Known in all its parts already.
    Outcome(Outcome),
}

/// Measures the parts of a run.
struct Watch<'a, 'b> {
    turn: &'a Turn<'b>,
    spans: Spans,
    /// When the part in hand began: where the one before it ended.
    began: Instant,
}

impl From<Thrown> for Stop {
    fn from(Thrown: Thrown) -> Self {
        Self::Thrown
    }
}

impl<'a, 'b> Watch<'a, 'b> {
    /// Does one part of the run.
    fn during<R>(&mut self, phase: Phase, part: impl FnOnce() -> R) -> R {
        self.turn.enter_phase(phase);
        let done = part();
        let now = Instant::now();
        let span = micros(now.saturating_duration_since(std::mem::replace(&mut self.began, now)));
        let spans = &mut self.spans;
        let slot = match phase {
            Phase::Parse => &mut spans.parse_us,
            Phase::Inject => &mut spans.inject_us,
            Phase::Respond => &mut spans.respond_us,
            _ => &mut spans.execute_us,
        };
        *slot = slot.saturating_add(span);
        done
    }
}

/// Runs a job to its end, whatever that is. `answer_bytes` is the most that a body may have.
pub(super) fn run(realm: Realm<'_>, turn: &Turn<'_>, job: &Job<'_>, answer_bytes: usize) -> (Outcome, Spans) {
    let mut watch = Watch { turn, spans: Spans::default(), began: Instant::now() };
    let done = match job.work {
        Work::Request(_) if !turn.modules().has_main() => Err(Stop::Outcome(Outcome::NoHandler)),
        Work::Request(request) => serve(realm, &mut watch, job, request, answer_bytes),
        Work::Execute => execute(realm, &mut watch, job.body, answer_bytes),
    };
    let outcome = match done {
        // The engine asks the clock now and then, and never within a native call: an answer may be done before it asks.
        Ok(_) if turn.clock().is_over() => end(realm, turn, job, Stop::Interrupted),
        Ok(answer) => Outcome::Reply(answer),
        Err(stop) => end(realm, turn, job, stop),
    };
    let mut spans = watch.spans;
    spans.storage_us = turn.tally().storage_us;
    (outcome, spans)
}

fn serve(
    realm: Realm<'_>,
    watch: &mut Watch<'_, '_>,
    job: &Job<'_>,
    request: &fazt_protocol::call::Request,
    answer_bytes: usize,
) -> Result<Answer, Stop> {
    let turn = watch.turn;
    let content = watch.during(Phase::Parse, || body::parse(realm, request, job.body))?;
    watch.during(Phase::Inject, || inject::body(realm, turn, content))?;
    let value = watch.during(Phase::Execute, || {
        let value = settle(realm, turn, main(realm, turn)?)?;
        // What the script returned counts; else what it last said.
        Ok::<_, Stop>(if value.is_undefined() { realm.share(turn.prelude().last_answer).call(&[])? } else { value })
    })?;
    watch.during(Phase::Respond, || answer::take(turn, &value, answer_bytes))
}

/// Runs `api/main.js`: a script, whose completion value is the answer, or a module that exports a function.
fn main<'a>(realm: Realm<'a>, turn: &Turn<'_>) -> Result<Value<'a>, Stop> {
    let code = match turn.modules().code(MAIN) {
        Code::Pinned(raw) => realm.share(raw),
        Code::Bytes(bytecode) => realm.read(&bytecode)?,
        Code::Wrong(trouble) => {
            let trouble = Trouble::clone(&trouble).with_context(turn.modules());
            turn.conceal(trouble.without_name(), SYNTAX);
            return Err(Stop::Outcome(Outcome::ScriptError(trouble)));
        }
        Code::OutOfMemory => return Err(realm.throw_out_of_memory().into()),
    };
    let completion = realm.run(code)?;
    let exports = realm.share(turn.prelude().main_exports).call(&[])?;
    if !exports.is_function() {
        return Ok(completion);
    }
    Ok(exports.call(&[&realm.share(turn.prelude().request)])?)
}

/// Runs a text as a script in the app's context. Its value as JSON.
fn execute(realm: Realm<'_>, watch: &mut Watch<'_, '_>, text: &[u8], answer_bytes: usize) -> Result<Answer, Stop> {
    let turn = watch.turn;
    let bytecode = watch.during(Phase::Parse, || {
        let text = std::str::from_utf8(text).map_err(|_| Trouble::plain("SyntaxError: the code is not UTF-8"))?;
        Ok::<_, Trouble>(bytecode::compile(text, CODE, Form::Script))
    });
    let wrong = |trouble| Stop::Outcome(Outcome::ScriptError(trouble));
    let bytecode = match bytecode.map_err(wrong)? {
        Ok(bytecode) => bytecode,
        Err(Fault::Wrong(trouble)) => return Err(wrong(trouble)),
        Err(Fault::OutOfMemory) => {
            turn.modules().starve();
            return Err(realm.throw_out_of_memory().into());
        }
    };
    let code = watch.during(Phase::Inject, || inject::nothing(realm).and_then(|()| realm.read(&bytecode)))?;
    let value = watch.during(Phase::Execute, || settle(realm, turn, realm.run(code)?))?;
    watch.during(Phase::Respond, || answer::as_json(turn, &value, answer_bytes))
}

/// What an end without an answer means.
fn end(realm: Realm<'_>, turn: &Turn<'_>, job: &Job<'_>, stop: Stop) -> Outcome {
    let outcome = match stop {
        Stop::Outcome(outcome) => outcome,
        Stop::NeverSettled => Outcome::NeverSettled,
        Stop::Interrupted => Outcome::SoftTimeout(job.run_ms(), Trouble::default()),
        Stop::Thrown => thrown(turn, job, &realm.exception()),
    };
    if let Some(Level::Error) = level(&outcome) {
        let place = outcome.place().map(|place| format!("\n{}", place.stack)).unwrap_or_default();
        let text = format!("{}{place}", outcome.message());
        turn.write(Level::Error, Source::Uncaught, text.as_bytes());
    }
    outcome
}

fn thrown(turn: &Turn<'_>, job: &Job<'_>, value: &Value<'_>) -> Outcome {
    let trouble = describe(value, Some(turn.prelude())).with_context(turn.modules());
    if turn.clock().has_fired() {
        return Outcome::SoftTimeout(job.run_ms(), trouble);
    }
    let says = |key, word: &str| value.peek(key).and_then(|text| text.words()).is_some_and(|text| text == word);
    if value.is_error() && says(c"name", "RangeError") && says(c"message", "Maximum call stack size exceeded") {
        return Outcome::Stack(trouble);
    }
    let is_storage = value.prototype().is_some_and(|from| from.is_same(turn.prelude().storage_error_prototype));
    match () {
        () if is_storage && says(c"code", "TIMEOUT") => Outcome::StorageTimeout(trouble),
        () if is_storage && says(c"code", "UNAVAILABLE") => Outcome::StorageUnavailable(trouble),
        () if is_storage && says(c"code", "QUOTA_EXCEEDED") => Outcome::QuotaExceeded(trouble),
        () => Outcome::ScriptError(trouble),
    }
}

/// What the app's own log hears of its end: everything that is the app's doing.
fn level(outcome: &Outcome) -> Option<Level> {
    match outcome {
        Outcome::Reply(_) | Outcome::NoHandler | Outcome::BadJson(_) | Outcome::BadForm(_) => None,
        _ => Some(Level::Error),
    }
}
