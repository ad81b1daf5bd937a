//! What an app's answer comes to on the wire: one answer, its own, and nothing in it that speaks for another host, for the
//! connection or for the farm. What an app throws, or a client asks for, is shown as text and never as a page's code.

use std::io::Read;

use fazt_tests::{
    farm::Farm,
    http::{Answer, App, Request},
    oracle::Watch,
    setup::Setup,
    wire::{Wire, ask},
};

/// What an app says, and what arrives: a status, and what of its header `X-A` or its body is there.
const SAID: &[(&str, &str, u16, &str)] = &[
    ("H-29 a line end in a value", "respond(200, 'x', { 'X-A': '1\\r\\nSet-Cookie: stolen=1' })", 500, ""),
    (
        "H-29 a whole second answer in a value",
        "respond(200, 'x', { 'X-A': '1\\r\\n\\r\\nHTTP/1.1 200 OK\\r\\n\\r\\n' })",
        500,
        "",
    ),
    ("H-29 a bare line feed", "respond(200, 'x', { 'X-A': '1\\nX-B: 2' })", 500, ""),
    ("H-29 a bare return", "respond(200, 'x', { 'X-A': '1\\rX-B: 2' })", 500, ""),
    ("H-29 a zero byte", "respond(200, 'x', { 'X-A': '1\\0' })", 500, ""),
    (
        "H-29 a letter past ASCII whose last byte is a line feed",
        "respond(200, 'x', { 'X-A': '\\u010d\\u010aX-B: 2' })",
        500,
        "",
    ),
    ("H-29 half a letter", "respond(200, 'x', { 'X-A': '\\ud800' })", 500, ""),
    ("H-29 a line end in a name", "respond(200, 'x', { 'X-A\\r\\nX-B': '2' })", 500, ""),
    ("H-29 a colon in a name", "respond(200, 'x', { 'X-A:': '2' })", 500, ""),
    (
        "H-29 a line end in a cookie of a list",
        "respond(200, 'x', { 'Set-Cookie': ['a=1', 'b=2\\r\\nX-B: 2'] })",
        500,
        "",
    ),
    ("H-29 a line end in where to go", "({ redirect: '/x\\r\\nX-B: 2' })", 500, ""),
    (
        "H-29 an answer as a body",
        "respond('HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n')",
        200,
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    ),
    ("H-29 a shorter length", "respond(200, 'whole', { 'Content-Length': '1' })", 200, "whole"),
    ("H-29 a longer length", "respond(200, 'whole', { 'Content-Length': '100' })", 200, "whole"),
    ("H-29 chunks that are none", "respond(200, 'whole', { 'Transfer-Encoding': 'chunked' })", 200, "whole"),
    (
        "H-29 the end of the connection",
        "respond(200, 'whole', { Connection: 'close, X-Request-Id', 'Keep-Alive': 'timeout=1' })",
        200,
        "whole",
    ),
    ("H-29 another protocol", "respond(200, 'whole', { Upgrade: 'h2c', Connection: 'upgrade' })", 200, "whole"),
    ("H-29 a status that is on the way to another one", "respond(100, 'x')", 500, ""),
    ("H-29 a change of protocols", "respond(101, 'x')", 500, ""),
    ("H-29 hints", "respond(103, '', { Link: '</x>' })", 500, ""),
    ("H-29 a body where there is none", "respond(204, 'HTTP/1.1 200 OK\\r\\n\\r\\n')", 204, ""),
    ("H-29 a body that only resets", "respond(205, 'HTTP/1.1 200 OK\\r\\n\\r\\n')", 205, ""),
    (
        "H-29 a body of what is known",
        "respond(304, 'HTTP/1.1 200 OK\\r\\n\\r\\n', { 'Content-Length': '19' })",
        304,
        "",
    ),
];

/// Headers that no app says for the farm or for other hosts.
const NOT_ITS: &[&str] = &[
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "clear-site-data",
    "alt-svc",
    "strict-transport-security",
    "x-fazt-app",
    "X-Fazt-Version",
    "public-key-pins",
    "Public-Key-Pins-Report-Only",
    "expect-ct",
    "NEL",
    "Report-To",
    "X-Accel-Redirect",
    "x-accel-buffering",
    "X-Accel-Expires",
    "X-Accel-Limit-Rate",
    "X-Sendfile",
    "X-Sendfile2",
    "x-sendfile-temporary",
    "X-Lighttpd-Send-File",
    "X-LIGHTTPD-send-tempfile",
    "X-LiteSpeed-Location",
    "x-litespeed-purge",
    "X-LiteSpeed-Cache-Control",
    "X-LSADC-Backend",
    "X-Reproxy-URL",
    "x-reproxy-file",
    "X-Reproxy-Expected-Size",
    "X-Hiawatha-Cache-Remove",
    "X-Archive-Files",
    "X-Envoy-Immediate-Health-Check-Fail",
    "Surrogate-Control",
    "Edge-Control",
];

