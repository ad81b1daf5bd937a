//! A context of the engine, borrowed for as long as its heap stays as it is, and what can be made in it.
//!
//! A [`Realm`] and the values in it carry one invariant lifetime that ends before the heap is put back, so no value can
//! outlive the heap that it lives in. All calls into the engine go through here and through `value`.
#![expect(unsafe_code, reason = "the engine is a C library; this is where its rules are kept")]

use core::ffi::{CStr, c_char, c_int};
use std::{cell::Cell, marker::PhantomData, ptr};

use rquickjs::qjs;

use super::value::Value;

/// An exception is pending in the context.
#[derive(Debug)]
pub(crate) struct Thrown;

/// A context and the leave to use it.
#[derive(Clone, Copy)]
pub(crate) struct Realm<'a> {
    context: *mut qjs::JSContext,
    /// Invariant, so that a value of one visit cannot be mistaken for one of another.
    visit: PhantomData<Cell<&'a ()>>,
}

/// A property's name as the engine keeps it. Given back when dropped.
pub(crate) struct Atom<'a> {
    realm: Realm<'a>,
    raw: qjs::JSAtom,
}

/// A kind of error that the engine itself can make.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ErrorKind {
    /// `Error`
    Plain,
    /// `TypeError`
    Type,
    /// `SyntaxError`
    Syntax,
}

impl<'a> Realm<'a> {
    /// Begins a visit.
    ///
    /// # Safety
    /// `context` is alive and on this thread until `'a` ends, and no value of the visit is used after the heap was put
    /// back or the context freed.
    pub(crate) unsafe fn visit(context: *mut qjs::JSContext) -> Self {
        Self { context, visit: PhantomData }
    }

    /// For calls into the engine.
    pub(crate) fn raw(self) -> *mut qjs::JSContext {
        self.context
    }

