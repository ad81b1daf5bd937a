//! Leaves of `require`: which file a name means, its code, its text.

use std::ffi::CString;

use super::Call;
use crate::engine::{
    discretion::{MODULE, SYNTAX},
    modules::Code,
    realm::{ErrorKind, Thrown},
    trouble::Trouble,
    value::Value,
};

/// (requiring file, name): the file that is meant.
pub(super) fn resolve<'a>(call: &Call<'a, '_>) -> Result<Value<'a>, Thrown> {
    let (from, name) = (call.text(0)?, call.text(1)?);
    match call.turn()?.modules().resolve(&from, &name) {
        Ok(path) => call.realm.string(&path),
        Err(error) => {
            let words = error.to_string();
            call.turn()?.conceal(&words, MODULE);
            Err(call.realm.throw_words(ErrorKind::Plain, &words, Some("MODULE_NOT_FOUND")))
        }
    }
}

/// (file): the function that its code is the body of.
pub(super) fn code<'a>(call: &Call<'a, '_>) -> Result<Value<'a>, Thrown> {
    let path = call.text(0)?;
    match call.turn()?.modules().code(&path) {
        Code::Pinned(raw) => call.realm.run(call.realm.share(raw)),
        Code::Bytes(bytecode) => call.realm.run(call.realm.read(&bytecode)?),
        Code::Wrong(trouble) => {
            let Trouble { file, line, column, .. } = trouble.as_ref();
            let words = format!("{} ({file}:{line}:{column})", trouble.without_name());
            call.turn()?.conceal(&words, SYNTAX);
            Err(call.realm.throw_words(ErrorKind::Syntax, &words, None))
        }
        Code::OutOfMemory => Err(call.realm.throw_out_of_memory()),
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
