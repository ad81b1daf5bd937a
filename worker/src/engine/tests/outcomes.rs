//! How runs end, as a table: each script with the outcome that it must have and whether its worker goes on.

use super::*;

/// One word for an outcome.
fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Reply(_) => "reply",
        Outcome::SoftTimeout(..) => "timeout",
        Outcome::ScriptError(_) => "script",
        Outcome::Memory(_) => "memory",
        Outcome::Stack(_) => "stack",
        Outcome::NeverSettled => "never",
        Outcome::InvalidResponse(_) => "invalid",
        Outcome::StorageTimeout(_) => "storage timeout",
        Outcome::StorageUnavailable(_) => "storage unavailable",
        Outcome::QuotaExceeded(_) => "quota",
        Outcome::NoHandler | Outcome::BadJson(_) | Outcome::BadForm(_) => "other",
    }
}

/// Runs each script in both kinds of fresh state. `ends` are the words that are right, with `!` where the worker retires.
fn table(cases: &[(&str, &[&str])], run: Duration) {
    for fresh_state in [FreshState::Image, FreshState::Context] {
        for (script, ends) in cases {
            let mut bench = Bench::with(&[("api/main.js", script)], fresh_state, LIMITS);
            bench.run = run;
            let began = std::time::Instant::now();
            let finished = bench.serve();
            let seen = format!("{}{}", word(&finished.outcome), if finished.retire { "!" } else { "" });
            assert!(
                ends.contains(&seen.as_str()),
                "{fresh_state:?} {script}: {seen}, not {ends:?}: {:?}",
                finished.outcome
            );
            assert!(began.elapsed() < run + Duration::from_secs(3), "{script}: {:?}", began.elapsed());
        }
    }
}

#[test]
fn endless_scripts_are_cut_off() {
    let cases: &[(&str, &[&str])] = &[
        ("while (true) {}", &["timeout!"]),
        ("for (;;) { try { for (;;); } catch {} finally { continue } }", &["timeout!"]),
        ("try { for (;;); } catch (e) { respond('caught') } finally { respond('finally') }", &["timeout!"]),
        ("function* g() { for (;;) yield 1 }; for (const x of g());", &["timeout!"]),
        ("(async () => { for (;;) await 0 })()", &["timeout!"]),
        ("const f = () => Promise.resolve().then(f); f()", &["timeout!"]),
        ("const f = () => { queueMicrotask(f) }; f(); 1", &["timeout!"]),
        ("const f = () => { Promise.resolve().then(f); Promise.resolve().then(f) }; f()", &["timeout!", "memory!"]),
        ("new Promise(() => { for (;;); }).catch(() => { for (;;); })", &["timeout!"]),
        ("const f = () => new Promise(() => { for (;;); }).catch(f); f()", &["timeout!"]),
        ("new Proxy({}, { get() { for (;;); } }).x", &["timeout!"]),
        ("`${{ toString() { for (;;); } }}`", &["timeout!"]),
        ("({ get body() { for (;;); } })", &["timeout!"]),
        ("({ toJSON() { for (;;); } })", &["timeout!"]),
        ("[3, 2, 1].sort(() => { for (;;); })", &["timeout!"]),
        ("JSON.stringify({ a: 1 }, () => { for (;;); })", &["timeout!"]),
        ("'x'.replace(/x/, () => { for (;;); })", &["timeout!"]),
        ("/(a+)+b/.test('a'.repeat(40))", &["timeout!"]),
        ("new Promise(done => setTimeout(done, 1e6))", &["timeout!"]),
        ("new Promise(done => setInterval(() => {}, 1))", &["timeout!"]),
        ("const f = () => setTimeout(f, 0); f(); new Promise(() => {})", &["timeout!"]),
        ("for (;;) console.log('x')", &["timeout!"]),
        ("for (;;) fazt.storage.kv.get('x')", &["script"]),
        ("for (;;) { try { fazt.storage.kv.get('x') } catch {} }", &["timeout!"]),
        ("console.log({ get a() { for (;;); } }); 1", &["reply"]),
        ("throw { get message() { for (;;); }, get stack() { for (;;); } }", &["script"]),
        ("Error.prepareStackTrace = () => { for (;;); }; null.x", &["timeout!"]),
        ("new Function('for(;;);')()", &["timeout!"]),
        ("eval('for(;;);')", &["timeout!"]),
        ("Array.from({ length: 1e9 }, () => 0)", &["timeout!", "memory!"]),
        ("let s = ''; for (;;) s = (s + 'x').slice(-9)", &["timeout!"]),
    ];
    table(cases, Duration::from_millis(60));
}

