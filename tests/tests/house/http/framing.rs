//! Where a request ends: bytes in which two readers could see two different requests get one refusal, and the connection ends.
//! What is hidden in them never reaches an app.

use fazt_tests::{
    farm::Farm,
    oracle::Watch,
    wait::{millis, promised, seconds},
    wire::Wire,
};
use serde_json::json;

use super::{Row, check, farm, tell};

/// A whole request, hidden in another one.
pub(super) const HIDDEN: &str = "GET /api/smug HTTP/1.1\r\nHost: echo.localhost\r\nConnection: close\r\n\r\n";

/// A request with these header lines and what follows its head.
pub(super) fn post<'a>(what: &'a str, lines: &str, after: &str, wanted: &'a str) -> Row<'a> {
    (what, format!("POST /api/ HTTP/1.1\r\nHost: echo.localhost\r\n{lines}\r\n{after}"), wanted)
}

pub(super) fn get<'a>(what: &'a str, first: &str, lines: &str, wanted: &'a str) -> Row<'a> {
    (what, format!("{first}\r\nHost: echo.localhost\r\n{lines}\r\n"), wanted)
}

/// The app ran for nothing but what was asked of it in the open.
fn nothing_was_smuggled(farm: &Farm) {
    let ran = farm.app("echo").get("/api/?ran").json();
    let ran: Vec<_> = ran.as_array().unwrap().iter().filter(|path| **path != json!("/api/")).collect();
    assert!(ran.is_empty(), "the app ran for {ran:?}");
}

/// How long a body is.
pub(super) fn lengths() -> Vec<Row<'static>> {
    let chunked = "Transfer-Encoding: chunked\r\n";
    let both = format!("0\r\n\r\n{HIDDEN}");
    let end = "Connection: close\r\n";
    vec![
        post("H-06 a length, then chunks", &format!("Content-Length: 4\r\n{chunked}"), &both, "400"),
        post("H-06 chunks, then a length", &format!("{chunked}Content-Length: 4\r\n"), &both, "400"),
        post("H-06 chunks, then a length of nothing", &format!("{chunked}Content-Length: 0\r\n"), &both, "400"),
        post("H-06 chunks twice", &format!("{chunked}{chunked}"), &both, "501"),
        post(
            "H-06 chunks, then nothing of the kind",
            &format!("{chunked}Transfer-Encoding: identity\r\n"),
            &both,
            "400",
        ),
        post("H-06 xchunked", "Transfer-Encoding: xchunked\r\n", &both, "400"),
        post("H-06 gzip, chunked", "Transfer-Encoding: gzip, chunked\r\n", &both, "501"),
        post("H-06 chunked, identity", "Transfer-Encoding: chunked, identity\r\n", &both, "400"),
        post("H-06 a space before the colon", "Transfer-Encoding : chunked\r\n", &both, "400"),
        post("H-06 a folded line", "Transfer-Encoding:\r\n chunked\r\n", &both, "400"),
        post("H-06 a vertical tab", "Transfer-Encoding: \u{b}chunked\r\n", &both, "400"),
        post("H-06 a quoted coding", "Transfer-Encoding: \"chunked\"\r\n", &both, "400"),
        post("H-06 another name by an underscore", &format!("Transfer_Encoding: chunked\r\n{end}"), "", "200"),
        post("H-06 nothing follows chunks on a connection", chunked, &both, "200"),
        post("H-06 a request as a body", &format!("Content-Length: {}\r\n{end}", HIDDEN.len()), HIDDEN, "200"),
        ("H-06 chunks in the old version", format!("POST /api/ HTTP/1.0\r\n{chunked}\r\n{both}"), "400"),
        post("H-07 two lengths that differ", "Content-Length: 4\r\nContent-Length: 5\r\n", "abcde", "400"),
        post("H-07 one length twice", &format!("Content-Length: 4\r\nContent-Length: 4\r\n{end}"), "abcd", "200"),
        post("H-07 a list of one length", "Content-Length: 1, 1\r\n", "a", "400"),
        post("H-07 a plus", "Content-Length: +1\r\n", "a", "400"),
        post("H-07 a minus", "Content-Length: -1\r\n", "a", "400"),
        post("H-07 hexadecimal", "Content-Length: 0x1\r\n", "a", "400"),
        post("H-07 two numbers", "Content-Length: 1 1\r\n", "a", "400"),
        post("H-07 no number", "Content-Length:\r\n", "a", "400"),
        post("H-07 spaces around it", &format!("Content-Length:   1 \t \r\n{end}"), "a", "200"),
        post("H-07 forty digits", &format!("Content-Length: {:0>40}\r\n{end}", 2), "\n\n", "400"),
        post("H-07 a length past all numbers", "Content-Length: 18446744073709551616\r\n", "", "400"),
        post("H-07 a length past all bodies", "Content-Length: 9223372036854775808\r\n", "", "413"),
        post("H-07 a byte past the limit", &format!("Content-Length: {}\r\n", (10 << 20) + 1), "", "413"),
        post(
            "H-07 that, promised to a client who waits",
            "Content-Length: 99999999\r\nExpect: 100-continue\r\n",
            "",
            "413",
        ),
    ]
}

