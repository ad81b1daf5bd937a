//! Floods: lines for the log, calls of storage, bytes of answers. Each has its bound, and what it floods goes on for others.

use fazt_tests::{
    http::Answer,
    oracle::Watch,
    setup::Setup,
    wait::{PATIENCE, eventually},
};
use serde_json::{Value, json};

use super::{Evil, Fate, Limits, farm_for};

const LIMITS: Limits = Limits { run_ms: 20_000, heap_mib: 64 };
/// Lines that a request may write by `console`, by `fazt.log`, and two that say how many were dropped.
const LINES: usize = 2 * 256 + 2;
const LINE_BYTES: usize = 8 << 10;
/// What the router may have more in memory after an answer that was refused.
const KEPT_BYTES: u64 = 2 << 20;

/// What it may have more beside a value of 10 MiB, which it hears in pieces.
const SWELL_BYTES: u64 = 48 << 20;

/// What is written; the least and the most lines that come of it, and what the last of them says.
const FLOODS: [(&str, &str, usize, usize, &str); 9] = [
    (
        "J-34 a million lines",
        "for (let i = 0; i < 1e6; i++) console.log('line', i)",
        257,
        257,
        "999744 more lines were dropped",
    ),
    (
        "J-34 by both ways",
        "for (let i = 0; i < 1e3; i++) { console.log(i); fazt.log.info('x') }",
        LINES,
        LINES,
        "744 more lines were dropped",
    ),
    ("J-34 a line of 10 MB", "console.log('x'.repeat(1e7))", 1, 1, "xxx"),
    (
        "J-34 lines in a line",
        "console.log('a\\r\\n{\"message\":\"forged\"}\\u001b[31m\\u0000\\u2028\\u009b')",
        1,
        1,
        "forged",
    ),
    ("J-34 lone surrogates", "console.log('\\ud800'.repeat(1e4))", 1, 1, "\u{fffd}"),
    ("J12 a cycle", "const a = {}; a.a = a; console.log(a, [a], new Map([[a, a]]))", 1, 1, "Circular"),
    (
        "J12 a huge object",
        "console.log(Array.from({ length: 2e4 }, (_, i) => ({ i, a: { b: { c: { d: { e: 1 } } } } })))",
        1,
        1,
        "more items",
    ),
    (
        "J12 an object that throws",
        "console.log({ get a() { throw 1 }, toString() { throw 2 }, [Symbol.toStringTag]: 'x' }, new Proxy({}, { ownKeys() { throw 3 } }))",
        1,
        1,
        "Getter",
    ),
    (
        "J12 an endless label",
        "console.time('x'.repeat(1e6)); console.timeEnd('x'.repeat(1e6)); for (let i = 0; i < 1e4; i++) console.group()",
        1,
        1,
        "xxx",
    ),
];

#[test]
fn a_flood_of_lines_is_capped_and_each_is_one() {
    // In debug the router writes apps' lines to its own log too.
    let farm = Setup::new(3).flag("--timeout", "4500ms").variable("FAZT_RUNTIME_DEBUG", "1").start();
    let evil = Evil::new(&farm, LIMITS);
    let watch = Watch::over(&farm);
    for (what, script, least, most, told) in FLOODS {
        let killed = evil.killed();
        let answer = evil.run(&format!("{script}\n;'said'"));
        assert_eq!((answer.status, answer.text().as_str()), (200, "said"), "{what}");
        let lines = lines(&evil, &answer, least);
        assert!(lines.len() <= most, "{what}: {} lines", lines.len());
        let texts: Vec<&str> = lines.iter().map(|line| line["message"].as_str().unwrap()).collect();
        assert!(texts.iter().all(|text| text.len() <= LINE_BYTES), "{what}: a line is too long");
        assert!(texts.iter().any(|text| text.contains(told)), "{what}: {:.300}", texts.join(" | "));
        assert_eq!(evil.fate_of(&answer, killed), Fate::Kept, "{what}");
    }
    watch.close();
    assert_eq!(farm.log.said("forged"), Vec::<Value>::new());
    for line in farm.log.text().split('\n') {
        let whole = serde_json::from_str::<Value>(line).is_ok_and(|line| line.is_object());
        assert!(whole && !line.contains(|c: char| c.is_control()), "a line of the log that is none: {line:?}");
    }
}

/// The lines that a request left in the app's log, once there are so many.
fn lines(evil: &Evil<'_>, answer: &Answer, least: usize) -> Vec<Value> {
    eventually(PATIENCE, "the lines are in the app's log", || {
        let (mut all, mut after) = (Vec::new(), 0);
        // A page at a time, oldest first.
        loop {
            let path = format!("/api/_admin/apps/evil/logs?limit=250&request={}&after={after}", answer.id());
            let page = evil.farm.admin().get(&path).json();
            let page = page["logs"].as_array()?.clone();
            let Some(last) = page.last() else { break };
            after = last["id"].as_u64()?;
            all.extend(page);
        }
        (all.len() >= least).then_some(all)
    })
}

