//! What an app's code can get hold of: other files, other apps' modules, the farm's own functions, fine clocks. Nothing.

use fazt_tests::oracle::Watch;
use serde_json::{Value, json};

use super::{Evil, Fate::Kept, Limits, MAIN, Row, farm_for, table};

const LIMITS: Limits = Limits { run_ms: 20_000, heap_mib: 64 };
const THROWN: &[&str] = &["script_error"];
const OK: &[&str] = &["ok"];

const REQUIRES: &[Row] = &[
    ("J-31 another app", "require('../../victim/main')", THROWN, Kept),
    ("J-31 another app's folder", "require('../../victim/api/main.js')", THROWN, Kept),
    ("J-31 up and down", "require('./../api/../../x')", THROWN, Kept),
    ("J-31 absolute", "require('/etc/passwd')", THROWN, Kept),
    ("J-31 of the kernel", "require('/proc/self/environ')", THROWN, Kept),
    ("J-31 encoded", "require('./%2e%2e/%2e%2e/etc/passwd')", THROWN, Kept),
    ("J-31 backslashes", "require('.\\\\..\\\\..\\\\etc\\\\passwd')", THROWN, Kept),
    ("J-31 NUL", "require('./lib\\0.js')", THROWN, Kept),
    ("J-31 a URL", "require('file:///etc/passwd')", THROWN, Kept),
    ("J-31 a name of 1 MB", "require('./' + 'x'.repeat(1e6))", THROWN, Kept),
    ("J-31 a million dots", "require('./' + '../'.repeat(3e5) + 'x')", THROWN, Kept),
    ("J-31 an empty name", "require('')", THROWN, Kept),
    ("J-31 no text", "require({ toString() { return './lib.js' } })", THROWN, Kept),
    ("J-31 a surrogate", "require('./\\ud800')", THROWN, Kept),
    ("J-31 the prelude", "require('fazt:define.js')", THROWN, Kept),
    ("J-31 private files", "require('../private/seed.json')", THROWN, Kept),
    ("J-31 a name of everybody", "require('./__proto__')", THROWN, Kept),
    ("J-31 a cycle, 100,000 times", "for (let i = 0; i < 1e5; i++) require('./a.js'); 'done'", OK, Kept),
    ("J14 a chain of 1,000", "require('./deep/0.js')", THROWN, Kept),
    ("J14 a file that does not parse", "require('./broken.json')", THROWN, Kept),
    (
        "J14 one that throws",
        "for (let i = 0; i < 100; i++) { try { require('./throws.js') } catch {} } 'done'",
        OK,
        Kept,
    ),
    ("J-31 import of a file", "import('/etc/passwd')", THROWN, Kept),
    ("J-31 import of a module", "import('./lib.js')", THROWN, Kept),
    (
        "J19 import of the engine's",
        "Promise.all(['os', 'std', 'qjs:os', 'bjson', 'fazt:kv.js'].map((m) => import(m)))",
        THROWN,
        Kept,
    ),
    ("J19 import.meta", "import.meta.url", THROWN, Kept),
    ("J19 await at top level", "await 1", THROWN, Kept),
    ("J19 an import declaration", "import x from './lib.js'", THROWN, Kept),
];

const HARMLESS: &[Row] = &[
    ("J-33 eval", "eval('1 + 1')", OK, Kept),
    ("J-33 Function", "new Function('a', 'return a * 2')(21)", OK, Kept),
    ("J-33 Function's end", "new Function('/*', '*/){ throw 1 }')", THROWN, Kept),
    ("J-33 an async one", "(async () => 0).constructor('return await 7')()", OK, Kept),
    ("J-33 a generator", "[...(function* () {}).constructor('yield 1; yield 2')()]", OK, Kept),
    (
        "J20 finalisers",
        "const r = new FinalizationRegistry(() => { globalThis.n = 1 }); for (let i = 0; i < 1e5; i++) r.register({}, i); 'fine'",
        OK,
        Kept,
    ),
    (
        "J20 weak references",
        "const all = []; for (let i = 0; i < 1e4; i++) all.push(new WeakRef({})); all.filter((r) => r.deref()).length",
        OK,
        Kept,
    ),
    ("J20 Atomics.wait", "Atomics.wait(new Int32Array(new SharedArrayBuffer(8)), 0, 0)", THROWN, Kept),
    (
        "J20 shared memory by another name",
        "new (new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true }).buffer.constructor)(8)",
        THROWN,
        Kept,
    ),
    ("J13 100,000 timers", "for (let i = 0; i < 1e5; i++) setTimeout(() => {}, i % 50); 'fine'", OK, Kept),
    (
        "J13 timers after the answer",
        "setTimeout(() => fazt.storage.kv.incr('fired'), 1); setInterval(() => fazt.storage.kv.incr('fired'), 1); 'fine'",
        OK,
        Kept,
    ),
    ("J13 none of them fired", "if (fazt.storage.kv.get('fired') !== undefined) throw 1; 'fine'", OK, Kept),
];

