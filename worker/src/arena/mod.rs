//! The arena: one private region of memory that a whole JavaScript runtime lives in, with its allocator inside it.
//!
//! Header, page map and free lists stand at the region's start, so putting an image of the region back puts the
//! allocator back too. A few slab classes serve blocks up to half a page, runs of whole pages serve the rest; the engine
//! has slabs of its own for small objects and asks for them page by page. What is refused is refused with a null
//! pointer, which makes the engine throw; nothing here panics, for a panic in an allocator callback aborts.
//!
//! It leaves to others: keeping and restoring images ([`crate::image`]) and what a refusal means (`engine`).
//! It fails where the region cannot be reserved.
#![expect(unsafe_code, reason = "an allocator hands out raw memory of a region that it maps itself")]

mod callbacks;
mod pages;
mod slab;
#[cfg(test)]
mod tests;

use std::{io, ptr::NonNull};

use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};

pub(crate) use callbacks::functions;
use pages::BINS;
use slab::CLASSES;

/// The kernel's page.
pub(crate) const PAGE: usize = 4096;
/// Arenas stand at multiples of this, so that a block's address gives its arena's: the engine asks for a block's size
/// without saying whose it is.
pub(crate) const ALIGNMENT: usize = 1 << 32;
/// What an arena reserves beyond its limit: holes between runs, header and page map.
const SLACK: usize = 32 << 20;
/// Where arenas may stand: 47 bits of user space without its ends; the second range is what valgrind leaves.
const PLACES: [(u64, u64); 2] = [(0x100, 0x6f00), (0x20, 0x0f00)];
const TRIES: u32 = 32;

/// A reserved region with an allocator in it. Unmapped when dropped, with all that lives there.
#[derive(Debug)]
pub(crate) struct Arena {
    base: NonNull<u8>,
    bytes: usize,
}

/// What stands at the arena's start. Page numbers count from the arena's base; page 0 is this header, so 0 means none.
#[repr(C)]
#[derive(Debug)]
struct Header {
    /// Pages of the region.
    total: u32,
    /// No run has ever begun at or above this page, or it was given back.
    top: u32,
    /// Pages at and above this one are zero: never written since the region was mapped or last scrubbed.
    high: u32,
    /// Pages in use, what they may be at most, and what they were at most.
    live: u32,
    cap: u32,
    peak: u32,
    /// Allocations refused because of the cap or for want of room.
    refused: u32,
    /// How many more allocations succeed, plus one.
    #[cfg(test)]
    countdown: u32,
    slabs: [u32; CLASSES],
    bins: [u32; BINS],
    /// A bit for each bin that is not empty.
    filled: u64,
}

/// One entry of the page map.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
struct Page {
    kind: Kind,
    class: u8,
    /// Of a slab: a bit for each free block.
    room: u8,
    /// Named, so that no byte of the map is left to chance: arenas are compared byte for byte.
    spare: u8,
    /// Of a run's first page, and of a free run's last: its length.
    length: u32,
    /// Links of the list that this page is in.
    next: u32,
    previous: u32,
}

#[repr(u8)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Inside a run, or never used. Zero, as fresh memory is.
    Inside = 0,
    Run = 1,
    Slab = 2,
    Free = 3,
    FreeEnd = 4,
}

/// The allocator's state, borrowed from the arena for one call.
struct Space<'a> {
    header: &'a mut Header,
    map: &'a mut [Page],
    base: *mut u8,
}

impl Arena {
    /// Reserves room for `limit` bytes of live memory at a random place. Nothing is resident until it is used.
    ///
    /// # Errors
    /// What mmap(2) says, or `AddrInUse` where no free place was found.
    pub(crate) fn reserve(limit: usize) -> io::Result<Self> {
        let bytes = Self::reserved_bytes(limit);
        let arena = Self { base: place(bytes)?, bytes };
        let total = u32::try_from(bytes / PAGE).unwrap_or(u32::MAX);
        let head = size_of::<Header>().next_multiple_of(16) + total as usize * size_of::<Page>();
        let first = u32::try_from(head.div_ceil(PAGE)).unwrap_or(u32::MAX);
        // SAFETY: the region is ours alone, writable, page-aligned, and larger than a header.
        unsafe {
            arena.base.cast::<Header>().write(Header {
                total,
                top: first,
                high: first,
                live: 0,
                cap: total,
                peak: 0,
                refused: 0,
                #[cfg(test)]
                countdown: u32::MAX,
                slabs: [0; CLASSES],
                bins: [0; BINS],
                filled: 0,
            });
        }
        Ok(arena)
    }

