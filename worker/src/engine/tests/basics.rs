//! The forms of a handler, the request, and answers.

use super::*;

#[test]
fn a_script_s_completion_value_is_the_answer() {
    let mut bench = Bench::new("respond({ hello: request.query.b || 'world' })");
    let answer = bench.answer();
    assert_eq!((answer.status, answer.body.as_slice()), (200, "{\"hello\":\"é\"}".as_bytes()));
    assert_eq!(answer.headers, [("content-type".to_owned(), "application/json".to_owned())]);
}

#[test]
fn every_form_of_an_answer() {
    let cases = [
        ("respond('a'); undefined", "200 text/plain; charset=utf-8 a"),
        ("respond('a'); respond('b'); var x = 1", "200 text/plain; charset=utf-8 b"),
        ("var x = 1", "200  "),
        ("null", "200  "),
        ("[1, 2]", "200 application/json [1,2]"),
        ("true", "200 application/json true"),
        ("({ a: new Date(0) })", "200 application/json {\"a\":\"1970-01-01T00:00:00.000Z\"}"),
        ("respond(204)", "204  "),
        ("respond(404, { error: 'no' })", "404 application/json {\"error\":\"no\"}"),
        ("respond(204, 'dropped')", "204 text/plain; charset=utf-8 "),
        ("respond(201, 'x', { 'Content-Type': 'text/css' })", "201 text/css x"),
        ("({ status: 201 })", "201  "),
        ("({ status: 'done' })", "200 application/json {\"status\":\"done\"}"),
        ("({ html: '<p>' })", "200 text/html; charset=utf-8 <p>"),
        ("({ text: 'x', headers: { A: 1 } })", "200 text/plain; charset=utf-8 x"),
        ("({ json: [], status: 418 })", "418 application/json []"),
        ("({ redirect: '/x' })", "302  "),
        ("({ redirect: '/x', status: 301 })", "301  "),
        ("new Uint8Array([65, 66]).subarray(1)", "200 application/octet-stream B"),
        ("respond(200, new ArrayBuffer(0))", "200 application/octet-stream "),
        ("Promise.resolve(7)", "200 application/json 7"),
        ("(async () => { await null; return respond(203, 'late') })()", "203 text/plain; charset=utf-8 late"),
        ("({ then(done) { done('thenable') } })", "200 text/plain; charset=utf-8 thenable"),
        ("new Promise(done => setTimeout(done, 3, 'timer'))", "200 text/plain; charset=utf-8 timer"),
        ("queueMicrotask(() => respond('micro')); undefined", "200 text/plain; charset=utf-8 micro"),
        ("module.exports = async (r) => ({ text: r.method })", "200 text/plain; charset=utf-8 GET"),
        ("module.exports = function (r) { return respond(r.path) }", "200 text/plain; charset=utf-8 /api/x"),
        ("module.exports = () => { respond('last') }", "200 text/plain; charset=utf-8 last"),
        ("'\\ud800'", "200 text/plain; charset=utf-8 \u{fffd}"),
        ("new Map([[1, 2]])", "200 application/json {}"),
        ("eval('1 + 1') + new Function('return 40')()", "200 application/json 42"),
    ];
    for (script, expected) in cases {
        let answer = Bench::new(script).answer();
        let kind = answer.headers.iter().find(|(name, _)| name == "content-type").map_or("", |(_, kind)| kind);
        let seen = format!("{} {kind} {}", answer.status, String::from_utf8_lossy(&answer.body));
        assert_eq!(seen, expected, "{script}");
    }
}

#[test]
fn headers_are_checked_and_some_are_dropped() {
    let answer = Bench::new(
        "respond(200, '', { 'Set-Cookie': ['a=1', 'b=2'], Connection: 'close', 'content-length': '9', X: 5 })",
    )
    .answer();
    let headers: Vec<_> = answer.headers.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(headers, ["set-cookie=a=1", "set-cookie=b=2", "x=5", "content-type=text/plain; charset=utf-8"]);
}

