//! Empties the five capability sets.
//!
//! The bounding set is emptied once in the nest (it only limits what exec(2) could give, and 41 system calls a child
//! would cost 50 µs); the other four in each child, since the nest needs its own to make children.
//!
//! Through rustix rather than the crate `caps`, whose sets are hash tables: their keys would be drawn in the nest, and
//! every child would share them.

use nix::errno::Errno;
use rustix::{
    io,
    thread::{
        CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set, remove_capability_from_bounding_set,
        set_capabilities,
    },
};

use crate::error::JailError;

/// In the nest, after its last exec: no exec can ever give a capability again.
pub(crate) fn close_the_way_back() -> Result<(), JailError> {
    for number in 0..u64::BITS {
        match remove_capability_from_bounding_set(CapabilitySet::from_bits_retain(1 << number)) {
            Ok(()) => {}
            // Past the last one that this kernel knows.
            Err(io::Errno::INVAL) if number > 0 => return Ok(()),
            Err(errno) => return Err(refused(errno)),
        }
    }
    Ok(())
}

/// In the child: ambient first, since it may hold nothing that the others lack.
pub(crate) fn give_up() -> Result<(), JailError> {
    clear_ambient_capability_set().map_err(refused)?;
    let none = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none }).map_err(refused)
}

/// What a process that owns files keeps of them: those by which root writes in a folder that is somebody else's. It never runs a
/// program, so the bounding set goes as well.
pub(crate) fn keep_for_files() -> Result<(), JailError> {
    let wanted = CapabilitySet::CHOWN | CapabilitySet::DAC_OVERRIDE | CapabilitySet::FOWNER;
    let held = capabilities(None).map_err(refused)?;
    if held.effective.contains(CapabilitySet::SETPCAP) {
        close_the_way_back()?;
    }
    clear_ambient_capability_set().map_err(refused)?;
    let (effective, permitted) = (held.effective & wanted, held.permitted & wanted);
    set_capabilities(None, CapabilitySets { effective, permitted, inheritable: CapabilitySet::empty() })
        .map_err(refused)
}

fn refused(errno: io::Errno) -> JailError {
    JailError::Capabilities(Errno::from_raw(errno.raw_os_error()))
}
