//! The bytes of every message, kept in `tests/golden.txt`: a change of any of them is a change of the protocol.
//!
//! Every variant of every enum that travels has a sample: the macro [`variants`] lists them in a match without a wildcard,
//! so a new variant does not compile until it stands there, and fails until it has a sample. After a change of messages and
//! of `version::PROTOCOL`, `FAZT_GOLDEN=write cargo test -p fazt-protocol --test golden` writes the file anew.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod builder;
mod call;
#[path = "../every/mod.rs"]
mod every;
mod op;
mod registry;
mod spawn;

use std::{collections::BTreeMap, fmt::Write as _, path::Path};

use fazt_protocol::{Message, body::Part, decode, encode, grant::Grant, grant::GrantKey, id::RequestId, version};

/// Names every variant of an enum.
pub(crate) trait Variants {
    /// All of them.
    const ALL: &'static [&'static str];
    /// The one that this value is.
    fn variant(&self) -> &'static str;
}

macro_rules! variants {
    ($($enum:ty: $($variant:ident)*;)*) => {$(
        impl $crate::Variants for $enum {
            const ALL: &'static [&'static str] = &[$(stringify!($variant)),*];
            fn variant(&self) -> &'static str {
                match self { $(Self::$variant { .. } => stringify!($variant)),* }
            }
        }
    )*};
}
pub(crate) use variants;

/// Samples by name.
#[derive(Default)]
pub(crate) struct Samples(Vec<(String, Vec<u8>)>);

impl Samples {
    /// A sample for each variant of `E` within a message: `values` must hold every variant, in any order.
    pub(crate) fn add<E, M>(&mut self, prefix: &str, values: Vec<E>, message: impl Fn(E) -> M)
    where
        E: Variants,
        M: Message + PartialEq + std::fmt::Debug,
    {
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        for value in values {
            let count = seen.entry(value.variant()).or_default();
            *count += 1;
            let suffix = if *count == 1 { String::new() } else { format!(".{count}") };
            let name = format!("{prefix}.{}{suffix}", value.variant());
            let message = message(value);
            let mut bytes = Vec::new();
            encode(&message, &mut bytes).unwrap();
            assert_eq!(decode::<M>(&bytes).as_ref(), Ok(&message), "{name} does not come back");
            self.0.push((name, bytes));
        }
        let missing: Vec<_> = E::ALL.iter().filter(|variant| !seen.contains_key(*variant)).collect();
        assert!(missing.is_empty(), "{prefix}: no sample of {missing:?}");
    }

    fn text(&self) -> String {
        let mut text = format!("protocol {}\n", version::PROTOCOL);
        for (name, bytes) in &self.0 {
            let hex = bytes.iter().fold(String::new(), |mut hex, byte| {
                write!(hex, "{byte:02x}").unwrap();
                hex
            });
            writeln!(text, "{name} {hex}").unwrap();
        }
        text
    }
}

/// A grant that is the same in every run.
pub(crate) fn grant() -> Grant {
    GrantKey::new([7; 32]).grant(3, 9, RequestId::parse("req_golden").unwrap(), 1_000_000_007)
}

/// A part that is not the last one.
pub(crate) fn part() -> Part {
    Part { bytes: vec![0, 1, 254, 255], last: false }
}

/// A name and its value.
pub(crate) fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

fn samples() -> Samples {
    let mut samples = Samples::default();
    call::add(&mut samples);
    op::add(&mut samples);
    registry::add(&mut samples);
    spawn::add(&mut samples);
    builder::add(&mut samples);
    samples
}

/// Name to hex, and the version in the first line.
fn rows(text: &str) -> BTreeMap<&str, &str> {
    text.lines().filter_map(|line| line.split_once(' ')).collect()
}

/// What differs, a line each: names whose bytes changed, names that are gone, names that are new.
fn differences(kept: &str, now: &str) -> Vec<String> {
    let (kept, now) = (rows(kept), rows(now));
    let mut all = Vec::new();
    for (name, old) in &kept {
        match now.get(name) {
            Some(new) if new == old => {}
            Some(new) => all.push(format!("changed {name}\n    was {old}\n    is  {new}")),
            None => all.push(format!("gone    {name}")),
        }
    }
    all.extend(now.keys().filter(|name| !kept.contains_key(*name)).map(|name| format!("new     {name}")));
    all
}

#[test]
fn no_byte_of_any_message_has_changed() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden.txt");
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    let now = samples().text();
    let differences = differences(&kept, &now);
    if differences.is_empty() {
        return;
    }
    let same_version = rows(&kept).get("protocol") == rows(&now).get("protocol");
    let only_new = differences.iter().all(|line| line.starts_with("new"));
    let shown = differences.join("\n");
    if std::env::var_os("FAZT_GOLDEN").is_some_and(|wish| wish == "write") && (only_new || !same_version) {
        std::fs::write(&file, now).unwrap();
        return;
    }
    panic!(
        "the bytes of messages differ from tests/golden.txt:\n{shown}\n\n\
         If that is meant, raise version::PROTOCOL (protocol/src/version.rs), so that mixed builds refuse each other,\n\
         and write the file anew: FAZT_GOLDEN=write cargo test -p fazt-protocol --test golden"
    );
}

#[test]
fn a_changed_byte_is_told_by_name() {
    let told = differences("protocol 1\na 00\nb 01\nc 02\n", "protocol 1\na 00\nb 11\nd 03\n");
    assert_eq!(told, ["changed b\n    was 01\n    is  11", "gone    c", "new     d"]);
}