#[test]
fn a_module_is_the_apps_own_or_none() {
    let farm = farm_for(LIMITS);
    let deep = |n: usize| {
        (
            format!("api/deep/{n}.js"),
            if n == 999 { "exports.n = 1".to_owned() } else { format!("exports.n = require('./{}.js').n", n + 1) },
        )
    };
    let deep: Vec<_> = (0..1000).map(deep).collect();
    let mut files = vec![
        ("api/main.js", MAIN),
        ("api/lib.js", "exports.lib = true"),
        ("api/a.js", "exports.b = require('./b.js')"),
        ("api/b.js", "exports.a = require('./a.js')"),
        ("api/broken.json", "{"),
        ("api/throws.js", "throw new Error('mine')"),
        ("private/seed.json", "{}"),
    ];
    files.extend(deep.iter().map(|(path, text)| (path.as_str(), text.as_str())));
    let evil = Evil::with(&farm, LIMITS, &files);
    let watch = Watch::over(&farm);
    let wrong: Vec<String> = REQUIRES.iter().filter_map(|row| evil.judge(row)).collect();
    watch.conclude(&wrong);
}

#[test]
fn what_builds_code_or_waits_for_memory_is_harmless() {
    table(LIMITS, HARMLESS);
}

/// Each expression would hand an app a function that is not its own and not the language's, or the globals of another.
const GRIPS: [(&str, &str); 10] = [
    ("J17 the globals by Function", "Function('return this')() === globalThis"),
    ("J17 by the constructor of one of the farm's", "fazt.storage.kv.get.constructor('return this')() === globalThis"),
    ("J17 by respond's", "respond.constructor.constructor('return this')() === globalThis"),
    ("J17 who calls", "(() => { try { return !fazt.storage.kv.get.caller } catch { return true } })()"),
    ("J17 whose arguments", "(() => { try { return !respond.arguments } catch { return true } })()"),
    (
        "J17 globals that are no language's",
        "['process', 'os', 'std', 'bjson', 'scriptArgs', 'print', 'gc', 'host', 'internal', 'navigator', 'Worker', 'WebAssembly', 'SharedArrayBuffer', 'Atomics', 'InternalError', 'load'].filter((name) => name in globalThis && name !== 'InternalError').length === 0",
    ),
    (
        "J17 the engine's hooks",
        "Reflect.ownKeys(globalThis).filter((name) => /^(js_|__(?!proto__|define|lookup))/i.test(String(name))).length === 0",
    ),
    ("J17 the prelude's functions by a stack", STACK),
    (
        "J17 the prelude's functions by an argument",
        "let got; const args = { get ttlMs() { got = (() => { try { return args.caller } catch {} })(); return 1 } }; fazt.storage.kv.set('a', 1, args); got === undefined",
    ),
    (
        "J17 the prelude's functions by Array.prototype",
        "const got = []; Object.defineProperty(Array.prototype, 0, { set(v) { got.push(v) }, configurable: true }); try { fazt.storage.kv.getMany(['a']); fazt.storage.kv.list(); console.log('a', [1]); require('./none') } catch {} finally { delete Array.prototype[0] } got.every((v) => typeof v !== 'function')",
    ),
];

/// Every function of every frame that the engine shows to `prepareStackTrace`, asked for in each of the farm's functions.
const STACK: &str = "const got = []
    Error.prepareStackTrace = (error, sites) => { for (const site of sites) for (const key of Reflect.ownKeys(Object.getPrototypeOf(site))) {
      let value; try { value = site[key]?.() } catch {}
      if (typeof value === 'function' || (typeof value === 'object' && value !== null)) got.push(String(key) + ' ' + (value.name || typeof value)) }
      return '' }
    const own = function mine() { return new Error('x').stack }
    const calls = [() => fazt.storage.kv.set('k', { toJSON() { own(); return 1 } }), () => fazt.storage.kv.get(1), () => require('./none'), () => require(1),
      () => setTimeout(1), () => console.log(new Proxy({}, {}), { get a() { own() } }), () => crypto.getRandomValues(1), () => [1].map(own), () => JSON.parse('{')]
    for (const call of calls) { try { call() } catch (error) { error.stack } }
    got.filter((name) => !/ (mine|call|calls|map|)$/.test(name)).length === 0 || got.join()";

