//! Properties of values: read as JavaScript reads them, looked at without running anything, defined; and calls.
#![expect(unsafe_code, reason = "the engine is a C library; this is where its rules are kept")]

use core::ffi::{CStr, c_int};
use std::{mem::MaybeUninit, ptr};

use rquickjs::qjs;

use super::{realm::Thrown, value::Value};

impl<'a> Value<'a> {
    /// A property, read as JavaScript reads it.
    pub(crate) fn get(&self, key: &CStr) -> Result<Value<'a>, Thrown> {
        // SAFETY: a live value and a NUL-terminated name.
        self.realm().check(unsafe { qjs::JS_GetPropertyStr(self.realm().raw(), self.raw(), key.as_ptr()) })
    }

    /// An element of an array.
    pub(crate) fn at(&self, index: u32) -> Result<Value<'a>, Thrown> {
        // SAFETY: a live value.
        self.realm().check(unsafe { qjs::JS_GetPropertyUint32(self.realm().raw(), self.raw(), index) })
    }

    /// Defines a property of its own.
    pub(crate) fn define(&self, key: &CStr, value: Value<'a>) -> Result<(), Thrown> {
        let flags = qjs::JS_PROP_C_W_E as c_int;
        // SAFETY: takes over the value's reference.
        let done = unsafe {
            qjs::JS_DefinePropertyValueStr(self.realm().raw(), self.raw(), key.as_ptr(), value.into_raw(), flags)
        };
        if done < 0 { Err(Thrown) } else { Ok(()) }
    }

    /// Defines a property of its own that is not enumerated, as an error's message is.
    pub(crate) fn define_hidden(&self, key: &CStr, value: Value<'a>) -> Result<(), Thrown> {
        let flags = (qjs::JS_PROP_WRITABLE | qjs::JS_PROP_CONFIGURABLE) as c_int;
        // SAFETY: takes over the value's reference.
        let done = unsafe {
            qjs::JS_DefinePropertyValueStr(self.realm().raw(), self.raw(), key.as_ptr(), value.into_raw(), flags)
        };
        if done < 0 { Err(Thrown) } else { Ok(()) }
    }

    /// Takes a property away, as JavaScript does.
    pub(crate) fn delete(&self, key: &CStr) -> Result<(), Thrown> {
        let atom = self.realm().atom(key.to_bytes())?;
        // SAFETY: a live value, and an atom that lives through the call.
        let done = unsafe { qjs::JS_DeleteProperty(self.realm().raw(), self.raw(), atom.raw(), 0) };
        if done < 0 { Err(Thrown) } else { Ok(()) }
    }

    /// Defines a property of its own whose name may hold anything.
    pub(crate) fn define_named(&self, name: &str, value: Value<'a>) -> Result<(), Thrown> {
        let (atom, flags) = (self.realm().atom(name.as_bytes())?, qjs::JS_PROP_C_W_E as c_int);
        // SAFETY: the atom lives through the call, and the value's reference is taken over.
        let done =
            unsafe { qjs::JS_DefinePropertyValue(self.realm().raw(), self.raw(), atom.raw(), value.into_raw(), flags) };
        if done < 0 { Err(Thrown) } else { Ok(()) }
    }

    /// Appends to an array of `length` elements.
    pub(crate) fn define_at(&self, index: u32, value: Value<'a>) -> Result<(), Thrown> {
        let flags = qjs::JS_PROP_C_W_E as c_int;
        // SAFETY: takes over the value's reference.
        let done = unsafe {
            qjs::JS_DefinePropertyValueUint32(self.realm().raw(), self.raw(), index, value.into_raw(), flags)
        };
        if done < 0 { Err(Thrown) } else { Ok(()) }
    }

    /// Whether it has such a property itself. A Proxy's trap is asked.
    pub(crate) fn has_own(&self, key: &CStr) -> Result<bool, Thrown> {
        let atom = self.realm().atom(key.to_bytes())?;
        // SAFETY: the atom lives through the call; without a descriptor to fill nothing else is made.
        let found = unsafe { qjs::JS_GetOwnProperty(self.realm().raw(), ptr::null_mut(), self.raw(), atom.raw()) };
        if found < 0 { Err(Thrown) } else { Ok(found > 0) }
    }

    /// The names of its own enumerable properties that are strings, in order, with a function to read each.
    pub(crate) fn entries<E: From<Thrown>>(
        &self,
        most: usize,
        mut visit: impl FnMut(Value<'a>, Value<'a>) -> Result<(), E>,
    ) -> Result<bool, E> {
        let (context, mut names, mut count) = (self.realm().raw(), ptr::null_mut(), 0u32);
        let which = (qjs::JS_GPN_STRING_MASK | qjs::JS_GPN_ENUM_ONLY) as c_int;
        // SAFETY: fills a table that is freed below.
        if unsafe { qjs::JS_GetOwnPropertyNames(context, &raw mut names, &raw mut count, self.raw(), which) } < 0 {
            return Err(Thrown.into());
        }
        let mut outcome = Ok(count as usize <= most);
        for index in 0..(count as usize).min(most) {
            // SAFETY: within the table; the atoms live until it is freed.
            let (name, value) = unsafe {
                let atom = (*names.add(index)).atom;
                (qjs::JS_AtomToString(context, atom), qjs::JS_GetProperty(context, self.raw(), atom))
            };
            // Both owned before either is looked at.
            let (name, value) = (self.realm().check(name), self.realm().check(value));
            let visited = name.and_then(|name| value.map(|value| (name, value))).map_err(E::from);
            if let Err(error) = visited.and_then(|(name, value)| visit(name, value)) {
                outcome = Err(error);
                break;
            }
        }
        // SAFETY: the table that was filled above.
        unsafe { qjs::JS_FreePropertyEnum(context, names, count) };
        outcome
    }

    /// A data property of it or of what it inherits from, found without running any code: getters and proxies are passed
    /// over. `None` too where there is no memory to look with.
    pub(crate) fn peek(&self, key: &CStr) -> Option<Value<'a>> {
        const DEEPEST: usize = 16;
        let realm = self.realm();
        let atom = realm.forgive(realm.atom(key.to_bytes()))?;
        let mut at = Some(realm.share(self.raw()));
        for _ in 0..DEEPEST {
            let object = at.filter(Value::is_object)?;
            // SAFETY: a live value, here and below.
            if unsafe { qjs::JS_IsProxy(object.raw()) } {
                return None;
            }
            let mut own = MaybeUninit::<qjs::JSPropertyDescriptor>::zeroed();
            // SAFETY: fills the descriptor where it returns 1; its three references are then ours.
            match unsafe { qjs::JS_GetOwnProperty(realm.raw(), own.as_mut_ptr(), object.raw(), atom.raw()) } {
                0 => at = object.prototype(),
                1 => {
                    // SAFETY: filled, as above.
                    let own = unsafe { own.assume_init() };
                    let (value, getter, setter) = (realm.own(own.value), realm.own(own.getter), realm.own(own.setter));
                    return (getter.is_undefined() && setter.is_undefined()).then_some(value);
                }
                _ => return realm.forgive(Err(Thrown)),
            }
        }
        None
    }

    /// The length of an array of the prelude's own making.
    pub(crate) fn length(&self) -> Result<u32, Thrown> {
        let mut length = 0;
        // SAFETY: a live value.
        if unsafe { qjs::JS_GetLength(self.realm().raw(), self.raw(), &raw mut length) } < 0 {
            return Err(Thrown);
        }
        Ok(u32::try_from(length).unwrap_or(0))
    }

    /// The object that it inherits from, without asking a Proxy.
    pub(crate) fn prototype(&self) -> Option<Value<'a>> {
        // SAFETY: a live value.
        if !self.is_object() || unsafe { qjs::JS_IsProxy(self.raw()) } {
            return None;
        }
        // SAFETY: a live object that is no Proxy, so no code runs.
        self.realm().forgive(self.realm().check(unsafe { qjs::JS_GetPrototype(self.realm().raw(), self.raw()) }))
    }

    /// Calls a function with `undefined` as `this`.
    pub(crate) fn call(&self, arguments: &[&Value<'a>]) -> Result<Value<'a>, Thrown> {
        let mut raw = [qjs::JS_UNDEFINED; 16];
        for (slot, argument) in raw.iter_mut().zip(arguments) {
            *slot = argument.raw();
        }
        let count = arguments.len().min(raw.len()) as c_int;
        // SAFETY: the arguments are alive for the call, and the engine takes none of them over.
        self.realm()
            .check(unsafe { qjs::JS_Call(self.realm().raw(), self.raw(), qjs::JS_UNDEFINED, count, raw.as_mut_ptr()) })
    }

    /// As JSON: a string, or `undefined` where there is no such thing.
    pub(crate) fn stringify(&self) -> Result<Value<'a>, Thrown> {
        // SAFETY: a live value.
        self.realm().check(unsafe {
            qjs::JS_JSONStringify(self.realm().raw(), self.raw(), qjs::JS_UNDEFINED, qjs::JS_UNDEFINED)
        })
    }
}