#[test]
fn a_timeout_says_where_the_script_stood() {
    let mut bench = Bench::new("function spin(n) {\n  for (;;) n += 1\n}\nspin(0)");
    bench.run = Duration::from_millis(30);
    let Outcome::SoftTimeout(30, trouble) = bench.serve().outcome else { panic!("no timeout") };
    assert!(trouble.stack.contains("spin"), "{trouble:?}");
    assert_eq!(
        (trouble.file.as_str(), trouble.line, trouble.context.as_str()),
        ("api/main.js", 2, "  for (;;) n += 1")
    );
}

#[test]
fn heaps_have_a_limit() {
    let cases: &[(&str, &[&str])] = &[
        ("let s = 'x'; for (;;) s += s + 'y'", &["memory!", "script"]),
        ("let a = []; for (;;) a.push(new ArrayBuffer(65536))", &["memory!"]),
        ("let a = []; for (;;) a.push([])", &["memory!"]),
        ("let a = []; for (;;) a.push(() => a)", &["memory!"]),
        ("let m = new Map(); for (let i = 0; ; i++) m.set(i, {})", &["memory!"]),
        ("let a = []; for (let i = 0; ; i++) a.push(Symbol(i))", &["memory!"]),
        ("let a = []; for (let i = 0; ; i++) a.push(new RegExp('a' + i))", &["memory!"]),
        ("let b = 1n; for (;;) b = b << 10000n | b", &["memory!", "script"]),
        ("new ArrayBuffer(2 ** 40)", &["script", "memory!"]),
        ("new Uint8Array(100 * 2 ** 20)", &["memory!"]),
        ("new ArrayBuffer(8, { maxByteLength: 2 ** 31 })", &["memory!", "script"]),
        ("'x'.repeat(2 ** 30 - 1)", &["memory!", "script"]),
        ("'x'.padEnd(2 ** 29)", &["memory!"]),
        ("let o = null; for (;;) o = { o }", &["memory!"]),
        ("try { new Uint8Array(100 * 2 ** 20) } catch {}; 'fine'", &["reply!"]),
        ("for (let i = 0; i < 50; i++) { try { new Uint8Array(100 * 2 ** 20) } catch {} }; 'fine'", &["reply!"]),
        ("try { let a = []; for (;;) a.push({}) } catch { throw null }", &["memory!"]),
        ("typeof SharedArrayBuffer + typeof Atomics", &["reply"]),
        ("let a = []; for (let i = 0; i < 700000; i++) a = [a]; 1", &["reply", "memory!"]),
        ("new RegExp('(a)'.repeat(20000)).test('a')", &["script", "memory!", "reply", "stack"]),
        ("new RegExp('a{1,1000}{1,1000}{1,1000}').test('a')", &["script", "memory!", "reply", "timeout!"]),
        ("for (let i = 0; i < 100; i++) { let a = {}; a.a = a; a.b = new Array(1e5).fill(a) } 'collected'", &["reply"]),
    ];
    table(cases, Duration::from_secs(5));
}

#[test]
fn stacks_have_a_limit_and_the_worker_goes_on() {
    let cases: &[(&str, &[&str])] = &[
        ("const f = () => f(); f()", &["stack"]),
        ("const f = () => [1].map(f); f()", &["stack"]),
        ("const f = () => { try { f() } finally { f() } }; f()", &["stack", "timeout!"]),
        ("const o = new Proxy({}, { get: (t, k, r) => r[k] }); o.x", &["stack"]),
        ("const o = { valueOf() { return +o } }; +o", &["stack"]),
        ("const o = { get a() { return this.a } }; o.a", &["stack"]),
        ("JSON.parse('['.repeat(2e6))", &["stack", "script"]),
        ("let a = []; for (let i = 0; i < 1e5; i++) a = [a]; JSON.stringify(a)", &["stack", "script"]),
        ("let a = []; for (let i = 0; i < 1e5; i++) a = [a]; a", &["invalid"]),
        ("eval('('.repeat(2e5) + ')'.repeat(2e5))", &["stack", "script"]),
        ("class A { constructor() { new A() } } new A()", &["stack"]),
        ("const f = () => { try { f() } catch (e) { throw e } }; f()", &["stack"]),
        ("const f = () => f(); try { f() } catch (e) { e.name }", &["reply"]),
        ("const f = () => console.log({ a: f() }); f()", &["stack"]),
        ("const f = () => fazt.storage.kv.set({ toString: f }, f()); f()", &["stack"]),
        ("'a'.replace(/a/, function f() { return 'a'.replace(/a/, f) })", &["stack"]),
        ("const f = async () => { await f() }; f()", &["stack"]),
        ("let p = {}; for (let i = 0; i < 1e5; i++) p = Object.create(p); p.x === undefined", &["reply"]),
    ];
    table(cases, Duration::from_secs(2));
}