    /// How much address space an arena takes for `limit` bytes of live memory.
    pub(crate) fn reserved_bytes(limit: usize) -> usize {
        limit.saturating_add(SLACK).min(ALIGNMENT).next_multiple_of(PAGE)
    }

    /// Where the region begins.
    pub(crate) fn base(&self) -> NonNull<u8> {
        self.base
    }

    /// Bytes from the base to the end of the highest run.
    pub(crate) fn top_bytes(&self) -> usize {
        self.header().top as usize * PAGE
    }

    /// Bytes from the base above which all is zero.
    pub(crate) fn high_bytes(&self) -> usize {
        self.header().high as usize * PAGE
    }

    /// Bytes of pages in use.
    pub(crate) fn live_bytes(&self) -> usize {
        self.header().live as usize * PAGE
    }

    /// The most bytes of pages that were in use since the image was taken.
    pub(crate) fn peak_bytes(&self) -> usize {
        self.header().peak as usize * PAGE
    }

    /// Whether an allocation was refused since the image was taken.
    pub(crate) fn refused(&self) -> bool {
        self.header().refused > 0
    }

    /// Limits the pages in use to `bytes`, and forgets the peak and the refusals so far.
    pub(crate) fn limit(&mut self, bytes: usize) {
        let pages = u32::try_from(bytes / PAGE).unwrap_or(u32::MAX);
        let header = self.header_mut();
        header.cap = pages.min(header.total);
        header.peak = header.live;
        header.refused = 0;
    }

    /// From now on `count` allocations succeed and every later one is refused.
    #[cfg(test)]
    pub(crate) fn refuse_after(&mut self, count: u32) {
        self.header_mut().countdown = count.saturating_add(1);
    }

    fn header(&self) -> &Header {
        // SAFETY: written in `reserve`, valid as long as the mapping, and only this thread touches it.
        unsafe { self.base.cast::<Header>().as_ref() }
    }

    fn header_mut(&mut self) -> &mut Header {
        // SAFETY: as in `header`; the engine is not running while we are borrowed mutably.
        unsafe { self.base.cast::<Header>().as_mut() }
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // SAFETY: our own mapping, and nobody holds a pointer into it past its owner's life. A failure leaks it.
        let _ = unsafe { munmap(self.base.as_ptr().cast(), self.bytes) };
    }
}

impl Space<'_> {
    /// The allocator of the arena that begins at `base`.
    ///
    /// # Safety
    /// `base` is an [`Arena`]'s base and nobody else borrows its header or map.
    unsafe fn at(base: *mut u8) -> Self {
        // SAFETY: by contract; the map follows the header, lies inside the region, and zeroes are valid pages.
        unsafe {
            let header = &mut *base.cast::<Header>();
            let map = base.add(size_of::<Header>().next_multiple_of(16)).cast::<Page>();
            Self { map: std::slice::from_raw_parts_mut(map, header.total as usize), header, base }
        }
    }

    /// A page's entry. A number outside the map means that memory is corrupt: the only clean end is an abort.
    fn page(&mut self, at: u32) -> &mut Page {
        match self.map.get_mut(at as usize) {
            Some(page) => page,
            None => std::process::abort(),
        }
    }

    fn address(&self, page: u32) -> *mut u8 {
        self.base.wrapping_add(page as usize * PAGE)
    }

    /// The page that `block` lies in.
    fn number(&self, block: *const u8) -> u32 {
        u32::try_from((block as usize).wrapping_sub(self.base as usize) / PAGE).unwrap_or(u32::MAX)
    }
}

/// Maps `bytes` at a random multiple of [`ALIGNMENT`].
fn place(bytes: usize) -> io::Result<NonNull<u8>> {
    for attempt in 0..TRIES {
        let [usual, narrow] = PLACES;
        let (low, high) = if attempt < TRIES / 2 { usual } else { narrow };
        let random = getrandom::u64()?;
        let wanted = (low + random % (high - low)) << 32;
        let hint = usize::try_from(wanted).unwrap_or(0) as *mut core::ffi::c_void;
        // SAFETY: a new private mapping; a hint without MAP_FIXED replaces nothing.
        let got = unsafe {
            mmap_anonymous(hint, bytes, ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE | MapFlags::NORESERVE)?
        };
        if let (true, Some(base)) = (got == hint, NonNull::new(got.cast::<u8>())) {
            return Ok(base);
        }
        // SAFETY: the mapping just made.
        unsafe { munmap(got, bytes)? };
    }
    Err(io::Error::new(io::ErrorKind::AddrInUse, "no free place for an arena"))
}
