//! Leaves of `fazt.log` and `fazt.deadline`.

use fazt_protocol::call::Source;

use super::{Call, console::level};
use crate::engine::{realm::Thrown, value::Value};

/// (level, text): one line of the app's log.
pub(super) fn log<'a>(call: &Call<'a, '_>) -> Result<Value<'a>, Thrown> {
    let turn = call.turn()?;
    if turn.journal().admits(Source::Fazt) {
        let level = level(call.number(0));
        call.argument(1).with_text(|text| turn.write(level, Source::Fazt, text))?;
    }
    Ok(call.realm.undefined())
}

/// Whole milliseconds that the run has left.
pub(super) fn deadline<'a>(call: &Call<'a, '_>) -> Result<Value<'a>, Thrown> {
    Ok(call.realm.number(call.turn()?.clock().left().as_secs_f64().mul_add(1000.0, 0.0).floor()))
}
