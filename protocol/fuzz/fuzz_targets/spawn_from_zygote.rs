//! The decoder of `spawn.from_zygote`, and its frames.
#![no_main]

#[path = "../../tests/directions/mod.rs"]
mod directions;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let direction = directions::named("spawn.from_zygote");
    direction.withstand(bytes);
    direction.withstand_stream(bytes);
});
