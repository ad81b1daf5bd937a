//! Leaves of `console`: lines on their way to the app's log, limited in length and number.

use fazt_protocol::call::{Level, Source};

use super::Call;
use crate::engine::{realm::Thrown, value::Value};

/// Whether another line would be kept. If not, it counts as dropped.
pub(super) fn printable<'a>(call: &Call<'a, '_>) -> Result<Value<'a>, Thrown> {
    Ok(call.realm.boolean(call.turn()?.journal().admits(Source::Console)))
}

/// (level, text): one line.
pub(super) fn print<'a>(call: &Call<'a, '_>) -> Result<Value<'a>, Thrown> {
    let turn = call.turn()?;
    let level = level(call.number(0));
    // Cut before it is copied: a line may be the whole heap.
    call.argument(1).with_text(|text| turn.write(level, Source::Console, text))?;
    Ok(call.realm.undefined())
}

/// The prelude's numbers for levels.
pub(super) fn level(number: f64) -> Level {
    match number as i64 {
        0 => Level::Debug,
        2 => Level::Warn,
        3 => Level::Error,
        _ => Level::Info,
    }
}
