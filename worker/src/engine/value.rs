//! A value of the engine, owned for the length of a visit.
#![expect(unsafe_code, reason = "the engine is a C library; this is where its rules are kept")]

use std::{mem::ManuallyDrop, ptr, slice};

use rquickjs::qjs;

use super::{
    prelude::Prelude,
    realm::{Realm, Thrown},
};

/// One reference to a value.
pub(crate) struct Value<'a> {
    realm: Realm<'a>,
    raw: qjs::JSValue,
}

/// Where a promise stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Promise {
    /// Not one of the engine's promises.
    None,
    Pending,
    Fulfilled,
    Rejected,
}

impl<'a> Value<'a> {
    pub(super) fn new(realm: Realm<'a>, raw: qjs::JSValue) -> Self {
        Self { realm, raw }
    }

    /// The realm that it lives in.
    pub(crate) fn realm(&self) -> Realm<'a> {
        self.realm
    }

    /// The engine's word for it, still owned by this value.
    pub(crate) fn raw(&self) -> qjs::JSValue {
        self.raw
    }

    /// Gives the reference away.
    pub(crate) fn into_raw(self) -> qjs::JSValue {
        ManuallyDrop::new(self).raw
    }

    pub(crate) fn is_undefined(&self) -> bool {
        // SAFETY: reads the tag of a plain value, here and below.
        unsafe { qjs::JS_IsUndefined(self.raw) }
    }

    pub(crate) fn is_null(&self) -> bool {
        // SAFETY: as above.
        unsafe { qjs::JS_IsNull(self.raw) }
    }

    pub(crate) fn is_string(&self) -> bool {
        // SAFETY: as above. A string that is still in pieces is a string too.
        unsafe { qjs::JS_IsString(self.raw) || qjs::JS_VALUE_GET_TAG(self.raw) == qjs::JS_TAG_STRING_ROPE }
    }

    pub(crate) fn is_number(&self) -> bool {
        // SAFETY: as above.
        unsafe { qjs::JS_IsNumber(self.raw) }
    }

    pub(crate) fn is_boolean(&self) -> bool {
        // SAFETY: as above.
        unsafe { qjs::JS_IsBool(self.raw) }
    }

    pub(crate) fn is_symbol(&self) -> bool {
        // SAFETY: as above.
        unsafe { qjs::JS_IsSymbol(self.raw) }
    }

    pub(crate) fn is_big_int(&self) -> bool {
        // SAFETY: as above.
        unsafe { qjs::JS_IsBigInt(self.raw) }
    }

    pub(crate) fn is_object(&self) -> bool {
        // SAFETY: as above.
        unsafe { qjs::JS_IsObject(self.raw) }
    }

    pub(crate) fn is_function(&self) -> bool {
        // SAFETY: a live value.
        unsafe { qjs::JS_IsFunction(self.realm.raw(), self.raw) }
    }

    pub(crate) fn is_array(&self) -> bool {
        // SAFETY: a live value.
        unsafe { qjs::JS_IsArray(self.raw) }
    }

    /// Whether it was made by an `Error` constructor.
    pub(crate) fn is_error(&self) -> bool {
        // SAFETY: a live value.
        unsafe { qjs::JS_IsError(self.raw) }
    }

    pub(crate) fn promise(&self) -> Promise {
        // SAFETY: a live value of any kind.
        match unsafe { qjs::JS_PromiseState(self.realm.raw(), self.raw) } {
            qjs::JSPromiseStateEnum_JS_PROMISE_PENDING => Promise::Pending,
            qjs::JSPromiseStateEnum_JS_PROMISE_FULFILLED => Promise::Fulfilled,
            qjs::JSPromiseStateEnum_JS_PROMISE_REJECTED => Promise::Rejected,
            _ => Promise::None,
        }
    }

    /// What a settled promise holds.
    pub(crate) fn promised(&self) -> Value<'a> {
        // SAFETY: a live value.
        self.realm.own(unsafe { qjs::JS_PromiseResult(self.realm.raw(), self.raw) })
    }

    /// The number, of a number.
    pub(crate) fn as_number(&self) -> Option<f64> {
        // SAFETY: the accessor fits the tag that was read.
        unsafe {
            match qjs::JS_VALUE_GET_TAG(self.raw) {
                qjs::JS_TAG_INT => Some(f64::from(qjs::JS_VALUE_GET_INT(self.raw))),
                tag if qjs::JS_TAG_IS_FLOAT64(tag) => Some(qjs::JS_VALUE_GET_FLOAT64(self.raw)),
                _ => None,
            }
        }
    }

    /// The truth, of a boolean.
    pub(crate) fn as_boolean(&self) -> Option<bool> {
        // SAFETY: the accessor fits the tag that was read.
        self.is_boolean().then(|| unsafe { qjs::JS_VALUE_GET_BOOL(self.raw) })
    }

    /// Converts to a string as JavaScript does, and hands its bytes to `read`: UTF-8, but for surrogates without a
    /// partner, which are three bytes each beginning with 0xED.
    pub(crate) fn with_text<R>(&self, read: impl FnOnce(&[u8]) -> R) -> Result<R, Thrown> {
        let mut length = 0;
        // SAFETY: gives a pointer to `length` bytes that stay until freed below, or null with an exception pending.
        unsafe {
            let text = qjs::JS_ToCStringLen(self.realm.raw(), &raw mut length, self.raw);
            if text.is_null() {
                return Err(Thrown);
            }
            let read = read(slice::from_raw_parts(text.cast::<u8>(), length));
            qjs::JS_FreeCString(self.realm.raw(), text);
            Ok(read)
        }
    }

    /// The same as owned text, with U+FFFD in place of each surrogate without a partner.
    pub(crate) fn to_text(&self) -> Result<String, Thrown> {
        self.with_text(|bytes| String::from_utf8(well_formed(bytes)).unwrap_or_default())
    }

    /// The same where nobody need hear why there is none.
    pub(crate) fn words(&self) -> Option<String> {
        self.realm.forgive(self.to_text())
    }

    /// The stack of an error, by the engine's own getter.
    pub(crate) fn stack(&self, prelude: Option<&Prelude>) -> Option<String> {
        if !self.is_error() {
            return None;
        }
        let stack = match prelude {
            // SAFETY: the getter lives in the image; called on an error it runs no code of an app.
            Some(prelude) => self
                .realm
                .check(unsafe { qjs::JS_Call(self.realm.raw(), prelude.stack_of, self.raw, 0, ptr::null_mut()) }),
            None => self.get(c"stack"),
        };
        self.realm.forgive(stack).filter(Self::is_string)?.words()
    }

    /// What kind of value it is, as the prelude tells them apart.
    pub(crate) fn kind(&self) -> &'static str {
        if !self.is_object() {
            return "primitive";
        }
        // SAFETY: a live value; none of these runs code.
        unsafe {
            match () {
                () if qjs::JS_IsProxy(self.raw) => "proxy",
                () if self.is_array() => "array",
                () if self.is_error() => "error",
                () if self.is_function() => "function",
                () if qjs::JS_IsDate(self.raw) => "date",
                () if qjs::JS_IsRegExp(self.raw) => "regexp",
                () if qjs::JS_IsMap(self.raw) => "map",
                () if qjs::JS_IsSet(self.raw) => "set",
                () if qjs::JS_IsArrayBuffer(self.raw) => "buffer",
                () if qjs::JS_GetTypedArrayType(self.raw) >= 0 => "typed",
                () if qjs::JS_IsWeakMap(self.raw) || qjs::JS_IsWeakSet(self.raw) || qjs::JS_IsWeakRef(self.raw) => {
                    "weak"
                }
                () => match self.promise() {
                    Promise::None => "object",
                    Promise::Pending => "promise-pending",
                    Promise::Fulfilled => "promise-fulfilled",
                    Promise::Rejected => "promise-rejected",
                },
            }
        }
    }

    /// What a proxy stands before.
    pub(crate) fn proxy_target(&self) -> Result<Value<'a>, Thrown> {
        // SAFETY: a live value.
        self.realm.check(unsafe { qjs::JS_GetProxyTarget(self.realm.raw(), self.raw) })
    }

    /// Whether both are the same object.
    pub(crate) fn is_same(&self, other: qjs::JSValue) -> bool {
        // SAFETY: both are alive.
        unsafe { qjs::JS_IsStrictEqual(self.realm.raw(), self.raw, other) }
    }
}

/// UTF-8 with U+FFFD in place of each surrogate without a partner.
pub(crate) fn well_formed(bytes: &[u8]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    if std::str::from_utf8(&out).is_ok() {
        return out;
    }
    for at in 0..out.len().saturating_sub(2) {
        // 0xED followed by 0xA0 or more is a surrogate and nothing else; U+FFFD has three bytes as well.
        if let Some([first @ 0xED, second, third]) = out.get_mut(at..at + 3)
            && *second >= 0xA0
        {
            (*first, *second, *third) = (0xEF, 0xBF, 0xBD);
        }
    }
    String::from_utf8(out)
        .map_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned().into_bytes(), String::into_bytes)
}

impl Drop for Value<'_> {
    fn drop(&mut self) {
        // SAFETY: the one reference that this value owned, in a heap that is still there.
        unsafe { qjs::JS_FreeValue(self.realm.raw(), self.raw) };
    }
}

impl std::fmt::Debug for Value<'_> {
    /// The tag alone: showing more would run code.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // SAFETY: reads the tag of a plain value.
        write!(f, "Value(tag {})", unsafe { qjs::JS_VALUE_GET_TAG(self.raw) })
    }
}
