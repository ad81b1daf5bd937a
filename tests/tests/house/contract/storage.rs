//! `fazt.storage`: what each call returns, and what it refuses by name.

use fazt_tests::{http::Request, setup::Setup};

use super::{Want::*, check, farm};

#[test]
fn kv() {
    check(&[
        (
            "const { kv } = fazt.storage; [kv.set('a', { b: [1] }) === undefined, kv.get('a'), kv.get('none') === undefined]",
            Json(r#"[true,{"b":[1]},true]"#),
        ),
        ("const { kv } = fazt.storage; kv.set('d', new Date(0)); kv.get('d')", Text("1970-01-01T00:00:00.000Z")),
        (
            "const { kv } = fazt.storage; kv.set('n', null); [kv.get('n'), kv.delete('n'), kv.delete('n')]",
            Json("[null,true,false]"),
        ),
        (
            "const { kv } = fazt.storage; kv.delete('i'); [kv.incr('i'), kv.incr('i', 5), kv.incr('i', -2), kv.incr('i', 0.5)]",
            Json("[1,6,4,4.5]"),
        ),
        (
            "const { kv } = fazt.storage; kv.delete('c'); [kv.set('c', 1, { ifAbsent: true }), kv.set('c', 2, { ifAbsent: true }), kv.get('c')]",
            Json("[true,false,1]"),
        ),
        (
            "const { kv } = fazt.storage; kv.set('v', 1); const { version } = kv.getVersion('v'); [kv.set('v', 2, { ifVersion: version }), kv.set('v', 3, { ifVersion: version }), kv.get('v')]",
            Json("[true,false,2]"),
        ),
        (
            "const { kv } = fazt.storage; for (const k of ['p:1', 'p:2', 'p:3', 'q:1']) kv.set(k, k); [kv.list('p:').map((e) => e.key), kv.list('p:', { limit: 1, after: 'p:1' }).map((e) => e.value), kv.getMany(['p:1', 'none'])]",
            Json(r#"[["p:1","p:2","p:3"],["p:2"],{"p:1":"p:1"}]"#),
        ),
        (
            "const { kv } = fazt.storage; for (const k of ['%', '_', \"'\", 'ü', '🦀', '{}']) kv.set(k, 'mine'); [kv.list('%').length, kv.list('_').length, kv.get('🦀')]",
            Json(r#"[1,1,"mine"]"#),
        ),
        ("fazt.storage.kv.get('awaited').constructor", Problem(500, "script_error", "")),
        ("(async () => await fazt.storage.kv.incr('aw'))()", Json("1")),
    ]);
}

/// Its time is longer than a busy machine or a slow disk takes from the write to the first look. The second one is not waited
/// for: what is swept later would be gone as well.
#[test]
fn a_key_is_gone_when_its_time_is_over() {
    let farm = Setup::new(2).flag("--timeout", "5s").start();
    let source = "const { kv } = fazt.storage; kv.set('t', 1, 2000); const had = kv.get('t');
        new Promise((done) => setTimeout(() => done([had, kv.get('t') === undefined, kv.list('t').length]), 2100))";
    assert_eq!(farm.script("row", source).get("/api/").text(), "[1,true,0]");
}

#[test]
fn a_token_has_a_write_done_once() {
    let farm = farm();
    let source = "const { kv, ds, s3 } = fazt.storage; const once = request.headers['idempotency-key'];
        respond([kv.incr('n', { once: once + 1 }), kv.set('s', 1, { ifAbsent: true, once: once + 2 }), kv.delete('s', { once: once + 3 }),
            ds.insert('d', { n: 1 }, { once: once + 4 }), ds.update('d', {}, { $inc: { n: 1 } }, { once: once + 5 }), s3.put('p', 'x', { once: once + 6 }),
            ds.find('d').map((d) => d.n), kv.get('n')])";
    let (app, other) = (farm.script("app", source), farm.script("other", source));
    let keyed = |key: &str| Request::new("POST", "/api/").header("Idempotency-Key", key);
    let first = app.send(&keyed("a"));
    assert_eq!(first.status, 200, "{}", first.text());
    for _again in 0..5 {
        assert_eq!(app.send(&keyed("a")).text(), first.text());
    }
    let next = app.send(&keyed("b")).json();
    assert_eq!((&next[0], &next[7]), (&serde_json::json!(2), &serde_json::json!(2)));
    assert_eq!(other.send(&keyed("a")).json()[7], serde_json::json!(1));
}

#[test]
fn ds() {
    let setup = "const { ds } = fazt.storage; ds.delete('t', {});";
    let rows = [
        (
            "const id = ds.insert('t', { a: 1 }); const d = ds.findOne('t', id); [typeof id, d.id === id, d.a, typeof d._createdAt, typeof d._updatedAt]",
            r#"["string",true,1,"number","number"]"#,
        ),
        (
            "[ds.insert('t', { id: 'mine' }), ds.findOne('t', 'mine').id, ds.findOne('t', 'none')]",
            r#"["mine","mine",null]"#,
        ),
        (
            "ds.insertMany('t', [{ n: 1 }, { n: 2 }, { n: 3 }]); [ds.find('t').map((d) => d.n), ds.find('t', {}, { order: 'n' }).map((d) => d.n), ds.find('t', {}, { order: '-n', limit: 1, offset: 1 }).map((d) => d.n)]",
            "[[3,2,1],[1,2,3],[2]]",
        ),
        (
            "ds.insertMany('t', [{ a: { b: 'x' } }, { a: { b: 'y' } }, { a: 'x' }]); [ds.count('t', { 'a.b': 'x' }), ds.count('t', { a: 'x' }), ds.count('t', {})]",
            "[1,1,3]",
        ),
        (
            "ds.insertMany('t', [{ a: 1 }, { a: '1' }, { a: true }, { a: null }, {}]); [1, '1', true, null].map((a) => ds.count('t', { a }))",
            "[1,1,1,2]",
        ),
        (
            "ds.insertMany('t', [{ n: 1 }, { n: 1 }, { n: 2 }]); [ds.update('t', { n: 1 }, { done: true }), ds.find('t', { done: true }).length, ds.delete('t', { n: 1 }), ds.count('t', {})]",
            "[2,2,2,1]",
        ),
        (
            "const id = ds.insert('t', { a: 1, b: 2 }); ds.update('t', id, { $set: { a: 9 }, $unset: { b: true }, $inc: { c: 2 } }); const { a, b, c } = ds.findOne('t', id); [a, b === undefined, c]",
            "[9,true,2]",
        ),
        (
            "ds.insert('t', { 'x': \"') OR 1=1 --\" }); [ds.count('t', { x: \"') OR 1=1 --\" }), ds.count('t', { \"a') IS NOT NULL OR json_extract(data,'$.v\": 1 })]",
            "[1,0]",
        ),
        ("ds.insert('t', { a: 1 }); ds.insert('u', { a: 1 }); [ds.count('t', { a: 1 }), ds.delete('u', {})]", "[1,1]"),
    ];
    let farm = farm();
    let mut wrong = Vec::new();
    for (code, wanted) in rows {
        let source = format!("{setup} {code}");
        let answer = farm.script("row", &source).get("/api/");
        let wanted: serde_json::Value = serde_json::from_str(wanted).unwrap();
        if answer.status != 200 || answer.json() != wanted {
            wrong.push(format!("- {code}\n    wanted {wanted}\n    got    {} {}", answer.status, answer.text()));
        }
    }
    super::report(wrong);
}

#[test]
fn s3() {
    check(&[
        (
            "const { s3 } = fazt.storage; const p = s3.put('a/b.txt', 'text', 'text/plain'); const g = s3.get('a/b.txt'); [p.size, typeof p.etag, g.text(), g.mime, g.size, g.etag === p.etag]",
            Json(r#"[4,"string","text","text/plain",4,true]"#),
        ),
        (
            "const { s3 } = fazt.storage; s3.put('x', new Uint8Array([0, 255, 1])); Array.from(new Uint8Array(s3.get('x').data))",
            Json("[0,255,1]"),
        ),
        ("const { s3 } = fazt.storage; s3.put('j', '{\"a\":1}'); s3.get('j').json()", Json(r#"{"a":1}"#)),
        (
            "const { s3 } = fazt.storage; [s3.get('none'), s3.head('none'), s3.delete('none')]",
            Json("[null,null,false]"),
        ),
        (
            "const { s3 } = fazt.storage; s3.put('l/1', 'a'); s3.put('l/2', 'bb'); [s3.list('l/').map((e) => [e.path, e.size]), s3.list('l/', { limit: 1, after: 'l/1' }).length, s3.delete('l/1'), s3.list('l/').length]",
            Json(r#"[[["l/1",1],["l/2",2]],1,true,1]"#),
        ),
        (
            "const { s3 } = fazt.storage; const big = new Uint8Array(600000); for (let i = 0; i < big.length; i += 1000) big[i] = i % 251; s3.put('big', big); const back = new Uint8Array(s3.get('big').data); [s3.head('big').size, back.length, back.every((b, i) => b === big[i])]",
            Json("[600000,600000,true]"),
        ),
        (
            "const { s3 } = fazt.storage; s3.put('o', 'first'); s3.put('o', 'second'); s3.get('o').text()",
            Text("second"),
        ),
    ]);
}

#[test]
fn what_storage_refuses_is_named() {
    let kind = |call: &str| {
        format!(
            "const {{ kv, ds, s3 }} = fazt.storage; try {{ {call}; 'done' }} catch (e) {{ e.name === 'StorageError' ? `${{e.code}} ${{e.retryable}} ${{e.outcome}}` : String(e) }}"
        )
    };
    let rows = [
        ("kv.set('k'.repeat(513), 1)", "TOO_LARGE false none"),
        ("kv.set('k', 'v'.repeat(1048577))", "TOO_LARGE false none"),
        ("kv.set('a\\0b', 1)", "INVALID_ARGUMENT false none"),
        ("kv.set(1, 1)", "INVALID_ARGUMENT false none"),
        ("kv.incr('k', { once: 'x'.repeat(129) })", "TOO_LARGE false none"),
        ("kv.set('k', undefined)", "INVALID_ARGUMENT false none"),
        ("kv.set('k', 1, { ttl: 1 })", "INVALID_ARGUMENT false none"),
        ("kv.set('k', () => 1)", "INVALID_ARGUMENT false none"),
        ("kv.set('text', 'x'); kv.incr('text')", "INVALID_ARGUMENT false none"),
        ("kv.incr('k', NaN)", "INVALID_ARGUMENT false none"),
        ("ds.insert('t', { id: 'one' }); ds.insert('t', { id: 'one' })", "CONFLICT false none"),
        ("ds.insert('t', [1])", "INVALID_ARGUMENT false none"),
        ("ds.insert('t', { a: 'x'.repeat(1048577) })", "TOO_LARGE false none"),
        ("ds.find('t', { $where: '1' })", "INVALID_ARGUMENT false none"),
        ("ds.find('t', { a: { $regex: '.' } })", "INVALID_ARGUMENT false none"),
        ("ds.delete('t')", "INVALID_ARGUMENT false none"),
        ("ds.update('t', {}, { $rename: { a: 'b' } })", "INVALID_ARGUMENT false none"),
        ("ds.insert('', {})", "INVALID_ARGUMENT false none"),
        ("s3.put('', 'x')", "INVALID_ARGUMENT false none"),
        ("s3.put('p', {})", "INVALID_ARGUMENT false none"),
    ];
    let farm = farm();
    let mut wrong = Vec::new();
    for (call, wanted) in rows {
        let got = farm.script("row", &kind(call)).get("/api/").text();
        if got != wanted {
            wrong.push(format!("- {call}\n    wanted {wanted}\n    got    {got}"));
        }
    }
    super::report(wrong);
}

#[test]
fn a_message_names_what_is_wrong() {
    check(&[
        ("fazt.storage.ds.find('t', { a: { $regex: 'x' } })", Problem(500, "script_error", "$regex")),
        ("fazt.storage.kv.set('k', 1, { ttlMS: 1 })", Problem(500, "script_error", "ttlMS")),
    ]);
}

#[test]
fn ten_thousand_calls_are_enough() {
    let farm = Setup::new(2).flag("--request-timeout", "60s").flag("--timeout", "50s").start();
    let source = "let n = 0; try { for (;;) { fazt.storage.kv.get('k'); n++ } } catch (e) { respond([n, e.code]) }";
    let answer = farm.script("row", source).get("/api/");
    assert_eq!(answer.text(), "[10000,\"RATE_LIMITED\"]", "{}", answer.status);
}

#[test]
fn two_apps_share_no_data() {
    let farm = farm();
    let victim = farm.script("victim", "const { kv, ds, s3 } = fazt.storage; kv.set('secret', 'marker'); ds.insert('secret', { id: 'x', v: 'marker' }); s3.put('secret', 'marker'); respond(200, 1)");
    assert_eq!(victim.get("/api/").status, 200);
    let source = "const { kv, ds, s3 } = fazt.storage
        const all = { kv: kv.list(''), one: kv.get('secret') ?? null, victim: kv.get('victim:secret') ?? null, ds: ds.find('secret'),
            byId: ds.findOne('secret', 'x'), s3: s3.list(''), blob: s3.get('secret'), up: s3.get('../victim/secret') }
        respond(all)";
    let got = farm.script("evil", source).get("/api/");
    let wanted = serde_json::json!({ "kv": [], "one": null, "victim": null, "ds": [], "byId": null, "s3": [], "blob": null, "up": null });
    assert_eq!(got.json(), wanted);
}
