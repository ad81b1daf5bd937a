//! `require`: an app's own modules, and nothing else.

use fazt_tests::http::Request;

use super::{Want, Want::*, farm, report, row};

type Files = &'static [(&'static str, &'static str)];

#[test]
fn an_app_requires_its_own_files() {
    let rows: &[(Files, Want)] = &[
        (&[("api/main.js", "respond(require('./a'))"), ("api/a.js", "module.exports = 'a'")], Text("a")),
        (&[("api/main.js", "respond(200, require('./a.js').x)"), ("api/a.js", "exports.x = 1")], Json("1")),
        (
            &[("api/main.js", "respond(require('./dir'))"), ("api/dir/index.js", "module.exports = 'index'")],
            Text("index"),
        ),
        (&[("api/main.js", "respond(require('./d.json'))"), ("api/d.json", "{\"a\":[1]}")], Json(r#"{"a":[1]}"#)),
        (
            &[
                ("api/main.js", "respond(require('./lib/a'))"),
                ("api/lib/a.js", "module.exports = require('../b') + require('./c')"),
                ("api/b.js", "module.exports = 'b'"),
                ("api/lib/c.js", "module.exports = 'c'"),
            ],
            Text("bc"),
        ),
        (
            &[("api/main.js", "respond(require('./a') === require('./a.js'))"), ("api/a.js", "module.exports = {}")],
            Json("true"),
        ),
        (
            &[
                ("api/main.js", "respond(require('./a').sees)"),
                ("api/a.js", "exports.early = 1; exports.sees = require('./b').saw"),
                ("api/b.js", "exports.saw = Object.keys(require('./a'))"),
            ],
            Json(r#"["early"]"#),
        ),
        (
            &[
                ("api/main.js", "const { f } = require('./a')\nmodule.exports = () => f()"),
                ("api/a.js", "exports.f = () => 'f'"),
            ],
            Text("f"),
        ),
    ];
    let farm = farm();
    let get = Request::new("GET", "/api/");
    report(rows.iter().filter_map(|(files, want)| row(&farm, files, &get, want)).collect());
}

#[test]
fn what_cannot_be_required_is_an_error_that_names_nothing() {
    const PRIVATE: (&str, &str) = ("private/seed.json", "{\"secret\":1}");
    let rows: &[(Files, Want)] = &[
        (&[("api/main.js", "require('./none')")], Problem(500, "script_error", "was not found")),
        (&[("api/main.js", "require('../private/seed.json')"), PRIVATE], Problem(500, "script_error", "was not found")),
        (&[("api/main.js", "require('../../victim/api/main')")], Problem(500, "script_error", "")),
        (&[("api/main.js", "require('/etc/passwd')")], Problem(500, "script_error", "")),
        (&[("api/main.js", "require('nothing-known')")], Problem(500, "script_error", "was not found")),
        (&[("api/main.js", "require('./a\\0b')")], Problem(500, "script_error", "")),
        (&[("api/main.js", "require('x'.repeat(1e6))")], Problem(500, "script_error", "")),
        (&[("api/main.js", "require()")], Problem(500, "script_error", "")),
        (&[("api/main.js", "require('./d.json')"), ("api/d.json", "{")], Problem(500, "script_error", "JSON")),
    ];
    let farm = farm();
    let get = Request::new("GET", "/api/");
    report(rows.iter().filter_map(|(files, want)| row(&farm, files, &get, want)).collect());
}

#[test]
fn who_may_see_the_source_hears_what_cannot_be_required() {
    let farm = farm();
    for (source, said) in [("require('./none')", "./none"), ("require('nothing-known')", "nothing-known")] {
        let told = farm.script("row", source).with_token(&farm.token).get("/api/");
        assert!(told.status == 500 && told.json()["detail"].as_str().unwrap().contains(said), "{}", told.text());
    }
}

#[test]
fn an_error_in_a_module_names_its_file_and_line() {
    let farm = farm();
    farm.deploy("row", &[("api/main.js", "require('./lib/deep')"), ("api/lib/deep.js", "\n\nthrow new Error('deep')")]);
    let problem = farm.app("row").with_token(&farm.token).get("/api/").json();
    assert_eq!((problem["file"].as_str(), problem["line"].as_u64()), (Some("api/lib/deep.js"), Some(3)), "{problem}");
    assert_eq!(problem["context"], "throw new Error('deep')", "{problem}");
}

#[test]
fn json_that_does_not_parse_names_its_file() {
    let farm = farm();
    farm.deploy("row", &[("api/main.js", "require('./d.json')"), ("api/d.json", "{")]);
    let problem = farm.app("row").with_token(&farm.token).get("/api/").json();
    assert!(problem["stack"].as_str().unwrap_or_default().contains("api/d.json"), "{problem}");
}

/// Each module runs once a request, and anew for the next one.
#[test]
fn modules_run_once_a_request() {
    let farm = farm();
    let files = [
        ("api/main.js", "require('./count'); require('./count'); respond(200, require('./count').n)"),
        ("api/count.js", "globalThis.loads = (globalThis.loads || 0) + 1; exports.n = globalThis.loads"),
    ];
    farm.deploy("row", &files);
    for _ in 0..5 {
        assert_eq!(farm.app("row").get("/api/").text(), "1");
    }
}
