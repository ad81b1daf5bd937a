//! An app that replaced what the prelude might call: its own calls mean what they say, or are refused.

use super::*;

/// What the host is asked by the last storage call of `call`, in an app that did `patch` before.
fn asked(patch: &str, call: &str) -> Op {
    let mut bench = Bench::new(&format!("{patch}; {call}; 'done'"));
    bench.run = Duration::from_secs(2);
    let outcome = bench.serve().outcome;
    assert!(matches!(outcome, Outcome::Reply(_)), "{patch}: {outcome:?}");
    bench.probe.asked.pop().unwrap_or_else(|| panic!("{patch}: nothing was asked")).0
}

const PATCHES: &[&str] = &[
    "Array.prototype.map = () => ({ length: 2 ** 32 - 1 })",
    "Array.prototype.map = () => Array(1e6).fill('x')",
    "Array.prototype.map = () => new Proxy([], { get: (_, key) => key === 'length' ? 1e9 : 'x' })",
    "Array.prototype.forEach = Array.prototype.includes = () => true",
    "Array.prototype[Symbol.iterator] = function* () { yield* 'xyz' }",
    "Object.getPrototypeOf([][Symbol.iterator]()).next = () => ({ done: false, value: 'x' })",
    "Object.defineProperty(Array.prototype, 0, { get: () => 'x', set() {} })",
    "Array.prototype.join = String.prototype.includes = () => { throw 1 }",
    "Array.isArray = () => false; Object.keys = () => ['nonsense']; JSON.stringify = () => 'x'",
    "Object.defineProperty(Object.prototype, 'get', { value: () => 'x' })",
];

#[test]
fn a_list_is_what_was_given() {
    for patch in PATCHES {
        let Op::Ds(ds::Op { verb: ds::Verb::Find { order, limit, .. }, .. }) =
            asked(patch, "fazt.storage.ds.find('c', {}, { order: ['-a', 'b'], limit: 3 })")
        else {
            panic!("{patch}")
        };
        let order: Vec<_> = order.iter().map(|one| (one.path.as_str(), one.descending)).collect();
        assert_eq!((order.as_slice(), limit), ([("a", true), ("b", false)].as_slice(), 3), "{patch}");
        let op = asked(patch, "fazt.storage.kv.getMany(['a', 'b'])");
        let keys = ["a", "b"].map(|key| kv::Key(key.to_owned())).to_vec();
        assert_eq!(op, Op::Kv(kv::Op::GetMany { keys }), "{patch}");
    }
}

#[test]
fn what_is_wrong_is_refused_all_the_same() {
    let calls = [
        ("kv.getMany(['a', 5])", "keys[1] must be a string"),
        ("kv.getMany(new Proxy([], { get: (_, key) => key === 'length' ? 2 ** 32 : 'x' }))", "at most 256"),
        ("kv.getMany(Array(2 ** 32 - 1))", "at most 256"),
        ("kv.set('k', 1, { nonsense: 1 })", "no option \"nonsense\""),
        ("ds.find('c', {}, { order: Array(9).fill('a') })", "at most 8"),
        ("ds.insertMany('c', [{}, 5])", "docs[1] must be an object"),
    ];
    for patch in PATCHES.iter().filter(|patch| !patch.contains("Object.keys")) {
        for (call, expected) in calls {
            let text = text_of(&format!(
                "{patch}; const {{ kv, ds }} = fazt.storage; try {{ {call}; 'no error' }} catch (e) {{ e.code + ' ' + e.message }}"
            ));
            assert!(text.starts_with("INVALID_ARGUMENT ") && text.contains(expected), "{patch}; {call}: {text}");
        }
    }
}
