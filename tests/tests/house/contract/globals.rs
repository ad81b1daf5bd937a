//! What every script finds: console, timers, promises, `fazt`; and what it must not find.

use fazt_tests::{
    http::Request,
    wait::{PATIENCE, eventually},
};
use serde_json::{Value, json};

use super::{Want::*, check, farm, report, row};

#[test]
fn the_language_and_its_timers_work() {
    check(&[
        ("new Promise((done) => { setTimeout(() => done(1), 80); setTimeout(() => done(2), 1) })", Json("2")),
        (
            "new Promise((done) => { const t = setTimeout(() => done('no'), 1); clearTimeout(t); setTimeout(() => done('yes'), 5) })",
            Text("yes"),
        ),
        (
            "new Promise((done) => { let n = 0; const t = setInterval(() => { if (++n === 3) { clearInterval(t); done(n) } }, 1) })",
            Json("3"),
        ),
        (
            "new Promise((done) => { const order = []; queueMicrotask(() => order.push('micro')); order.push('now'); setTimeout(() => done(order), 1) })",
            Json(r#"["now","micro"]"#),
        ),
        ("eval('1 + 1') + new Function('return 40')()", Json("42")),
        ("Math.random() !== Math.random()", Json("true")),
        ("JSON.parse('{\"a\":[1,{}]}')", Json(r#"{"a":[1,{}]}"#)),
        ("[3, 1, 2].toSorted().map((x) => x ** 2)", Json("[1,4,9]")),
        ("'ü'.normalize('NFD').length", Json("2")),
        ("[...'a1b2'.matchAll(/\\d/g)].length", Json("2")),
    ]);
}

#[test]
fn nothing_of_the_machine_is_there() {
    check(&[
        (
            "['process', 'Deno', 'Bun', 'os', 'std', 'SharedArrayBuffer', 'Atomics', 'WebAssembly', 'scriptArgs'].filter((name) => name in globalThis)",
            Json("[]"),
        ),
        ("Function('return this')() === globalThis && typeof Function('return this')().process", Text("undefined")),
        ("import('/etc/passwd').then(() => 'read', (error) => 'refused')", Text("refused")),
        ("import('os').then(() => 'there', (error) => 'refused')", Text("refused")),
        // Clocks step by whole milliseconds.
        (
            "const all = []; for (let i = 0; i < 1000; i++) all.push(Date.now()); all.every(Number.isInteger)",
            Json("true"),
        ),
    ]);
}

#[test]
fn recursion_is_an_error_that_an_app_can_catch() {
    check(&[
        ("const f = () => f() + 1; try { f() } catch (error) { error.constructor.name }", Text("RangeError")),
        (
            "const p = new Proxy({}, { get: (t, k, r) => r[k] }); try { p.x } catch (error) { error.constructor.name }",
            Text("RangeError"),
        ),
        ("const f = () => f() + 1; f()", Problem(500, "script_error", "RangeError")),
        (
            "let a = []; for (let i = 0; i < 1e5; i++) a = [a]; try { JSON.stringify(a) } catch (error) { error.constructor.name }",
            Text("RangeError"),
        ),
    ]);
}

#[test]
fn an_app_knows_itself() {
    let farm = farm();
    let app = farm.script("row", "respond({ ...fazt.app, kv: undefined, ds: undefined, s3: undefined, farm: fazt.version, same: fazt.app.kv === fazt.storage.kv })");
    let first = app.get("/api/").json();
    assert_eq!(first["name"], "row", "{first}");
    assert!(first["farm"].is_string() && first["same"] == true, "{first}");
    farm.script("row", "respond(200, fazt.app.version)");
    assert_ne!(farm.app("row").get("/api/").text(), first["version"].to_string());
    let left = farm.script("row", "respond(200, fazt.deadline())").get("/api/").json().as_f64().unwrap();
    assert!((500.0..=1_000.0).contains(&left), "{left} ms left of a second");
}

#[test]
fn an_app_reads_its_environment() {
    let farm = farm();
    let files = [
        (
            "api/main.js",
            "const { env } = fazt\nrespond({ a: env.get('A'), none: env.get('B', 'default'), gone: env.get('B') === undefined, has: [env.has('A'), env.has('B')], all: env.all() })",
        ),
        ("manifest.json", r#"{ "name": "row", "env": { "M": "manifest" } }"#),
    ];
    farm.deploy("row", &files);
    let put = Request::new("PUT", "/api/_admin/apps/row/env")
        .body("application/json", json!({ "set": { "A": "eins" } }).to_string());
    let answer = farm.admin().send(&put);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let got = farm.app("row").get("/api/").json();
    let wanted = json!({ "a": "eins", "none": "default", "gone": true, "has": [true, false], "all": { "A": "eins", "M": "manifest" } });
    assert_eq!(got, wanted);
    let unset =
        Request::new("PUT", "/api/_admin/apps/row/env").body("application/json", json!({ "unset": ["A"] }).to_string());
    assert_eq!(farm.admin().send(&unset).status, 200);
    assert_eq!(farm.app("row").get("/api/").json()["has"], json!([false, false]));
    let shown = farm.admin().get("/api/_admin/apps/row/env");
    assert!(!shown.text().contains("eins"), "a value is never shown again: {}", shown.text());
}

#[test]
fn what_an_app_says_is_kept_by_level() {
    let farm = farm();
    let source =
        "console.log('%s is %d', 'x', 7); console.warn({ a: [1] }); console.error('bad'); console.debug('deep');
        fazt.log.info('said', { n: 1 }); respond(200, 1)";
    let answer = farm.script("row", source).get("/api/");
    let lines = logs(&farm, "row", &answer.id(), 5);
    let all: Vec<(&str, &str)> =
        lines.iter().map(|line| (line["level"].as_str().unwrap(), line["message"].as_str().unwrap())).collect();
    assert_eq!(all[0], ("info", "x is 7"));
    assert_eq!(
        (all[1].0, all[1].1.contains("a:"), all[2], all[3]),
        ("warn", true, ("error", "bad"), ("debug", "deep"))
    );
    assert!(all[4].0 == "info" && all[4].1.contains("said"), "{all:?}");
}

#[test]
fn a_flood_of_lines_is_bounded_and_says_so() {
    let farm = farm();
    let source = "for (let i = 0; i < 5000; i++) console.log('line', i, 'x'.repeat(100))\nrespond('done')";
    let answer = farm.script("row", source).get("/api/");
    assert_eq!((answer.status, answer.text().as_str()), (200, "done"));
    let lines = logs(&farm, "row", &answer.id(), 200);
    assert!(lines.len() <= 257, "{} lines", lines.len());
    eventually(PATIENCE, "the last line says how many were dropped", || {
        let warnings = format!("/api/_admin/apps/row/logs?limit=250&level=warn&request={}", answer.id());
        farm.admin().get(&warnings).text().contains("4744 more lines were dropped")
    });
    let long = farm.script("row", "console.log('x'.repeat(20000)); respond('done')").get("/api/");
    let lines = logs(&farm, "row", &long.id(), 1);
    assert!(lines[0]["message"].as_str().unwrap().len() <= 8 * 1024, "a line is cut at 8 KiB");
}

#[test]
fn a_line_cannot_forge_another() {
    let farm = farm();
    let source = "console.log('a\\r\\n{\"message\":\"forged\"}\\u001b[31m'); respond(200, 1)";
    let answer = farm.script("row", source).get("/api/");
    assert_eq!(logs(&farm, "row", &answer.id(), 1).len(), 1);
    farm.app("row").get("/api/x%0a%7b%22message%22:%22forged%22%7d");
    assert_eq!(farm.log.said("forged"), Vec::<Value>::new());
}

/// The lines of one request, once there are so many.
fn logs(farm: &fazt_tests::farm::Farm, app: &str, request: &str, least: usize) -> Vec<Value> {
    eventually(PATIENCE, &format!("{least} lines of {request}"), || {
        let lines = farm.admin().get(&format!("/api/_admin/apps/{app}/logs?limit=250&request={request}")).json();
        let lines = lines["logs"].as_array()?.clone();
        (lines.len() >= least).then_some(lines)
    })
}

#[test]
fn private_files_are_read_by_code_and_by_nobody_else() {
    let files: &[(&str, &str)] = &[("api/main.js", "respond(typeof fazt.private)"), ("private/seed.json", "{\"a\":1}")];
    let farm = farm();
    let get = Request::new("GET", "/private/seed.json");
    report(row(&farm, files, &get, &Problem(404, "not_found", "")).into_iter().collect());
}
