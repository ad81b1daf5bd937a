//! What must be true of every farm, whatever is done to it: its neighbours are served ([`canary`]), what was acknowledged
//! is there once ([`canary`]), and afterwards its processes and descriptors are as before ([`census`]).

pub mod canary;
pub mod census;