/// Headers that speak for the one answer, or the page that it is, and no further.
const ITS: &[&str] =
    &["x-mine", "server-timing", "reporting-endpoints", "content-security-policy", "link", "accept-ch"];

/// A cookie's attributes, and whether it arrives from an app's own host, and from the base domain where the app is everybody's.
const COOKIES: &[(&str, bool, bool)] = &[
    ("a=1", true, true),
    ("a=1; Path=/; Secure; HttpOnly; SameSite=Lax", true, true),
    ("__Host-a=1; Path=/; Secure", true, true),
    ("a=Domain=localhost", true, true),
    ("a=1; Domain=", true, true),
    ("a=1; Domain=evil.localhost", true, false),
    ("a=1; Domain=.EVIL.localhost", true, false),
    ("a=1; Domain=localhost", false, false),
    ("a=1; Domain=.localhost", false, false),
    ("a=1; domain = localhost ; Path=/", false, false),
    ("a=1;\tDOMAIN=localhost", false, false),
    ("a=1; Domain=evil.localhost; Domain=localhost", false, false),
    ("a=1; Domain=localhost; Domain=evil.localhost", false, false),
    ("a=1; Domain=victim.localhost", false, false),
    ("a=1; Domain=admin.localhost", false, false),
    ("a=1; Domain=\"localhost\"", false, false),
    ("a=1; Domain=localhost.", false, false),
    ("a=1; Domain=example.test", false, false),
    ("__Host-token=1; Domain=localhost; Path=/; Secure", false, false),
];

/// One request over a connection that is kept, and the answer to the next request on it as well.
fn say(farm: &Farm, method: &str, number: usize) -> (Option<Answer>, Option<Answer>) {
    let mut wire = Wire::open(farm.address);
    let next = "GET /healthz HTTP/1.1\r\nHost: evil.localhost\r\n\r\n";
    wire.send(format!("{method} /api/?n={number} HTTP/1.1\r\nHost: evil.localhost\r\n\r\n{next}"));
    (if method == "HEAD" { wire.answer_to_head() } else { wire.answer() }, wire.answer())
}

#[test]
fn one_request_has_one_answer_whatever_an_app_says() {
    let farm = Setup::new(3).start();
    let all: Vec<String> = SAID.iter().map(|(_, said, ..)| format!("() => {said}")).collect();
    farm.script("evil", &format!("[{}][request.query.n]()", all.join(",\n")));
    let watch = Watch::over(&farm);
    let mut wrong = Vec::new();
    for (number, (what, _, status, body)) in SAID.iter().enumerate() {
        for method in ["GET", "HEAD"] {
            let (first, second) = say(&farm, method, number);
            let is_well = first.as_ref().is_some_and(|answer| {
                let split = ["x-b", "set-cookie"].iter().any(|name| answer.header(name).is_some());
                let is_own = *status == 500 && answer.code() == "invalid_response" || answer.text() == *body;
                answer.status == *status && !split && (is_own || method == "HEAD")
            });
            if !is_well || second.as_ref().is_none_or(|answer| answer.text() != "ok\n") {
                wrong.push(format!("- {method} {what}: {first:?}, then {second:?}"));
            }
        }
    }
    watch.conclude(&wrong);
}

#[test]
fn an_app_speaks_for_its_own_host_only() {
    let farm = Setup::new(3).flag("--default-app", "evil").start();
    let watch = Watch::over(&farm);
    let mut wrong = Vec::new();
    let cookies: Vec<&str> = COOKIES.iter().map(|(cookie, ..)| *cookie).collect();
    let named: Vec<String> = NOT_ITS.iter().chain(ITS).map(|name| format!("{name:?}: 'mine'")).collect();
    let source = format!(
        "respond(200, 'x', {{ 'Set-Cookie': {}, 'x-request-id': 'mine', {} }})",
        serde_json::json!(cookies),
        named.join(", ")
    );
    farm.script("evil", &source);
    for (host, is_own) in [("evil.localhost", true), ("localhost", false), ("127.0.0.1", false)] {
        let answer = App::at(farm.address, host).keeping().get("/api/");
        let arrived = |cookie: &str| answer.headers.iter().any(|(name, value)| name == "set-cookie" && value == cookie);
        for (cookie, from_own, from_base) in COOKIES {
            if arrived(cookie) != if is_own { *from_own } else { *from_base } {
                wrong.push(format!("- H-29 a cookie from {host}: {cookie}"));
            }
        }
        for name in NOT_ITS {
            if answer.header(name).is_some() {
                wrong.push(format!("- H-29 a header from {host}: {name}"));
            }
        }
        for name in ITS {
            if answer.header(name) != Some("mine") {
                wrong.push(format!("- H-29 a header of its own from {host}: {name}"));
            }
        }
        assert_eq!(answer.status, 200);
        assert!(answer.id().starts_with("req_"), "an answer's name is the farm's to give");
    }
    watch.conclude(&wrong);
}

