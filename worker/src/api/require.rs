//! Leaves of `require`: which file a name means, its code, its text.

use std::ffi::CString;

use super::Call;
use crate::engine::{
    modules::{Code, ResolveError},
    realm::{ErrorKind, Thrown},
    value::Value,
};

/// (requiring file, name): the file that is meant.
pub(super) fn resolve<'a>(call: &Call<'a, '_>) -> Result<Value<'a>, Thrown> {
    let (from, name) = (call.text(0)?, call.text(1)?);
    match call.turn()?.modules().resolve(&from, &name) {
        Ok(path) => call.realm.string(&path),
        Err(error) => Err(throw_not_found(call, &error)),
    }
}

/// (file): the function that its code is the body of.
pub(super) fn code<'a>(call: &Call<'a, '_>) -> Result<Value<'a>, Thrown> {
    let path = call.text(0)?;
    match call.turn()?.modules().code(&path) {
        Code::Pinned(raw) => call.realm.run(call.realm.share(raw)),
        Code::Bytes(bytecode) => call.realm.run(call.realm.read(&bytecode)?),
        Code::Wrong(error) => Err(call.realm.throw_syntax(&error)),
    }
}

/// (file): its text.
pub(super) fn text<'a>(call: &Call<'a, '_>) -> Result<Value<'a>, Thrown> {
    let path = call.text(0)?;
    let text = call.turn()?.modules().text(&path).unwrap_or_default();
    call.realm.string(text)
}

/// (text, file): what it says as JSON; the error names file and line.
pub(super) fn parse_json<'a>(call: &Call<'a, '_>) -> Result<Value<'a>, Thrown> {
    let path = CString::new(call.text(1)?).unwrap_or_default();
    let mut text = call.text(0)?.into_bytes();
    text.push(0);
    call.realm.parse_json(&text, &path)
}

fn throw_not_found(call: &Call<'_, '_>, error: &ResolveError) -> Thrown {
    let realm = call.realm;
    // The engine's own messages end at 255 bytes; a list of names may be longer.
    let made = (|| {
        let thrown = realm.throw_error(ErrorKind::Plain, "module not found");
        let value = realm.take(thrown);
        value.define_hidden(c"message", realm.string(&error.to_string())?)?;
        value.define(c"code", realm.string("MODULE_NOT_FOUND")?)?;
        Ok(value)
    })();
    match made {
        Ok(value) => realm.throw(value),
        Err(thrown) => thrown,
    }
}
