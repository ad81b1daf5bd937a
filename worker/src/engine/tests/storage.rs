//! `fazt`: what the host is asked, what comes back, and what is refused before it gets there.

use super::*;

fn asked(script: &str) -> (Op, String) {
    let mut bench = Bench::new(script);
    let outcome = bench.serve().outcome;
    assert!(matches!(outcome, Outcome::Reply(_)), "{script}: {outcome:?}");
    bench.probe.asked.pop().unwrap_or_else(|| panic!("{script} asked nothing"))
}

/// The token of the last question.
fn token_of(script: &str) -> Option<String> {
    let mut bench = Bench::new(script);
    let outcome = bench.serve().outcome;
    bench.probe.tokens.pop().unwrap_or_else(|| panic!("{script} asked nothing: {outcome:?}"))
}

#[test]
fn values_come_back() {
    let script = "const { kv } = fazt.storage; kv.set('k', { a: [1, 'é', null] }); const got = kv.get('k'); got.a.push(kv.get('none') === undefined);
        ({ json: [got, kv.delete('k'), kv.delete('k'), kv.incr('n', 2), kv.set('c', 1, { ifAbsent: true }), fazt.app.kv === kv, fazt.app.ds === fazt.storage.ds] })";
    assert_eq!(text_of(script), "[{\"a\":[1,\"é\",null,true]},true,false,2,true,true,true]");
    let script = "(async () => [await fazt.storage.ds.findOne('c', 'id'), fazt.storage.ds.insert('c', {}), fazt.storage.ds.count('c', {})])()";
    assert_eq!(text_of(script), "[null,\"id1\",1]");
}

#[test]
fn calls_become_ops() {
    let (op, body) = asked("fazt.storage.kv.set('k', new Date(0), 1500)");
    let (key, ttl_ms, condition) = ("k".to_owned(), Some(1500), kv::Condition::Always);
    assert_eq!((op, body.as_str()), (Op::Kv(kv::Op::Set { key, ttl_ms, condition }), "\"1970-01-01T00:00:00.000Z\""));
    let (op, _) = asked("fazt.storage.kv.set('k', 1, { ttlMs: 5, ifVersion: 3 })");
    let (key, ttl_ms, condition) = ("k".to_owned(), Some(5), kv::Condition::IfVersion(3));
    assert_eq!(op, Op::Kv(kv::Op::Set { key, ttl_ms, condition }));
    let (op, _) = asked("fazt.storage.kv.list('p', { limit: 5, after: 'p1' })");
    assert_eq!(op, Op::Kv(kv::Op::List { prefix: "p".to_owned(), limit: 5, after: Some("p1".to_owned()) }));
    let (op, body) = asked("fazt.storage.ds.find('c', { a: 1 }, { order: ['-age', 'name'], limit: 3, offset: 6 })");
    let order = vec![
        ds::Order { path: "age".to_owned(), descending: true },
        ds::Order { path: "name".to_owned(), descending: false },
    ];
    let verb = ds::Verb::Find { limit: 3, offset: 6, order };
    assert_eq!((op, body.as_str()), (Op::Ds(ds::Op { collection: "c".to_owned(), verb }), "{\"a\":1}"));
    let (op, body) = asked("fazt.storage.ds.update('c', 'id', { $set: { a: 1 } })");
    let collection = "c".to_owned();
    assert_eq!(
        (op, body.as_str()),
        (Op::Ds(ds::Op { collection, verb: ds::Verb::Update }), "{\"query\":\"id\",\"changes\":{\"$set\":{\"a\":1}}}")
    );
}

#[test]
fn a_writes_last_argument_may_hold_its_token() {
    let rows = [
        "kv.set('k', 1, { once: 't' })",
        "kv.set('k', 1, { ttlMs: 5, ifAbsent: true, once: 't' })",
        "kv.set('k', 1, 5, { once: 't' })",
        "kv.set('k', 1, undefined, { once: 't' })",
        "kv.set('k', 1, { ifVersion: 1 }, { once: 't' })",
        "kv.delete('k', { once: 't' })",
        "kv.incr('k', { once: 't' })",
        "kv.incr('k', 2, { once: 't' })",
        "ds.insert('c', {}, { once: 't' })",
        "ds.insertMany('c', [{}], { once: 't' })",
        "ds.update('c', 'id', {}, { once: 't' })",
        "ds.delete('c', {}, { once: 't' })",
        "s3.put('p', 'x', { once: 't' })",
        "s3.put('p', 'x', 'text/plain', { once: 't' })",
        "s3.delete('p', { once: 't' })",
    ];
    for call in rows {
        let with_token = token_of(&format!("const {{ kv, ds, s3 }} = fazt.storage; {call}"));
        assert_eq!(with_token, Some("t".to_owned()), "{call}");
        let without = call.replace("once: 't'", "once: undefined");
        assert_eq!(token_of(&format!("const {{ kv, ds, s3 }} = fazt.storage; {without}")), None, "{without}");
    }
    let options = "Object.prototype.once = 'everywhere'; fazt.storage.kv.delete('k'); fazt.storage.kv.delete('k', {})";
    assert_eq!(token_of(options), None, "an object's own token counts, and no other");
}

