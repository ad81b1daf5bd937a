//! The house's own rules, read from its sources: who may depend on whom, what names and sizes are allowed, where `unsafe`
//! may stand. Nothing is started here; each test names every place that breaks its rule.

#![expect(clippy::unwrap_used, reason = "a source that cannot be read ends the test")]

mod dependencies;
mod features;
mod names;
mod profiles;
mod promises;
mod sizes;
mod sleeps;
mod sources;
mod unsafety;
mod words;
