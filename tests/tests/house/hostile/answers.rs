//! Answers that are none, or lie: checked as they leave the worker, property by property, each read once. What reaches the
//! client is one whole answer, or one problem.

use fazt_tests::{http::Answer, oracle::Watch, wire::ask};
use serde_json::{Value, json};

use super::{
    Evil,
    Fate::{Kept, Retired},
    Limits, Row, farm_for, table,
};

const LIMITS: Limits = Limits { run_ms: 20_000, heap_mib: 64 };
const INVALID: &[&str] = &["invalid_response"];
const OK: &[&str] = &["ok"];
/// What no answer may hold: apps try to write it into a head.
const SMUGGLED: &str = "smuggled";

const BODIES: &[Row] = &[
    ("J-21 toJSON that returns itself", "const a = { toJSON() { return a } }; respond(a)", OK, Kept),
    ("J-21 toJSON that goes deeper", "const a = { toJSON() { return { a } } }; respond(a)", INVALID, Kept),
    ("J-21 a cycle", "const a = []; a[0] = a; respond(a)", INVALID, Kept),
    ("J-21 a bigint", "respond({ a: 1n })", INVALID, Kept),
    ("J-21 a symbol", "respond(Symbol('s'))", INVALID, Kept),
    ("J-21 a function", "respond(() => 1)", INVALID, Kept),
    ("J-21 undefined", "respond(undefined)", OK, Kept),
    ("J-21 a Map", "respond(new Map([[1, 2]]))", OK, Kept),
    ("J-21 a throwing getter", "respond({ get a() { throw new Error('in a getter') } })", INVALID, Kept),
    ("J-21 a revoked Proxy", "const r = Proxy.revocable({}, {}); r.revoke(); respond(r.proxy)", INVALID, Kept),
    ("J-21 a Proxy of many keys", "respond(new Proxy({}, { ownKeys: () => new Array(1e6).fill('a') }))", INVALID, Kept),
    ("J-21 a wide array with a hole in it", "const a = []; a.length = 5e6; respond(a)", INVALID, Kept),
    ("J11 a detached buffer", "const b = new ArrayBuffer(8); b.transfer(); respond(b)", INVALID, Kept),
    ("J11 a view of a detached buffer", "const v = new Uint8Array(8); v.buffer.transfer(); respond(v)", INVALID, Kept),
    (
        "J11 a buffer that shrinks as it is read",
        "const b = new ArrayBuffer(64, { maxByteLength: 64 }); respond({ get status() { b.resize(0); return 200 }, body: b })",
        OK,
        Kept,
    ),
    ("J-22 a body of 10 MiB", "respond('x'.repeat(10 << 20))", OK, Kept),
    ("J-22 one byte more", "respond('x'.repeat((10 << 20) + 1))", INVALID, Kept),
    ("J-22 one byte more, as bytes", "respond(new Uint8Array((10 << 20) + 1))", INVALID, Kept),
    ("J-22 the same as JSON", "respond(['x'.repeat(10 << 20)])", INVALID, Kept),
    ("J-22 100 MB", "respond('x'.repeat(1e8))", &["memory_limit"], Retired),
    (
        "J-22 headers without end",
        "const h = {}; for (let i = 0; i < 1e7; i++) h['x-' + i] = ''; respond(200, 'x', h)",
        &["memory_limit", "timeout"],
        Retired,
    ),
    (
        "J-22 100,000 headers",
        "const h = {}; for (let i = 0; i < 1e5; i++) h['x-' + i] = ''; respond(200, '', h)",
        INVALID,
        Kept,
    ),
    ("J-26 a surrogate in a header", "respond(200, 'x', { 'X-A': '\\ud800' })", INVALID, Kept),
    ("J-26 a surrogate in a header's name", "respond(200, 'x', { '\\udfff': 'a' })", INVALID, Kept),
];

