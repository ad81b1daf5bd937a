//! No request leaves anything behind: hostile scripts in turn with a fingerprint of everything that can be reached, and the
//! arena compared with its image, byte for byte, after each.

use super::*;

/// Walks everything reachable from the globals without running a getter: identities, attributes, prototypes, values.
const FINGERPRINT: &str = r"
    const ids = new Map(), queue = [], parts = [];
    const id = (value) => {
        if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return typeof value + String(value);
        let known = ids.get(value);
        if (known === undefined) { ids.set(value, known = ids.size); queue.push(value) }
        return known;
    };
    id(globalThis);
    for (const f of [async () => {}, function* () {}, async function* () {}, [][Symbol.iterator](), new Map().values(), /a/[Symbol.matchAll]('a')]) id(Object.getPrototypeOf(f));
    for (let at = 0; at < queue.length; at++) {
        const value = queue[at];
        parts.push(typeof value, Object.prototype.toString.call(value), Object.isExtensible(value), id(Object.getPrototypeOf(value)));
        for (const key of Reflect.ownKeys(value)) {
            const d = Object.getOwnPropertyDescriptor(value, key);
            if (value === globalThis && ['ids', 'queue', 'parts', 'id', 'request', 'out'].includes(key)) continue;
            parts.push(String(key), d.enumerable, d.configurable, d.writable, id(d.get), id(d.set), id(d.value));
        }
    }
    for (const s of ['leak', 'x']) parts.push(Symbol.keyFor(Symbol.for(s)) === s, globalThis[Symbol.for(s)] === undefined);
    parts.push(require('./lib').count, typeof leaked, module.exports.mine === undefined);
    parts.join('\n');
";