#[test]
fn what_is_no_answer_names_the_cause() {
    let cases = [
        ("respond('200', 'x')", "status"),
        ("respond(99)", "status"),
        ("respond(199)", "status"),
        ("respond(600)", "status"),
        ("respond(NaN, 'x')", "status"),
        ("respond(1e9)", "status"),
        ("respond(-1)", "status"),
        ("respond(200.5)", "status"),
        ("({ status: '200', body: 1 })", "status"),
        ("var a = {}; a.a = a; a", "circular"),
        ("10n", "BigInt"),
        ("({ a: 1n })", "BigInt"),
        ("Symbol('s')", "a symbol"),
        ("(function () {})", "a function"),
        ("({ get body() { throw new Error('mine') } })", "mine"),
        ("({ toJSON() { throw 5 } })", "non-error thrown: 5"),
        ("({ html: 5 })", "html must be a string"),
        ("new Proxy({}, { getOwnPropertyDescriptor() { throw new Error('trap') } })", "trap"),
        ("var b = new ArrayBuffer(8); b.transfer(); b", "detached"),
        ("var b = new Uint8Array(8); b.buffer.transfer(); b", "detached"),
        ("'x'.repeat(2 ** 20 + 1)", "response_too_large"),
        ("['x'.repeat(2 ** 20)]", "response_too_large"),
        ("new Uint8Array(2 ** 20 + 1)", "response_too_large"),
        ("respond(200, '', { 'a\\r\\nSet-Cookie: x': '1' })", "not a header's name"),
        ("respond(200, '', { 'a b': '1' })", "not a header's name"),
        ("respond(200, '', { 'a:': '1' })", "not a header's name"),
        ("respond(200, '', { 'ü': '1' })", "not a header's name"),
        ("respond(200, '', { '': '1' })", "not a header's name"),
        ("respond(200, '', { a: 'b\\r\\nSet-Cookie: x' })", "header a"),
        ("respond(200, '', { a: 'b\\0' })", "header a"),
        ("respond(200, '', { a: '\\ud800' })", "header a"),
        ("respond(200, '', { a: {} })", "header a"),
        ("respond(200, '', { a: null })", "header a"),
        ("respond(200, '', { a: Symbol() })", "header a"),
        ("respond(200, '', { a: 'x'.repeat(65537) })", "header a"),
        ("respond(200, '', [['a', 'b']])", "headers must be an object"),
        ("respond(200, '', 'a: b')", "headers must be an object"),
        ("respond(200, '', Object.fromEntries(Array.from({ length: 65 }, (_, i) => ['h' + i, '1'])))", "more than 64"),
        ("respond(200, '', { a: Array(65).fill('1') })", "more than 64"),
        ("({ redirect: 'x\\r\\ny' })", "header location"),
        ("({ blob: 'x' })", "blob"),
    ];
    for (script, cause) in cases {
        match end_of(script) {
            Outcome::InvalidResponse(why) => assert!(why.contains(cause), "{script}: {why}"),
            other => panic!("{script}: {other:?}"),
        }
    }
}

#[test]
fn each_property_is_read_once() {
    let script = "let n = 0; globalThis.counts = () => n; ({ get status() { n += 1; return n === 1 ? 200 : 'evil' },
        get body() { n += 1; return 'b' + n }, get headers() { n += 1; return {} } })";
    let answer = Bench::new(script).answer();
    assert_eq!((answer.status, answer.body.as_slice()), (200, b"b2".as_slice()));
}

#[test]
fn the_request_is_what_the_contract_says() {
    let script = "const { id, method, path, url, host, ip, query, queryAll, headers, cookies, body, text, files, params } = request;
        ({ json: [id, method, path, url, host, ip, query, queryAll, headers, cookies, typeof body, typeof text, files, params] })";
    let expected = serde_json::json!([
        "req_test", "GET", "/api/x", "http://app.localhost/api/x?a=1&a=2&b=%C3%A9", "app.localhost", "127.0.0.1",
        { "a": "1", "b": "é" }, { "a": ["1", "2"], "b": ["é"] }, { "accept": "*/*", "cookie": "s=1; t=%20x" },
        { "s": "1", "t": " x" }, "undefined", "undefined", {}, {}
    ]);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&text_of(script)).unwrap(), expected);
    assert_eq!(text_of("JSON.stringify(Object.keys(request).includes('text'))"), "false");
}

#[test]
fn the_request_s_parts_are_like_any_other_properties() {
    let rows = [
        (
            "Object.keys(request).join()",
            "id,method,path,url,host,ip,query,queryAll,headers,cookies,body,files,params,user",
        ),
        ("JSON.stringify({ ...request }.query)", "{\"a\":\"1\",\"b\":\"é\"}"),
        ("JSON.stringify(JSON.parse(JSON.stringify(request)).queryAll)", "{\"a\":[\"1\",\"2\"],\"b\":[\"é\"]}"),
        ("`${request.query === request.query} ${request.headers === request.headers}`", "true true"),
        ("request.query.a = 'mine'; request.query.a", "mine"),
        ("request.headers = { mine: 1 }; JSON.stringify(request.headers)", "{\"mine\":1}"),
        ("const heir = Object.create(request); heir.path = 'mine'; `${heir.path} ${request.path}`", "mine /api/x"),
        ("'use strict'; Object.freeze(request); try { request.path = 1 } catch (error) { error.name }", "TypeError"),
        ("Object.prototype.get = () => 'evil'; request.path = 'mine'; request.path", "mine"),
        ("delete request.cookies; `${'cookies' in request}`", "false"),
        ("request.user = { id: 7 }; JSON.stringify(request.user)", "{\"id\":7}"),
        ("const given = request; request = null; given.path", "/api/x"),
    ];
    for (script, expected) in rows {
        assert_eq!(text_of(script), expected, "{script}");
    }
    let mut bench = Bench::new("console.log(request)");
    bench.answer();
    let shown = bench.probe.text().concat();
    assert!(shown.contains("method: 'GET'") && shown.contains("query: { a: '1', b: 'é' }"), "{shown}");
    assert!(!shown.contains("Getter"), "{shown}");
}

