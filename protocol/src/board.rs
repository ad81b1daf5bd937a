//! The board: one shared page a worker, on which it keeps its phase, the op in hand and the spans so far, and leaves its last
//! words where it panics or gives up.
//!
//! A sealed memfd of one page: the router makes it, the worker maps it before its jail, the router maps it read-only.
//! What stands there is gossip: every value is checked when it is read, nothing is decided on it but what to say of a
//! worker that can no longer be asked. Reads and writes are relaxed atomics; a snapshot may mix two moments.

#![expect(unsafe_code, reason = "a page shared between two processes has no safe wrapper")]

use std::{
    ffi::c_void,
    num::NonZeroUsize,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    ptr::NonNull,
    sync::{
        Arc,
        atomic::{
            AtomicU8, AtomicU32, AtomicU64,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
};

use nix::{
    fcntl::{FcntlArg, SealFlag, fcntl},
    sys::{
        memfd::{MFdFlags, memfd_create},
        mman::{MapFlags, ProtFlags, mmap, munmap},
    },
    unistd::ftruncate,
};

use crate::limit::LAST_WORDS_BYTES;

/// The size of the page, in bytes.
pub const BOARD_BYTES: usize = 4096;

/// Where a worker stands within a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Phase {
    /// No call in hand.
    Idle = 1,
    /// Loading the app.
    Load = 2,
    /// Parsing the request's body.
    Parse = 3,
    /// Making the request object.
    Inject = 4,
    /// Running the app's code.
    Execute = 5,
    /// Waiting for the store.
    Storage = 6,
    /// Turning the returned value into an answer.
    Respond = 7,
    /// Putting the heap back.
    Restore = 8,
}

/// What the store is asked for, as the worker says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Asking {
    /// Nothing.
    Nothing = 0,
    /// The app's files.
    Files = 1,
    /// Key and value.
    Kv = 2,
    /// Documents.
    Ds = 3,
    /// Blobs.
    S3 = 4,
}

/// What a board says at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snapshot {
    /// Where the worker stands, if what it wrote names a phase.
    pub phase: Option<Phase>,
    /// What it waits for.
    pub asking: Option<Asking>,
    /// The call in hand, as the router numbered it; 0 when there is none.
    pub call: u64,
    /// When the phase began, in nanoseconds of CLOCK_MONOTONIC.
    pub since_ns: u64,
    /// Microseconds spent in the store for this call so far.
    pub storage_us: u64,
    /// Storage operations of this call so far.
    pub storage_ops: u32,
}

#[repr(C)]
struct Page {
    phase: AtomicU32,
    asking: AtomicU32,
    call: AtomicU64,
    since_ns: AtomicU64,
    storage_us: AtomicU64,
    storage_ops: AtomicU32,
    words_bytes: AtomicU32,
    words: [AtomicU8; LAST_WORDS_BYTES],
}

const _: () = assert!(size_of::<Page>() <= BOARD_BYTES);

/// The worker's side. Clones share one mapping.
#[derive(Debug, Clone)]
pub struct Writer(Arc<Mapping>);

/// The router's side.
#[derive(Debug)]
pub struct Reader(Mapping);

#[derive(Debug)]
struct Mapping(NonNull<c_void>);

/// Makes the page: a memfd that can neither shrink nor grow.
///
/// # Errors
/// What the kernel says, EMFILE above all.
pub fn create() -> nix::Result<OwnedFd> {
    let page = memfd_create(c"fazt-board", MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING)?;
    ftruncate(&page, BOARD_BYTES as i64)?;
    fcntl(&page, FcntlArg::F_ADD_SEALS(SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SEAL))?;
    Ok(page)
}

impl Writer {
    /// Maps the page for writing; the descriptor can be closed afterwards.
    ///
    /// # Errors
    /// What mmap(2) says, or EINVAL where the descriptor is not a sealed page.
    pub fn map(page: BorrowedFd<'_>) -> nix::Result<Self> {
        Mapping::of(page, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE).map(|mapping| Self(Arc::new(mapping)))
    }

    /// Enters a phase of a call.
    pub fn enter(&self, phase: Phase, call: u64) {
        let page = self.0.page();
        page.since_ns.store(crate::clock::now_ns(), Relaxed);
        page.call.store(call, Relaxed);
        page.phase.store(phase as u32, Relaxed);
    }

    /// Says what the store is asked for.
    pub fn ask(&self, asking: Asking) {
        self.0.page().asking.store(asking as u32, Relaxed);
    }

    /// Says what storage has cost this call so far.
    pub fn spend(&self, storage_us: u64, storage_ops: u32) {
        let page = self.0.page();
        page.storage_us.store(storage_us, Relaxed);
        page.storage_ops.store(storage_ops, Relaxed);
    }

    /// Leaves last words, as far as there is room for them.
    pub fn leave(&self, words: &str) {
        let page = self.0.page();
        let words = words.get(..words.floor_char_boundary(LAST_WORDS_BYTES)).unwrap_or_default();
        for (place, byte) in page.words.iter().zip(words.bytes()) {
            place.store(byte, Relaxed);
        }
        page.words_bytes.store(words.len() as u32, Release);
    }
}

