//! `console` and `fazt.log`.

use fazt_protocol::{
    call::{Level, Source},
    limit::{LOG_LINE_BYTES, LOG_LINES, LOG_MESSAGES},
};

use super::*;

#[test]
fn lines_read_as_in_node() {
    let cases = [
        ("'a', 1, true, null, undefined", "a 1 true null undefined"),
        (
            "'%s is %d and %i, %f %j %% %c.', 'x', 4.5, '42.9px', '1.5e1', { a: [1] }, 'css'",
            "x is 4.5 and 42, 15 {\"a\":[1]} % .",
        ),
        ("'%s', { a: { b: { c: 1 } } }", "{ a: [Object] }"),
        ("'%o', [1]", "[ 1, [length]: 1 ]"),
        ("'%O %s', { a: 1 }", "{ a: 1 } %s"),
        ("'%d', 5n", "5n"),
        ("'100%', 5", "100% 5"),
        ("{ a: 1, 'b-c': 'x', [Symbol('s')]: [] }", "{ a: 1, 'b-c': 'x', [Symbol(s)]: [] }"),
        ("[1, 'two', [3, [4, [5, [6, [7]]]]]]", "[ 1, 'two', [ 3, [ 4, [ 5, [ 6, [Array] ] ] ] ] ]"),
        ("[, 1]", "[ <empty>, 1 ]"),
        ("new Map([['a', { b: 1 }]]), new Set([1, 2])", "Map(1) { 'a' => { b: 1 } } Set(2) { 1, 2 }"),
        ("new Date(0), /a+/g, Symbol('x'), 10n, -0", "1970-01-01T00:00:00.000Z /a+/g Symbol(x) 10n -0"),
        ("function named() {}, () => {}, class A {}", "[Function: named] [Function (anonymous)] [class A]"),
        ("(() => { const a = { n: 1 }; a.a = a; return a })()", "{ n: 1, a: [Circular] }"),
        ("{ get x() { throw 1 }, set x(v) {}, get y() { return 1 } }", "{ x: [Getter/Setter], y: [Getter] }"),
        ("new Proxy({ a: 1 }, { get() { throw 1 } })", "{ a: 1 }"),
        ("new (class Point { x = 1 })()", "Point { x: 1 }"),
        ("Object.create(null)", "[Object: null prototype] {}"),
        ("new Uint8Array([1, 2]), new ArrayBuffer(3)", "Uint8Array(2) [ 1, 2 ] ArrayBuffer { byteLength: 3 }"),
        ("Promise.resolve(1), new Promise(() => {})", "Promise { <fulfilled> } Promise { <pending> }"),
        ("\"it's\", [\"it's\"]", "it's [ \"it's\" ]"),
        (
            "{ toString() { throw 1 }, toJSON() { throw 2 }, [Symbol.toPrimitive]() { throw 3 } }",
            "{\n  toString: [Function: toString],\n  toJSON: [Function: toJSON],\n  [Symbol(Symbol.toPrimitive)]: [Function: [Symbol.toPrimitive]]\n}",
        ),
    ];
    for (arguments, expected) in cases {
        let mut bench = Bench::new(&format!("console.log({arguments})"));
        bench.serve();
        assert_eq!(bench.probe.text(), [expected], "{arguments}");
    }
}

#[test]
fn errors_are_shown_with_their_stack() {
    let mut bench = Bench::new(
        "function f() { return new TypeError('bad') }\nconsole.error(f()); console.log({ e: new Error('x') })",
    );
    bench.serve();
    let text = bench.probe.text();
    assert!(text[0].starts_with("TypeError: bad\n    at f (api/main.js:1:"), "{}", text[0]);
    assert!(text[1].contains("Error: x"), "{}", text[1]);
    assert_eq!(bench.probe.lines[0].level, Level::Error);
}