/// Each status, and what the answer's own must be; none where it is no answer.
const STATUSES: [(&str, Option<u16>); 21] = [
    ("99", None),
    ("100", None),
    ("101", None),
    ("103", None),
    ("199", None),
    ("600", None),
    ("999", None),
    ("NaN", None),
    ("Infinity", None),
    ("'200'", None),
    ("1e9", None),
    ("-1", None),
    ("200.5", None),
    ("2n", None),
    ("{ valueOf() { return 200 } }", None),
    ("2 ** 32 + 200", None),
    ("200", Some(200)),
    ("204", Some(204)),
    ("205", Some(205)),
    ("304", Some(304)),
    ("599", Some(599)),
];

/// Headers that no answer may have.
const HEADERS: [(&str, &str); 17] = [
    ("J-23 a line break and a header", "{ 'X-A': 'a\\r\\nSet-Cookie: smuggled=1' }"),
    ("J-23 a line break alone", "{ 'X-A': 'a\\nsmuggled: 1' }"),
    ("J-23 a return alone", "{ 'X-A': 'a\\rsmuggled: 1' }"),
    ("J-23 the end of the head", "{ 'X-A': 'a\\r\\n\\r\\nHTTP/1.1 200 OK\\r\\nsmuggled: 1\\r\\n\\r\\n' }"),
    ("J-23 NUL", "{ 'X-A': 'a\\0smuggled' }"),
    ("J-23 a separator of lines", "{ 'X-A': 'a\\u2028smuggled: 1' }"),
    ("J-23 what a narrow copy makes a line break", "{ 'X-A': 'a\\u010d\\u010asmuggled: 1' }"),
    ("J-23 a name with a space", "{ 'x smuggled': '1' }"),
    ("J-23 a name with a colon", "{ 'x:smuggled': '1' }"),
    ("J-23 a name with a line break", "{ 'x\\r\\nsmuggled': '1' }"),
    ("J-23 a name beyond ASCII", "{ 'x-\\u00fc': '1' }"),
    ("J-23 an empty name", "{ '': 'smuggled' }"),
    ("J-23 1,000 headers", "Object.fromEntries(Array.from({ length: 1000 }, (_, i) => ['x-smuggled-' + i, '1']))"),
    ("J-23 64 KiB", "{ 'X-A': 'smuggled'.repeat(8193) }"),
    ("J-23 an object for a value", "{ 'X-A': { toString() { return 'smuggled' } } }"),
    ("J-23 a hostile array", "{ 'X-A': ['fine', 'a\\r\\nsmuggled: 1'] }"),
    ("J-23 an array for headers", "[['x-smuggled', '1']]"),
];

#[test]
fn a_body_is_sent_as_what_it_is_or_not_at_all() {
    table(LIMITS, BODIES);
}

#[test]
fn a_status_is_a_whole_number_from_200_to_599() {
    let farm = farm_for(LIMITS);
    let evil = Evil::new(&farm, LIMITS);
    let watch = Watch::over(&farm);
    let mut wrong = Vec::new();
    for (given, wanted) in STATUSES {
        for script in [format!("respond({given}, 'x')"), format!("({{ status: {given}, body: 'x' }})")] {
            let answer = evil.run(&script);
            let well = match wanted {
                Some(status) => answer.status == status && answer.code().is_empty(),
                None => answer.status == 500 && answer.code() == "invalid_response",
            };
            let has_body = !matches!(wanted, Some(204 | 205 | 304));
            if !well || (wanted.is_some() && answer.body.is_empty() == has_body) {
                wrong.push(format!("- J-25 {script}: {} {}", answer.status, answer.text()));
            }
        }
    }
    evil.is_calm();
    watch.conclude(&wrong);
}

/// By bytes: whatever a header holds, one answer comes back, and none of what was to be smuggled.
#[test]
fn a_header_cannot_begin_another() {
    let farm = farm_for(LIMITS);
    let evil = Evil::new(&farm, LIMITS);
    let watch = Watch::over(&farm);
    let mut wrong = Vec::new();
    for (what, headers) in HEADERS {
        let script = format!("respond(200, 'x', {headers})");
        let request = format!(
            "POST /api/ HTTP/1.1\r\nHost: evil.localhost\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n{script}",
            script.len()
        );
        let heard = ask(farm.address, request);
        let is_refused = |answer: &Answer| {
            let head = format!("{:?}", answer.headers).to_lowercase();
            answer.code() == "invalid_response" && !head.contains(SMUGGLED)
        };
        if heard.statuses() != "500" || !heard.answers.iter().all(is_refused) {
            wrong.push(format!("- {what}\n    {heard:?}"));
        }
    }
    evil.is_calm();
    watch.conclude(&wrong);
}

