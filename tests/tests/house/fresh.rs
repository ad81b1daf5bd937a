//! Nothing survives a request: whatever a script does to its world, the next one finds it as it was made.

use fazt_tests::{http::Request, oracle::Watch, setup::Setup};

/// Each changes what a careless farm would keep.
const POLLUTION: &[&str] = &[
    "globalThis.leak = 'leaked'",
    "Object.prototype.status = 500; Object.prototype.toJSON = () => 'leaked'",
    "Array.prototype.push = () => 'leaked'; Array.prototype.map = null",
    "JSON.stringify = () => 'leaked'; JSON.parse = null; delete globalThis.JSON",
    "Object.freeze(globalThis); Object.freeze(Object.prototype); Object.freeze(Array.prototype)",
    "globalThis.respond = null; globalThis.fazt = null; globalThis.console = null; globalThis.require = null",
    "delete globalThis.Promise; delete globalThis.Object; delete globalThis.respond",
    "fazt.storage.kv.get = () => 'leaked'; fazt.app.name = 'leaked'; fazt.leak = 1",
    "Promise.prototype.then = () => { throw 1 }",
    "Object.defineProperty(globalThis, 'leak', { get() { return 'leaked' } })",
    "Symbol.for('leak').description; Symbol.leak = 1; Function.prototype.leak = 1",
    "Math.random = () => 0.5; Date.now = () => 0; Date.prototype.getTime = () => 0",
    "setTimeout(() => { globalThis.leak = 1 }, 1); Promise.resolve().then(() => { globalThis.leak = 2 })",
    "const f = () => f() + 1; try { f() } catch {}",
    "try { const all = []; for (let i = 0; i < 1e5; i++) all.push({ i }); globalThis.leak = all } catch {}",
    "Error.prepareStackTrace = () => 'leaked'; Error.stackTraceLimit = 0",
    "console.log = () => { throw new Error('leaked') }; console.log.leak = 1",
    "globalThis.__defineGetter__('JSON', () => { throw 1 })",
    "RegExp.prototype.exec = () => null; String.prototype.split = () => ['leaked']",
    "module.exports.leak = 1; exports.leak = 1; require.cache = { leak: 1 }",
    "new WeakRef({}); new FinalizationRegistry(() => { globalThis.leak = 1 }).register({}, 1)",
    "Reflect.ownKeys(globalThis).forEach((key) => { try { globalThis[key] = null } catch {} })",
];

/// Everything that can be reached from the globals, as one text.
const FINGERPRINT: &str = "
const seen = new Map(); const out = []
const walk = (value, path, depth) => {
  const type = typeof value
  if (value === null || (type !== 'object' && type !== 'function')) { out.push(path + '=' + type + ':' + String(value)); return }
  if (seen.has(value)) { out.push(path + '->' + seen.get(value)); return }
  seen.set(value, path); out.push(path + '{' + type + ' ' + Object.isExtensible(value))
  if (depth > 6) return
  const proto = Object.getPrototypeOf(value); walk(proto, path + '.^', depth + 1)
  for (const key of Reflect.ownKeys(value)) {
    const d = Object.getOwnPropertyDescriptor(value, key), at = path + '.' + String(key)
    out.push(at + ' ' + [d.writable, d.enumerable, d.configurable].join())
    if (['request', 'module', 'exports'].includes(String(key)) && depth === 0) continue
    if ('value' in d) walk(d.value, at, depth + 1); else { walk(d.get, at + '.get', depth + 1); walk(d.set, at + '.set', depth + 1) }
  }
}
walk(globalThis, 'global', 0)
let hash = 5381; for (const line of out) for (let i = 0; i < line.length; i++) hash = (hash * 33 + line.charCodeAt(i)) | 0
respond({ hash, lines: out.length, leak: typeof leak })";

/// One app; the script to run comes in the body, so that the same worker runs them all.
const MAIN: &str = "const { text } = request; (0, eval)(text)";

fn alternates(way: &str) {
    let farm = Setup::new(3).flag("--fresh-state", way).flag("--timeout", "5s").start();
    let app = farm.script("app", MAIN).keeping();
    let watch = Watch::over(&farm);
    let run = |code: &str| app.send(&Request::new("POST", "/api/").body("text/plain", code));
    let pristine = run(FINGERPRINT);
    assert_eq!(pristine.status, 200, "{}", pristine.text());
    assert!(pristine.json()["lines"].as_u64() > Some(500), "the walk reaches the globals: {}", pristine.text());
    let mut same = 0;
    for script in POLLUTION {
        let polluted = run(script);
        let next = run(FINGERPRINT);
        assert_eq!(next.text(), pristine.text(), "after {script:?} ({} {})", polluted.status, polluted.text());
        same += usize::from(farm.worker_of(&next) == farm.worker_of(&polluted));
    }
    assert!(same * 2 > POLLUTION.len(), "only {same} of {} were of one worker, which proves little", POLLUTION.len());
    watch.close();
}

#[test]
fn the_heap_is_put_back() {
    alternates("image");
}

#[test]
fn a_new_context_is_as_fresh() {
    alternates("context");
}

#[test]
fn a_timer_of_one_request_never_fires_in_another() {
    let farm = Setup::new(2).start();
    let app = farm.script("app", MAIN);
    let run = |code: &str| app.send(&Request::new("POST", "/api/").body("text/plain", code)).text();
    for _ in 0..20 {
        run("setTimeout(() => { globalThis.leak = 1; fazt.storage.kv.incr('fired') }, 3); 'at once'");
        let told = run("new Promise((done) => setTimeout(() => done(typeof leak), 10))");
        assert_eq!(told, "undefined");
    }
    assert_eq!(run("String(fazt.storage.kv.get('fired'))"), "undefined");
}

/// The bytes of an earlier request are in no fresh buffer of a later one.
#[test]
fn buffers_begin_empty() {
    let farm = Setup::new(2).flag("--timeout", "5s").start();
    let app = farm.script("app", MAIN);
    let run = |code: &str| app.send(&Request::new("POST", "/api/").body("text/plain", code)).text();
    for _ in 0..10 {
        run("new Uint8Array(1 << 20).fill(0xAB); new Array(1e5).fill('MARKER').join('')");
        let told = run(
            "const b = new Uint8Array(3 << 19); let n = 0; for (let i = 0; i < b.length; i++) if (b[i]) n++; String(n)",
        );
        assert_eq!(told, "0");
    }
}

#[test]
fn memory_of_a_worker_stays_flat() {
    let farm = Setup::new(2).flag("--app-max-workers", "1").start();
    let app = farm
        .script(
            "app",
            "const a = []; for (let i = 0; i < 2000; i++) a.push({ i, s: 'x'.repeat(100) }); respond(200, a.length)",
        )
        .keeping();
    let ask = |times: usize| (0..times).for_each(|_| assert_eq!(app.get("/api/").text(), "2000"));
    ask(50);
    let worker = farm.idle_worker("app");
    let before = worker.resident_bytes();
    ask(400);
    assert_eq!(farm.idle_worker("app").pid, worker.pid, "another worker's memory proves nothing");
    let after = worker.resident_bytes();
    assert!(after < before + (4 << 20), "{before} bytes became {after}");
}
