//! What one request leaves for the next, and one app for another: nothing. State, timers and the bytes of memory begin
//! anew; chance differs in every worker and request.

use std::collections::BTreeSet;

use fazt_tests::{oracle::Watch, setup::Setup};
use serde_json::json;

use super::{Evil, Fate, Limits, farm_for};

const LIMITS: Limits = Limits { run_ms: 20_000, heap_mib: 64 };
/// What is looked for: the neighbour's own word, and one that an earlier request of the same app left.
const MARKERS: [&str; 2] = ["VICTIM-MARKER-d41d8cd9", "EARLIER-MARKER-8f00b204"];
const ROUNDS: usize = 200;

/// Ways to poison what the next request starts from; `fresh.rs` has more of them, and compares all that can be reached.
const POISONS: [(&str, &str); 12] = [
    ("J-27 Object.prototype", "Object.prototype.status = 500; Object.prototype.toJSON = () => 'poison'; 1"),
    ("J-27 Array.prototype", "Array.prototype.push = () => 'poison'; Array.prototype.map = null; 1"),
    ("J-27 frozen globals", "Object.freeze(globalThis); Object.freeze(Object.prototype); 1"),
    ("J-27 JSON gone", "delete globalThis.JSON; 1"),
    ("J-27 JSON changed", "JSON.stringify = () => 'poison'; JSON.parse = () => 'poison'; 1"),
    ("J-27 respond and fazt", "globalThis.respond = globalThis.fazt = null; 1"),
    ("J-27 promises", "Promise.prototype.then = () => { throw 1 }; 1"),
    ("J-27 a getter on the globals", "Object.defineProperty(globalThis, 'JSON', { get() { throw 1 } }); 1"),
    ("J-27 the storage functions", "fazt.storage.kv.get = () => 'poison'; fazt.storage.kv = null; 1"),
    ("J-27 expressions", "RegExp.prototype.exec = () => null; RegExp.prototype[Symbol.replace] = () => 'poison'; 1"),
    ("J-27 iterators", "Array.prototype[Symbol.iterator] = () => ({ next: () => ({ done: true }) }); 1"),
    ("J-27 the module", "module.exports = () => respond('poison'); require.cache = {}; globalThis.exports = 1; 1"),
];
const PRISTINE: &str = "const { kv } = fazt.storage; kv.set('k', { a: [1, 2] })
    respond({ status: ({}).status === undefined, json: JSON.stringify([1, { a: 2 }]), push: [].push(1), map: [1, 2].map((x) => x * 2),
        kv: kv.get('k'), sum: [...[1, 2, 3]].length, text: 'a-b'.replace(/-/, '+'), then: typeof Promise.prototype.then,
        extensible: Object.isExtensible(globalThis), poison: typeof poison, n: globalThis.n = (globalThis.n || 0) + 1 })";

#[test]
fn the_next_request_of_a_poisoned_app_is_clean() {
    let farm = farm_for(LIMITS);
    let evil = Evil::new(&farm, LIMITS);
    let watch = Watch::over(&farm);
    let clean = json!({ "status": true, "json": "[1,{\"a\":2}]", "push": 1, "map": [2, 4], "kv": { "a": [1, 2] }, "sum": 3,
        "text": "a+b", "then": "function", "extensible": true, "poison": "undefined", "n": 1 });
    for (what, poison) in POISONS {
        let is_kept = || {
            let killed = evil.killed();
            let poisoned = evil.run(poison);
            let next = evil.run(PRISTINE);
            assert_eq!(next.json(), clean, "{what}, whose own request came to {} {}", poisoned.status, poisoned.text());
            evil.fate_of(&poisoned, killed) == Fate::Kept
        };
        // On a slow machine its place may have been wanted meanwhile.
        assert!((0..3).any(|_try| is_kept()), "{what}: another worker would prove nothing");
    }
    watch.close();
}

#[test]
fn a_counter_among_the_globals_never_counts() {
    let farm = farm_for(LIMITS);
    let evil = Evil::new(&farm, LIMITS);
    let watch = Watch::over(&farm);
    let mut workers = BTreeSet::new();
    for _ in 0..100 {
        let answer = evil.run("globalThis.n = (globalThis.n || 0) + 1; Object.n = (Object.n || 0) + 1; [n, Object.n]");
        assert_eq!(answer.json(), json!([1, 1]), "J-29");
        workers.insert(evil.worker_of(&answer));
    }
    assert!(workers.len() < 50, "J-29 {} workers for 100 requests prove little", workers.len());
    watch.close();
}