/// A getter that counts its calls where they outlive it, and answers differently from the second one on.
#[test]
fn each_property_is_read_once() {
    let farm = farm_for(LIMITS);
    let evil = Evil::new(&farm, LIMITS);
    let watch = Watch::over(&farm);
    let read = "const { kv } = fazt.storage; const read = (what, first) => kv.incr(what) > 1 ? 'evil' : first;";
    let sources = [
        "({ get status() { return read('status', 201) }, get headers() { return read('headers', { 'x-a': '1' }) }, get body() { return read('body', 'fine') } })",
        "respond(201, 'fine', { get 'x-a'() { return read('value', '1') } })",
        "respond(201, 'fine', { 'x-a': { __proto__: Array.prototype, length: 1, get 0() { return read('element', '1') } } })",
        "respond(201, 'fine', new Proxy({ 'x-a': '1' }, { get: (t, k) => read('proxy ' + String(k), t[k]) }))",
        "respond(201, { get a() { return read('member', 'fine') }, toJSON() { read('toJSON'); return 'fine' } }, { 'x-a': '1' })",
        "({ status: 201, headers: { 'x-a': '1' }, get then() { return read('then', undefined) }, body: 'fine' })",
        "new Proxy({ status: 201, headers: { 'x-a': '1' }, body: 'fine' }, { get: (t, k) => read('of the answer ' + String(k), t[k]) })",
    ];
    for source in sources {
        let answer = evil.run(&format!("{read}\n{source}"));
        let got = (answer.status, answer.text().contains("fine"), answer.header("x-a"));
        let refused = answer.code() == "invalid_response" && source.contains("__proto__");
        assert!(got == (201, true, Some("1")) || refused, "J-19 {source}: {} {}", answer.status, answer.text());
    }
    let counts: Value = evil.run("fazt.storage.kv.list().map(({ key, value }) => [key, value])").json();
    let twice: Vec<_> = counts.as_array().unwrap().iter().filter(|entry| entry[1] != json!(1)).collect();
    assert!(counts.as_array().unwrap().len() >= 8, "the getters were called: {counts}");
    assert!(twice.is_empty(), "J-19 read more than once: {twice:?}");
    watch.close();
}

#[test]
fn a_surrogate_without_a_partner_is_a_replacement_or_an_error() {
    let farm = farm_for(LIMITS);
    let evil = Evil::new(&farm, LIMITS);
    let watch = Watch::over(&farm);
    for (script, text) in [
        ("respond('a\\ud800b')", "a\u{fffd}b"),
        ("respond('\\udc00\\ud83d\\ude00')", "\u{fffd}\u{1f600}"),
        ("respond({ a: '\\ud800' })", "{\"a\":\"\\ud800\"}"),
        ("({ html: '\\udfff' })", "\u{fffd}"),
    ] {
        let answer = evil.run(script);
        assert_eq!((answer.status, answer.text().as_str()), (200, text), "J-26 {script}");
        assert!(String::from_utf8(answer.body).is_ok(), "J-26 {script}");
    }
    // Two keys that differ in nothing but their surrogates are never one.
    let kept = evil.run(
        "const { kv } = fazt.storage; const tell = (f) => { try { return f() } catch (error) { return error.code } }
        [tell(() => kv.set('k\\ud800', 1)), tell(() => kv.set('k\\udfff', 2)), tell(() => kv.get('k\\ud800')), tell(() => kv.get('k\\ufffd'))]",
    );
    let refused = json!(["INVALID_ARGUMENT", "INVALID_ARGUMENT", "INVALID_ARGUMENT", null]);
    assert_eq!(kept.json(), refused, "J-26 a key");
    evil.is_calm();
    watch.close();
}
