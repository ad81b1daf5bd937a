//! What the prelude calls natively: leaves without state, one file for each global that needs some.
//!
//! A leaf is a plain C function of the engine that knows its own number and nothing else: no object of ours hangs behind
//! a JavaScript object, so nothing of ours is freed or forgotten when the heap is put back. What a leaf needs of the
//! request in hand it finds in the [`Turn`], which lies outside the heap. The prelude hands leaves primitive values that
//! it has checked, so converting an argument never runs an app's code.
#![expect(unsafe_code, reason = "a leaf is called by the engine with a pointer to its arguments")]

mod clock;
mod console;
mod ds;
mod fazt;
mod kv;
mod random;
mod request;
mod require;
mod s3;
mod storage;
mod values;

use core::ffi::{CStr, c_int};
use std::slice;

use rquickjs::qjs;

use crate::engine::{
    realm::{ErrorKind, Realm, Thrown},
    turn::{self, Turn},
    value::Value,
};

/// One call of a leaf.
pub(crate) struct Call<'a, 'b> {
    realm: Realm<'a>,
    arguments: &'b [qjs::JSValue],
    turn: Option<&'b Turn<'b>>,
}

type Leaf = for<'a> fn(&Call<'a, '_>) -> Result<Value<'a>, Thrown>;

const LEAVES: &[(&CStr, Leaf)] = &[
    (c"now", clock::now),
    (c"origin", clock::origin),
    (c"elapsed", clock::elapsed),
    (c"printable", console::printable),
    (c"print", console::print),
    (c"log", fazt::log),
    (c"deadline", fazt::deadline),
    (c"random", random::random),
    (c"fillRandom", random::fill),
    (c"uuid", random::uuid),
    (c"resolve", require::resolve),
    (c"moduleCode", require::code),
    (c"moduleText", require::text),
    (c"parseJSON", require::parse_json),
    (c"bodyText", request::body_text),
    (c"requestText", request::text),
    (c"requestQuery", request::query),
    (c"requestQueryAll", request::query_all),
    (c"requestHeaders", request::headers),
    (c"requestCookies", request::cookies),
    (c"kind", values::kind),
    (c"proxyTarget", values::proxy_target),
    (c"decodeUtf8", values::decode_utf8),
    (c"base64", values::base64),
    (c"kvGet", kv::get),
    (c"kvGetVersion", kv::get_version),
    (c"kvGetMany", kv::get_many),
    (c"kvSet", kv::set),
    (c"kvDelete", kv::delete),
    (c"kvIncr", kv::incr),
    (c"kvList", kv::list),
    (c"dsInsert", ds::insert),
    (c"dsInsertMany", ds::insert_many),
    (c"dsFind", ds::find),
    (c"dsFindOne", ds::find_one),
    (c"dsUpdate", ds::update),
    (c"dsDelete", ds::delete),
    (c"dsCount", ds::count),
    (c"s3Put", s3::put),
    (c"s3Get", s3::get),
    (c"s3Head", s3::head),
    (c"s3Delete", s3::delete),
    (c"s3List", s3::list),
];

/// The object that the prelude gets its leaves from.
pub(crate) fn host(realm: Realm<'_>) -> Result<Value<'_>, Thrown> {
    let host = realm.object()?;
    for (number, (name, _)) in LEAVES.iter().enumerate() {
        let magic = c_int::try_from(number).unwrap_or(c_int::MAX);
        host.define(name, realm.function(name, 0, Some(call), magic)?)?;
    }
    Ok(host)
}

/// Every leaf, as the engine calls it. A panic would be an abort, a clean death: no unwinding through the engine.
unsafe extern "C" fn call(
    context: *mut qjs::JSContext,
    _this: qjs::JSValue,
    count: c_int,
    arguments: *mut qjs::JSValue,
    number: c_int,
) -> qjs::JSValue {
    // SAFETY: the engine is inside this very call, so its context is alive and on this thread.
    let realm = unsafe { Realm::visit(context) };
    let arguments = match usize::try_from(count) {
        // SAFETY: the engine passes `count` values that live through the call.
        Ok(count) if count > 0 && !arguments.is_null() => unsafe { slice::from_raw_parts(arguments, count) },
        _ => &[],
    };
    turn::with(|turn| {
        let call = Call { realm, arguments, turn };
        let leaf = usize::try_from(number).ok().and_then(|number| LEAVES.get(number));
        let done = match leaf {
            // A script that only calls leaves is polled too seldom, so its time is looked at here as well.
            Some(_) if turn.is_some_and(|turn| turn.clock().is_over()) => Err(realm.interrupt()),
            Some((_, leaf)) => leaf(&call),
            None => Err(realm.throw_error(ErrorKind::Type, "there is no such leaf")),
        };
        done.map_or(qjs::JS_EXCEPTION, Value::into_raw)
    })
}

impl<'a, 'b> Call<'a, 'b> {
    /// The request in hand; outside of one the leaf throws.
    fn turn(&self) -> Result<&'b Turn<'b>, Thrown> {
        self.turn
            .ok_or_else(|| self.realm.throw_error(ErrorKind::Type, "this is not available while the app is loaded"))
    }

    /// An argument, or `undefined`.
    fn argument(&self, index: usize) -> Value<'a> {
        self.arguments.get(index).map_or_else(|| self.realm.undefined(), |raw| self.realm.share(*raw))
    }

    /// An argument as text.
    fn text(&self, index: usize) -> Result<String, Thrown> {
        self.argument(index).to_text()
    }

    /// An argument as a number; NaN where it is none.
    fn number(&self, index: usize) -> f64 {
        self.argument(index).as_number().unwrap_or(f64::NAN)
    }
}
