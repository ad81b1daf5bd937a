//! The leaf of `request.text`.

use super::Call;
use crate::engine::{realm::Thrown, value::Value};

/// The request's body as a string, made when it is asked for; `undefined` where there is no body.
pub(super) fn body_text<'a>(call: &Call<'a, '_>) -> Result<Value<'a>, Thrown> {
    match call.turn()?.body() {
        Some(body) => call.realm.string(&String::from_utf8_lossy(body)),
        None => Ok(call.realm.undefined()),
    }
}