#[test]
fn a_body_has_one_length() {
    let farm = farm();
    check(&farm, &lengths());
    nothing_was_smuggled(&farm);
}

/// Bodies in chunks.
pub(super) fn chunks() -> Vec<Row<'static>> {
    let line = "Transfer-Encoding: chunked\r\n";
    let first = "GET /api/ HTTP/1.1\r\nHost: echo.localhost\r\n\r\n";
    let chunks = |what, chunks: &str, wanted| post(what, line, chunks, wanted);
    let over = format!("100000\r\n{}\r\n", "x".repeat(1 << 20)).repeat(11);
    vec![
        chunks("H-09 plain", "3\r\nabc\r\n0\r\n\r\n", "200"),
        chunks("H-09 a short extension", "3;a=b\r\nabc\r\n0\r\n\r\n", "200"),
        chunks(
            "H-09 trailers that name a host and a length",
            &format!("0\r\nHost: victim.localhost\r\nContent-Length: 9\r\n\r\n{HIDDEN}"),
            "200",
        ),
        (
            "H-09 behind another request, which is not the last one",
            format!("{first}POST /api/ HTTP/1.1\r\nHost: echo.localhost\r\n{line}\r\n3\r\nabc\r\n0\r\n\r\n{HIDDEN}"),
            "200 200",
        ),
        chunks("H-09 no digits", "\r\nabc\r\n0\r\n\r\n", "400"),
        chunks("H-09 what is no digit", "zz\r\nabc\r\n0\r\n\r\n", "400"),
        chunks("H-09 a sign", "+3\r\nabc\r\n0\r\n\r\n", "400"),
        chunks("H-09 a minus", "-3\r\nabc\r\n0\r\n\r\n", "400"),
        chunks("H-09 the usual mark of such digits", "0x3\r\nabc\r\n0\r\n\r\n", "400"),
        chunks("H-09 seventeen digits", "FFFFFFFFFFFFFFFFF\r\nabc\r\n0\r\n\r\n", "400"),
        chunks("H-09 an extension of 20 KB", &format!("3;{}\r\nabc\r\n0\r\n\r\n", "x".repeat(20_000)), "400"),
        chunks(
            "H-09 extensions of 20 KB together",
            &format!("{}0\r\n\r\n", format!("1;{}\r\na\r\n", "x".repeat(2_000)).repeat(10)),
            "400",
        ),
        chunks("H-09 a bare line feed after the size", "3\nabc\r\n0\r\n\r\n", "400"),
        chunks("H-09 a bare line feed in an extension", "3;a\nabc\r\n0\r\n\r\n", "400"),
        chunks("H-09 a bare line feed after the bytes", "3\r\nabc\n0\r\n\r\n", "400"),
        chunks("H-09 nothing after the bytes", "3\r\nabcd\r\n0\r\n\r\n", "400"),
        chunks("H-09 trailers of 100 KB", &format!("0\r\nX: {}\r\n\r\n", "x".repeat(100_000)), "400"),
        chunks("H-09 more than a body may have", &over, "413"),
    ]
}

