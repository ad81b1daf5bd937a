//! The image: a copy of the arena at its best moment, and putting the arena back to it after each request.
//!
//! Taken outside any engine call. Only pages that were written are copied back; which ones these are is a [`Tracker`]'s
//! to know: [`Hot`] in service, [`Whole`] as fallback and as what tests compare with. What lies above the image is
//! scrubbed, so the arena is identical, bit for bit, to what it was.
//!
//! It fails where memory for the copy cannot be had, or the watch cannot be set up.
#![expect(unsafe_code, reason = "memory of a running engine is copied and protected beneath it")]

mod fault;
mod hot;
#[cfg(test)]
mod tests;
mod whole;

use std::{io, ptr, slice};

use rustix::mm::{Advice, MapFlags, MprotectFlags, ProtFlags, madvise, mmap_anonymous, mprotect, munmap};

pub(crate) use fault::install;
pub(crate) use hot::Hot;
pub(crate) use whole::Whole;

use crate::arena::{Arena, PAGE};

/// What a request left above the image is scrubbed up to here and given back to the kernel beyond: scrubbing 10 MB cost
/// 0.75 ms, giving it back and faulting it in again 2.9 ms.
const SCRUB_BYTES: usize = 16 << 20;

/// Knows which pages of the arena were written since the image was taken, and copies those back.
pub(crate) trait Tracker: std::fmt::Debug {
    /// The arena and the image are equal from here on.
    ///
    /// # Errors
    /// Where the kernel refuses the watch.
    fn watch(&mut self, ground: Ground) -> io::Result<()>;

    /// Copies back every page that was written. The arena and the image are equal again.
    fn restore(&mut self);

    /// Forgets the ground: the arena may be written freely.
    fn release(&mut self);

    /// Faults answered so far.
    #[cfg(test)]
    fn faults(&self) -> u64 {
        0
    }
}

/// What a tracker works on. Valid from `watch` until `release`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ground {
    arena: *mut u8,
    copy: *const u8,
    pages: usize,
}

/// A copy of an arena and the means to put it back.
#[derive(Debug)]
pub(crate) struct Image {
    ground: Ground,
    tracker: Box<dyn Tracker>,
}

impl Ground {
    /// Copies `count` pages back, beginning with page `first`.
    fn copy_back(&self, first: usize, count: usize) {
        let (from, bytes) = (first.min(self.pages), count.min(self.pages.saturating_sub(first)) * PAGE);
        // SAFETY: both are mapped for all pages of the ground, do not overlap, and the engine is not running.
        unsafe { ptr::copy_nonoverlapping(self.copy.add(from * PAGE), self.arena.add(from * PAGE), bytes) };
    }

    /// Makes `count` pages of the arena writable or not, beginning with page `first`.
    fn protect(&self, first: usize, count: usize, writable: bool) -> io::Result<()> {
        let flags = if writable { MprotectFlags::READ | MprotectFlags::WRITE } else { MprotectFlags::READ };
        // SAFETY: pages of the arena; a write to one of them is answered by the fault handler.
        unsafe { mprotect(self.arena.add(first * PAGE).cast(), count * PAGE, flags)? };
        Ok(())
    }
}

impl Image {
    /// Copies `arena` as it stands, and begins to watch it.
    ///
    /// # Errors
    /// What mmap(2) or mprotect(2) says, and what the tracker needs.
    pub(crate) fn take(arena: &Arena, mut tracker: Box<dyn Tracker>) -> io::Result<Self> {
        let bytes = arena.top_bytes();
        // SAFETY: a new private mapping.
        let copy = unsafe {
            mmap_anonymous(ptr::null_mut(), bytes, ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE)?.cast::<u8>()
        };
        let ground = Ground { arena: arena.base().as_ptr(), copy, pages: bytes / PAGE };
        for page in 0..ground.pages {
            // SAFETY: both mappings hold all pages of the ground; the engine is not running.
            unsafe {
                let from = slice::from_raw_parts(ground.arena.add(page * PAGE), PAGE);
                // Pages never touched stay untouched, and cost nothing.
                if from.iter().any(|byte| *byte != 0) {
                    ptr::copy_nonoverlapping(from.as_ptr(), copy.add(page * PAGE), PAGE);
                }
            }
        }
        // SAFETY: the mapping just made. Nothing may change the image, a bug of ours included.
        unsafe { mprotect(copy.cast(), bytes, MprotectFlags::READ)? };
        tracker.watch(ground)?;
        Ok(Self { ground, tracker })
    }

    /// Puts `arena` back. Neither a value nor a frame of the engine may be alive.
    pub(crate) fn restore(&mut self, arena: &Arena) {
        // Read first: restoring puts the old mark back.
        let high = arena.high_bytes();
        self.tracker.restore();
        scrub(arena, self.bytes(), high);
    }

    /// Where the arena differs from the image: the first page, if any. A page of zeroes is expected up to `high`, the
    /// most that was ever in use.
    pub(crate) fn difference(&self, high: usize) -> Option<usize> {
        // SAFETY: mapped for all pages of the ground, and the arena beyond it up to its own size.
        let (now, then) = unsafe {
            (
                slice::from_raw_parts(self.ground.arena, high.max(self.bytes())),
                slice::from_raw_parts(self.ground.copy, self.bytes()),
            )
        };
        let (body, tail) = now.split_at_checked(then.len())?;
        if body == then && tail.iter().all(|byte| *byte == 0) {
            return None;
        }
        let zero = [0u8; PAGE];
        let images = then.chunks(PAGE).chain(std::iter::repeat(zero.as_slice()));
        now.chunks(PAGE).zip(images).position(|(page, image)| page != image)
    }

    /// Faults that the tracker has answered since the image was taken.
    #[cfg(test)]
    pub(crate) fn faults(&self) -> u64 {
        self.tracker.faults()
    }

    /// The image's size.
    pub(crate) fn bytes(&self) -> usize {
        self.ground.pages * PAGE
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        self.tracker.release();
        // SAFETY: our own mapping; the tracker has forgotten it. A failure leaks it.
        let _ = unsafe { munmap(self.ground.copy.cast_mut().cast(), self.bytes()) };
    }
}

/// Zeroes what lies between `from` and `to`.
fn scrub(arena: &Arena, from: usize, to: usize) {
    let Some(bytes) = to.checked_sub(from).filter(|bytes| *bytes > 0) else { return };
    let kept = bytes.min(SCRUB_BYTES);
    // SAFETY: pages of the arena above the image: writable, and no block that lives is there.
    unsafe {
        let start = arena.base().as_ptr().add(from);
        ptr::write_bytes(start, 0, kept);
        if bytes > kept {
            let rest = start.add(kept);
            // Private anonymous pages read as zero afterwards; if the kernel refuses, zero them by hand.
            if madvise(rest.cast(), bytes - kept, Advice::LinuxDontNeed).is_err() {
                ptr::write_bytes(rest, 0, bytes - kept);
            }
        }
    }
}