/// Memory that the engine hands out is looked through for what others wrote into theirs.
const SEARCH: &str = "const found = []
    const markers = MARKERS
    const bytes = (text) => Array.from(text, (c) => c.charCodeAt(0))
    const holds = (view) => markers.some((marker) => {
      const [first, ...rest] = bytes(marker)
      for (let at = view.indexOf(first); at >= 0; at = view.indexOf(first, at + 1)) if (rest.every((b, i) => view[at + 1 + i] === b)) return true
      return false
    })
    const look = (what, view) => { if (holds(view)) found.push(what); for (const b of [1, 65, 255]) if (view.includes(b)) found.push(what + ' is not empty') }
    look('a buffer', new Uint8Array(SIZE))
    look('many small ones', new Uint8Array([].concat(...Array.from({ length: 64 }, () => [...new Uint8Array(256)]))))
    const grown = new ArrayBuffer(16, { maxByteLength: SIZE }); grown.resize(SIZE); look('a grown one', new Uint8Array(grown))
    const shrunk = new ArrayBuffer(SIZE, { maxByteLength: SIZE }); shrunk.resize(0); shrunk.resize(SIZE); look('a shrunk one', new Uint8Array(shrunk))
    look('a transferred one', new Uint8Array(new ArrayBuffer(16).transfer(SIZE)))
    look('a sliced one', new Uint8Array(new Uint8Array(SIZE).slice(16)))
    const text = [new Array(SIZE >> 4).join(' '), ' '.padEnd(4096), String.fromCharCode(...new Uint8Array(4096))].join('')
    if (markers.some((marker) => text.includes(marker))) found.push('a text')
    if (typeof secret !== 'undefined' || fazt.storage.kv.get('secret') !== undefined) found.push('state')
    respond(found)";

#[test]
fn no_residue_of_anybody_is_ever_found() {
    let farm = farm_for(LIMITS);
    let evil = Evil::new(&farm, LIMITS);
    let watch = Watch::over(&farm);
    let victim = watch.victim().keeping();
    let leave = format!(
        "globalThis.secret = '{m}'; const all = []; for (let i = 0; i < 200; i++) all.push('{m}'.repeat(400), new Uint8Array(9000).fill(77)); all.length",
        m = MARKERS[1]
    );
    for round in 0..ROUNDS {
        let said = victim.get(&format!("/api/?say={}-{round}", MARKERS[0]));
        assert_eq!(said.status, 200);
        if round % 4 == 0 {
            assert_eq!(evil.run(&leave).text(), "400");
        }
        let size = 4096 << (round % 6);
        // Written so that the search itself holds no marker whole.
        let markers = MARKERS.map(|marker| marker.split_at(4)).map(|(a, b)| format!("'{a}' + '{b}'")).join(", ");
        let search = SEARCH.replace("MARKERS", &format!("[{markers}]")).replace("SIZE", &size.to_string());
        let answer = evil.run(&search);
        assert_eq!((answer.status, answer.text().as_str()), (200, "[]"), "J-30 round {round}");
    }
    watch.close();
}

#[test]
fn chance_differs_in_every_worker_and_request() {
    let farm = Setup::new(4).flag("--app-max-workers", "1").start();
    let source = "respond([Math.random(), Math.random(), crypto.randomUUID(), [...crypto.getRandomValues(new Uint32Array(2))].join()])";
    let watch = Watch::over(&farm);
    let (mut seen, mut asked, mut workers) = (BTreeSet::new(), 0, BTreeSet::new());
    // The first requests of newborn workers, which came of one zygote, and then their second ones.
    for round in 0..3 {
        for app in ["one", "two", "three", "four"] {
            let app = if round == 0 { farm.script(app, source) } else { farm.app(app) };
            let answer = app.get("/api/");
            workers.insert(farm.log.one_finished(&answer.id())["worker"].as_i64());
            let values = answer.json();
            asked += values.as_array().unwrap().len();
            seen.extend(values.as_array().unwrap().iter().map(ToString::to_string));
        }
    }
    assert!(workers.len() >= 4, "J-39 {workers:?}");
    assert_eq!(seen.len(), asked, "J-39 something came twice: {seen:?}");
    watch.close();
}
