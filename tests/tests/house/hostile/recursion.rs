//! Depth without end: a script that recurses gets an error that it may catch, and no native stack is ever used up.

use fazt_tests::{http::Request, oracle::Watch};

use super::{
    Evil,
    Fate::{Kept, Retired},
    Limits, Row, farm_for, table,
};

const LIMITS: Limits = Limits { run_ms: 20_000, heap_mib: 32 };
const THROWN: &[&str] = &["script_error"];

const RECURSION: &[Row] = &[
    ("J-10 a function", "const f = () => f() + 1; f()", THROWN, Kept),
    ("J-10 a Proxy's get", "const p = new Proxy({}, { get: (t, k, r) => r[k] }); p.x", THROWN, Kept),
    ("J-10 a Proxy of Proxies", "let p = {}; for (let i = 0; i < 1e5; i++) p = new Proxy(p, {}); p.x", THROWN, Kept),
    ("J-10 valueOf", "const o = { valueOf() { return +o } }; +o", THROWN, Kept),
    ("J-10 toString within native code", "const o = { toString() { return [o].join() } }; `${o}`", THROWN, Kept),
    ("J-10 a getter", "const o = { get a() { return this.a } }; o.a", THROWN, Kept),
    ("J-10 a constructor", "class A { constructor() { new A() } } new A()", THROWN, Kept),
    ("J-10 a replacer", "'a'.replace(/a/, function f() { return 'a'.replace(/a/, f) })", THROWN, Kept),
    (
        "J-10 bound functions",
        "let f = () => 1; for (let i = 0; i < 1e5; i++) { f = f.bind(null); Object.defineProperty(f, 'name', { value: '' }) } f()",
        THROWN,
        Kept,
    ),
    ("J-10 JSON, 2,000,000 deep", "JSON.parse('['.repeat(2e6))", THROWN, Kept),
    ("J-10 JSON, written", "let a = []; for (let i = 0; i < 1e5; i++) a = [a]; JSON.stringify(a)", THROWN, Kept),
    ("J-10 JSON, answered", "let a = []; for (let i = 0; i < 1e5; i++) a = [a]; a", &["invalid_response"], Kept),
    ("J-10 200,000 parentheses", "eval('('.repeat(2e5) + ')'.repeat(2e5))", THROWN, Kept),
    ("J-10 100,000 blocks", "new Function('{'.repeat(1e5) + '}'.repeat(1e5))", THROWN, Kept),
    ("J-10 200,000 groups", "new RegExp('('.repeat(2e5) + ')'.repeat(2e5))", THROWN, Kept),
    (
        "J-10 a flat array of arrays",
        "let a = []; for (let i = 0; i < 1e5; i++) a = [a]; a.flat(Infinity)",
        THROWN,
        Kept,
    ),
    ("J07 swallowed at every depth", "const f = () => { try { f() } catch {} }; f(); 'fine'", &["ok"], Kept),
    ("J17 within a call of storage", "const f = () => fazt.storage.kv.set({ toString: f }, f()); f()", THROWN, Kept),
    (
        "J17 within a value for storage",
        "const v = { toJSON() { return fazt.storage.kv.set('a', v) } }; fazt.storage.kv.set('a', v)",
        THROWN,
        Kept,
    ),
    ("J17 within console", "const f = () => console.log({ a: f() }); f()", THROWN, Kept),
    ("J-11 a chain of 700,000", "let a = []; for (let i = 0; i < 7e5; i++) a = [a]; a = 0; 'freed'", &["ok"], Kept),
    ("J-11 the same at the end", "globalThis.a = []; for (let i = 0; i < 7e5; i++) a = [a]; 'kept'", &["ok"], Kept),
    (
        "J-11 a chain of closures",
        "let f = () => 0; for (let i = 0; i < 2e5; i++) { const g = f; f = () => g } f = 0; 'freed'",
        &["ok"],
        Kept,
    ),
    (
        "J-11 a chain of errors",
        "let e; for (let i = 0; i < 3e4; i++) e = new Error('x', { cause: e }); throw e",
        THROWN,
        Kept,
    ),
];

/// The engine compiles these, or says that it will not; and no row of them needs another's words.
const EXPRESSIONS: &[Row] = &[
    ("J-13 20,000 groups", "new RegExp('(a)'.repeat(2e4)).test('a')", &["ok", "script_error"], Kept),
    ("J-13 counted thrice", "new RegExp('((a{1,1000}){1,1000}){1,1000}').test('a'.repeat(2000) + 'b')", &["ok"], Kept),
    ("J-13 20,000 classes", "new RegExp('\\\\p{L}'.repeat(2e4), 'u').test('a')", &["memory_limit"], Retired),
    ("J-13 named groups", "new RegExp('(?<a>x)|'.repeat(300) + '(?<b>y)').test('y')", &["ok", "script_error"], Kept),
    ("J-13 look-behind", "/(?<=(a+)+)b/.test('a'.repeat(40) + 'c')", &["ok"], Kept),
    ("J-13 a back-reference to itself", "/(\\1a)+/.test('a'.repeat(1e5))", &["ok"], Kept),
    ("J09 a long expression", "eval('1+'.repeat(2e5) + '1')", &["ok", "script_error"], Kept),
    ("J09 a long string", "eval('\"' + 'x'.repeat(9e5) + '\"').length", &["ok"], Kept),
    (
        "J09 a function of functions",
        "let f = 'return 1'; for (let i = 0; i < 12; i++) f = `return Function(${JSON.stringify(f)})()`; Function(f)()",
        &["ok", "memory_limit", "script_error"],
        Kept,
    ),
];

#[test]
fn recursion_of_every_kind_is_an_error_and_the_worker_serves_on() {
    table(Limits { heap_mib: 160, ..LIMITS }, RECURSION);
}

#[test]
fn an_expression_that_is_too_large_is_an_error() {
    table(LIMITS, EXPRESSIONS);
}

/// The client's own JSON, which the worker parses before any code of the app has run.
#[test]
fn json_of_a_client_may_be_as_deep_as_it_likes() {
    let deep = |open: &str, close: &str, times: usize| open.repeat(times) + close.repeat(times).as_str();
    let bodies = [
        ("J-41 arrays, 64 Ki deep", deep("[", "]", 64 << 10), &["invalid_json"][..], Kept),
        ("J-41 objects, 64 Ki deep", deep("{\"a\":", "}", 64 << 10), &["invalid_json"], Kept),
        ("J-41 never closed", "[".repeat(4 << 20), &["invalid_json"], Kept),
        ("J-41 wide", format!("[{}1]", "[],".repeat(1 << 20)), &["memory_limit"], Retired),
        ("J-41 huge numbers", format!("[{}1]", "1e400,".repeat(1 << 16)), &["ok"], Kept),
        (
            "J-41 a name that is everybody's",
            r#"{"__proto__":{"status":500},"constructor":1}"#.to_owned(),
            &["ok"],
            Kept,
        ),
    ];
    let farm = farm_for(LIMITS);
    let evil = Evil::new(&farm, LIMITS);
    let watch = Watch::over(&farm);
    for (what, body, outcomes, fate) in bodies {
        let killed = evil.killed();
        let request = Request::new("POST", "/api/?calm=1").body("application/json", body);
        let answer = evil.app.send(&request);
        let outcome = answer.outcome();
        assert!(outcomes.contains(&outcome.as_str()), "{what}: {} {}", answer.status, answer.text());
        assert_eq!(evil.fate_of(&answer, killed), fate, "{what}");
    }
    watch.close();
}
