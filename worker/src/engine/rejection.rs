//! Promises that were rejected with nobody to hear of it: told to the app's log at the end, since nothing else tells.
#![expect(unsafe_code, reason = "the engine calls back with raw values")]

use core::ffi::c_void;

use rquickjs::qjs;

use super::{realm::Realm, trouble::describe, turn};

/// Rejections that are remembered; an app that makes more has seen enough.
const REMEMBERED: usize = 8;

/// By the promise's address, which is its own while it lives.
#[derive(Debug, Default)]
pub(super) struct Rejections(Vec<(usize, String)>);

impl Rejections {
    /// Notes a rejection with its reason, or, without one, that it was heard.
    pub(super) fn note(&mut self, promise: usize, why: Option<String>) {
        match why {
            Some(why) if self.0.len() < REMEMBERED => self.0.push((promise, why)),
            Some(_) => {}
            None => self.0.retain(|(known, _)| *known != promise),
        }
    }

    /// What was never heard.
    pub(super) fn into_texts(self) -> impl Iterator<Item = String> {
        self.0.into_iter().map(|(_, why)| why)
    }
}

/// What the engine calls when a promise is rejected that nobody waits for, and again when somebody does.
pub(super) unsafe extern "C" fn track(
    context: *mut qjs::JSContext,
    promise: qjs::JSValue,
    reason: qjs::JSValue,
    is_handled: bool,
    _opaque: *mut c_void,
) {
    // SAFETY: the engine is inside this very call, so its context is alive and on this thread.
    let realm = unsafe { Realm::visit(context) };
    // SAFETY: a promise is an object, whose value is its address.
    let address = unsafe { qjs::JS_VALUE_GET_PTR(promise) } as usize;
    turn::with(|turn| {
        if let Some(turn) = turn {
            let why = (!is_handled).then(|| describe(&realm.share(reason), Some(turn.prelude())));
            turn.rejected(address, why.map(|why| format!("{}\n{}", why.message, why.stack)));
        }
    });
}
