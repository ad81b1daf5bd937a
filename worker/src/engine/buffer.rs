//! The bytes of ArrayBuffers and typed arrays, lent for a moment in which nothing runs in the engine.
#![expect(unsafe_code, reason = "the engine is a C library; this is where its rules are kept")]

use core::ffi::c_int;
use std::slice;

use rquickjs::qjs;

use super::{
    realm::{Realm, Thrown},
    value::Value,
};

impl Value<'_> {
    /// Whether it is a typed array of integers.
    pub(crate) fn is_array_of_integers(&self) -> bool {
        // SAFETY: a live value.
        let kind = unsafe { qjs::JS_GetTypedArrayType(self.raw()) };
        let first_of_floats = qjs::JSTypedArrayEnum_JS_TYPED_ARRAY_FLOAT16 as c_int;
        (0..first_of_floats).contains(&kind)
    }

    /// Hands the bytes of an ArrayBuffer or typed array to `read`; `None` for anything else and for detached ones.
    /// `read` must not call into the engine.
    pub(crate) fn with_bytes<R>(&self, read: impl FnOnce(&mut [u8]) -> R) -> Option<R> {
        let context = self.realm().raw();
        // SAFETY: offset and length are the engine's, checked against the buffer's size; nothing runs while they are used.
        unsafe {
            if qjs::JS_IsArrayBuffer(self.raw()) {
                return bytes_of(self.realm(), self.raw(), 0, None).map(read);
            }
            if qjs::JS_GetTypedArrayType(self.raw()) < 0 {
                return None;
            }
            let (mut offset, mut length, mut each) = (0, 0, 0);
            let buffer =
                qjs::JS_GetTypedArrayBuffer(context, self.raw(), &raw mut offset, &raw mut length, &raw mut each);
            match self.realm().check(buffer) {
                Ok(buffer) => bytes_of(self.realm(), buffer.raw(), offset as usize, Some(length as usize)).map(read),
                Err(Thrown) => {
                    drop(self.realm().exception());
                    None
                }
            }
        }
    }
}

/// # Safety
/// `buffer` is an ArrayBuffer; the bytes are used only while nothing runs in the engine.
unsafe fn bytes_of<'b>(
    realm: Realm<'_>,
    buffer: qjs::JSValue,
    offset: usize,
    length: Option<usize>,
) -> Option<&'b mut [u8]> {
    let mut size = 0;
    // SAFETY: by contract; a null pointer stands for a detached or an empty buffer.
    let start = unsafe { qjs::JS_GetArrayBuffer(realm.raw(), &raw mut size, buffer) };
    if start.is_null() {
        // SAFETY: a live context.
        if !unsafe { qjs::JS_HasException(realm.raw()) } {
            return Some(&mut []);
        }
        drop(realm.exception());
        return None;
    }
    let end = offset.checked_add(length.unwrap_or((size as usize).saturating_sub(offset)))?;
    // SAFETY: `size` bytes from `start`, of which a part that was checked is taken.
    (end <= size as usize).then(|| unsafe { slice::from_raw_parts_mut(start.add(offset), end - offset) })
}