    /// Takes over a reference that the engine gave away.
    pub(crate) fn own(self, raw: qjs::JSValue) -> Value<'a> {
        Value::new(self, raw)
    }

    /// The same for a result that may be an exception.
    pub(crate) fn check(self, raw: qjs::JSValue) -> Result<Value<'a>, Thrown> {
        // SAFETY: reads the tag of a plain value.
        if unsafe { qjs::JS_IsException(raw) } { Err(Thrown) } else { Ok(self.own(raw)) }
    }

    /// A further reference to a value that somebody else owns.
    pub(crate) fn share(self, raw: qjs::JSValue) -> Value<'a> {
        // SAFETY: the value is alive, as its owner is.
        self.own(unsafe { qjs::JS_DupValue(self.context, raw) })
    }

    /// `undefined`.
    pub(crate) fn undefined(self) -> Value<'a> {
        self.own(qjs::JS_UNDEFINED)
    }

    /// `null`.
    pub(crate) fn null(self) -> Value<'a> {
        self.own(qjs::JS_NULL)
    }

    /// A boolean.
    pub(crate) fn boolean(self, truth: bool) -> Value<'a> {
        self.own(if truth { qjs::JS_TRUE } else { qjs::JS_FALSE })
    }

    /// A number.
    pub(crate) fn number(self, number: f64) -> Value<'a> {
        self.own(qjs::JS_NewFloat64(number))
    }

    /// A string.
    pub(crate) fn string(self, text: &str) -> Result<Value<'a>, Thrown> {
        // SAFETY: the engine copies `len` bytes of valid UTF-8.
        self.check(unsafe { qjs::JS_NewStringLen(self.context, text.as_ptr().cast(), text.len() as _) })
    }

    /// An ArrayBuffer with a copy of `bytes`.
    pub(crate) fn buffer(self, bytes: &[u8]) -> Result<Value<'a>, Thrown> {
        // SAFETY: the engine copies the bytes into memory of its own.
        self.check(unsafe { qjs::JS_NewArrayBufferCopy(self.context, bytes.as_ptr(), bytes.len() as _) })
    }

    /// An empty object.
    pub(crate) fn object(self) -> Result<Value<'a>, Thrown> {
        // SAFETY: a live context.
        self.check(unsafe { qjs::JS_NewObject(self.context) })
    }

    /// An empty array.
    pub(crate) fn array(self) -> Result<Value<'a>, Thrown> {
        // SAFETY: a live context.
        self.check(unsafe { qjs::JS_NewArray(self.context) })
    }

    /// The global object.
    pub(crate) fn global(self) -> Value<'a> {
        // SAFETY: a live context.
        self.own(unsafe { qjs::JS_GetGlobalObject(self.context) })
    }

    /// Parses JSON. `text` ends with a NUL that is not part of it.
    pub(crate) fn parse_json(self, text: &[u8], name: &CStr) -> Result<Value<'a>, Thrown> {
        let length = text.len().saturating_sub(1);
        debug_assert_eq!(text.last(), Some(&0), "the engine's parser reads up to a NUL");
        // SAFETY: the engine reads `length` bytes and the NUL behind them.
        self.check(unsafe { qjs::JS_ParseJSON(self.context, text.as_ptr().cast(), length as _, name.as_ptr()) })
    }

    /// Reads bytecode that a scratch runtime of this same process wrote: a function that has not run yet.
    pub(crate) fn read(self, bytecode: &[u8]) -> Result<Value<'a>, Thrown> {
        let flags = qjs::JS_READ_OBJ_BYTECODE as c_int;
        // SAFETY: the bytecode comes from our own compiler, never from an app (the engine does not verify it).
        self.check(unsafe { qjs::JS_ReadObject(self.context, bytecode.as_ptr(), bytecode.len() as _, flags) })
    }

    /// Runs a function that was read, as a script. Its completion value.
    pub(crate) fn run(self, code: Value<'a>) -> Result<Value<'a>, Thrown> {
        // SAFETY: takes over the reference; `code` came from `read`.
        self.check(unsafe { qjs::JS_EvalFunction(self.context, code.into_raw()) })
    }

    /// Takes the pending exception.
    pub(crate) fn exception(self) -> Value<'a> {
        // SAFETY: a live context.
        self.own(unsafe { qjs::JS_GetException(self.context) })
    }

    /// What there is of a result that nobody need hear of if there is none: the exception is not left for whoever comes next.
    pub(crate) fn forgive<T>(self, result: Result<T, Thrown>) -> Option<T> {
        result.map_err(|Thrown| drop(self.exception())).ok()
    }

    /// Whether an exception is pending.
    #[cfg(test)]
    pub(crate) fn has_exception(self) -> bool {
        // SAFETY: a live context.
        unsafe { qjs::JS_HasException(self.context) }
    }

    /// A property's name. It takes memory where the engine does not know it yet.
    pub(crate) fn atom(self, name: &[u8]) -> Result<Atom<'a>, Thrown> {
        // SAFETY: the engine copies `len` bytes.
        let raw = unsafe { qjs::JS_NewAtomLen(self.context, name.as_ptr().cast(), name.len() as _) };
        if raw == qjs::JS_ATOM_NULL { Err(Thrown) } else { Ok(Atom { realm: self, raw }) }
    }

    /// Throws a value.
    pub(crate) fn throw(self, value: Value<'a>) -> Thrown {
        // SAFETY: takes over the reference.
        unsafe { qjs::JS_Throw(self.context, value.into_raw()) };
        Thrown
    }

    /// Throws an error of the engine's own kinds, with a message of at most 255 bytes.
    pub(crate) fn throw_error(self, kind: ErrorKind, message: &str) -> Thrown {
        let mut text = message.replace('\0', "\u{fffd}").into_bytes();
        text.push(0);
        let (format, text): (*const c_char, *const c_char) = (c"%s".as_ptr(), text.as_ptr().cast());
        // SAFETY: a format with one string and that string, NUL-terminated.
        unsafe {
            match kind {
                ErrorKind::Plain => qjs::JS_ThrowPlainError(self.context, format, text),
                ErrorKind::Type => qjs::JS_ThrowTypeError(self.context, format, text),
                ErrorKind::Syntax => qjs::JS_ThrowSyntaxError(self.context, format, text),
            }
        };
        Thrown
    }

    /// The same with a message of any length.
    pub(crate) fn throw_words(self, kind: ErrorKind, words: &str, code: Option<&str>) -> Thrown {
        let made = (|| {
            let thrown = self.throw_error(kind, "");
            let error = self.take(thrown);
            error.define_hidden(c"message", self.string(words)?)?;
            if let Some(code) = code {
                error.define(c"code", self.string(code)?)?;
            }
            Ok(error)
        })();
        made.map_or_else(|thrown| thrown, |error| self.throw(error))
    }

    /// Throws what the engine throws where there is no memory.
    pub(crate) fn throw_out_of_memory(self) -> Thrown {
        // SAFETY: a live context.
        unsafe { qjs::JS_ThrowOutOfMemory(self.context) };
        Thrown
    }

    /// Throws what no script can catch: the run is over.
    pub(crate) fn interrupt(self) -> Thrown {
        // SAFETY: a format without arguments.
        unsafe { qjs::JS_ThrowInternalError(self.context, c"interrupted".as_ptr()) };
        let error = self.exception();
        // SAFETY: a live value.
        unsafe { qjs::JS_SetUncatchableError(self.context, error.raw()) };
        self.throw(error)
    }

    /// Takes what was just thrown.
    pub(crate) fn take(self, _thrown: Thrown) -> Value<'a> {
        self.exception()
    }

    /// A native function: no state, only its number.
    pub(crate) fn function(
        self,
        name: &CStr,
        length: c_int,
        leaf: qjs::JSCFunctionMagic,
        magic: c_int,
    ) -> Result<Value<'a>, Thrown> {
        let (kind, as_function) =
            (qjs::JSCFunctionEnum_JS_CFUNC_generic_magic, qjs::JSCFunctionType { generic_magic: leaf });
        // SAFETY: the engine calls the function by the type that `kind` names, as its own JS_NewCFunctionMagic does.
        self.check(unsafe {
            qjs::JS_NewCFunction2(self.context, as_function.generic, name.as_ptr(), length, kind, magic)
        })
    }

    /// Runs the next job of the queue: whether there was one.
    pub(crate) fn run_job(self) -> Result<bool, Thrown> {
        let mut context = ptr::null_mut();
        // SAFETY: a live context's runtime.
        match unsafe { qjs::JS_ExecutePendingJob(qjs::JS_GetRuntime(self.context), &raw mut context) } {
            0 => Ok(false),
            1.. => Ok(true),
            _ => Err(Thrown),
        }
    }
}

impl Atom<'_> {
    /// For calls into the engine.
    pub(crate) fn raw(&self) -> qjs::JSAtom {
        self.raw
    }
}

impl Drop for Atom<'_> {
    fn drop(&mut self) {
        // SAFETY: the one reference that this atom owned, in a heap that is still there.
        unsafe { qjs::JS_FreeAtom(self.realm.context, self.raw) };
    }
}