const HOSTILE: &[&str] = &[
    "Object.prototype.status = 500; Object.prototype.toJSON = () => 1; Array.prototype.map = null; 1",
    "for (const o of [Object, Array, Function, Promise, JSON, Math, Map, String, Error]) { for (const k of Reflect.ownKeys(o)) { try { o[k] = 666 } catch {} } } 1",
    "for (const k of Reflect.ownKeys(globalThis)) { try { delete globalThis[k] } catch {} } 1",
    "for (const k of Reflect.ownKeys(globalThis)) { try { globalThis[k] = null } catch {} } 1",
    "Object.freeze(globalThis); Object.freeze(Object.prototype); Object.freeze(Array.prototype); Object.freeze(fazt); 1",
    "Object.preventExtensions(globalThis); Object.setPrototypeOf(Array.prototype, null); 1",
    "globalThis.leaked = 1; var leaked2 = 2; globalThis[Symbol.for('leak')] = {}; Symbol.for('x').description; 1",
    "let lexical = 1; const another = 2; class Third {}; 1",
    "Object.defineProperty(globalThis, 'fazt', { get() { throw 1 }, set() { throw 2 } }); 1",
    "globalThis.respond = null; globalThis.console = null; globalThis.fazt = null; globalThis.setTimeout = null; globalThis.crypto = null; globalThis.performance = null; globalThis.require = null; globalThis.module = null; 1",
    "for (const o of [fazt, fazt.app, fazt.env, fazt.log, fazt.storage, fazt.storage.kv, fazt.storage.ds, fazt.storage.s3, console, crypto, performance, request]) for (const k of Reflect.ownKeys(o)) { delete o[k]; o[k] = 1 } let a = []; for (let i = 0; i < 2e4; i++) { const o = {}; o.o = o; a = [o] } 1",
    "new Promise(() => {}); 1",
    "for (let i = 0; i < 1000; i++) new Promise(() => {}).then(() => { globalThis.leaked = i }); 1",
    "const f = () => { globalThis.leaked = 1; setTimeout(f, 0) }; f(); setInterval(f, 1); 1",
    "(async () => { for (;;) { globalThis.leaked = 1; await 0 } })()",
    "for (;;) { try { for (;;) leaked = 1 } catch {} }",
    "throw Object.assign(new Error('x'), { toString() { throw 1 } })",
    "({ get body() { Object.prototype.leaked = 1; throw 1 } })",
    "({ get body() { for (;;); } })",
    "const f = () => f(); f()",
    "const f = () => { try { f() } catch { f() } }; try { f() } catch {} 1",
    "let a = []; for (;;) a.push(new ArrayBuffer(65536))",
    "let a = []; for (;;) a.push({ a })",
    "let s = 'x'; for (;;) s += s",
    "try { let a = []; for (;;) a.push([a]) } catch { } globalThis.leaked = 1; 'fine'",
    "const r = new FinalizationRegistry(() => { globalThis.leaked = 1 }); for (let i = 0; i < 1000; i++) r.register({}, i); let w = new WeakRef({}); let a = []; for (let i = 0; i < 1e4; i++) { const o = {}; o.o = o; a.push(o) } 1",
    "eval('var leaked = 1; function leaked2() {}'); new Function('leaked3 = 1')(); 1",
    "Error.prepareStackTrace = () => 'mine'; Error.stackTraceLimit = 0; null.x",
    "Error.stackTraceLimit = { valueOf() { throw 1 } }; null.x",
    "Promise.prototype.then = function () { throw 1 }; Promise.resolve(1)",
    "Promise = null; Object.prototype.then = function (f) { f(1) }; ({})",
    "require('./lib').count = 99; require('./lib').leaked = 1; module.exports.mine = 1; exports.other = 2; 1",
    "module.exports = function () { module.exports = null; throw new Error('x') }",
    "for (let i = 0; i < 500; i++) console.log({ i, deep: [[[[i]]]] }); 1",
    "Function.prototype.call = null; Function.prototype.apply = null; Reflect.apply = null; require('./lib'); console.log('x', {}); 1",
    "JSON.stringify = () => { throw 1 }; JSON.parse = null; ({ json: { a: 1 } })",
    "String.prototype.replace = () => { throw 1 }; RegExp.prototype.exec = null; console.log('%s', 1); 1",
    "Array.prototype[Symbol.iterator] = function* () { for (;;) yield 1 }; fazt.storage.kv.getMany(['a'])",
    "const big = []; for (let i = 0; i < 1e5; i++) big.push('s' + i); globalThis['k' + big.length] = big; 1",
    "for (let i = 0; i < 5000; i++) globalThis['g' + i] = i; 1",
    "for (let i = 0; i < 2000; i++) ({})['atom' + i + Math.random()] = 1; 1",
    "const b = new ArrayBuffer(1e6); new Uint8Array(b).fill(0xAB); b.transfer(); 1",
    "const t = {}; t.t = t; const m = new WeakMap([[t, t]]); const p = new Proxy(t, { get() { return p } }); p.x.y.z; 1",
    "for (const key of ['Date', 'Map', 'Set', 'Proxy', 'Reflect']) globalThis[key] = class {}; 1",
    "Object.defineProperty(Object.prototype, 'x', { set() { throw 1 }, get() { return 1 } }); Object.defineProperty(Array.prototype, '0', { set() { throw 1 } }); respond(200, { a: 1 }, { b: 'c' })",
    "Math.random = () => 4; Date.now = () => 0; performance.now = () => 0; crypto.randomUUID = () => 'x'; Math.random() + Date.now()",
    "'use strict'; const g = (function () { return this })(); const h = Function('return this')(); h.leaked = 1; console.log.constructor('leaked = 2')(); 1",
    "fazt.storage.kv.set('a', 1); fazt.storage.kv.get('a'); fazt.log.info('x'); fazt.storage.kv.get(5)",
    "request = null; delete globalThis.request; Object.prototype.query = 1; 1",
    "try { null.x } catch (e) { e.stack.length } class A { static #p = 1; static get() { return A.#p } } A.get()",
];

fn bench(fresh_state: FreshState) -> Bench {
    let limits = Limits { heap_bytes: 8 << 20, ..LIMITS };
    let files = [("api/main.js", "eval(request.query.code)"), ("api/lib.js", "exports.count = 1")];
    let mut bench = Bench::with(&files, fresh_state, limits);
    bench.run = Duration::from_millis(40);
    bench
}

fn run(bench: &mut Bench, code: &str) -> Finished {
    bench.request.query = url::form_urlencoded::Serializer::new(String::new()).append_pair("code", code).finish();
    bench.probe = Probe::default();
    bench.serve()
}

fn fingerprint(bench: &mut Bench) -> String {
    bench.run = Duration::from_secs(60);
    let finished = run(bench, FINGERPRINT);
    bench.run = Duration::from_millis(10);
    match finished.outcome {
        Outcome::Reply(answer) => String::from_utf8(answer.body).unwrap(),
        other => panic!("{other:?}"),
    }
}

/// Puts the heap back, and compares the arena with the image.
fn renew(bench: &mut Bench, high: &mut usize, after: &str) {
    let engine = &mut bench.engine;
    *high = engine.runtime.arena().high_bytes().max(*high);
    engine.renew();
    let difference = engine.image.as_ref().unwrap().difference(*high);
    assert_eq!(difference, None, "a page differs after {after}");
}

