//! What a client without a right to the app's source may read of an error, and what the app's log keeps of it.

use super::*;

const FILES: &[(&str, &str)] = &[
    ("api/lib/hidden.js", "exports.x = 1"),
    ("api/lib/broken.js", "exports.x = 1\nlet quoted = = 1"),
    ("api/lib/module.js", "export const x = 1"),
    ("api/lib/bad.json", "{ \"x\": }"),
];

fn end(main: &str) -> (Finished, Probe) {
    let files: Vec<_> = FILES.iter().copied().chain([("api/main.js", main)]).collect();
    let mut bench = Bench::with(&files, FreshState::Image, LIMITS);
    (bench.serve(), bench.probe)
}

#[test]
fn nobody_reads_names_or_source_of_an_app() {
    let rows = [
        ("require('./lib/broken')", "SyntaxError: the app's code has a syntax error", "api/lib/broken.js:2"),
        ("require('./lib/module')", "SyntaxError: the app's code has a syntax error", "api/lib/module.js"),
        ("require('./lib/gone')", "Error: a module that the app requires was not found", "api/lib/gone.js"),
        ("require('lodash')", "Error: a module that the app requires was not found", "api/lib/hidden.js"),
        ("require('../up')", "Error: a module that the app requires was not found", "'../up'"),
        (
            "try { require('./lib/gone') } catch (e) { throw new TypeError('no: ' + e.message) }",
            "TypeError: no: a module that the app requires was not found",
            "api/lib/gone.js",
        ),
        ("try { require('./lib/gone') } catch (e) { throw e.message }", "a module that the app requires", "gone"),
        (
            "const f = n => { try { require('./lib/gone' + n) } catch (e) { if (n < 30) f(n + 1); else throw e } }; f(0)",
            "Error: the app failed",
            "api/lib/gone30.js",
        ),
        ("({ get body() { return require('./lib/gone') } })", "a module that the app requires", "gone"),
        ("let a = 1\nlet api = = 'secret'", "SyntaxError: the app's code has a syntax error", "api/main.js:2"),
        ("import x from './lib/hidden.js'", "SyntaxError: the app's code has a syntax error", "ES module"),
    ];
    for (main, public, logged) in rows {
        let (finished, probe) = end(main);
        let text = finished.public.unwrap_or_else(|| panic!("{main}: {:?}", finished.outcome));
        assert!(text.contains(public), "{main}: {text}");
        assert!(
            !["api/", "lib", "gone", "hidden", "secret", "="].iter().any(|name| text.contains(name)),
            "{main}: {text}"
        );
        assert!(probe.text().iter().any(|line| line.contains(logged)), "{main}: {:?}", probe.text());
    }
    let (finished, _) = end("require('./lib/bad')");
    assert!(!finished.outcome.message().contains("bad"), "{}", finished.outcome.message());
}

#[test]
fn what_an_app_says_itself_is_said() {
    for main in ["throw new Error('api/lib/hidden.js')", "null.x", "eval('let = =')", "Promise.reject(new Error('x'))"]
    {
        assert_eq!(end(main).0.public, None, "{main}");
    }
    for main in ["1", "respond(require('./lib/hidden'))", "try { require('./lib/gone') } catch {} 1"] {
        assert_eq!(end(main).0.public, None, "{main}");
    }
}