#[test]
fn chunks_are_whole_or_the_request_is_none() {
    let farm = farm();
    check(&farm, &chunks());
    nothing_was_smuggled(&farm);
}

/// Heads of every kind.
pub(super) fn heads() -> Vec<Row<'static>> {
    let end = "Connection: close\r\n";
    let many = |count: usize| "X-A: 1\r\n".repeat(count);
    let wide = |bytes: usize| format!("X-A: {}\r\n", "x".repeat(bytes));
    let plain = "GET /api/ HTTP/1.1";
    vec![
        get("H-05 a header of 1 MB", plain, &wide(1 << 20), "431"),
        get("H-05 a header of 300 KB", plain, &wide(300 << 10), "431"),
        get("H-05 64 KiB of headers and one byte", plain, &wide((64 << 10) - 20), "431"),
        get("H-05 101 headers", plain, &many(101), "431"),
        get("H-05 10,000 headers", plain, &many(10_000), "431"),
        get("H-05 as many headers as there may be", plain, &format!("{}{end}", many(62)), "200"),
        get("H-05 a target of 70 KB", &format!("GET /api/{} HTTP/1.1", "x".repeat(70_000)), "", "414"),
        get("H-05 a target of 16 KB", &format!("GET /api/?{} HTTP/1.1", "x".repeat(16 << 10)), "", "414"),
        get("H-09 a space before a colon", plain, "X-A : 1\r\n", "400"),
        get("H-09 a folded header", plain, "X-A: 1\r\n 2\r\n", "400"),
        get("H-09 a line that begins with a space", plain, " X-A: 1\r\n", "400"),
        get("H-09 a line without a colon", plain, "X-A\r\n", "400"),
        get("H-09 a name of nothing", plain, ": 1\r\n", "400"),
        get("H-09 a name that is no token", plain, "X(A): 1\r\n", "400"),
        get("H-09 a bare return", plain, "X-A: 1\rX-B: 2\r\n", "400"),
        get("H-09 a zero byte", plain, "X-A: \0\r\n", "400"),
        ("H-09 bare line feeds", format!("{plain}\nHost: echo.localhost\n\n"), "400"),
        get("H-09 one bare line feed", plain, "X-A: 1\nX-B: 2\r\n", "400"),
        (
            "H-09 one after a good request",
            format!("{plain}\r\nHost: echo.localhost\r\n\r\n{}", HIDDEN.replace("\r\nHost", "\nHost")),
            "200 400",
        ),
        get("H-15 HTTP/1.0", "GET /api/ HTTP/1.0", "", "200"),
        ("H-15 HTTP/0.9", "GET /api/\r\n\r\n".to_owned(), "400"),
        get("H-15 HTTP/1.2", "GET /api/ HTTP/1.2", "", "400"),
        get("H-15 HTTP/2.0 in words", "GET /api/ HTTP/2.0", "", "400"),
        get("H-15 lower case", "GET /api/ http/1.1", "", "400"),
        get("H-15 two spaces", "GET  /api/ HTTP/1.1", "", "400"),
        ("H-02 HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), ""),
        ("H-02 TLS", "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\u{fc}\u{3}\u{3}hello".to_owned(), "400"),
        get("H-19 an expectation that nobody meets", plain, "Expect: miracles\r\n", "417"),
        get("H-09 a wish to speak something else", plain, &format!("Upgrade: websocket\r\n{end}"), "200"),
        get("H-09 the old way to HTTP/2", plain, &format!("Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n{end}"), "200"),
    ]
}

#[test]
fn a_head_is_whole_small_and_of_its_time() {
    let farm = farm();
    check(&farm, &heads());
    nothing_was_smuggled(&farm);
}

