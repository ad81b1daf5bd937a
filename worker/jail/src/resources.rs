//! The bounds that the kernel keeps for a child, soft and hard alike.

use nix::sys::resource::{Resource, setrlimit};

use crate::{error::JailError, policy::Limits};

/// Descriptors a child may have at once: the three standard ones, its conversations, and room for one being handed over.
const DESCRIPTORS: u64 = 16;

/// Sets every bound. After the change of ids: RLIMIT_NPROC counts per user.
pub(crate) fn limit(limits: Limits) -> Result<(), JailError> {
    let bounds = [
        // The heap has a limit of its own; these stop what goes round it: addresses, and memory that can be written.
        ("address space", Resource::RLIMIT_AS, limits.address_space_bytes),
        ("data", Resource::RLIMIT_DATA, limits.data_bytes),
        // A router that forgot to kill; see Limits::cpu_seconds.
        ("CPU time", Resource::RLIMIT_CPU, limits.cpu_seconds),
        // Deep recursion must end in a clean fault, far from other mappings.
        ("stack", Resource::RLIMIT_STACK, limits.stack_bytes),
        // A flood of descriptors passed in must fail here, not fill the kernel's tables.
        ("open files", Resource::RLIMIT_NOFILE, DESCRIPTORS),
        // No fork bomb. Root is not bound by it, which is why seccomp has no fork.
        ("processes", Resource::RLIMIT_NPROC, 0),
        // A dump would write a tenant's data to disk.
        ("core size", Resource::RLIMIT_CORE, 0),
        // No file may grow, should one be reached.
        ("file size", Resource::RLIMIT_FSIZE, 0),
        // Locked pages, queues and raised priorities are of no use here and harm the others.
        ("locked memory", Resource::RLIMIT_MEMLOCK, 0),
        ("message queues", Resource::RLIMIT_MSGQUEUE, 0),
        ("nice", Resource::RLIMIT_NICE, 0),
        ("real-time priority", Resource::RLIMIT_RTPRIO, 0),
        ("queued signals", Resource::RLIMIT_SIGPENDING, 0),
    ];
    bounds.into_iter().try_for_each(|(name, resource, bound)| {
        setrlimit(resource, bound, bound).map_err(|errno| JailError::ResourceLimit(name, errno))
    })
}
