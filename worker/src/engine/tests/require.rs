//! `require` of the app's own files.

use super::*;

fn app(files: &[(&str, &str)]) -> Bench {
    Bench::with(files, FreshState::Image, LIMITS)
}

#[test]
fn modules_run_once_a_request() {
    let mut bench = app(&[
        (
            "api/main.js",
            "const a = require('./lib/a'), b = require('./lib/a.js'); a.n += 1; ({ json: [a === b, a.n, require('./data').x, require('./lib').name] })",
        ),
        ("api/lib/a.js", "exports.n = (globalThis.runs = (globalThis.runs || 0) + 1)"),
        ("api/lib/index.js", "module.exports = { name: __filename + ' ' + __dirname }"),
        ("api/data.json", "{ \"x\": [1] }"),
    ]);
    for _ in 0..3 {
        assert_eq!(bench.text(), "[true,2,[1],\"api/lib/index.js api/lib\"]");
    }
}

#[test]
fn cycles_work_as_in_node() {
    let mut bench = app(&[
        ("api/main.js", "require('./a').done"),
        ("api/a.js", "exports.early = 1; const b = require('./b'); exports.done = [b.seen, b.mine]"),
        (
            "api/b.js",
            "const a = require('./a'); exports.seen = Object.keys(a); exports.mine = require('./main') === require('./main')",
        ),
    ]);
    assert_eq!(bench.text(), "[[\"early\"],true]");
}

#[test]
fn errors_name_file_and_line() {
    let mut bench = app(&[("api/main.js", "require('./lib/a')"), ("api/lib/a.js", "\nnull.x")]);
    let Outcome::ScriptError(trouble) = bench.serve().outcome else { panic!("no error") };
    assert_eq!((trouble.file.as_str(), trouble.line, trouble.context.as_str()), ("api/lib/a.js", 2, "null.x"));
    let mut bench = app(&[("api/main.js", "require('./a')"), ("api/a.js", "let a\nlet b = = 1")]);
    let Outcome::ScriptError(trouble) = bench.serve().outcome else { panic!("no error") };
    assert!(trouble.message.starts_with("SyntaxError") && trouble.message.contains("api/a.js:2:"), "{trouble:?}");
    let mut bench = app(&[("api/main.js", "require('./a.json')"), ("api/a.json", "{\n\"a\": }")]);
    let Outcome::ScriptError(trouble) = bench.serve().outcome else { panic!("no error") };
    assert_eq!((trouble.file.as_str(), trouble.line), ("api/a.json", 2), "{trouble:?}");
    let mut bench = app(&[("api/main.js", "require('./a')"), ("api/a.js", "export const x = 1")]);
    assert!(bench.serve().outcome.message().contains("ES module"));
}

#[test]
fn names_of_nothing_are_clear_errors() {
    let cases = [
        ("require('../victim/main')", "leaves api/"),
        ("require('lodash')", "no library of that name"),
        ("require('lodash')", "api/lib/a.js"),
        ("require('/etc/passwd')", "no library of that name"),
        ("require('./nothing')", "there is no api/nothing.js, api/nothing.json or api/nothing/index.js"),
        ("require('./a\\0b')", "Cannot find module"),
        ("require('./' + 'x'.repeat(1e6))", "Cannot find module"),
        ("require(5)", "must be a string"),
        ("try { require('./nothing') } catch (e) { throw new Error(e.code) }", "MODULE_NOT_FOUND"),
    ];
    for (script, expected) in cases {
        let message = app(&[("api/main.js", script), ("api/lib/a.js", "")]).serve().outcome.message();
        assert!(message.contains(expected), "{script}: {message}");
    }
}

#[test]
fn long_chains_and_large_modules_end_well() {
    let files: Vec<(String, String)> =
        (0..3_000).map(|n| (format!("api/m{n}.js"), format!("module.exports = require('./m{}')", n + 1))).collect();
    let mut files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    files.push(("api/main.js", "require('./m0')"));
    assert!(matches!(app(&files).serve().outcome, Outcome::Stack(_) | Outcome::ScriptError(_)));
    let large = format!("module.exports = [{}]", "'abcdefgh',".repeat(95_000));
    let mut bench = app(&[("api/main.js", "require('./large').length"), ("api/large.js", &large)]);
    assert_eq!(bench.text(), "95000");
    assert_eq!(bench.text(), "95000");
}
