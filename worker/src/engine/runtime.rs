//! A runtime of the engine in an arena of its own, and the rooms in it: a context with the prelude evaluated.
//!
//! When it is dropped the arena goes, and with it everything that lived there: nothing of the runtime lies elsewhere.
#![expect(unsafe_code, reason = "the engine is a C library; this is where its rules are kept")]

use std::{io, ptr, ptr::NonNull};

use rquickjs::qjs;

use super::{
    clock::{Clock, poll_clock},
    prelude::{Prelude, Standard},
    realm::Realm,
    rejection,
    trouble::Trouble,
};
use crate::arena::{self, Arena};

/// How much a heap may grow before its garbage is collected: garbage of a small request goes with the heap, and a
/// collection would write to every page.
const COLLECTED_BEYOND: usize = 8 << 20;
/// Allocations above this are nonsense. The engine adds to sizes without checking, so they must not come near the end of
/// the address space; the heap's own limit is the arena's.
const NONSENSE_BYTES: u64 = 1 << 46;

/// A runtime in its arena, with its clock.
#[derive(Debug)]
pub(crate) struct Runtime {
    raw: NonNull<qjs::JSRuntime>,
    arena: Arena,
    clock: Box<Clock>,
}

/// A context and what is kept of its prelude.
#[derive(Debug)]
pub(crate) struct Room {
    context: NonNull<qjs::JSContext>,
    pub(crate) prelude: Prelude,
}

/// Why an engine cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// No arena.
    #[error("reserve an arena: {0}")]
    Arena(io::Error),
    /// No image.
    #[error("take an image: {0}")]
    Image(io::Error),
    /// The engine could not allocate.
    #[error("make a runtime: out of memory")]
    Memory,
    /// The prelude threw: a mistake of this build, or no memory.
    #[error("evaluate the prelude: {0}")]
    Prelude(String),
}

impl Runtime {
    /// A runtime in a new arena with room for `heap_bytes`.
    pub(crate) fn new(heap_bytes: usize) -> Result<Self, EngineError> {
        let arena = Arena::reserve(heap_bytes).map_err(EngineError::Arena)?;
        let clock = Box::new(Clock::new());
        let functions = arena::functions();
        // SAFETY: the functions work on the arena whose base they get; arena and clock outlive the runtime.
        let raw = unsafe {
            let raw = NonNull::new(qjs::JS_NewRuntime2(&raw const functions, arena.base().as_ptr().cast()));
            let raw = raw.ok_or(EngineError::Memory)?;
            qjs::JS_SetMemoryLimit(raw.as_ptr(), NONSENSE_BYTES);
            qjs::JS_SetCanBlock(raw.as_ptr(), false);
            qjs::JS_SetHostPromiseRejectionTracker(raw.as_ptr(), Some(rejection::track), ptr::null_mut());
            qjs::JS_SetInterruptHandler(
                raw.as_ptr(),
                Some(poll_clock),
                ptr::from_ref(clock.as_ref()).cast_mut().cast(),
            );
            raw
        };
        Ok(Self { raw, arena, clock })
    }

    pub(crate) fn arena(&self) -> &Arena {
        &self.arena
    }

    pub(crate) fn arena_mut(&mut self) -> &mut Arena {
        &mut self.arena
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// A new context with the prelude in it.
    pub(crate) fn furnish(&self, standard: &Standard) -> Result<Room, EngineError> {
        self.enter_stack();
        let context = self.context().ok_or(EngineError::Memory)?;
        let realm = visit(context);
        let prelude = Prelude::evaluate(realm, standard);
        let prelude =
            prelude.map_err(|Trouble { message, stack, .. }| EngineError::Prelude(format!("{message}\n{stack}")))?;
        Ok(Room { context, prelude })
    }

    /// A context with everything that the engine has but `performance`, which the prelude brings. Its own list leaves
    /// DOMException out of every context of a runtime but the first.
    fn context(&self) -> Option<NonNull<qjs::JSContext>> {
        let parts = [
            qjs::JS_AddIntrinsicBaseObjects,
            qjs::JS_AddIntrinsicDate,
            qjs::JS_AddIntrinsicEval,
            qjs::JS_AddIntrinsicRegExp,
            qjs::JS_AddIntrinsicJSON,
            qjs::JS_AddIntrinsicProxy,
            qjs::JS_AddIntrinsicMapSet,
            qjs::JS_AddIntrinsicTypedArrays,
            qjs::JS_AddIntrinsicPromise,
            qjs::JS_AddIntrinsicWeakRef,
            qjs::JS_AddIntrinsicDOMException,
            qjs::JS_AddIntrinsicAToB,
        ];
        // SAFETY: a live runtime; the context is freed if it cannot be made whole.
        unsafe {
            let context = NonNull::new(qjs::JS_NewContextRaw(self.raw.as_ptr()))?;
            if parts.iter().any(|part| part(context.as_ptr()) != 0) {
                qjs::JS_FreeContext(context.as_ptr());
                return None;
            }
            Some(context)
        }
    }

    /// Frees a context with all that lived in it.
    pub(crate) fn clear(&self, room: Room) {
        room.prelude.release(visit(room.context));
        // SAFETY: the room's own references are gone; the context is not used again.
        unsafe { qjs::JS_FreeContext(room.context.as_ptr()) };
        self.collect();
    }

    /// Whether jobs wait in the queue, of any context.
    pub(crate) fn has_jobs(&self) -> bool {
        // SAFETY: a live runtime.
        unsafe { qjs::JS_IsJobPending(self.raw.as_ptr()) }
    }

    /// The stack's limit in bytes.
    pub(crate) fn limit_stack(&self, bytes: usize) {
        // SAFETY: a live runtime.
        unsafe { qjs::JS_SetMaxStackSize(self.raw.as_ptr(), bytes as u64) };
    }

    /// The stack is counted from here on: what was counted from lies in the image, and came from another depth.
    pub(crate) fn enter_stack(&self) {
        // SAFETY: a live runtime, on this thread.
        unsafe { qjs::JS_UpdateStackTop(self.raw.as_ptr()) };
    }

    /// Collects garbage.
    pub(crate) fn collect(&self) {
        // SAFETY: a live runtime, outside any call of it.
        unsafe { qjs::JS_RunGC(self.raw.as_ptr()) };
    }

    /// Puts the next collection off until the heap has grown well beyond what it is now, or a quarter of its limit.
    pub(crate) fn put_collection_off(&self, heap_bytes: usize) {
        let beyond = COLLECTED_BEYOND.min(heap_bytes / 4);
        let threshold = self.arena.live_bytes().saturating_add(beyond);
        // SAFETY: a live runtime.
        unsafe { qjs::JS_SetGCThreshold(self.raw.as_ptr(), threshold as u64) };
    }
}

impl Room {
    /// A visit, as long as the room is borrowed.
    pub(crate) fn realm(&self) -> Realm<'_> {
        visit(self.context)
    }
}

fn visit<'a>(context: NonNull<qjs::JSContext>) -> Realm<'a> {
    // SAFETY: callers hold the room, or have just made the context; the heap is put back only while nobody does.
    unsafe { Realm::visit(context.as_ptr()) }
}