#[test]
fn nothing_of_the_farm_can_be_got_hold_of() {
    let farm = farm_for(LIMITS);
    let evil = Evil::new(&farm, LIMITS);
    let watch = Watch::over(&farm);
    let mut wrong = Vec::new();
    for (what, script) in GRIPS {
        let answer = evil.run(script);
        if (answer.status, answer.text().as_str()) != (200, "true") {
            wrong.push(format!("- {what}: {} {:.600}", answer.status, answer.text()));
        }
    }
    watch.conclude(&wrong);
}

/// Every clock that a script can read, over a while: whole milliseconds, and never finer.
#[test]
fn clocks_step_by_a_millisecond() {
    let farm = farm_for(LIMITS);
    let evil = Evil::new(&farm, LIMITS);
    let watch = Watch::over(&farm);
    let script = "const clocks = { date: () => Date.now(), made: () => +new Date(), now: () => performance.now(), left: () => fazt.deadline(),
        origin: () => performance.timeOrigin, text: () => new Date().getMilliseconds() }
        const out = {}
        for (const [name, clock] of Object.entries(clocks)) {
          const seen = new Set(), until = Date.now() + 30
          let whole = true
          while (Date.now() < until) { const now = clock(); seen.add(now); whole &&= Number.isInteger(now) }
          out[name] = [whole, seen.size <= 40]
        }
        respond(out)";
    let answer = evil.run(script);
    let each: Value = answer.json();
    for (clock, told) in each.as_object().unwrap() {
        assert_eq!(*told, json!([true, true]), "J16 {clock} of {each}");
    }
    assert_eq!(evil.fate_of(&answer, evil.killed()), Kept);
    watch.close();
}

/// Odd arguments to every function of `fazt`: each throws an error of its own kind or answers, and nobody is the worse for it.
#[test]
fn odd_arguments_are_refused_by_name() {
    let farm = farm_for(LIMITS);
    let evil = Evil::new(&farm, LIMITS);
    let watch = Watch::over(&farm);
    let script = "const { storage } = fazt, odd = []
        const detached = () => { const v = new Uint8Array(8); v.buffer.transfer(); return v }
        const values = () => [undefined, null, NaN, -0, 1e400, 2 ** 53, 10n, '', 'x'.repeat(600), '\\ud800', 'a\\0b', Symbol('s'), () => 1, [], [[]], {}, detached(),
          new Proxy({}, { get() { throw new TypeError('trap') }, ownKeys() { throw new TypeError('trap') } }), { valueOf() { throw new TypeError('value') }, toString() { throw new TypeError('text') } },
          { get a() { throw new TypeError('getter') } }, { toJSON() { return fazt.storage.kv.get('again') } }, new Date(NaN), /x/, new Map([[1, 2]]), new Array(300).fill('k')]
        let calls = 0
        for (const [part, functions] of Object.entries({ kv: storage.kv, ds: storage.ds, s3: storage.s3, env: fazt.env, log: fazt.log, console, crypto })) {
          for (const name of Reflect.ownKeys(functions).concat(part === 'crypto' ? ['getRandomValues', 'randomUUID'] : [])) {
            const f = functions[name]
            if (typeof f !== 'function') continue
            for (const value of values()) for (const args of [[], [value], ['k', value], [value, value, value], ['k', {}, value], ['k', 'k', {}, value]]) {
              calls += 1
              try { Reflect.apply(f, undefined, args) } catch (error) {
                const known = error instanceof storage.StorageError ? ['INVALID_ARGUMENT', 'TOO_LARGE', 'CONFLICT', 'UNAVAILABLE', 'RATE_LIMITED'].includes(error.code) : error instanceof Error
                if (!known) odd.push(`${part}.${String(name)}: ${String(error)}`)
              }
            }
          }
        }
        respond({ odd: [...new Set(odd)].slice(0, 20), calls })";
    let killed = evil.killed();
    let answer = evil.run(script);
    let told = answer.json();
    assert_eq!(told["odd"], json!([]), "J15");
    assert!(told["calls"].as_u64() > Some(3_000), "J15 {told}");
    assert_eq!(evil.fate_of(&answer, killed), Kept, "J15");
    watch.close();
}