/// Targets and methods.
pub(super) fn targets() -> Vec<Row<'static>> {
    let end = "Connection: close\r\n";
    vec![
        get("H-11 a whole URL", "GET http://echo.localhost/api/ HTTP/1.1", end, "200"),
        get("H-11 another host in the target", "GET http://victim.localhost/api/ HTTP/1.1", end, "400"),
        get("H-11 a user in the target", "GET http://victim.localhost@echo.localhost/api/ HTTP/1.1", end, "400"),
        get("H-11 another port in the target", "GET http://echo.localhost:81/api/ HTTP/1.1", end, "400"),
        ("H-11 CONNECT", format!("CONNECT echo.localhost:80 HTTP/1.1\r\nHost: echo.localhost\r\n\r\n{HIDDEN}"), "405"),
        get("H-11 OPTIONS *", "OPTIONS * HTTP/1.1", "", "400"),
        get("H-11 GET *", "GET * HTTP/1.1", "", "400"),
        get("H-11 a relative target", "GET api/ HTTP/1.1", "", "400"),
        get("H-11 a fragment", "GET /api/#/../x HTTP/1.1", end, "200"),
        get("H-11 a bare byte past ASCII", "GET /api/\u{fc} HTTP/1.1", end, "200"),
        get("H-11 TRACE", "TRACE /api/ HTTP/1.1", "", "405"),
        get("H-11 a method that nobody knows", "BREW /api/ HTTP/1.1", "", "501"),
        get("H-11 one of another protocol", "PROPFIND /api/ HTTP/1.1", "", "501"),
        get("H-11 a method of 1 KB", &format!("{} /api/ HTTP/1.1", "G".repeat(1024)), "", "501"),
        get("H-11 lower case", "get /api/ HTTP/1.1", "", "501"),
        get("H-11 a method that is no word", "GE(T /api/ HTTP/1.1", "", "400"),
    ]
}

#[test]
fn targets_and_methods_are_those_of_a_server_of_apps() {
    let farm = farm();
    check(&farm, &targets());
    let echo = farm.app("echo").get("/api/?ran").json();
    assert!(!echo.to_string().contains("smug"), "{echo}");
}

/// The parser looks at a head that comes in pieces only when it has seen its end, which a spoiled one would never have.
/// Heads that must not pass, in whatever pieces they come.
pub(super) fn spoiled() -> Vec<Row<'static>> {
    let both = format!("0\r\n\r\n{HIDDEN}");
    let long = format!("Content-Length: {:0>60}\r\n", 2);
    vec![
        post("a length and chunks", "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", "", "400"),
        post("chunks that are none, then a length", "Transfer-Encoding: x\r\nContent-Length: 4\r\n", &both, "400"),
        post("a length of too many digits", &long, "ab", "400"),
        post("a bare line feed within", "A: b\nC: d\r\n", "", "400"),
        ("a bare line feed at the end", "GET /api/ HTTP/1.1\r\nHost: echo.localhost\r\n\n".to_owned(), "400"),
    ]
}

#[test]
fn a_head_that_must_not_pass_is_refused_at_once_in_whatever_pieces_it_comes() {
    let farm = farm();
    let rows = spoiled();
    let watch = Watch::over(&farm);
    let mut wrong = Vec::new();
    for (what, bytes, wanted) in &rows {
        for cut in (1..bytes.len()).filter(|cut| cut % 5 == 0 || bytes.len() - cut < 5) {
            let (first, second) = bytes.split_at(cut);
            let mut wire = Wire::open(farm.address);
            wire.send(first);
            // Read by itself, as a rule; where it is not, this cut tries what another one does.
            std::thread::sleep(millis(1));
            wire.send(second);
            let heard = wire.hear();
            if heard.statuses() != *wanted || heard.took > promised(seconds(3)) {
                wrong.push(format!("- {what}, cut at {cut}: {}", tell(&heard)));
            }
        }
    }
    watch.conclude(&wrong);
    nothing_was_smuggled(&farm);
}
