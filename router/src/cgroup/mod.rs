//! Control groups (version 2) for workers, builders and the store, where the part of the tree that the router lies in
//! was delegated to it, as systemd does for a service with `Delegate=yes`.
//!
//! [`place`] finds that part and says why there is none; [`Groups`] divides it: the router and its zygote in `router`,
//! the store in `store`, each child of the zygote in a group of its own, which goes to a successor once it is empty.
//! The bounds stand beside the jail's resource limits and are no condition of it: where there are none, the limits of
//! each process and the farm's own watch do what they can.
//!
//! A child is born into its group (CLONE_INTO_CGROUP): moving a living process holds up every fork and exit of the
//! machine for a grace period of the kernel, which was measured at 10 ms, twenty times a birth. The zygote stays with
//! the router: what it has, its children share.

mod bounds;
mod group;
pub mod place;
mod tree;

pub use group::Group;
pub use place::Absence;
pub use tree::Groups;

use std::sync::Arc;

use crate::config::Config;

/// What a farm was given: groups, or a reason.
pub type Given = Result<Arc<Groups>, Absence>;

/// Takes over the part that was delegated, where there is one.
///
/// # Errors
/// [`Absence`]: everything is as it was.
pub fn take_over(config: &Config) -> Given {
    Groups::settle(place::find()?, bounds::Bounds::of(config))
}

/// The same in a line, for people.
#[must_use]
pub fn told(given: &Given) -> String {
    match given {
        Ok(groups) => groups.place.to_string(),
        Err(absence) => format!("none: {absence}"),
    }
}
