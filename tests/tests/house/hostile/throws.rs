//! Whatever is thrown, and however a promise is rejected: the app failed, in few words, and its worker serves on. Nothing of
//! the thrown value is run to describe it.

use fazt_tests::{
    http::Answer,
    oracle::Watch,
    wait::{PATIENCE, eventually},
};
use serde_json::Value;

use super::{Evil, Fate, Limits, farm_for};

const LIMITS: Limits = Limits { run_ms: 1_000, heap_mib: 32 };
/// What the log keeps of a description; its stack may be as long again.
const DESCRIBED: usize = 4 << 10;

/// What is thrown, and what of it is told.
const VALUES: [(&str, &str, &str); 14] = [
    ("null", "null", "non-error thrown: null"),
    ("undefined", "undefined", "non-error thrown: undefined"),
    ("a symbol", "Symbol('s')", "non-error thrown: a symbol"),
    ("a bigint", "10n ** 5000n", "non-error thrown: a bigint"),
    ("a cycle", "(() => { const a = {}; a.a = a; return a })()", "non-error thrown: an object"),
    ("a throwing toString", "{ toString() { for (;;) {} } }", "non-error thrown: an object"),
    (
        "a throwing stack",
        "{ get stack() { for (;;) {} }, get message() { for (;;) {} } }",
        "non-error thrown: an object",
    ),
    (
        "a Proxy",
        "new Proxy({}, { get() { for (;;) {} }, getPrototypeOf() { for (;;) {} } })",
        "non-error thrown: an object",
    ),
    ("a Proxy of an error", "new Proxy(new Error('inner'), { get() { for (;;) {} } })", "non-error thrown: an object"),
    (
        "a revoked Proxy",
        "(() => { const r = Proxy.revocable({}, {}); r.revoke(); return r.proxy })()",
        "non-error thrown: an object",
    ),
    ("a function", "() => { for (;;) {} }", "non-error thrown: a function"),
    ("a long text", "'x'.repeat(3e6)", "non-error thrown: \"xxx"),
    ("a long error", "new Error('y'.repeat(3e6))", "Error: yyy"),
    (
        "an error whose message is a getter",
        "Object.defineProperty(new Error('m'), 'message', { get() { for (;;) {} } })",
        "Error",
    ),
];

/// How it is thrown.
const WAYS: [(&str, &str); 4] = [
    ("J-17 thrown", "throw VALUE"),
    ("J-17 thrown by a timer", "setTimeout(() => { throw VALUE }, 1); new Promise(() => {})"),
    ("J-18 rejected", "Promise.reject(VALUE)"),
    ("J-18 thrown after await", "(async () => { await 0; throw VALUE })()"),
];

#[test]
fn anything_may_be_thrown_and_nothing_of_it_is_run() {
    let farm = farm_for(LIMITS);
    let evil = Evil::new(&farm, LIMITS);
    let watch = Watch::over(&farm);
    let mut wrong = Vec::new();
    for (way, script) in WAYS {
        for (what, value, told) in VALUES {
            let answer = evil.run(&script.replace("VALUE", &format!("({value})")));
            let detail = problem(&answer)["detail"].as_str().unwrap_or_default().to_owned();
            if answer.code() != "script_error" || !detail.starts_with(told) || detail.len() > DESCRIBED {
                let detail: String = detail.chars().take(200).collect();
                wrong.push(format!("- {way}: {what}\n    {} {} {detail}", answer.status, answer.code()));
                continue;
            }
            let line = uncaught(&evil, &answer);
            if !line.starts_with(told) || line.len() > 2 * DESCRIBED {
                wrong.push(format!("- {way}: {what}\n    logged {} bytes: {:.200}", line.len(), line));
            }
        }
    }
    let last = evil.run("throw 1");
    assert_eq!(evil.fate_of(&last, evil.killed()), Fate::Kept);
    watch.conclude(&wrong);
}

fn problem(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or_default()
}

/// The one line that a request's end left in the app's log.
fn uncaught(evil: &Evil<'_>, answer: &Answer) -> String {
    let lines = eventually(PATIENCE, "the end is in the app's log", || {
        let path = format!("/api/_admin/apps/evil/logs?limit=250&request={}", answer.id());
        let lines = evil.farm.admin().get(&path).json()["logs"].as_array()?.clone();
        (!lines.is_empty()).then_some(lines)
    });
    let [line] = lines.as_slice() else { panic!("one end is one line: {lines:?}") };
    assert_eq!(line["level"], "error", "{line}");
    line["message"].as_str().unwrap_or_default().to_owned()
}