#[test]
fn what_is_thrown_is_told_without_running_code() {
    let mut bench = Bench::new("");
    let cases = [
        ("throw null", "non-error thrown: null"),
        ("throw undefined", "non-error thrown: undefined"),
        ("throw Symbol('s')", "non-error thrown: a symbol"),
        ("throw 10n ** 100000n", "non-error thrown: a bigint"),
        ("throw 'text'", "non-error thrown: \"text\""),
        ("throw 5", "non-error thrown: 5"),
        ("throw (() => { const a = {}; a.a = a; return a })()", "non-error thrown: an object"),
        ("throw { toString() { throw 1 }, get stack() { throw 2 } }", "non-error thrown: an object"),
        ("throw new Proxy({}, { get() { throw 1 } })", "non-error thrown: an object"),
        ("throw { message: 'plain' }", "Error: plain"),
        ("throw new TypeError('mine')", "TypeError: mine"),
        ("throw Object.assign(new Error('mine'), { name: 'Own' })", "Own: mine"),
        ("throw new (class Special extends RangeError {})('x')", "RangeError: x"),
        ("throw Object.defineProperty(new Error('m'), 'message', { get() { throw 3 } })", "Error"),
        ("Promise.reject(new Error('rejected'))", "Error: rejected"),
        ("Promise.reject()", "non-error thrown: undefined"),
        ("(async () => { await null; nothing.here })()", "ReferenceError: nothing is not defined"),
        ("setTimeout(() => { throw new Error('timer') }, 1); new Promise(() => {})", "Error: timer"),
        ("queueMicrotask(() => { throw new Error('micro') })", "Error: micro"),
        ("module.exports = () => { throw new Error('export') }", "Error: export"),
        ("module.exports = async () => { throw new Error('export') }", "Error: export"),
    ];
    for (script, message) in cases {
        let finished = Bench::new(script).serve();
        let Outcome::ScriptError(trouble) = &finished.outcome else { panic!("{script}: {:?}", finished.outcome) };
        assert_eq!(trouble.message, message, "{script}");
        assert!(!finished.retire);
    }
    let finished = Bench::new("throw new Error('x'.repeat(1e6))").serve();
    assert!(finished.outcome.message().len() <= 4096);
    bench.serve();
}

#[test]
fn an_uncaught_error_knows_its_place_and_is_logged() {
    let mut bench = Bench::new("const a = 1\nfunction fail() {\n  throw new TypeError('mine')\n}\nfail()");
    let Outcome::ScriptError(trouble) = bench.serve().outcome else { panic!("no error") };
    assert_eq!(
        (trouble.file.as_str(), trouble.line, trouble.context.as_str()),
        ("api/main.js", 3, "  throw new TypeError('mine')")
    );
    assert!(trouble.stack.contains("at fail (api/main.js:3:"), "{}", trouble.stack);
    let [line] = bench.probe.lines.as_slice() else { panic!("{:?}", bench.probe.lines) };
    assert_eq!((line.level, line.source), (fazt_protocol::call::Level::Error, fazt_protocol::call::Source::Uncaught));
    assert!(line.message.starts_with("TypeError: mine\n"));
}

#[test]
fn syntax_errors_say_where_and_what_is_supported() {
    let Outcome::ScriptError(trouble) = end_of("let a = 1\nlet b = ;") else { panic!("no error") };
    assert_eq!((trouble.line, trouble.context.as_str()), (2, "let b = ;"));
    let Outcome::ScriptError(trouble) = end_of("export default { fetch() {} }") else { panic!("no error") };
    assert!(trouble.message.contains("ES module") && trouble.message.contains("module.exports"), "{trouble:?}");
    let Outcome::ScriptError(trouble) = end_of("await 1") else { panic!("no error") };
    assert!(trouble.message.contains("`await`") && trouble.message.contains("module.exports"), "{trouble:?}");
    let Outcome::ScriptError(trouble) = end_of("import('/etc/passwd')") else { panic!("no error") };
    assert!(trouble.message.contains("could not load module"), "{trouble:?}");
}

