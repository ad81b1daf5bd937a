//! The five functions through which the engine allocates, over the arena whose base is their opaque pointer.

use core::ffi::c_void;
use std::ptr;

use rquickjs::qjs;

use super::{ALIGNMENT, Kind, PAGE, Space, slab};

/// The table for `JS_NewRuntime2`; its opaque pointer is the arena's base.
pub(crate) fn functions() -> qjs::JSMallocFunctions {
    qjs::JSMallocFunctions {
        js_calloc: Some(calloc),
        js_malloc: Some(malloc),
        js_free: Some(free),
        js_realloc: Some(realloc),
        js_malloc_usable_size: Some(usable_size),
    }
}

impl Space<'_> {
    /// A block of at least `bytes`, and how many of its first bytes may be other than zero.
    pub(super) fn allocate(&mut self, bytes: usize) -> Option<(*mut u8, usize)> {
        #[cfg(test)]
        if self.refuses() {
            return None;
        }
        if let Some(class) = slab::class(bytes) {
            return self.take_block(class).map(|block| (block, slab::size(class)));
        }
        let Ok(length) = u32::try_from(bytes.div_ceil(PAGE)) else {
            self.header.refused += 1;
            return None;
        };
        let clean_from = self.header.high;
        let start = self.take(length)?;
        let dirty = clean_from.saturating_sub(start).min(length);
        Some((self.address(start), dirty as usize * PAGE))
    }

    /// Counts down to the refusals that a test asked for.
    #[cfg(test)]
    fn refuses(&mut self) -> bool {
        if self.header.countdown == u32::MAX {
            return false;
        }
        self.header.countdown = self.header.countdown.saturating_sub(1).max(1);
        let refuses = self.header.countdown == 1;
        self.header.refused += u32::from(refuses);
        refuses
    }

    pub(super) fn release(&mut self, block: *mut u8) {
        let at = self.number(block);
        let page = *self.page(at);
        match page.kind {
            Kind::Run => self.give(at, page.length),
            Kind::Slab => self.give_block(at, block),
            // A pointer that was never handed out: memory is corrupt.
            Kind::Inside | Kind::Free | Kind::FreeEnd => std::process::abort(),
        }
    }

    /// Whether the block at `block` holds, or was made to hold, `bytes` where it stands.
    fn resize(&mut self, block: *mut u8, bytes: usize) -> bool {
        let at = self.number(block);
        let page = *self.page(at);
        if page.kind == Kind::Slab {
            return bytes <= slab::size(page.class);
        }
        let Ok(wanted) = u32::try_from(bytes.div_ceil(PAGE)) else { return false };
        if wanted > page.length {
            return self.grow(at, page.length, wanted);
        }
        if wanted < page.length && wanted > 0 {
            self.shrink(at, page.length, wanted);
        }
        true
    }

    pub(super) fn size_of(&mut self, block: *const u8) -> usize {
        let at = self.number(block);
        let page = *self.page(at);
        if page.kind == Kind::Slab { slab::size(page.class) } else { page.length as usize * PAGE }
    }
}

unsafe extern "C" fn malloc(base: *mut c_void, bytes: qjs::size_t) -> *mut c_void {
    // SAFETY: the engine passes the base that it was given, and calls from one thread, never nested.
    let mut space = unsafe { Space::at(base.cast()) };
    space.allocate(bytes as usize).map_or(ptr::null_mut(), |(block, _)| block.cast())
}

unsafe extern "C" fn calloc(base: *mut c_void, count: qjs::size_t, size: qjs::size_t) -> *mut c_void {
    let Some(bytes) = (count as usize).checked_mul(size as usize) else { return ptr::null_mut() };
    // SAFETY: as in `malloc`.
    let mut space = unsafe { Space::at(base.cast()) };
    let Some((block, dirty)) = space.allocate(bytes) else { return ptr::null_mut() };
    // SAFETY: the block has at least `bytes`, and is nobody else's.
    unsafe { ptr::write_bytes(block, 0, dirty.min(bytes)) };
    block.cast()
}

unsafe extern "C" fn free(base: *mut c_void, block: *mut c_void) {
    if !block.is_null() {
        // SAFETY: as in `malloc`; the block is one of this arena's.
        unsafe { Space::at(base.cast()) }.release(block.cast());
    }
}

unsafe extern "C" fn realloc(base: *mut c_void, block: *mut c_void, bytes: qjs::size_t) -> *mut c_void {
    if block.is_null() {
        // SAFETY: passed on as it came.
        return unsafe { malloc(base, bytes) };
    }
    let bytes = bytes as usize;
    // SAFETY: as in `malloc`; the block is one of this arena's.
    let mut space = unsafe { Space::at(base.cast()) };
    // A run that cannot grow in place asks again below, so a refusal here would be counted for nothing.
    let refused = space.header.refused;
    if space.resize(block.cast(), bytes) {
        return block;
    }
    space.header.refused = refused;
    let before = space.size_of(block.cast());
    let Some((moved, _)) = space.allocate(bytes) else { return ptr::null_mut() };
    // SAFETY: both blocks are at least so long, and they do not overlap.
    unsafe { ptr::copy_nonoverlapping(block.cast::<u8>(), moved, before.min(bytes)) };
    space.release(block.cast());
    moved.cast()
}

unsafe extern "C" fn usable_size(block: *const c_void) -> qjs::size_t {
    if block.is_null() {
        return 0;
    }
    let base = (block as usize & !(ALIGNMENT - 1)) as *mut u8;
    // SAFETY: blocks lie in arenas, and arenas stand at multiples of the alignment.
    unsafe { Space::at(base) }.size_of(block.cast()) as qjs::size_t
}
