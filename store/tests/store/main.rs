//! The store from outside: its real binary over real socket pairs, spoken to as a router and as workers do.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod blobs;
mod collections;
mod contents;
mod crash;
mod deadlines;
mod documents;
mod fairness;
mod harness;
mod hostile;
mod isolation;
mod keys;
mod lifecycle;
mod loads;
mod memory;
mod once;
mod orders;
mod quota;
mod registry;
mod scans;
mod throughput;
mod uploads;
mod wal;