impl Reader {
    /// Maps the page for reading only.
    ///
    /// # Errors
    /// As [`Writer::map`].
    pub fn map(page: BorrowedFd<'_>) -> nix::Result<Self> {
        Mapping::of(page, ProtFlags::PROT_READ).map(Self)
    }

    /// What stands there now; numbers that name nothing are left out.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let page = self.0.page();
        Snapshot {
            phase: Phase::named(page.phase.load(Relaxed)),
            asking: Asking::named(page.asking.load(Relaxed)),
            call: page.call.load(Relaxed),
            since_ns: page.since_ns.load(Relaxed),
            storage_us: page.storage_us.load(Relaxed),
            storage_ops: page.storage_ops.load(Relaxed),
        }
    }

    /// The last words, if there are any. What is no UTF-8 in them is replaced.
    #[must_use]
    pub fn last_words(&self) -> Option<String> {
        let page = self.0.page();
        let count = usize::try_from(page.words_bytes.load(Acquire)).unwrap_or(usize::MAX);
        let words: Vec<u8> = page.words.iter().take(count).map(|byte| byte.load(Relaxed)).collect();
        (!words.is_empty()).then(|| String::from_utf8_lossy(&words).into_owned())
    }
}

impl Phase {
    /// The word for logs and status.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Load => "load",
            Self::Parse => "parse",
            Self::Inject => "inject",
            Self::Execute => "execute",
            Self::Storage => "storage",
            Self::Respond => "respond",
            Self::Restore => "restore",
        }
    }

    fn named(number: u32) -> Option<Self> {
        let all = [
            Self::Idle,
            Self::Load,
            Self::Parse,
            Self::Inject,
            Self::Execute,
            Self::Storage,
            Self::Respond,
            Self::Restore,
        ];
        all.into_iter().find(|phase| *phase as u32 == number)
    }
}

impl Asking {
    fn named(number: u32) -> Option<Self> {
        let all = [Self::Nothing, Self::Files, Self::Kv, Self::Ds, Self::S3];
        all.into_iter().find(|asking| *asking as u32 == number)
    }
}

impl Mapping {
    fn of(page: BorrowedFd<'_>, protection: ProtFlags) -> nix::Result<Self> {
        // Without the seal the other side could cut the file short, and a read of the mapping would be a SIGBUS.
        let seals = SealFlag::from_bits_retain(fcntl(page, FcntlArg::F_GET_SEALS)?);
        let length = NonZeroUsize::new(BOARD_BYTES).ok_or(nix::Error::EINVAL)?;
        let is_page = nix::sys::stat::fstat(page)?.st_size == BOARD_BYTES as i64;
        if !seals.contains(SealFlag::F_SEAL_SHRINK) || !is_page {
            return Err(nix::Error::EINVAL);
        }
        // SAFETY: a new shared mapping at an address of the kernel's choice, of a file that is as long and cannot shrink.
        let at = unsafe { mmap(None, length, protection, MapFlags::MAP_SHARED, page.as_fd(), 0)? };
        Ok(Self(at))
    }

    fn page(&self) -> &Page {
        // SAFETY: the mapping lives as long as self, is page-aligned and larger than Page, and Page holds atomics only, for
        // which any bytes are a value.
        unsafe { self.0.cast::<Page>().as_ref() }
    }
}

// SAFETY: all access goes through atomics.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: this mapping is ours, of this length, and nothing borrows from it any more.
        let _gone = unsafe { munmap(self.0, BOARD_BYTES) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_side_writes_the_other_reads() {
        let page = create().unwrap();
        let writer = Writer::map(page.as_fd()).unwrap();
        let reader = Reader::map(page.as_fd()).unwrap();
        assert_eq!(reader.snapshot().phase, None);
        writer.enter(Phase::Execute, 42);
        writer.ask(Asking::Kv);
        writer.spend(1_234, 5);
        let seen = reader.snapshot();
        assert_eq!((seen.phase, seen.asking, seen.call), (Some(Phase::Execute), Some(Asking::Kv), 42));
        assert_eq!((seen.storage_us, seen.storage_ops), (1_234, 5));
    }

    #[test]
    fn last_words_are_cut_to_their_room_and_a_lie_about_their_length_is_none() {
        let page = create().unwrap();
        let writer = Writer::map(page.as_fd()).unwrap();
        let reader = Reader::map(page.as_fd()).unwrap();
        assert_eq!(reader.last_words(), None);
        writer.leave("here\nand there");
        assert_eq!(reader.last_words().as_deref(), Some("here\nand there"));
        writer.leave(&"é".repeat(LAST_WORDS_BYTES));
        assert_eq!(reader.last_words(), Some("é".repeat(LAST_WORDS_BYTES / 2)));
        writer.0.page().words_bytes.store(u32::MAX, Relaxed);
        writer.0.page().words[0].store(0xff, Relaxed);
        assert!(reader.last_words().unwrap().starts_with('\u{fffd}'));
    }

    #[test]
    fn a_file_that_could_shrink_is_refused() {
        let loose = memfd_create(c"loose", MFdFlags::MFD_ALLOW_SEALING).unwrap();
        ftruncate(&loose, BOARD_BYTES as i64).unwrap();
        assert_eq!(Reader::map(loose.as_fd()).unwrap_err(), nix::Error::EINVAL);
    }
}