/// Calls, and what the refusal must name.
const WRONG: &[(&str, &str)] = &[
    ("kv.set()", "key"),
    ("kv.set('k')", "value"),
    ("kv.set('k', () => 1)", "value"),
    ("kv.set('k', 1n)", "value"),
    ("kv.set('k', (() => { const a = {}; a.a = a; return a })())", "value"),
    ("kv.set('k', { toJSON() { throw new Error('x') } })", "value"),
    ("kv.set('k', 1, -1)", "ttlMs"),
    ("kv.set('k', 1, NaN)", "ttlMs"),
    ("kv.set('k', 1, { ttl: 5 })", "\"ttl\""),
    ("kv.set('k', 1, { once: 1 })", "once must be a string"),
    ("kv.set('k', 1, 5, { once: '' })", "once must not be empty"),
    ("kv.set('k', 1, { ttlMs: 5 }, { twice: 't' })", "\"twice\""),
    ("kv.set('k', 1, { once: 't' }, { twice: 't' })", "\"twice\""),
    ("kv.delete('k', 't')", "options must be an object"),
    ("kv.incr('k', { by: 1 })", "\"by\""),
    ("kv.incr('k', 1, { once: null })", "once must be a string"),
    ("ds.insert('c', {}, { once: {} })", "once must be a string"),
    ("s3.put('p', 'x', { mime: 'a/b' })", "\"mime\""),
    ("kv.set('k', 1, { ifAbsent: 1 })", "ifAbsent"),
    ("kv.set('k', 1, { ifAbsent: true, ifVersion: 1 })", "exclude"),
    ("kv.set('k', 1, { ifVersion: -1 })", "ifVersion"),
    ("kv.set('k', 1, 'x')", "options"),
    ("kv.get()", "key"),
    ("kv.get(5)", "key"),
    ("kv.get({ toString() { return 'k' } })", "key"),
    ("kv.get('\\ud800')", "key"),
    ("kv.get('a\\0b')", "key"),
    ("kv.getMany('k')", "keys"),
    ("kv.getMany(['a', 5])", "keys[1]"),
    ("kv.getMany(Array(257).fill('a'))", "keys"),
    ("kv.incr('k', '1')", "by"),
    ("kv.incr('k', Infinity)", "by"),
    ("kv.list(5)", "prefix"),
    ("kv.list('', { limit: 0 })", "limit"),
    ("kv.list('', { limit: 1001 })", "limit"),
    ("kv.list('', { limit: '5' })", "limit"),
    ("ds.insert('c')", "doc"),
    ("ds.insert('c', [])", "doc"),
    ("ds.insert(5, {})", "collection"),
    ("ds.insertMany('c', {})", "docs"),
    ("ds.insertMany('c', [{}, 5])", "docs[1]"),
    ("ds.find('c', 5)", "query"),
    ("ds.find('c', {}, { limits: 5 })", "\"limits\""),
    ("ds.find('c', {}, { order: '' })", "order"),
    ("ds.find('c', {}, { order: Array(9).fill('a') })", "order"),
    ("ds.find('c', {}, { offset: -1 })", "offset"),
    ("ds.delete('c')", "second argument"),
    ("ds.update('c')", "second argument"),
    ("ds.update('c', {})", "changes"),
    ("ds.update('c', {}, {}, { upsert: true })", "\"upsert\""),
    ("s3.put('', 'x')", "path"),
    ("s3.put('p')", "data"),
    ("s3.put('p', {})", "data"),
    ("s3.put('p', (() => { const b = new ArrayBuffer(8); b.transfer(); return b })())", "data"),
    ("s3.put('p', 'x', 5)", "mime"),
    ("s3.get('p', { start: 5, end: 1 })", "end"),
];

