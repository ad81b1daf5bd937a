//! From a returned value to a settled one: jobs and timers run until the answer's promise is settled or nothing is left
//! that could settle it.

use super::{
    realm::{Realm, Thrown},
    run::Stop,
    turn::Turn,
    value::{Promise, Value},
};

/// Jobs between two looks at the clock: a job of native code alone is never polled.
const JOBS_A_LOOK: u32 = 64;

/// Waits for `value`, if it has to be waited for, and runs every job that is left.
pub(super) fn settle<'a>(realm: Realm<'a>, turn: &Turn<'_>, value: Value<'a>) -> Result<Value<'a>, Stop> {
    let value = adopt(realm, turn, value)?;
    loop {
        drain(realm, turn)?;
        match value.promise() {
            Promise::None => return Ok(value),
            Promise::Fulfilled => return Ok(value.promised()),
            Promise::Rejected => return Err(realm.throw(value.promised()).into()),
            Promise::Pending => fire_timer(realm, turn)?,
        }
    }
}

/// A value with a `then` of its own is waited for as well, by way of a promise of the engine's.
fn adopt<'a>(realm: Realm<'a>, turn: &Turn<'_>, value: Value<'a>) -> Result<Value<'a>, Thrown> {
    let is_plain = !value.is_object() || value.promise() != Promise::None;
    if is_plain || super::answer::is_answer(turn, &value) || !value.get(c"then")?.is_function() {
        return Ok(value);
    }
    realm.share(turn.prelude().adopt).call(&[&value])
}

/// Runs jobs until the queue is empty. Once the clock has fired the rest of the queue is abandoned.
fn drain(realm: Realm<'_>, turn: &Turn<'_>) -> Result<(), Stop> {
    let mut since_look = 0;
    while realm.run_job()? {
        since_look += 1;
        if turn.clock().has_fired() || (since_look % JOBS_A_LOOK == 0 && turn.clock().is_over()) {
            return Err(Stop::Interrupted);
        }
    }
    if turn.clock().has_fired() { Err(Stop::Interrupted) } else { Ok(()) }
}

/// Waits for the next timer and fires it.
fn fire_timer(realm: Realm<'_>, turn: &Turn<'_>) -> Result<(), Stop> {
    let due_ms = realm.share(turn.prelude().next_timer).call(&[])?.as_number().unwrap_or(-1.0);
    if due_ms < 0.0 {
        return Err(Stop::NeverSettled);
    }
    while turn.clock().elapsed_ms() < due_ms {
        if turn.clock().is_over() {
            return Err(Stop::Interrupted);
        }
        turn.clock().wait_until(due_ms);
    }
    realm.share(turn.prelude().fire_timer).call(&[])?;
    Ok(())
}
