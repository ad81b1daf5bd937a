//! Ways to write a handler: a script whose completion value is the answer, and a module that exports a function.

use fazt_tests::http::Request;

use super::{Want::*, check, farm, report, row};

#[test]
fn a_script_answers_with_its_completion_value() {
    check(&[
        ("respond({ hello: request.query.name || 'world' })", Json(r#"{"hello":"world"}"#)),
        ("({ plain: true })", Json(r#"{"plain":true}"#)),
        ("'value'", Text("value")),
        ("41 + 1", Json("42")),
        ("[1, 2]", Json("[1,2]")),
        ("false", Json("false")),
        ("const x = 1; if (x) { respond(200, 7) }", Json("7")),
        ("var x = 1; undefined", Text("")),
        ("", Text("")),
        ("respond(200, 1); respond(200, 2); undefined", Json("2")),
        ("respond(200, 1); 'the value wins'", Text("the value wins")),
        ("Promise.resolve({ awaited: 1 })", Json(r#"{"awaited":1}"#)),
        ("(async () => { await null; return respond(203, 'late') })()", Status(203)),
        ("new Promise((done) => setTimeout(() => done('timer'), 5))", Text("timer")),
        ("'use strict'; this === undefined ? 'no this' : typeof this", Status(200)),
        ("await 1", Problem(500, "script_error", "")),
        ("respond(", Problem(500, "script_error", "SyntaxError")),
        ("throw new Error('boom')", Problem(500, "script_error", "boom")),
        ("null.x", Problem(500, "script_error", "TypeError")),
        ("Promise.reject(new Error('later'))", Problem(500, "script_error", "later")),
        ("new Promise(() => {})", Problem(500, "never_settled", "")),
    ]);
}

#[test]
fn a_module_exports_a_function() {
    check(&[
        ("module.exports = (request) => ({ path: request.path })", Json(r#"{"path":"/api/"}"#)),
        ("module.exports = async function (request) { return respond(201, { ok: true }) }", Status(201)),
        ("module.exports = async () => { await null; return 'late' }", Text("late")),
        ("exports.x = 1; module.exports = () => module.exports === exports", Json("false")),
        ("module.exports = () => undefined", Text("")),
        ("let n = 0; module.exports = () => ++n", Json("1")),
        ("module.exports = () => { throw new RangeError('mine') }", Problem(500, "script_error", "mine")),
        (
            "module.exports = async () => { await null; throw new Error('async') }",
            Problem(500, "script_error", "async"),
        ),
        ("module.exports = () => new Promise(() => {})", Problem(500, "never_settled", "")),
        ("throw new Error('at load')\nmodule.exports = () => 1", Problem(500, "script_error", "at load")),
    ]);
}

#[test]
fn await_in_a_script_names_the_way_out() {
    let farm = farm();
    farm.script("row", "const x = await fetch('x')\nrespond(x)");
    let answer = farm.app("row").with_token(&farm.token).get("/api/");
    assert_eq!((answer.status, answer.code().as_str()), (500, "script_error"));
    let text = answer.text();
    assert!(text.contains("await") && text.contains("module.exports"), "{text}");
}

/// What an app throws may be anything; the farm's answer is well-formed whatever it is.
#[test]
fn what_is_thrown_may_be_anything() {
    let thrown = [
        "null",
        "undefined",
        "Symbol('s')",
        "10n",
        "'text'",
        "{}",
        "42",
        "(() => { const a = {}; a.a = a; return a })()",
        "{ toString() { throw 1 } }",
        "{ get stack() { throw 2 } }",
        "{ get message() { throw 3 } }",
        "new Proxy({}, { get() { throw 4 } })",
        "Object.create(null)",
        "Object.assign(new Error('x'), { message: { toString() { throw 5 } } })",
    ];
    let farm = farm();
    let get = Request::new("GET", "/api/");
    let want = Problem(500, "script_error", "");
    let mut wrong = Vec::new();
    for value in thrown {
        let sources = [format!("throw ({value})"), format!("Promise.reject(({value}))")];
        wrong.extend(sources.iter().filter_map(|source| row(&farm, &[("api/main.js", source)], &get, &want)));
    }
    report(wrong);
}
