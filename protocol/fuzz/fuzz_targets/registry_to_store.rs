//! The decoder of `registry.to_store`, and its frames.
#![no_main]

#[path = "../../tests/directions/mod.rs"]
mod directions;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let direction = directions::named("registry.to_store");
    direction.withstand(bytes);
    direction.withstand_stream(bytes);
});
