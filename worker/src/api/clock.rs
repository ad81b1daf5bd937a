//! Leaves of `performance` and of timers: time since the request began.

use super::Call;
use crate::engine::{realm::Thrown, value::Value};

/// Whole milliseconds since the request began.
pub(super) fn now<'a>(call: &Call<'a, '_>) -> Result<Value<'a>, Thrown> {
    Ok(call.realm.number(call.turn()?.clock().elapsed_ms().floor()))
}

/// When the request began, as Unix time in whole milliseconds.
pub(super) fn origin<'a>(call: &Call<'a, '_>) -> Result<Value<'a>, Thrown> {
    Ok(call.realm.number(call.turn()?.clock().origin_ms().floor()))
}

/// Milliseconds since the request began, for the prelude alone: finer than an app may see.
pub(super) fn elapsed<'a>(call: &Call<'a, '_>) -> Result<Value<'a>, Thrown> {
    Ok(call.realm.number(call.turn()?.clock().elapsed_ms()))
}
