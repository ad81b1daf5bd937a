//! The decoder of `build.to_builder`, and its frames.
#![no_main]

#[path = "../../tests/directions/mod.rs"]
mod directions;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let direction = directions::named("build.to_builder");
    direction.withstand(bytes);
    direction.withstand_stream(bytes);
});
