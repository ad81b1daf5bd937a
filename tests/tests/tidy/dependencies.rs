//! Who may depend on whom: siblings never see each other, and the command is a client like any other.

use std::{collections::BTreeSet, fs};

use crate::sources::{SOURCES, files, none, root};

/// Each crate of the house, and what of the house it may use. Tests see everything.
const ALLOWED: &[(&str, &[&str])] = &[
    ("protocol", &[]),
    ("worker/jail", &[]),
    ("worker", &["fazt-protocol", "fazt-jail"]),
    ("store", &["fazt-protocol", "fazt-jail"]),
    ("router", &["fazt-protocol"]),
    ("router/cli", &[]),
    ("tests", &["fazt-protocol", "fazt-jail", "fazt-worker"]),
];

/// Crates that hold what strangers may reach, and who alone may use them.
const OWNED: &[(&str, &[&str])] = &[
    ("bincode", &["protocol"]),
    ("rquickjs", &["worker"]),
    ("seccompiler", &["worker/jail", "tests"]),
    ("landlock", &["worker/jail"]),
    ("hyper", &["router", "tests"]),
    ("rusqlite", &["store", "tests"]),
];

fn manifest(folder: &str) -> String {
    fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap()
}

/// The names under `[dependencies]` and its like, of all kinds and targets.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    let mut inside = false;
    let mut names = BTreeSet::new();
    for line in manifest.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[') {
            let section = section.trim_end_matches(']');
            inside = section.ends_with("dependencies");
            if let Some((_, name)) = section.split_once("dependencies.") {
                names.insert(name.to_owned());
            }
        } else if inside && !line.starts_with('#') {
            names.extend(line.split(['.', ' ', '=']).next().filter(|name| !name.is_empty()).map(str::to_owned));
        }
    }
    names
}

#[test]
fn the_house_is_whole() {
    let members = manifest("");
    let members = members.lines().find_map(|line| line.strip_prefix("members = [")).unwrap();
    let members: BTreeSet<&str> = members.split(['"', ',', ' ', ']']).filter(|part| !part.is_empty()).collect();
    assert_eq!(members, ALLOWED.iter().map(|(folder, _)| *folder).collect(), "every crate has its row in this test");
}

#[test]
fn siblings_do_not_see_each_other() {
    let mut wrong = Vec::new();
    for (folder, allowed) in ALLOWED {
        for name in dependencies(&manifest(folder)) {
            if name.starts_with("fazt-") && !allowed.contains(&name.as_str()) {
                wrong.push(format!("{folder} depends on {name}"));
            }
        }
    }
    none("dependencies that the house does not allow", &wrong);
}

#[test]
fn what_reads_strangers_bytes_has_one_owner() {
    let mut wrong = Vec::new();
    for (folder, _) in ALLOWED {
        let names = dependencies(&manifest(folder));
        for (name, owners) in OWNED {
            if names.contains(*name) && !owners.contains(folder) {
                wrong.push(format!("{folder} depends on {name}"));
            }
        }
    }
    none("dependencies that belong to another crate", &wrong);
}

/// Replacing it has to be a change of one file.
#[test]
fn the_codec_is_named_in_one_file() {
    let word = ["bin", "code"].concat();
    let own = ["protocol/src/codec.rs", "tests/tests/tidy/dependencies.rs"];
    let named = SOURCES.iter().filter(|source| source.text.contains(&word) && !own.contains(&source.path.as_str()));
    none("sources that name the codec's crate", &named.map(|source| source.path.clone()).collect::<Vec<_>>());
    let manifests = files(&|path| path.ends_with("Cargo.toml"));
    let named: Vec<String> = manifests
        .into_iter()
        .filter(|path| fs::read_to_string(root().join(path)).unwrap().contains(&word))
        .filter(|path| !["Cargo.toml", "protocol/Cargo.toml"].contains(&path.as_str()))
        .collect();
    none("manifests that name the codec's crate", &named);
}

#[test]
fn the_jail_knows_nothing_of_what_it_jails() {
    let words = ["rquickjs", "quickjs", "javascript"];
    let jail = SOURCES.iter().filter(|source| source.path.starts_with("worker/jail/src"));
    let named = jail.filter(|source| words.iter().any(|word| source.text.to_lowercase().contains(word)));
    none("the jail names the engine", &named.map(|source| source.path.clone()).collect::<Vec<_>>());
}
