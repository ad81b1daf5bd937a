//! The request that an app sees: every field, every kind of body, and bodies that are not what they say.

use fazt_tests::http::Request;

use super::{Want::*, ask, farm};

const ECHO: &str = "
module.exports = (request) => {
  const value = request.query.of.split('.').reduce((value, name) => value === undefined ? value : value[name], request)
  if (value instanceof ArrayBuffer) return { bytes: Array.from(new Uint8Array(value)) }
  return respond({ type: typeof value, value: value === undefined ? null : value })
}";

fn get(target: &str) -> Request {
    Request::new("GET", target)
}

fn post(target: &str, mime: &str, body: &str) -> Request {
    Request::new("POST", target).body(mime, body)
}

#[test]
fn an_app_sees_the_head() {
    let rows = [
        (get("/api/?of=method"), Json(r#"{"type":"string","value":"GET"}"#)),
        (Request::new("DELETE", "/api/x?of=method"), Json(r#"{"type":"string","value":"DELETE"}"#)),
        (get("/api/a%20b?of=path"), Json(r#"{"type":"string","value":"/api/a b"}"#)),
        (get("/api/%C3%BC?of=path"), Json(r#"{"type":"string","value":"/api/ü"}"#)),
        (get("/api/a%2520b?of=path"), Json(r#"{"type":"string","value":"/api/a%20b"}"#)),
        (get("/api/?of=host"), Json(r#"{"type":"string","value":"row.localhost"}"#)),
        (get("/api/?of=ip"), Json(r#"{"type":"string","value":"127.0.0.1"}"#)),
        (get("/api/?of=ip").header("X-Forwarded-For", "203.0.113.9"), Json(r#"{"type":"string","value":"127.0.0.1"}"#)),
        (get("/api/?of=query.a&a=1&a=2"), Json(r#"{"type":"string","value":"1"}"#)),
        (get("/api/?of=queryAll.a&a=1&a=2"), Json(r#"{"type":"object","value":["1","2"]}"#)),
        (get("/api/?of=query.a&a=x%26y+z"), Json(r#"{"type":"string","value":"x&y z"}"#)),
        (get("/api/?of=query.a&a"), Json(r#"{"type":"string","value":""}"#)),
        (get("/api/?of=headers.x-one").header("X-One", "1"), Json(r#"{"type":"string","value":"1"}"#)),
        (
            get("/api/?of=headers.x-two").header("X-Two", "1").header("x-two", "2"),
            Json(r#"{"type":"string","value":"1, 2"}"#),
        ),
        (
            get("/api/?of=headers.x-fazt-app").header("X-Fazt-App", "other"),
            Json(r#"{"type":"undefined","value":null}"#),
        ),
        (get("/api/?of=cookies.a").header("Cookie", "a=1; b=2"), Json(r#"{"type":"string","value":"1"}"#)),
        (get("/api/?of=cookies.c").header("Cookie", "a=1; b=2"), Json(r#"{"type":"undefined","value":null}"#)),
        (get("/api/?of=id").header("X-Request-Id", "named-by-me"), Json(r#"{"type":"string","value":"named-by-me"}"#)),
        (get("/api/?of=body"), Json(r#"{"type":"undefined","value":null}"#)),
    ];
    ask(&[("api/main.js", ECHO)], &rows);
}

#[test]
fn an_app_sees_the_body_by_its_type() {
    let form = "application/x-www-form-urlencoded";
    let parts = "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\none\r\n--b\r\nContent-Disposition: form-data; \
        name=\"f\"; filename=\"x.txt\"\r\nContent-Type: text/plain\r\n\r\nfile\r\n--b--\r\n";
    let multi = |of: &str| post(&format!("/api/?of={of}"), "multipart/form-data; boundary=b", parts);
    let rows = [
        (post("/api/?of=body", "application/json", r#"{"a":[1]}"#), Json(r#"{"type":"object","value":{"a":[1]}}"#)),
        (post("/api/?of=body", "application/json; charset=utf-8", "7"), Json(r#"{"type":"number","value":7}"#)),
        (post("/api/?of=text", "application/json", "[1, 2]"), Json(r#"{"type":"string","value":"[1, 2]"}"#)),
        (post("/api/?of=body", form, "a=1&b=x+y%21"), Json(r#"{"type":"object","value":{"a":"1","b":"x y!"}}"#)),
        (post("/api/?of=body", "text/plain", "plain"), Json(r#"{"type":"string","value":"plain"}"#)),
        (post("/api/?of=body", "text/csv", "a,b"), Json(r#"{"type":"string","value":"a,b"}"#)),
        (post("/api/?of=body", "application/octet-stream", "\u{1}\u{2}"), Json(r#"{"bytes":[1,2]}"#)),
        (post("/api/?of=text", "application/octet-stream", "abc"), Json(r#"{"type":"string","value":"abc"}"#)),
        (multi("body"), Json(r#"{"type":"object","value":{"a":"one"}}"#)),
        (multi("files.f.name"), Json(r#"{"type":"string","value":"x.txt"}"#)),
        (multi("files.f.type"), Json(r#"{"type":"string","value":"text/plain"}"#)),
        (multi("files.f.size"), Json(r#"{"type":"number","value":4}"#)),
        (multi("files.f.data"), Json(r#"{"bytes":[102,105,108,101]}"#)),
    ];
    ask(&[("api/main.js", ECHO)], &rows);
}

#[test]
fn a_body_that_is_not_what_it_says_is_the_callers_fault() {
    let rows = [
        (post("/api/?of=body", "application/json", "{\"a\": }"), Problem(400, "invalid_json", "line 1")),
        (post("/api/?of=body", "application/json", "{\n  \"a\": x\n}"), Problem(400, "invalid_json", "line 2")),
        (post("/api/?of=body", "application/json", "{\"a\":1} x"), Problem(400, "invalid_json", "")),
        (post("/api/?of=body", "multipart/form-data", "x"), Problem(400, "invalid_body", "")),
        (post("/api/?of=body", "multipart/form-data; boundary=b", "--b\r\nbroken"), Problem(400, "invalid_body", "")),
    ];
    ask(&[("api/main.js", ECHO)], &rows);
}

/// As many fields as a form may have, and one more; of both kinds.
#[test]
fn a_form_has_a_thousand_fields_at_most() {
    let pairs = |count: usize| (0..count).map(|at| format!("f{at}={at}")).collect::<Vec<_>>().join("&");
    let part = |at| format!("--b\r\nContent-Disposition: form-data; name=\"f{at}\"\r\n\r\n{at}\r\n");
    let parts = |count: usize| (0..count).map(part).collect::<String>() + "--b--";
    let file = |at| format!("--b\r\nContent-Disposition: form-data; name=f{at}; filename=x\r\n\r\n{at}\r\n");
    let files = |count: usize| (0..count).map(file).collect::<String>() + "--b--";
    let (form, multi) = ("application/x-www-form-urlencoded", "multipart/form-data; boundary=b");
    let last = || Json(r#"{"type":"string","value":"999"}"#);
    let refused = || Problem(400, "invalid_body", "more than 1000 fields");
    let rows = [
        (post("/api/?of=body.f999", form, &pairs(1_000)), last()),
        (post("/api/?of=body.f999", multi, &parts(1_000)), last()),
        (post("/api/?of=files.f999.data", multi, &files(1_000)), Json(r#"{"bytes":[57,57,57]}"#)),
        (post("/api/?of=body", form, &pairs(1_001)), refused()),
        (post("/api/?of=body", form, &"a&".repeat(1_001)), refused()),
        (post("/api/?of=body", form, &pairs(50_000)), refused()),
        (post("/api/?of=body", multi, &parts(1_001)), refused()),
        (post("/api/?of=files", multi, &files(1_001)), refused()),
    ];
    ask(&[("api/main.js", ECHO)], &rows);
}

/// Without running the app: what is not JSON never reaches it.
#[test]
fn invalid_json_does_not_run_the_app() {
    let farm = farm();
    let app = farm.script("row", "fazt.storage.kv.incr('runs'); respond(200, fazt.storage.kv.get('runs'))");
    let broken = app.send(&post("/api/", "application/json", "{"));
    assert_eq!((broken.status, broken.code().as_str()), (400, "invalid_json"));
    assert_eq!(app.get("/api/").text(), "1");
}

#[test]
fn a_large_body_comes_whole_and_a_larger_one_is_refused() {
    let farm = farm();
    let source = "module.exports = (request) => { const all = new Uint8Array(request.body); let sum = 0;
        for (let at = 0; at < all.length; at += 4096) sum += all[at]; return { size: all.length, sum } }";
    let app = farm.script("row", source);
    let body: Vec<u8> = (0..5_000_000_u32).map(|at| u8::try_from(at / 4096 % 251).unwrap()).collect();
    let sum: u64 = body.iter().step_by(4096).map(|byte| u64::from(*byte)).sum();
    let octets = "application/octet-stream";
    let answer = app.send(&Request::new("POST", "/api/").body(octets, body));
    assert_eq!(answer.json(), serde_json::json!({ "size": 5_000_000, "sum": sum }), "{}", answer.text());
    let refused = app.send(&Request::new("POST", "/api/").body(octets, vec![0; 10 * 1024 * 1024 + 1]));
    assert_eq!((refused.status, refused.code().as_str()), (413, "body_too_large"));
}
