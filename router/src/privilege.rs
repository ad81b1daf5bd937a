//! What the router may do of what root may: what its children and its folder take, and nothing else. Whoever captures it can load
//! no module, open no raw socket, touch no device, clock, or log of the machine's by it.
//!
//! An ordinary user has no capability, and nothing to give up but the way to gain any.

use nix::sys::prctl::set_no_new_privs;
use rustix::{
    io,
    thread::{
        CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set, remove_capability_from_bounding_set,
        set_capabilities,
    },
};

/// Each with what would fail without it.
const KEPT: [CapabilitySet; 12] = [
    // Files of a data folder that is somebody else's: the store's.
    CapabilitySet::CHOWN,
    CapabilitySet::DAC_OVERRIDE,
    CapabilitySet::FOWNER,
    // Ending and looking at workers under ids of their own where there are no user namespaces.
    CapabilitySet::KILL,
    CapabilitySet::SYS_PTRACE,
    // Giving workers these ids, and mapping them into a user namespace.
    CapabilitySet::SETGID,
    CapabilitySet::SETUID,
    CapabilitySet::SETFCAP,
    // Emptying the bounding set of zygote and store.
    CapabilitySet::SETPCAP,
    // Namespaces where no user namespace may be made.
    CapabilitySet::SYS_ADMIN,
    // Ports below 1,024.
    CapabilitySet::NET_BIND_SERVICE,
    // Putting the store late on the list of whom the kernel ends when memory runs out.
    CapabilitySet::SYS_RESOURCE,
];

/// Gives up what is not needed, for this process and all that it starts. Call it before there is a second thread: each has
/// capabilities of its own.
///
/// # Errors
/// In words that fit after "failed to".
pub fn give_up() -> Result<(), String> {
    set_no_new_privs().map_err(|errno| format!("forswear new privileges: {errno}"))?;
    shed().map_err(|errno| format!("give up capabilities: {errno}"))
}

fn shed() -> io::Result<()> {
    let kept = KEPT.into_iter().fold(CapabilitySet::empty(), |kept, one| kept | one);
    let held = capabilities(None)?;
    if held.effective.contains(CapabilitySet::SETPCAP) {
        for number in 0..u64::BITS {
            let one = CapabilitySet::from_bits_retain(1 << number);
            if kept.contains(one) {
                continue;
            }
            match remove_capability_from_bounding_set(one) {
                // Past the last one that this kernel knows.
                Err(io::Errno::INVAL) => break,
                outcome => outcome?,
            }
        }
    }
    clear_ambient_capability_set()?;
    let (effective, permitted) = (held.effective & kept, held.permitted & kept);
    set_capabilities(None, CapabilitySets { effective, permitted, inheritable: CapabilitySet::empty() })
}