#[test]
fn wrong_arguments_are_refused_by_name_and_never_asked() {
    for (call, name) in WRONG {
        let script = format!(
            "const {{ kv, ds, s3 }} = fazt.storage; try {{ {call}; 'no error' }} catch (e) {{ e.name + ' ' + e.code + ' ' + e.retryable + ' ' + e.outcome + ' ' + e.op + ': ' + e.message }}"
        );
        let mut bench = Bench::new(&script);
        let text = bench.text();
        let op = call.split('(').next().unwrap();
        assert!(
            text.starts_with(&format!("StorageError INVALID_ARGUMENT false none {op}: {op}: ")) && text.contains(name),
            "{call}: {text}"
        );
        assert!(bench.probe.asked.is_empty(), "{call}");
    }
    let long = "try { fazt.storage.kv.get('k'.repeat(513)) } catch (e) { e.code }";
    assert_eq!(text_of(long), "TOO_LARGE");
    assert_eq!(text_of("try { fazt.storage.kv.set('k', 'x'.repeat(2 ** 20)) } catch (e) { e.code }"), "TOO_LARGE");
}

#[test]
fn tricks_with_arguments_do_no_harm() {
    let script = "const { kv, ds } = fazt.storage; let n = 0;
        kv.set('k', 1, { get ttlMs() { n += 1; kv.set('inner', { toJSON() { return kv.get('k') === undefined } }); return n } });
        ds.insert('c', { toJSON() { ds.insert('c', { inner: 1 }); return { outer: 1 } } });
        kv.getMany(new Proxy(['a'], { get(t, k) { kv.get('b'); return t[k] } })); n";
    let mut bench = Bench::new(script);
    assert_eq!(bench.text(), "1");
    let bodies: Vec<_> =
        bench.probe.asked.iter().map(|(_, body)| body.as_str()).filter(|body| !body.is_empty()).collect();
    assert_eq!(bodies, ["true", "1", "{\"inner\":1}", "{\"outer\":1}"]);
}

#[test]
fn refusals_are_storage_errors() {
    let mut bench = Bench::new(
        "try { fazt.storage.kv.set('k', 1) } catch (e) { ({ json: [e instanceof Error, e instanceof fazt.storage.StorageError, e.code, e.retryable, e.outcome, e.op] }) }",
    );
    bench.probe.refusal = Some(Refusal::unknown(Code::Timeout, "late"));
    assert_eq!(bench.text(), "[true,true,\"TIMEOUT\",true,\"unknown\",\"kv.set\"]");
    let script = "let n = 0; try { for (;;) { fazt.storage.kv.get('k'); n += 1 } } catch (e) { n + ' ' + e.code }";
    assert_eq!(text_of(script), "100 RATE_LIMITED");
}

#[test]
fn a_slow_store_does_not_outlast_the_run() {
    let mut bench = Bench::new("for (let i = 0; i < 50; i++) { try { fazt.storage.kv.get('k') } catch {} } 'done'");
    (bench.probe.delay, bench.run) = (Duration::from_millis(10), Duration::from_millis(35));
    assert!(matches!(bench.serve().outcome, Outcome::SoftTimeout(35, _)));
    assert!(bench.probe.asked.len() <= 5, "{}", bench.probe.asked.len());
}

#[test]
fn fazt_knows_the_app() {
    let script = "const { env } = fazt; const left = fazt.deadline(); ({ json: [fazt.app.id, fazt.app.name, fazt.app.version, typeof fazt.version, env.get('GREETING'), env.get('X', 'd'), env.has('X'), env.all(), left > 4000 && left <= 5000] })";
    let expected = "[\"app\",\"app\",7,\"string\",\"hi\",\"d\",false,{\"GREETING\":\"hi\"},true]";
    assert_eq!(text_of(script), expected);
}

#[test]
fn clocks_are_coarse_and_randomness_is_fresh() {
    assert_eq!(
        text_of(
            "const a = performance.now(), b = Date.now(); ({ text: `${Number.isInteger(a)} ${Number.isInteger(b)} ${a < 100}` })"
        ),
        "true true true"
    );
    let mut bench = Bench::new(
        "({ json: [Math.random(), crypto.randomUUID(), Array.from(crypto.getRandomValues(new Uint32Array(2)))] })",
    );
    let answers: Vec<_> = (0..3).map(|_| bench.text()).collect();
    assert!(answers[0] != answers[1] && answers[1] != answers[2]);
    let uuid: String = text_of("crypto.randomUUID()");
    assert!(uuid.len() == 36 && uuid.as_bytes()[14] == b'4' && b"89ab".contains(&uuid.as_bytes()[19]), "{uuid}");
    assert_eq!(
        text_of(
            "let s = 0; for (let i = 0; i < 1e4; i++) { const r = Math.random(); if (r < 0 || r >= 1) throw r; s += r } Math.round(s / 1000)"
        ),
        "5"
    );
    for wrong in ["new Float64Array(1)", "[1]", "new Uint8Array(65537)", "undefined"] {
        assert!(matches!(end_of(&format!("crypto.getRandomValues({wrong})")), Outcome::ScriptError(_)), "{wrong}");
    }
}
