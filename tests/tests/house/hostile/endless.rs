//! What never ends by itself: loops and promises end by the engine's clock, single native calls by the keeper's. None of
//! them answers after its time.

use super::{
    Fate::{Gone, Kept, Killed, Retired},
    Limits, Row, table,
};

const LIMITS: Limits = Limits { run_ms: 200, heap_mib: 32 };

const LOOPS: &[Row] = &[
    ("J-01 while", "while (true) {}", &["timeout"], Retired),
    ("J-01 for", "for (;;);", &["timeout"], Retired),
    (
        "J02 in try, catch and finally",
        "while (true) { try { for (;;) {} } catch { for (;;) {} } finally { for (;;) {} } }",
        &["timeout"],
        Retired,
    ),
    ("J02 in a generator", "function* g() { for (;;) yield 1 } for (const one of g()) {}", &["timeout"], Retired),
    ("J02 in a Proxy's trap", "new Proxy({}, { get() { for (;;) {} } }).x", &["timeout"], Retired),
    ("J02 in toString", "`${{ toString() { for (;;) {} } }}`", &["timeout"], Retired),
    ("J02 in a getter of the answer", "({ get body() { for (;;) {} } })", &["timeout"], Retired),
    ("J02 in a comparator", "[3, 2, 1].sort(() => { for (;;) {} })", &["timeout"], Retired),
    ("J02 in a replacer", "JSON.stringify({ a: 1 }, () => { for (;;) {} })", &["timeout"], Retired),
    ("J02 in the answer's toJSON", "({ toJSON() { for (;;) {} } })", &["timeout"], Retired),
    ("J08 a catastrophic expression", "/(a+)+b/.test('a'.repeat(40))", &["timeout"], Retired),
    // Each promise of it keeps the next one: where memory runs out before the time, that is its end.
    (
        "J-14 an endless chain",
        "const again = () => Promise.resolve().then(again); again()",
        &["timeout", "memory_limit"],
        Retired,
    ),
    (
        "J-14 forked promises",
        "const fork = () => { Promise.resolve().then(fork); Promise.resolve().then(fork) }; fork()",
        &["timeout", "memory_limit"],
        Retired,
    ),
    ("J-14 endless awaiting", "(async () => { for (;;) await 0 })()", &["timeout"], Retired),
    ("J-14 endless microtasks", "const again = () => { queueMicrotask(again) }; again(); 1", &["timeout"], Retired),
    (
        "J05 a rejection made of the interrupt",
        "const again = () => new Promise(() => { for (;;) {} }).catch(again); again()",
        &["timeout"],
        Retired,
    ),
    (
        "J05 an answer made of the interrupt",
        "new Promise(() => { for (;;) {} }).catch(() => respond('caught'))",
        &["timeout"],
        Retired,
    ),
    ("J13 timers without end", "const t = () => setTimeout(t, 0); t(); new Promise(() => {})", &["timeout"], Retired),
    (
        "J20 in a finaliser",
        "const r = new FinalizationRegistry(() => { for (;;) {} }); for (let i = 0;; i++) r.register({}, i)",
        &["timeout"],
        Retired,
    ),
    ("J-15 a promise that never settles", "new Promise(() => {})", &["never_settled"], Kept),
    (
        "J-15 the same by await",
        "(async () => { await new Promise(() => {}); respond('never') })()",
        &["never_settled"],
        Kept,
    ),
    ("J-15 a thenable that does nothing", "({ then() {} })", &["never_settled"], Kept),
    (
        "J-15 after its last timer",
        "const t = setTimeout(() => {}, 1e6); clearTimeout(t); new Promise(() => {})",
        &["never_settled"],
        Kept,
    ),
];

#[test]
fn a_loop_is_interrupted_wherever_it_hides() {
    table(LIMITS, LOOPS);
}

const NATIVE: &[Row] = &[
    ("J-02 join", "Array.prototype.join.call({ length: 2 ** 53 - 1 })", &["timeout"], Killed),
    ("J-02 reverse", "Array.prototype.reverse.call({ length: 2 ** 53 - 1 })", &["timeout"], Killed),
    ("J-02 reverse of a sparse array", "const a = []; a.length = 2 ** 32 - 1; a.reverse()", &["timeout"], Killed),
    ("J-02 set", "new Uint8Array(2.4e7).set({ length: 2.4e7 })", &["timeout"], Killed),
    ("J-02 includes", "const a = 'a'.repeat(1e6); a.includes(a.slice(0, 5e5) + 'b')", &["timeout"], Killed),
    ("J-02 indexOf", "const a = 'a'.repeat(1e6); a.indexOf(a.slice(0, 5e5) + 'b')", &["timeout"], Killed),
    ("J-02 split", "const a = 'a'.repeat(1e6); a.split(a.slice(0, 5e5) + 'b')", &["timeout"], Killed),
    ("J-02 replaceAll", "const a = 'a'.repeat(1e6); a.replaceAll(a.slice(0, 5e5) + 'b', '')", &["timeout"], Killed),
    ("J-02 splice", "Array.prototype.splice.call({ length: 2 ** 53 - 1 }, 0, 1)", &["timeout"], Killed),
    ("J-02 copyWithin", "Array.prototype.copyWithin.call({ length: 2 ** 53 - 1 }, 1, 0)", &["timeout"], Killed),
    ("J-02 flat", "Array.prototype.flat.call({ length: 2 ** 53 - 1 })", &["timeout"], Killed),
    ("J-02 stringify", "const a = []; a.length = 2 ** 32 - 1; JSON.stringify(a)", &["timeout"], Killed),
    ("J-02 normalize", "'\\u0301\\u0316'.repeat(2e5).normalize('NFC')", &["timeout"], Killed),
];

#[test]
fn a_native_call_that_no_clock_of_the_engine_ends_is_killed() {
    table(LIMITS, NATIVE);
}

const LATE: &[Row] = &[
    ("J-03 join of 1e8", "new Array(1e8).join(''); 'late'", &["timeout", "memory_limit"], Gone),
    (
        "J-03 classes of letters",
        "new RegExp('\\\\p{L}'.repeat(2000), 'ui').test('a'); 'late'",
        &["timeout", "memory_limit"],
        Gone,
    ),
    (
        "J-03 a remainder",
        "const n = 3n ** 500000n, m = 7n ** 100000n; for (let i = 0; i < 50; i++) n % m; 'late'",
        &["timeout"],
        Gone,
    ),
    ("J-03 a bigint as text", "(3n ** 400000n).toString(); 'late'", &["timeout"], Gone),
    (
        "J-03 a large sort",
        "const a = new Array(1e5).fill(0).map((_, i) => 'k' + i * 7919 % 1e5); for (;;) a.sort()",
        &["timeout"],
        Gone,
    ),
    (
        "J-03 out of memory in a loop",
        "for (;;) { try { const a = []; for (;;) a.push(new Uint8Array(1e6)) } catch {} }",
        &["timeout"],
        Gone,
    ),
    (
        "J-03 done just after its time",
        "const until = Date.now() + 225; while (Date.now() < until) 'x'.repeat(5e6); 'late'",
        &["timeout"],
        Gone,
    ),
];

#[test]
fn what_is_late_is_no_answer() {
    table(LIMITS, LATE);
}
