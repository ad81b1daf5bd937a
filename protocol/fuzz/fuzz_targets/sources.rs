//! The decoder of an app's sources, the body of an answer of the store.
#![no_main]

#[path = "../../tests/directions/mod.rs"]
mod directions;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| directions::sources_withstand(bytes));