#[test]
fn promises_that_nothing_can_settle_end_at_once() {
    let cases: &[(&str, &[&str])] = &[
        ("new Promise(() => {})", &["never"]),
        ("module.exports = async () => { await new Promise(() => {}) }", &["never"]),
        ("const t = setTimeout(() => {}, 1e6); clearTimeout(t); new Promise(() => {})", &["never"]),
        ("setTimeout(() => {}, 1); new Promise(() => {})", &["never"]),
        ("({ then() {} })", &["never"]),
        ("setTimeout(() => { throw 1 }, 1); 'answered'", &["reply"]),
        (
            "let n = 0; new Promise(done => { const t = setInterval(() => { n += 1; if (n === 3) { clearInterval(t); done(n) } }, 1) })",
            &["reply"],
        ),
    ];
    table(cases, Duration::from_secs(5));
}

#[test]
fn storage_errors_that_are_not_caught_have_outcomes_of_their_own() {
    let cases = [
        (Code::Timeout, "storage timeout"),
        (Code::Unavailable, "storage unavailable"),
        (Code::QuotaExceeded, "quota"),
        (Code::TooLarge, "script"),
        (Code::Conflict, "script"),
        (Code::RateLimited, "script"),
    ];
    for (code, expected) in cases {
        let mut bench = Bench::new("fazt.storage.kv.get('a')");
        bench.probe.refusal = Some(Refusal::new(code, "because"));
        let outcome = bench.serve().outcome;
        assert_eq!(word(&outcome), expected, "{outcome:?}");
        assert_eq!(outcome.message(), "StorageError: kv.get: because");
    }
    let lies = "throw Object.assign(new Error('x'), { name: 'StorageError', code: 'TIMEOUT' })";
    assert_eq!(word(&end_of(lies)), "script");
}

#[test]
fn timers_fire_in_order_and_never_after_the_answer() {
    let script = "const seen = []; for (const ms of [9, 3, 3, 6]) setTimeout((a, b) => seen.push(a + b), ms, ms, 'ms');
        setTimeout(() => console.log('too late'), 60); new Promise(done => setTimeout(() => done(seen), 20))";
    let mut bench = Bench::new(script);
    assert_eq!(bench.text(), "[\"3ms\",\"3ms\",\"6ms\",\"9ms\"]");
    assert_eq!(bench.text(), "[\"3ms\",\"3ms\",\"6ms\",\"9ms\"]");
    assert!(bench.probe.lines.is_empty());
    assert_eq!(
        text_of(
            "let n = 0; for (let i = 0; i < 20000; i++) setTimeout(() => n++, i % 7); new Promise(d => setTimeout(() => d(n), 9))"
        ),
        "20000"
    );
    assert!(matches!(end_of("setTimeout('code', 1)"), Outcome::ScriptError(_)));
}

#[test]
fn spans_and_phases_are_told() {
    let mut bench = Bench::new(
        "const until = Date.now() + 20; while (Date.now() < until); fazt.storage.kv.set('a', 1); fazt.storage.ds.insert('tasks', {}); 1",
    );
    bench.probe.delay = Duration::from_millis(2);
    let finished = bench.serve();
    assert!(finished.spans.execute_us > 20_000 && finished.spans.storage_us >= 4_000, "{:?}", finished.spans);
    assert!(finished.spans.execute_us > finished.spans.storage_us);
    assert!(finished.cpu_us > 1_000 && finished.heap_peak > 100_000, "{finished:?}");
    let ops: Vec<_> = finished.ops.iter().map(|op| (op.op.as_str(), op.collection.as_deref())).collect();
    assert_eq!(ops, [("kv.set", None), ("ds.insert", Some("tasks"))]);
    let [parse, inject, execute] = [Phase::Parse, Phase::Inject, Phase::Execute];
    let storage = Phase::Storage;
    assert_eq!(bench.probe.phases, [parse, inject, execute, storage, execute, storage, execute, Phase::Respond]);
}