#[test]
fn each_method_has_its_level() {
    let script = "console.debug(1); console.info(2); console.warn(3); console.error(4); console.trace('here'); console.time('t'); console.timeEnd('t');
        console.timeEnd('none'); console.assert(1 === 2, 'no'); console.count(); console.count(); console.group('g'); console.log('in'); console.groupEnd(); console.log('out');
        fazt.log.debug('d'); fazt.log.info('i', { a: 1 }); fazt.log.warn({ b: 2 }); fazt.log.error('e')";
    let mut bench = Bench::new(script);
    bench.serve();
    let lines: Vec<_> =
        bench.probe.lines.iter().map(|line| format!("{} {}", line.level.word(), line.message)).collect();
    assert_eq!(lines[..4], ["debug 1", "info 2", "warn 3", "error 4"]);
    assert!(lines[4].starts_with("debug Trace: here\n    at "), "{}", lines[4]);
    assert!(lines[5].starts_with("info t: ") && lines[5].ends_with("ms"), "{}", lines[5]);
    let rest = ["error Assertion failed: no", "info default: 1", "info default: 2", "info g", "info   in", "info out"];
    assert_eq!(lines[7..13], rest);
    assert_eq!(lines[13..], ["debug d", "info i {\"a\":1}", "warn { b: 2 }", "error e"]);
    assert_eq!(bench.probe.lines[16].source, Source::Fazt);
}

#[test]
fn floods_are_bounded() {
    let script =
        "for (let i = 0; i < 1e5; i++) { console.log('line', i); fazt.log.info('line') } throw new Error('end')";
    let mut bench = Bench::new(script);
    bench.serve();
    assert!(
        bench.probe.lines.len() <= 2 * LOG_LINES + 3 && bench.probe.lines.len() < LOG_MESSAGES,
        "{}",
        bench.probe.lines.len()
    );
    let dropped = format!("{} more lines were dropped", 100_000 - LOG_LINES);
    assert_eq!(bench.probe.text().iter().filter(|line| **line == dropped).count(), 2);
}

#[test]
fn lines_are_cut_and_hostile_objects_are_shown() {
    let script = "console.log('x'.repeat(1e7)); console.log({ a: 'y'.repeat(1e6) }); console.log(Array(1e6).fill({ a: 1 }));
        const deep = {}; let at = deep; for (let i = 0; i < 1e5; i++) at = at.a = {}; console.log(deep);
        console.log(Object.fromEntries(Array.from({ length: 1e4 }, (_, i) => ['k' + i, i])));
        const cyclic = []; for (let i = 0; i < 50; i++) cyclic.push(cyclic, new Map([[cyclic, cyclic]])); console.log(cyclic);
        console.log(new Proxy(new Proxy({}, {}), { getPrototypeOf() { throw 1 } })); console.log('\\ud800'); 1";
    let mut bench = Bench::new(script);
    let finished = bench.serve();
    assert!(matches!(finished.outcome, Outcome::Reply(_)), "{:?}", finished.outcome);
    assert_eq!(bench.probe.lines.len(), 8);
    assert!(bench.probe.lines.iter().all(|line| line.message.len() <= LOG_LINE_BYTES));
    assert_eq!(bench.probe.lines[7].message, "\u{fffd}");
}

#[test]
fn rejections_that_nobody_hears_are_told() {
    let script = "const quiet = Promise.reject(new Error('heard')); quiet.catch(() => {}); Promise.reject(new Error('unheard'));
        (async () => { await null; throw new TypeError('later') })(); for (let i = 0; i < 100; i++) Promise.reject(i); 'answer'";
    let mut bench = Bench::new(script);
    bench.text();
    let text = bench.probe.text();
    assert!(text[0].starts_with("unhandled rejection: Error: unheard\n    at <eval> (api/main.js:1:"), "{}", text[0]);
    assert_eq!(text.len(), 8);
    let mut bench = Bench::new("Promise.reject(new Error('the answer itself'))");
    bench.serve();
    assert_eq!(bench.probe.lines.len(), 1);
}
