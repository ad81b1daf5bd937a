//! The worker: zygote, jailed child, engine, and what apps see.
//!
//! A library with a thin program, so that tests can put other children (liars, echoes) through the true birth.
//! `zygote` brings jailed children into the world; what one does with its life is behind [`zygote::Birth`].

mod api;
mod arena;
pub mod builder;
pub mod check;
pub mod engine;
pub mod flags;
mod image;
pub mod outcome;
mod outside;
pub mod serve;
mod store;
pub mod zygote;
