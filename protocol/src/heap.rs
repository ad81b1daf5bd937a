//! The C library's heap in the processes that live long, router and store.

/// Blocks of that many bytes and more are mappings of their own.
#[cfg(target_env = "gnu")]
const LARGE: libc::c_int = 256 * 1024;
/// As much free memory may stay at the end of an arena.
#[cfg(target_env = "gnu")]
const SPARE: libc::c_int = 4 * 1024 * 1024;

/// Has large blocks go back to the kernel as soon as they are freed. To be called before there is a second thread.
///
/// Left to itself, glibc takes the first freed block of up to 32 MiB for a sign that more will come, and keeps all that are
/// smaller from then on (mallopt(3), "dynamic mmap threshold"): a rush of bodies would stay in memory for good. A C library
/// without such a heap needs nothing.
#[cfg_attr(target_env = "gnu", expect(unsafe_code, reason = "mallopt(3) has no safe wrapper"))]
pub fn give_back_large_blocks() {
    #[cfg(target_env = "gnu")]
    for (parameter, value) in [(libc::M_MMAP_THRESHOLD, LARGE), (libc::M_TRIM_THRESHOLD, SPARE)] {
        // SAFETY: it takes two numbers; nobody else allocates meanwhile. A refused value leaves the default.
        unsafe { libc::mallopt(parameter, value) };
    }
}