/// Serves so many hostile requests, the heap compared after each, and takes a fingerprint after every so many.
fn alternate(fresh_state: FreshState, requests: usize, between: usize) {
    let mut bench = bench(fresh_state);
    let mut high = 0;
    // What was first asked for joins the image, so that the two before are the last that may differ in identities.
    for script in [HOSTILE[31], FINGERPRINT] {
        run(&mut bench, script);
        bench.engine.renew();
    }
    let expected = fingerprint(&mut bench);
    assert!(expected.len() > 50_000, "{}", expected.len());
    renew(&mut bench, &mut high, "the first fingerprint");
    for (count, script) in (1..=requests).zip(HOSTILE.iter().cycle()) {
        run(&mut bench, script);
        renew(&mut bench, &mut high, script);
        if count % between == 0 {
            assert!(fingerprint(&mut bench) == expected, "the fingerprint differs after {script}");
            renew(&mut bench, &mut high, "a fingerprint");
        }
    }
}

#[test]
fn every_hostile_request_leaves_nothing_behind() {
    alternate(FreshState::Image, 2 * HOSTILE.len(), 1);
}

#[test]
fn a_long_stream_of_them_leaves_nothing_behind() {
    // Apart from the first test, so that the tracker's probation and cooling come round several times; 37 and the number
    // of scripts have no common divisor, so each of them comes before a fingerprint.
    alternate(FreshState::Image, 1_000, 37);
}

#[test]
#[ignore = "minutes: ten thousand requests in strict alternation"]
fn ten_thousand_requests_leave_nothing_behind() {
    alternate(FreshState::Image, 5_000, 1);
}

#[test]
fn the_reference_leaves_nothing_behind() {
    alternate(FreshState::WholeImage, HOSTILE.len(), 5);
}

#[test]
fn a_new_context_has_nothing_of_the_last_one() {
    let mut bench = bench(FreshState::Context);
    let expected = fingerprint(&mut bench);
    for script in HOSTILE {
        run(&mut bench, script);
        assert!(fingerprint(&mut bench) == expected, "the fingerprint differs after {script}");
    }
}

#[test]
fn both_kinds_of_fresh_state_look_the_same() {
    assert!(fingerprint(&mut bench(FreshState::Image)) == fingerprint(&mut bench(FreshState::Context)));
}

#[test]
fn what_one_request_wrote_no_later_one_reads() {
    let mut bench = bench(FreshState::Image);
    bench.run = Duration::from_secs(20);
    let plant = "const marker = 'MARK' + 'ER-7f3a'; const all = []; for (let i = 0; i < 2000; i++) all.push(marker + i, new TextMarker(marker));
        function TextMarker(m) { this.bytes = new Uint8Array(300); for (let i = 0; i < 300; i++) this.bytes[i] = m.charCodeAt(i % m.length) } 1";
    let search = "let found = 0; const wanted = [77, 65, 82, 75]; for (let n = 0; n < 300; n++) { const b = new Uint8Array(16 + n * 40);
        for (let i = 0; i < b.length; i++) if (b[i] !== 0) found += 1 } found";
    for _ in 0..30 {
        run(&mut bench, plant);
        let Outcome::Reply(answer) = run(&mut bench, search).outcome else { panic!("no answer") };
        assert_eq!(answer.body, b"0");
    }
}

#[test]
fn engines_of_one_process_do_not_meet() {
    let threads = (0..4).map(|n| {
        std::thread::spawn(move || {
            let mut bench = bench(FreshState::Image);
            let mut high = 0;
            for round in 0..60 {
                let script = HOSTILE[(round * 7 + n) % HOSTILE.len()];
                run(&mut bench, script);
                renew(&mut bench, &mut high, script);
            }
            let one = "globalThis.n = (globalThis.n || 0) + 1";
            bench.run = Duration::from_secs(20);
            let Outcome::Reply(answer) = run(&mut bench, one).outcome else { panic!("no answer") };
            assert_eq!(answer.body, b"1");
        })
    });
    threads.collect::<Vec<_>>().into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn hot_pages_settle_and_a_restore_needs_no_fault() {
    let mut bench = bench(FreshState::Image);
    for _ in 0..2_000 {
        run(&mut bench, "respond({ hello: 'world' })");
    }
    let image = bench.engine.image.as_ref().unwrap();
    let faults = image.faults();
    for _ in 0..200 {
        run(&mut bench, "respond({ hello: 'world' })");
    }
    let more = bench.engine.image.as_ref().unwrap().faults() - faults;
    assert!(more < 200, "{more} faults in 200 requests");
}
