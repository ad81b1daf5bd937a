//! Memory without end: the heap has a limit, the process stays near it, and a worker that met the limit serves no more.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    thread,
};

use fazt_tests::{
    oracle::Watch,
    wait::{Over, PATIENCE, eventually},
};

use super::{
    Evil,
    Fate::{Kept, Retired},
    Limits, Row, farm_for, table,
};

/// Time is not what ends these.
const LIMITS: Limits = Limits { run_ms: 20_000, heap_mib: 32 };
/// What a worker may have resident beside its heap.
const BESIDE_THE_HEAP: u64 = 25 << 20;

const MEMORY: &[&str] = &["memory_limit"];

const ROWS: &[Row] = &[
    ("J-05 doubling", "let s = 'x'; for (;;) { s += s + 'y'; /z/.test(s) }", MEMORY, Retired),
    // Refused for its length, before any memory is asked for.
    ("J-05 doubling of what nobody reads", "let s = 'x'; for (;;) s += s + 'y'", &["script_error"], Kept),
    ("J-05 the longest repeat", "'x'.repeat(2 ** 30 - 1)", MEMORY, Retired),
    ("J-05 padEnd", "'x'.padEnd(2 ** 29)", MEMORY, Retired),
    (
        "J-05 a rope made flat",
        "let s = 'x'.repeat(1e6); for (let i = 0; i < 9; i++) s = s + s; /z/.test(s)",
        MEMORY,
        Retired,
    ),
    ("J-06 buffers", "const a = []; for (;;) a.push(new ArrayBuffer(65536))", MEMORY, Retired),
    ("J-06 a buffer of 2^40", "new ArrayBuffer(2 ** 40)", &["script_error"], Kept),
    ("J-06 a resizable one", "new ArrayBuffer(8, { maxByteLength: 2 ** 31 })", &["script_error"], Kept),
    (
        "J-06 a resizable one that fits",
        "const a = []; for (;;) a.push(new ArrayBuffer(8, { maxByteLength: 1e6 }))",
        MEMORY,
        Retired,
    ),
    ("J-06 shared ones", "for (;;) new SharedArrayBuffer(1e6)", &["script_error"], Kept),
    ("J06 arrays", "const a = []; for (;;) a.push([])", MEMORY, Retired),
    ("J06 closures", "const a = []; for (;;) a.push(() => a)", MEMORY, Retired),
    ("J06 a map", "const m = new Map(); for (let i = 0;; i++) m.set(i, {})", MEMORY, Retired),
    ("J06 symbols", "const a = []; for (let i = 0;; i++) a.push(Symbol(i))", MEMORY, Retired),
    ("J06 big integers", "const a = []; for (;;) a.push(1n << 500000n)", MEMORY, Retired),
    ("J06 expressions", "const a = []; for (let i = 0;; i++) a.push(new RegExp('a' + i))", MEMORY, Retired),
    ("J-07 swallowed once", "try { new Uint8Array(1e8) } catch {} 'fine'", &["ok"], Retired),
    (
        "J-07 swallowed fifty times",
        "for (let i = 0; i < 50; i++) { try { const a = []; for (;;) a.push(new Uint8Array(1e6)) } catch {} } 'fine'",
        &["ok"],
        Retired,
    ),
    (
        "J-07 swallowed by a promise",
        "(async () => { try { 'x'.repeat(1e9) } catch {} return respond(201, 'fine') })()",
        &["ok"],
        Retired,
    ),
    ("J-07 thrown as null", "try { const a = []; for (;;) a.push({}) } catch { throw null }", MEMORY, Retired),
    ("J-07 not reached", "new Uint8Array(1e7); 'fine'", &["ok"], Kept),
];

#[test]
fn a_heap_has_an_end_and_who_met_it_serves_no_more() {
    table(LIMITS, ROWS);
}

#[test]
fn a_process_stays_near_its_heaps_limit() {
    let farm = farm_for(LIMITS);
    let evil = Evil::new(&farm, LIMITS);
    let watch = Watch::over(&farm);
    let (over, most) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        let looks = scope.spawn(|| {
            let mut looks = 0_u64;
            while !over.load(SeqCst) {
                for worker in farm.children("fazt-worker") {
                    most.fetch_max(worker.resident_bytes(), SeqCst);
                }
                looks += 1;
            }
            looks
        });
        let ended = Over::when_left(&over);
        for (_, script, ..) in ROWS.iter().filter(|(what, ..)| what.starts_with("J-0")) {
            evil.run(script);
        }
        drop(ended);
        assert!(looks.join().unwrap() > 20);
    });
    let limit = (LIMITS.heap_mib << 20) + BESIDE_THE_HEAP;
    let most = most.load(SeqCst);
    assert!(most > 16 << 20, "the heap was used at all: {most} bytes");
    assert!(most <= limit, "a worker had {most} bytes resident, the limit is {limit}");
    eventually(PATIENCE, "the pool is whole", || farm.workers().len() == 3);
    watch.close();
}
