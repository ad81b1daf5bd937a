//! The real `fazt`, run as a person runs it, against a peer that speaks the farm's interface.

#![expect(
    clippy::unwrap_used,
    reason = "what a test sets up must be there, and a peer that cannot do its part fails it"
)]

mod commands;
mod deploy;
mod exit_codes;
mod peer;
mod replace;
