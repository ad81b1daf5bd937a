//! The decoder of `call.from_worker`, and its frames.
#![no_main]

#[path = "../../tests/directions/mod.rs"]
mod directions;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let direction = directions::named("call.from_worker");
    direction.withstand(bytes);
    direction.withstand_stream(bytes);
});