#[test]
fn a_handler_is_handed_the_request_whatever_became_of_the_global() {
    let script = "request = null; module.exports = (request) => request.path";
    assert_eq!(text_of(script), "/api/x");
}

#[test]
fn bodies_are_parsed_by_their_type() {
    let script = "({ text: `${typeof request.body} ${JSON.stringify(request.body)} ${request.text}` })";
    let cases: [(&str, &str, &str); 6] = [
        ("application/json", "{\"a\": 1}", "object {\"a\":1} {\"a\": 1}"),
        ("application/ld+json; charset=utf-8", "\u{feff}[1]", "object [1] \u{feff}[1]"),
        ("application/x-www-form-urlencoded", "a=1&b=x+y&a=2", "object {\"a\":\"1\",\"b\":\"x y\"} a=1&b=x+y&a=2"),
        ("text/plain", "hé", "string \"hé\" hé"),
        ("application/octet-stream", "ab", "object {} ab"),
        ("", "ab", "object {} ab"),
    ];
    for (kind, body, expected) in cases {
        let Outcome::Reply(answer) = Bench::new(script).post(kind, body.as_bytes()).outcome else { panic!("{kind}") };
        assert_eq!(String::from_utf8_lossy(&answer.body), expected, "{kind}");
    }
    let multipart = "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--x\r\nContent-Disposition: form-data; \
        name=\"f\"; filename=\"f.txt\"\r\nContent-Type: text/css\r\n\r\nabc\r\n--x--";
    let script = "const f = request.files.f; ({ text: JSON.stringify([request.body, f.name, f.type, f.size, f.data.byteLength]) })";
    let Outcome::Reply(answer) =
        Bench::new(script).post("multipart/form-data; boundary=x", multipart.as_bytes()).outcome
    else {
        panic!("multipart")
    };
    assert_eq!(String::from_utf8_lossy(&answer.body), "[{\"a\":\"1\"},\"f.txt\",\"text/css\",3,3]");
}

#[test]
fn bad_bodies_are_answered_before_the_app_runs() {
    let mut bench = Bench::new("console.log('ran')");
    let json = bench.post("application/json", b"{\"a\": 1,\n  \"b\": }").outcome;
    assert!(matches!(&json, Outcome::BadJson(why) if why.contains("line 2, column 8")), "{json:?}");
    let bytes = bench.post("application/json", b"{\"a\":\n\"\xff\"}").outcome;
    assert!(matches!(&bytes, Outcome::BadJson(why) if why.contains("UTF-8 at line 2, column 2")), "{bytes:?}");
    let deep = bench.post("application/json", "[".repeat(500_000).as_bytes()).outcome;
    assert!(matches!(&deep, Outcome::BadJson(why) if why.contains("deep")), "{deep:?}");
    let form = bench.post("multipart/form-data; boundary=x", b"--y").outcome;
    assert!(matches!(form, Outcome::BadForm(_)), "{form:?}");
    assert!(bench.probe.lines.is_empty(), "{:?}", bench.probe.lines);
}

#[test]
fn code_can_be_executed_in_an_app_s_context() {
    let files = [("api/main.js", "module.exports = () => 1"), ("api/lib.js", "exports.two = 2")];
    let mut bench = Bench::with(&files, FreshState::Image, LIMITS);
    let json = |finished: Finished| match finished.outcome {
        Outcome::Reply(answer) => String::from_utf8(answer.body).unwrap(),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        json(bench.execute("console.log('seen'); [require('./lib').two, fazt.app.name, typeof request]")),
        "[2,\"app\",\"undefined\"]"
    );
    assert_eq!(bench.probe.text(), ["seen"]);
    assert_eq!(json(bench.execute("Promise.resolve({ a: 1 })")), "{\"a\":1}");
    assert_eq!(json(bench.execute("undefined")), "null");
    let thrown = bench.execute("let a = 1;\nthrow new TypeError('mine')").outcome;
    assert!(
        matches!(&thrown, Outcome::ScriptError(trouble) if trouble.message == "TypeError: mine" && trouble.line == 2),
        "{thrown:?}"
    );
    let syntax = bench.execute("1 +").outcome;
    assert!(
        matches!(&syntax, Outcome::ScriptError(trouble) if trouble.message.starts_with("SyntaxError")),
        "{syntax:?}"
    );
}

#[test]
fn an_app_without_a_handler_says_so() {
    assert_eq!(Bench::with(&[("api/lib.js", "")], FreshState::Image, LIMITS).serve().outcome, Outcome::NoHandler);
}
