//! The SIGSEGV handler: a write to a watched page is noted and let through; any other fault goes where it would have
//! gone without us.
//!
//! The handler is one for the process, so arenas are kept in a table of atomics that it can read at any moment. It must
//! be installed before seccomp forbids that, and needs `mprotect` and `rt_sigreturn` afterwards.

use std::{
    cell::UnsafeCell,
    io, mem,
    sync::{
        Once,
        atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::SeqCst},
    },
};

use rustix::mm::{MprotectFlags, mprotect};

use crate::arena::PAGE;

/// Arenas watched at one time in one process: one in a worker, as many as there are threads in a test.
const WATCHES: usize = 64;
/// Faults noted one by one during a request. A cold fault costs 3.5 µs, so past this the whole arena is opened.
const NOTED: usize = 64;
/// A slot that is being taken: no address is so low.
const TAKING: usize = 1;

static TABLE: [Watch; WATCHES] = [const { Watch::new() }; WATCHES];
static INSTALLED: Once = Once::new();
static BEFORE: Before = Before(UnsafeCell::new(None));

/// One watched arena. Written by its own thread and, on that same thread, by the handler.
#[derive(Debug)]
pub(super) struct Watch {
    base: AtomicUsize,
    pages: AtomicUsize,
    count: AtomicU32,
    overflowed: AtomicBool,
    noted: [AtomicU32; NOTED],
}

/// The pages that faulted during one request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Faults {
    count: usize,
    noted: [u32; NOTED],
    /// There were more, and the whole arena is writable.
    pub(super) overflowed: bool,
}

/// What SIGSEGV did before us; written once, before the handler can run.
struct Before(UnsafeCell<Option<libc::sigaction>>);

// SAFETY: written within `Once`, read only by the handler that is installed after that.
unsafe impl Sync for Before {}

/// Begins to watch `pages` pages from `base`.
///
/// # Errors
/// What sigaction(2) says, or `QuotaExceeded` with every slot taken.
pub(super) fn watch(base: usize, pages: usize) -> io::Result<&'static Watch> {
    install()?;
    let free = TABLE.iter().find(|watch| watch.base.compare_exchange(0, TAKING, SeqCst, SeqCst).is_ok());
    let watch = free.ok_or_else(|| io::Error::new(io::ErrorKind::QuotaExceeded, "too many arenas are watched"))?;
    watch.count.store(0, SeqCst);
    watch.overflowed.store(false, SeqCst);
    watch.pages.store(pages, SeqCst);
    watch.base.store(base, SeqCst);
    Ok(watch)
}

/// Installs the handler, once for the process. Called again by each watch; the zygote may call it before its jail.
pub(crate) fn install() -> io::Result<()> {
    let mut outcome = Ok(());
    INSTALLED.call_once(|| {
        // SAFETY: plain data, for which zeroes are valid; `BEFORE` is written here alone.
        unsafe {
            let mut action: libc::sigaction = mem::zeroed();
            let mut before: libc::sigaction = mem::zeroed();
            action.sa_sigaction = on_fault as *const () as usize;
            // On the alternate stack: a fault may be the stack's own end. Not blocked meanwhile: a fault within is a crash.
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            libc::sigemptyset(&raw mut action.sa_mask);
            if libc::sigaction(libc::SIGSEGV, std::ptr::null(), &raw mut before) == 0 {
                *BEFORE.0.get() = Some(before);
            }
            if libc::sigaction(libc::SIGSEGV, &raw const action, std::ptr::null_mut()) != 0 {
                outcome = Err(io::Error::last_os_error());
            }
        }
    });
    outcome
}

impl Watch {
    const fn new() -> Self {
        Self {
            base: AtomicUsize::new(0),
            pages: AtomicUsize::new(0),
            count: AtomicU32::new(0),
            overflowed: AtomicBool::new(false),
            noted: [const { AtomicU32::new(0) }; NOTED],
        }
    }

    /// The faults since the last call.
    pub(super) fn drain(&self) -> Faults {
        let count = self.count.swap(0, SeqCst) as usize;
        let mut noted = [0; NOTED];
        for (page, from) in noted.iter_mut().zip(&self.noted).take(count) {
            *page = from.load(SeqCst);
        }
        Faults { count, noted, overflowed: count > 0 && self.overflowed.swap(false, SeqCst) }
    }

    /// Ends the watch; the slot is free again.
    pub(super) fn end(&self) {
        self.base.store(0, SeqCst);
    }

    /// The page of this arena that `address` lies in.
    fn page(&self, address: usize) -> Option<usize> {
        let base = self.base.load(SeqCst);
        let page = address.checked_sub(base)? / PAGE;
        (base > TAKING && page < self.pages.load(SeqCst)).then_some(page)
    }

    /// Notes the page and makes it writable; with no room left to note it, makes all pages writable. Whether it did.
    fn open(&self, page: usize) -> bool {
        let base = self.base.load(SeqCst);
        let count = self.count.load(SeqCst);
        let (start, bytes) = match self.noted.get(count as usize) {
            Some(slot) => {
                slot.store(u32::try_from(page).unwrap_or(u32::MAX), SeqCst);
                self.count.store(count + 1, SeqCst);
                (base + page * PAGE, PAGE)
            }
            None => {
                self.overflowed.store(true, SeqCst);
                (base, self.pages.load(SeqCst) * PAGE)
            }
        };
        // SAFETY: pages of a watched arena.
        unsafe { mprotect(start as *mut _, bytes, MprotectFlags::READ | MprotectFlags::WRITE) }.is_ok()
    }
}

impl Faults {
    /// The pages noted.
    pub(super) fn pages(&self) -> impl Iterator<Item = u32> + '_ {
        self.noted.iter().take(self.count).copied()
    }

    /// Whether nothing faulted.
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }
}

/// Runs in signal context: atomics and one system call (made without libc, so `errno` is left alone), nothing else.
unsafe extern "C" fn on_fault(signal: libc::c_int, details: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the kernel passes a valid siginfo of a fault.
    let address = unsafe { (*details).si_addr() } as usize;
    let opened = TABLE.iter().any(|watch| watch.page(address).is_some_and(|page| watch.open(page)));
    if !opened {
        // SAFETY: arguments passed on as they came.
        unsafe { pass_on(signal, details, context) };
    }
}

/// Hands a fault that is not ours to whoever had SIGSEGV before: Rust's own, which tells a stack overflow from a crash.
unsafe fn pass_on(signal: libc::c_int, details: *mut libc::siginfo_t, context: *mut libc::c_void) {
    type Action = unsafe extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);
    // SAFETY: written before this handler was installed, never since.
    let before = unsafe { *BEFORE.0.get() };
    if let Some(before) = before.filter(|before| before.sa_flags & libc::SA_SIGINFO != 0 && before.sa_sigaction > 1) {
        // SAFETY: with SA_SIGINFO the field holds a function of this type.
        unsafe { mem::transmute::<usize, Action>(before.sa_sigaction)(signal, details, context) };
        return;
    }
    // SAFETY: resetting the action and returning lets the fault happen again, and the kernel end the process.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
}
