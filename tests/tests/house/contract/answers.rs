//! Answers: what each kind of value is sent as, and what is no answer.

use super::{Want::*, check, farm};

#[test]
fn values_are_sent_as_what_they_are() {
    let farm = farm();
    let rows = [
        ("({ a: 1 })", 200, "application/json", r#"{"a":1}"#),
        ("respond([1])", 200, "application/json", "[1]"),
        ("respond(200, 1.5)", 200, "application/json", "1.5"),
        ("respond(true)", 200, "application/json", "true"),
        ("respond('text')", 200, "text/plain; charset=utf-8", "text"),
        ("respond(418, 'tea')", 418, "text/plain; charset=utf-8", "tea"),
        ("respond(new Uint8Array([104, 105]))", 200, "application/octet-stream", "hi"),
        ("respond(new Uint8Array([104, 105]).buffer)", 200, "application/octet-stream", "hi"),
        ("respond(new Uint8Array([1, 104, 105, 2]).subarray(1, 3))", 200, "application/octet-stream", "hi"),
        ("respond(200, '<b>', { 'Content-Type': 'text/html' })", 200, "text/html", "<b>"),
        ("({ status: 202, json: { a: 1 } })", 202, "application/json", r#"{"a":1}"#),
        ("({ html: '<i>' })", 200, "text/html; charset=utf-8", "<i>"),
        ("({ text: 'plain' })", 200, "text/plain; charset=utf-8", "plain"),
        ("({ body: 'plain' })", 200, "text/plain; charset=utf-8", "plain"),
        ("respond({ date: new Date(0) })", 200, "application/json", r#"{"date":"1970-01-01T00:00:00.000Z"}"#),
        ("respond({ gone: undefined, f() {}, nan: NaN })", 200, "application/json", r#"{"nan":null}"#),
    ];
    let mut wrong = Vec::new();
    for (source, status, mime, body) in rows {
        let answer = farm.script("row", source).get("/api/");
        let got = (answer.status, answer.header("content-type").unwrap_or_default().to_owned(), answer.text());
        if got != (status, mime.to_owned(), body.to_owned()) {
            wrong.push(format!("- {source}\n    wanted {status} {mime} {body}\n    got    {got:?}"));
        }
    }
    super::report(wrong);
}

#[test]
fn a_status_alone_is_an_answer() {
    let farm = farm();
    for (source, status) in
        [("respond(204)", 204), ("respond(304, null)", 304), ("respond(404)", 404), ("({ status: 201 })", 201)]
    {
        let answer = farm.script("row", source).get("/api/");
        assert_eq!((answer.status, answer.text().as_str()), (status, ""), "{source}");
    }
    let moved = farm.script("row", "({ redirect: '/x?y=1' })").get("/api/");
    assert_eq!((moved.status, moved.header("location")), (302, Some("/x?y=1")));
}

#[test]
fn headers_of_an_app_arrive_and_those_of_the_farm_do_not() {
    let farm = farm();
    let source =
        "respond(200, 'x', { 'X-One': '1', 'Set-Cookie': ['a=1', 'b=2'], Connection: 'close', 'Content-Length': '9',
        'Transfer-Encoding': 'chunked', 'X-Request-Id': 'mine', 'Strict-Transport-Security': 'max-age=1' })";
    let answer = farm.script("row", source).keeping().get("/api/");
    assert_eq!((answer.status, answer.text().as_str(), answer.header("x-one")), (200, "x", Some("1")));
    let cookies: Vec<&str> = answer
        .headers
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"))
        .map(|(_, value)| value.as_str())
        .collect();
    assert_eq!(cookies, ["a=1", "b=2"]);
    assert_eq!(answer.header("content-length"), Some("1"));
    assert_eq!((answer.header("transfer-encoding"), answer.header("strict-transport-security")), (None, None));
    assert_ne!(answer.id(), "mine");
}

#[test]
fn what_is_no_answer_is_named() {
    check(&[
        ("respond(99)", Problem(500, "invalid_response", "")),
        ("respond(100, 'x')", Problem(500, "invalid_response", "")),
        ("respond(600, 'x')", Problem(500, "invalid_response", "")),
        ("respond(1e9, 'x')", Problem(500, "invalid_response", "")),
        ("respond(200.5, 'x')", Problem(500, "invalid_response", "")),
        ("({ status: NaN, body: 'x' })", Problem(500, "invalid_response", "")),
        ("({ status: -1, body: 'x' })", Problem(500, "invalid_response", "")),
        ("const a = {}; a.a = a; respond(a)", Problem(500, "invalid_response", "")),
        ("respond({ a: 10n })", Problem(500, "invalid_response", "")),
        ("respond({ get a() { throw new Error('in a getter') } })", Problem(500, "invalid_response", "")),
        ("respond({ toJSON() { throw new Error('in toJSON') } })", Problem(500, "invalid_response", "")),
        ("respond(Symbol('s'))", Problem(500, "invalid_response", "")),
        ("respond(200, 'x', { 'a b': '1' })", Problem(500, "invalid_response", "")),
        ("respond(200, 'x', { 'X-A': '1\\r\\nSet-Cookie: a=b' })", Problem(500, "invalid_response", "")),
        ("respond(200, 'x', { 'X-A': '\\0' })", Problem(500, "invalid_response", "")),
        ("respond(200, 'x', { '': '1' })", Problem(500, "invalid_response", "")),
        (
            "const h = {}; for (let i = 0; i < 1000; i++) h['x-' + i] = '1'; respond(200, 'x', h)",
            Problem(500, "invalid_response", ""),
        ),
        ("respond(200, 'x', { 'X-A': 'x'.repeat(100000) })", Problem(500, "invalid_response", "")),
        ("respond('x'.repeat(10 * 1024 * 1024 + 1))", Problem(500, "invalid_response", "")),
    ]);
}

/// A property is read once: a getter cannot answer one thing to the check and another to the wire.
#[test]
fn a_getter_is_read_once() {
    check(&[
        ("let n = 0; ({ get status() { return n++ ? 99 : 201 }, body: 'x' })", Status(201)),
        ("let n = 0; respond({ get a() { return ++n } })", Json(r#"{"a":1}"#)),
    ]);
}

#[test]
fn a_large_answer_comes_whole() {
    let farm = farm();
    let app = farm.script("row", "respond('0123456789abcdef'.repeat(256 * 1024))");
    let answer = app.get("/api/");
    assert_eq!((answer.status, answer.body.len()), (200, 4 << 20));
    assert!(answer.body.chunks(16).all(|chunk| chunk == b"0123456789abcdef"));
}
