//! Fail at the n-th: every allocation of a run refused in turn, from the n-th on. No signal, no hang, and a run that says
//! memory or goes on.

use super::*;

pub(super) const SCRIPTS: &[&str] = &[
    "respond({ hello: request.query.b || 'world' })",
    "module.exports = async (r) => { await null; return respond(201, [r.path], { a: ['b', 'c'] }) }",
    "const m = new Map(); for (let i = 0; i < 40; i++) m.set('k' + i, { i }); console.log(m, 'x'.repeat(600)); [...m.values()].map(v => v.i)",
    "const { kv, ds } = fazt.storage; kv.set('a', { b: 1 }); try { kv.get(5) } catch (e) { e.message } ds.find('c', { a: 1 }); kv.get('a')",
    "function f(n) { return n === 0 ? null.x : f(n - 1) } try { f(20) } catch (e) { e.stack }",
    "new Promise(done => setTimeout(done, 1, require('./lib').name))",
    "`${'a'.repeat(700)}`.replace(/a(?=a)/g, 'bb').split('b').length; new Uint8Array(5000).fill(1); JSON.parse('[' + '1,'.repeat(500) + '1]')",
    "class A { #p = 1; get p() { return this.#p } } eval('new A().p + ' + 'new A().p'); new Function('a', 'return a')(BigInt(2) ** 200n).toString()",
    "function* g() { yield* [1, 2, 3] } [...g()]; const [a, ...b] = new Set([1, 2, 3]); for (const x of new Proxy([1], {})) { throw new TypeError('x' + x) }",
];

#[test]
fn every_allocation_may_be_refused() {
    let mut all_ends = 0;
    for script in SCRIPTS {
        let files = [("api/main.js", *script), ("api/lib.js", "exports.name = 'lib'")];
        let mut bench = Bench::with(&files, FreshState::Image, LIMITS);
        let mut high = 0;
        let (mut ends, mut unharmed) = (0, 0);
        for allowed in 0..400 {
            bench.engine.renew();
            bench.engine.runtime.arena_mut().refuse_after(allowed);
            let finished = bench.serve();
            let refused = bench.engine.runtime.arena().refused();
            match &finished.outcome {
                Outcome::Reply(_) | Outcome::Memory(_) => {}
                other => assert!(!refused, "{script} after {allowed} allocations: {other:?}"),
            }
            assert_eq!(finished.retire, refused, "{script}: a poisoned run retires its worker");
            ends += usize::from(matches!(finished.outcome, Outcome::Memory(_)));
            high = bench.engine.runtime.arena().high_bytes().max(high);
            bench.engine.renew();
            assert_eq!(
                bench.engine.image.as_ref().unwrap().difference(high),
                None,
                "{script} after {allowed} allocations"
            );
            unharmed = if refused { 0 } else { unharmed + 1 };
            if unharmed > 3 {
                break;
            }
        }
        assert!(unharmed > 3, "{script}: {ends} ended for want of memory, and still not enough");
        all_ends += ends;
    }
    assert!(all_ends > 50, "{all_ends} runs ended for want of memory");
}