/// Whatever text comes from outside or from an app, a page of the farm's shows it escaped, and lets nothing run or load.
#[test]
fn nothing_runs_on_a_page_of_the_farms() {
    let farm = Setup::new(3).variable("FAZT_RUNTIME_DEBUG", "1").start();
    farm.script("evil", "const bad = '<script>alert(1)</script>'\nconsole.log(bad)\nthrow new Error(bad + request.path + request.query.q)");
    let watch = Watch::over(&farm);
    let mut wrong = Vec::new();
    let tries = [
        ("evil.localhost", "/api/<script>alert(1)</script>?q=<script>"),
        ("evil.localhost", "/api/%3Cscript%3E?q=%3Cimg%20src=x%20onerror=alert(1)%3E"),
        ("evil.localhost", "/<script>alert(1)</script>"),
        ("none.localhost", "/<script>alert(1)</script>"),
        ("localhost", "/api/_admin/<script>"),
        ("localhost", "/%3Cscript%3E%00"),
    ];
    for (host, target) in tries {
        for accept in ["text/html", "*/*"] {
            let asked = Request::new("GET", target)
                .header("Accept", accept)
                .header("X-Request-Id", "<script>alert(1)</script>");
            let answer = App::at(farm.address, host).send(&asked);
            let is_page = answer.header("content-type") == Some("text/html; charset=utf-8");
            let runs =
                is_page && ["<script", "<img", "onerror=alert(1)>"].iter().any(|bad| answer.text().contains(bad));
            let policy = answer.header("content-security-policy").unwrap_or_default();
            let is_shut = policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'");
            // What the library takes for no target has no headers yet that could ask for a page.
            let may_be_page = accept == "text/html" && !target.contains('<');
            let is_said = is_page == may_be_page && answer.header("x-content-type-options") == Some("nosniff");
            if answer.status < 400 || runs || !is_said || (is_page && !is_shut) || !answer.id().starts_with("req_") {
                wrong.push(format!("- H-30 {host} {target} {accept}: {answer:?}"));
            }
        }
    }
    watch.conclude(&wrong);
}

/// A body that is said to be compressed is an app's own affair: it is handed on as it came.
#[test]
fn a_compressed_body_is_never_opened() {
    let farm = Setup::new(3).start();
    farm.script("echo", "module.exports = (request) => ({ size: request.body.byteLength, coding: request.headers['content-encoding'] })");
    let watch = Watch::over(&farm);
    let bomb = zstd::encode_all(std::io::repeat(0).take(64 << 20), 1).unwrap();
    let before = farm.router().resident_bytes();
    for coding in ["zstd", "gzip", "br", "deflate", "gzip, gzip"] {
        let asked = Request::new("POST", "/api/")
            .header("Content-Encoding", coding)
            .body("application/octet-stream", bomb.clone());
        let answer = farm.app("echo").send(&asked);
        assert_eq!(answer.json(), serde_json::json!({ "size": bomb.len(), "coding": coding }), "H-23");
    }
    let more = farm.router().resident_bytes().saturating_sub(before);
    assert!(more < 32 << 20, "H-23: {more} bytes more for bodies of {}", bomb.len());
    watch.close();
}

/// A client's own framing does not change what it is told: an answer in the old version ends with its connection.
#[test]
fn an_answer_has_the_framing_that_its_client_knows() {
    let farm = super::farm();
    let watch = Watch::over(&farm);
    let old = ask(farm.address, "GET /api/ HTTP/1.0\r\nHost: echo.localhost\r\n\r\n");
    let [answer] = old.answers.as_slice() else { panic!("{old:?}") };
    assert_eq!((answer.status, answer.header("transfer-encoding")), (200, None), "H-15");
    let kept = ask(
        farm.address,
        "GET /api/ HTTP/1.0\r\nHost: echo.localhost\r\nConnection: keep-alive\r\n\r\nGET /api/ HTTP/1.0\r\nHost: echo.localhost\r\n\r\n",
    );
    assert_eq!(kept.statuses(), "200 200", "H-15");
    watch.close();
}
