//! Want of memory, met where it is not looked for: names of properties, the compiler, the moment before an image.

use super::*;
use crate::engine::bytecode::tests::MEMORY;

/// Enough for nothing.
const SCARCE: usize = 16 << 10;

#[test]
fn without_memory_for_a_name_nothing_is_said_of_a_property() {
    let mut bench = Bench::new("1");
    let engine = &mut bench.engine;
    engine.renew();
    let object = |room: &Room| room.realm().object().unwrap().into_raw();
    let room = engine.room.take().unwrap();
    let raw = object(&room);
    engine.runtime.arena_mut().refuse_after(0);
    let realm = room.realm();
    let value = realm.share(raw);
    // Longer than what the engine's own slabs hold.
    let [first, second, third] = ["a", "b", "c"].map(|letter| std::ffi::CString::new(letter.repeat(20_000)).unwrap());
    assert!(value.has_own(&first).is_err());
    drop(realm.exception());
    assert!(value.delete(&second).is_err());
    drop(realm.exception());
    assert!(value.peek(&third).is_none());
    assert!(!realm.has_exception(), "what nobody hears of is not left behind");
    drop(value);
    engine.runtime.arena_mut().refuse_after(u32::MAX - 1);
    drop(realm.own(raw));
    engine.room = Some(room);
}

#[test]
fn no_run_and_no_image_keeps_an_exception() {
    let mut bench = Bench::with(
        &[("api/main.js", "require('./lib').x; throw { get message() { return 1 } }"), ("api/lib.js", "exports.x = 1")],
        FreshState::Image,
        LIMITS,
    );
    for allowed in (0..120).chain([u32::MAX - 1]) {
        bench.engine.renew();
        bench.engine.runtime.arena_mut().refuse_after(allowed);
        bench.serve();
        assert!(!bench.engine.room.as_ref().unwrap().realm().has_exception(), "after {allowed} allocations");
    }
    // The module is to be read into the next image, and there is no memory for it: it is longer than what the slabs hold.
    let long = format!("exports.x = [{}]", (0..2_000).map(|n| format!("'text{n}',")).collect::<String>());
    let mut bench = Bench::with(&[("api/main.js", "1"), ("api/lib.js", &long)], FreshState::Image, LIMITS);
    bench.engine.modules.code("api/lib.js");
    bench.engine.runtime.arena_mut().refuse_after(0);
    bench.engine.take_image().unwrap();
    assert!(!bench.engine.room.as_ref().unwrap().realm().has_exception());
}

#[test]
fn a_compiler_without_memory_says_so_and_is_asked_again() {
    LazyLock::force(&STANDARD);
    for files in [
        &[("api/main.js", "'whole'")][..],
        &[("api/main.js", "require('./lib')"), ("api/lib.js", "module.exports = 'whole'")],
    ] {
        MEMORY.set(SCARCE);
        let mut bench = Bench::with(files, FreshState::Image, LIMITS);
        let finished = bench.serve();
        MEMORY.set(96 << 20);
        assert!(matches!(finished.outcome, Outcome::Memory(_)), "{files:?}: {:?}", finished.outcome);
        assert!(finished.retire, "{files:?}");
        bench.engine.renew();
        assert_eq!(bench.text(), "whole", "{files:?}: it is nothing to remember of the text");
    }
    MEMORY.set(SCARCE);
    let finished = Bench::new("1").execute("1 + 1");
    MEMORY.set(96 << 20);
    assert!(matches!(finished.outcome, Outcome::Memory(_)) && finished.retire, "{:?}", finished.outcome);
}