#[test]
fn the_ten_thousand_and_first_storage_call_is_refused() {
    let limits = Limits { run_ms: 30_000, ..LIMITS };
    let farm = farm_for(limits);
    let evil = Evil::new(&farm, limits);
    let watch = Watch::over(&farm);
    let script = "const { kv } = fazt.storage; const ends = {}
        for (let i = 0; i < 10001; i++) { try { kv.get('k'); ends.ok = (ends.ok || 0) + 1 } catch (error) { ends[error.code] = (ends[error.code] || 0) + 1; ends.at = i } }
        respond(ends)";
    let killed = evil.killed();
    let answer = evil.run(script);
    assert_eq!(answer.json(), json!({ "ok": 10_000, "RATE_LIMITED": 1, "at": 10_000 }), "J-35");
    assert_eq!(evil.fate_of(&answer, killed), Fate::Kept, "J-35");
    // The next request has as many again.
    assert_eq!(evil.run("fazt.storage.kv.set('k', 1); fazt.storage.kv.get('k')").text(), "1", "J-35");
    watch.close();
}

#[test]
fn an_answer_that_is_refused_costs_the_router_nothing() {
    let farm = farm_for(LIMITS);
    let evil = Evil::new(&farm, LIMITS);
    let watch = Watch::over(&farm);
    let scripts = [
        "respond('x'.repeat((10 << 20) + 1))",
        "respond(new Uint8Array((10 << 20) + 1))",
        "respond('x'.repeat(1e8))",
        "const h = {}; for (let i = 0; i < 1e5; i++) h['x-' + i] = 'x'.repeat(100); respond(200, '', h)",
        "throw new Error('x'.repeat(1e7))",
        "console.log('x'.repeat(1e7)); console.error('y'.repeat(1e7)); throw 'z'.repeat(1e7)",
    ];
    let refused = || scripts.iter().for_each(|script| assert_eq!(evil.run(script).status, 500, "J-22 {script}"));
    refused();
    let before = farm.router().resident_bytes();
    refused();
    let more = || farm.router().resident_bytes().saturating_sub(before);
    // What is let go of last may be on its way.
    eventually(PATIENCE, "J-22 the router has hardly a byte more", || more() <= KEPT_BYTES);
    watch.close();
}

/// What code that is executed gives back goes through the router as the text that it is: built up there, each of these would
/// be some hundred times as large.
#[test]
fn a_value_that_would_swell_costs_the_router_its_length() {
    let farm = farm_for(LIMITS);
    let evil = Evil::new(&farm, LIMITS);
    let watch = Watch::over(&farm);
    let execute = |code: &str| {
        let answer =
            farm.admin().post("/api/_debug/execute", &json!({ "app": "evil", "code": code, "timeout": 20_000 }));
        assert_eq!(answer.status, 200, "{code}: {:.300}", answer.text());
        answer.text()
    };
    execute("1");
    let before = farm.router().peak_bytes();
    // One byte more than the most, and the most: an array of so many arrays, 4 bytes each, with one comma less.
    let wide = |more: &str| format!("const a = Array(2 ** 18 - 1).fill([0]); a.push('{more}'); a");
    let whole = execute(&wide(""));
    let value = format!("[{}\"\"]", "[0],".repeat((1 << 18) - 1));
    assert_eq!(value.len(), 1 << 20);
    assert!(whole.starts_with(&format!("{{\"result\":{value},\"metrics\":{{")), "{:.300}", whole);
    for (code, bytes) in [(wide("x"), (1 << 20) + 1), ("Array(2 ** 21 - 1).fill([[]])".to_owned(), (10 << 20) - 4)] {
        let refused: Value = serde_json::from_str(&execute(&code)).unwrap();
        assert_eq!((&refused["result"], &refused["error"]["code"]), (&Value::Null, &json!("invalid_response")));
        let says = format!("the value has {bytes} bytes as JSON, and at most 1048576 are given back");
        assert!(refused["error"]["message"].as_str().unwrap().starts_with(&says), "{refused}");
    }
    let deep = ["[".repeat(1_000), "]".repeat(1_000)].concat();
    assert!(execute(&format!("JSON.parse('{deep}')")).starts_with(&format!("{{\"result\":{deep},")));
    let more = farm.router().peak_bytes().saturating_sub(before);
    assert!(more <= SWELL_BYTES, "the router had {more} bytes more");
    evil.is_calm();
    watch.close();
}
