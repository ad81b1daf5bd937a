//! The decoder of `spawn.to_zygote`, and its frames.
#![no_main]

#[path = "../../tests/directions/mod.rs"]
mod directions;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let direction = directions::named("spawn.to_zygote");
    direction.withstand(bytes);
    direction.withstand_stream(bytes);
});
