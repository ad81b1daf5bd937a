//! Native code in a worker: what it can reach, what it leaves behind, and what a farm notices of it from outside.

mod attempts;
mod idle;
mod inspected;
mod secrets;
