//! Errors as a client sees them: the same fields always, and nothing of the app's inside without leave.

use fazt_tests::{
    http::{App, Request},
    setup::Setup,
    wait::{PATIENCE, eventually},
};
use serde_json::{Value, json};

use super::farm;

const BROKEN: &str =
    "function inner() {\n  console.log('before')\n  throw new TypeError('bad secret_name')\n}\ninner()";

#[test]
fn a_problem_has_its_fields() {
    let farm = farm();
    let answer = farm.script("row", "for(;;){}").get("/api/");
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    let problem = answer.json();
    let wanted = [
        ("type", json!("https://fazt.dev/problems/timeout")),
        ("title", json!("Execution timed out")),
        ("status", json!(504)),
        ("detail", json!("api/main.js ran for more than 1000 ms")),
        ("code", json!("timeout")),
        ("requestId", json!(answer.id())),
        ("error", json!("TimeoutError: execution timeout: ran for more than 1000 ms")),
        ("retryable", json!(true)),
    ];
    for (field, value) in wanted {
        assert_eq!(problem[field], value, "{field} of {problem}");
    }
}

#[test]
fn nothing_of_an_apps_inside_leaves_without_leave() {
    let farm = farm();
    let plain = farm.script("row", BROKEN).get("/api/");
    assert_eq!((plain.status, plain.code().as_str()), (500, "script_error"));
    let problem = plain.json();
    for field in ["stack", "file", "line", "column", "context", "logs", "breakdown"] {
        assert!(problem.get(field).is_none(), "{field} in {problem}");
    }
    let text = plain.text();
    for inside in ["inner", "before", "main.js:", "throw new"] {
        assert!(!text.contains(inside), "{inside:?} in {text}");
    }
    assert_eq!(plain.header("server-timing"), None);
    let wrong = farm.app("row").with_token(&"0".repeat(64)).get("/api/").json();
    assert!(wrong.get("stack").is_none(), "a wrong token shows nothing: {wrong}");
}

#[test]
fn a_token_shows_it_all() {
    let farm = farm();
    farm.script("row", BROKEN);
    shows_all(&farm.app("row").with_token(&farm.token));
}

#[test]
fn debug_shows_it_to_everybody_and_logs_timings() {
    let farm = Setup::new(2).variable("FAZT_RUNTIME_DEBUG", "1").start();
    farm.script("row", BROKEN);
    let id = shows_all(&farm.app("row"));
    let said = farm.log.one_finished(&id);
    assert_eq!(said["outcome"], "script_error", "{said}");
    let good = farm.script("row", "fazt.storage.kv.set('a', 1); console.log('hello'); respond(200, 1)").get("/api/");
    let timing = good.header("server-timing").unwrap_or_default().to_owned();
    for part in ["queue;dur=", "bind;dur=", "inject;dur=", "execute;dur=", "storage;dur="] {
        assert!(timing.contains(part), "{part} in {timing:?}");
    }
    let says = |what: &str| farm.log.text().lines().any(|line| line.contains(&good.id()) && line.contains(what));
    eventually(PATIENCE, "a storage op's timing", || says("kv.set"));
    eventually(PATIENCE, "what the app said", || says("hello"));
}

fn shows_all(app: &App) -> String {
    let answer = app.get("/api/");
    let problem = answer.json();
    assert_eq!((problem["file"].as_str(), problem["line"].as_u64()), (Some("api/main.js"), Some(3)), "{problem}");
    assert!(problem["stack"].as_str().unwrap_or_default().contains("inner"), "{problem}");
    assert_eq!(problem["context"].as_str().map(str::trim), Some("throw new TypeError('bad secret_name')"), "{problem}");
    assert!(problem["column"].is_u64() && problem["breakdown"]["execute"].is_number(), "{problem}");
    let logs = problem["logs"].as_array().cloned().unwrap_or_default();
    assert!(logs.iter().any(|line| line["message"] == "before"), "{problem}");
    answer.id()
}

#[test]
fn a_browser_gets_a_page() {
    let farm = farm();
    let app = farm.script("row", "throw new Error('<script>alert(1)</script>')");
    let answer = app.send(&Request::new("GET", "/api/").header("Accept", "text/html,application/xhtml+xml"));
    assert_eq!((answer.status, answer.header("content-type")), (500, Some("text/html; charset=utf-8")));
    assert!(!answer.text().contains("<script>alert"), "{}", answer.text());
    assert!(answer.text().contains(&answer.id()), "the page names the request");
}

#[test]
fn storage_errors_that_nobody_caught_have_their_own_codes() {
    let farm = farm();
    let app = farm.script("row", "const e = new Error('x'); fazt.storage.kv.set('k', 'v'.repeat(2000000))");
    let answer = app.get("/api/");
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (500, "script_error"),
        "TOO_LARGE is the script's: {}",
        answer.text()
    );
}

#[test]
fn ids_are_taken_or_made() {
    let farm = farm();
    let app = farm.script("row", "respond(request.id)");
    let taken = app.send(&Request::new("GET", "/api/").header("X-Request-Id", "mine-12345_6"));
    assert_eq!((taken.id().as_str(), taken.text().as_str()), ("mine-12345_6", "mine-12345_6"));
    for bad in ["short", "has space in it", "x".repeat(65).as_str(), "semi;colon-semi"] {
        let made = app.send(&Request::new("GET", "/api/").header("X-Request-Id", bad));
        assert!(made.id().starts_with("req_") && made.id().len() == 30, "{bad:?} became {}", made.id());
        assert_eq!(made.text(), made.id());
    }
    assert!(farm.app("row").get("/none.html").id().starts_with("req_"), "files have ids too");
}

#[test]
fn every_end_is_in_the_log_once() {
    let farm = farm();
    let rows = [
        ("respond(200, 1)", 200, "ok"),
        ("throw 1", 500, "script_error"),
        ("respond(99)", 500, "invalid_response"),
        ("new Promise(() => {})", 500, "never_settled"),
        ("for(;;){}", 504, "timeout"),
        ("const all = []; for (;;) all.push(new Uint8Array(1 << 20).fill(1))", 500, "memory_limit"),
    ];
    for (source, status, outcome) in rows {
        let answer = farm.script("row", source).get("/api/");
        assert_eq!(answer.status, status, "{source}: {}", answer.text());
        let line = farm.log.one_finished(&answer.id());
        let got = (&line["outcome"], &line["status"], &line["app"], line["worker"].is_i64() || line["worker"].is_u64());
        assert_eq!(got, (&json!(outcome), &json!(status), &json!("row"), true), "{line}");
        let trace: Value = farm.trace(&answer.id());
        assert_eq!((&trace["outcome"], &trace["status"]), (&json!(outcome), &json!(status)), "{trace}");
    }
}
