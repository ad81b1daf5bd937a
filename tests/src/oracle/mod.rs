//! What must be true of every farm, whatever is done to it: its neighbours are served and what was acknowledged is there
//! once ([`canary`]); each request has one line in the log, and each line a request ([`log`]); afterwards processes,
//! descriptors, memory and files are as before ([`census`]). [`Watch`] holds all of them over a test.

pub mod canary;
pub mod census;
pub mod log;
mod watch;

pub use watch::Watch;
