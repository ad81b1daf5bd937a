//! What has crashed engines like ours: buffers that shrink under an algorithm, iterators that change what they walk over,
//! objects that die within a call. An error, an answer or a timeout is right; a crash is not, and the neighbour never knows.

use fazt_tests::oracle::Watch;

use super::{Evil, Limits, farm_for};

const LIMITS: Limits = Limits { run_ms: 2_000, heap_mib: 32 };
/// The ends that an app may bring about; `worker_crashed` is none of them.
const ENDS: [&str; 4] = ["", "script_error", "memory_limit", "timeout"];

const SCRIPTS: [&str; 34] = [
    "const b = new ArrayBuffer(64, { maxByteLength: 640 }), v = new Uint8Array(b).fill(7); v[63] = 0; v.sort((x, y) => { b.resize(8); return x - y })",
    "const b = new ArrayBuffer(64, { maxByteLength: 64 }), v = new Uint8Array(b); v.fill({ valueOf() { b.resize(0); return 1 } })",
    "const b = new ArrayBuffer(64, { maxByteLength: 64 }), v = new Uint8Array(b); v.set({ length: 64, get 5() { b.resize(1); return 1 } })",
    "const b = new ArrayBuffer(64, { maxByteLength: 64 }), v = new Uint8Array(b); v.subarray({ valueOf() { b.resize(0); return 2 } }, 60)",
    "const b = new ArrayBuffer(64, { maxByteLength: 64 }), v = new Uint8Array(b); v.copyWithin({ valueOf() { b.resize(4); return 0 } }, 2, 60)",
    "const b = new ArrayBuffer(64, { maxByteLength: 64 }), v = new Uint8Array(b); v.slice({ valueOf() { b.resize(4); return 0 } })",
    "const b = new ArrayBuffer(64, { maxByteLength: 64 }), v = new Uint8Array(b); v.indexOf(1, { valueOf() { b.resize(0); return 0 } }) + v.lastIndexOf(1, { valueOf() { b.resize(0); return 63 } })",
    "const b = new ArrayBuffer(64, { maxByteLength: 64 }), v = new Uint8Array(b); v.with(5, { valueOf() { b.resize(0); return 1 } })",
    "const b = new ArrayBuffer(64, { maxByteLength: 64 }), v = new Uint8Array(b); v.join({ toString() { b.resize(0); return ',' } })",
    "const b = new ArrayBuffer(64, { maxByteLength: 64 }), d = new DataView(b); d.setFloat64({ valueOf() { b.resize(0); return 8 } }, { valueOf() { b.resize(0); return 1 } })",
    "const b = new ArrayBuffer(16, { maxByteLength: 16 }); const c = new Proxy(function () {}, { get(t, k, r) { if (k === 'prototype') b.resize(0); return Reflect.get(t, k, r) } }); Reflect.construct(Uint8Array, [b], c)",
    "const b = new ArrayBuffer(16, { maxByteLength: 16 }); const c = new Proxy(function () {}, { get(t, k, r) { if (k === 'prototype') b.transfer(); return Reflect.get(t, k, r) } }); Reflect.construct(Uint8Array, [new Uint8Array(b)], c)",
    "const b = new ArrayBuffer(64); new Uint8Array(b).map(() => { b.transfer(); return 1 })",
    "const b = new ArrayBuffer(64); class A extends Uint8Array { static get [Symbol.species]() { return function () { return new Uint8Array(1) } } } new A(b).map((x) => x + 1)",
    "const b = new ArrayBuffer(64); b.constructor = { [Symbol.species]: function () { return b } }; b.slice(0, 32)",
    "const b = new ArrayBuffer(64); b.constructor = { [Symbol.species]: function (n) { b.transfer(); return new ArrayBuffer(n) } }; b.slice(0, 32)",
    "const a = [1, 2, 3, 4]; a.sort(() => { a.length = 0; a.push(...new Array(1000).fill(9)); return 1 })",
    "const a = new Array(1000).fill(1); a.concat({ length: 5, [Symbol.isConcatSpreadable]: true, get 0() { a.length = 0; return 1 } })",
    "const a = [1, 2, 3]; a.splice(0, { valueOf() { a.length = 0; return 3 } }, 4, 5, 6, 7)",
    "const a = [1, 2, 3]; a.fill(1, { valueOf() { a.length = 0; return 0 } }); a.lastIndexOf(1, { valueOf() { a.length = 0; return 2 } })",
    "const a = []; a[0] = a; a.flat(Infinity)",
    "const m = new Map([[1, 1], [2, 2]]); m.forEach((v, k) => { m.clear(); for (let i = 0; i < 1e3; i++) m.set(i, i); if (m.size > 9) m.clear() })",
    "const s = new Set([1, 2, 3]); for (const x of s) { s.delete(x); if (s.size < 3) s.add({}) ; if (x > 1e3) break }",
    "new Set([1, 2]).union({ size: 1, has() { return true }, keys() { return { next() { return { get done() { return false }, value: {} } } } } })",
    "const w = new WeakMap(), k = Symbol('k'), r = new FinalizationRegistry(() => {}); r.register(k, 1); w.set(k, r)",
    "const it = [1, 2, 3].values(); it.next = function () { return it.map((x) => x).next() }; it.map((x) => x).toArray()",
    "function* g() { try { yield 1 } finally { g2.return() } } const g2 = g(); g2.next(); g2.return()",
    "function* g() { for (const x of yield []); } const h = g(); h.next(); h.return('x')",
    "async function* g() { yield* { [Symbol.asyncIterator]() { return { next: () => ({ then(f) { f({ done: false, value: h }) } }) } } } } const h = g(); (async () => { let n = 0; for await (const x of h) if (++n > 99) return 'done' })()",
    "const p = new Proxy([], { get(t, k) { return k === 'length' ? 2 ** 53 - 1 : t[k] }, has: () => false }); Array.prototype.indexOf.call(p, 1)",
    "const r = /(?:a|b)*/y; r.lastIndex = { valueOf() { r.compile('(((c)))', 'g'); return 0 } }; r.exec('aab')",
    "'abc'.replace(/b/g, function () { RegExp.prototype.exec = null; return arguments[2].repeat(1e5) }).length",
    "class A { static { delete A.prototype } constructor() { return Object.create(A) } } class B extends A { #x = 1; static t(o) { return o.#x } } B.t(new B()) + B.t({})",
    "const e = new Error('x'); e.cause = e; Error.prepareStackTrace = (error, sites) => { error.stack = sites; throw sites }; try { null.x } catch (t) { String(t.stack); throw e }",
];

#[test]
fn what_crashed_other_engines_is_an_error_here() {
    let farm = farm_for(LIMITS);
    let evil = Evil::new(&farm, LIMITS);
    let watch = Watch::over(&farm);
    let mut wrong = Vec::new();
    for script in SCRIPTS {
        // Twice, with garbage of the first time about, and collected by what is made between.
        let twice = format!(
            "const run = () => (0, eval)({0}); let end; for (let i = 0; i < 2; i++) {{ try {{ end = run() }} catch (error) {{ end = String(error) }} for (let j = 0; j < 3e4; j++) ({{ j }}) }} end",
            serde_json::Value::from(format!("{{ {script} }}"))
        );
        for script in [script, &twice] {
            let answer = evil.run(script);
            if !ENDS.contains(&answer.code().as_str()) && answer.code() != "invalid_response" {
                wrong.push(format!("- J-37 {script}\n    {} {}", answer.status, answer.code()));
            }
        }
    }
    evil.is_calm();
    watch.conclude(&wrong);
}
