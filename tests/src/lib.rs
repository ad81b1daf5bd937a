//! The harness of the tests that see the house from outside: real binaries, port 0, a temporary folder, the real sandbox.
//!
//! [`farm`] starts and ends a farm, [`http`] speaks to it byte by byte, [`wire`] as nobody should, [`bundle`] packs apps, [`process`] looks at the
//! kernel's list, [`wait`] is the one way to wait, [`browser`] is a user in front of a page, [`oracle`] holds what must be
//! true of every farm whatever is done to it. Everything here fails by panicking: whoever calls it is a test.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "whoever calls the harness is a test, which ends where it cannot go on"
)]

pub mod browser;
pub mod bundle;
pub mod farm;
pub mod http;
pub mod log;
pub mod oracle;
pub mod process;
pub mod programs;
pub mod setup;
pub mod starting;
pub mod wait;
pub mod wire;
