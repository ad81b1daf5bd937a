//! Documents that do not lie: a promise names the test that holds it, and both test and file are there.

use std::{collections::BTreeSet, fs};

use crate::sources::{SOURCES, files, none, root};

/// What stands between backticks in a document.
fn quoted(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.starts_with("```")).flat_map(|line| line.split('`').skip(1).step_by(2)).collect()
}

/// A name that only a function has.
fn is_name(word: &str) -> bool {
    word.matches('_').count() >= 3 && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

#[test]
fn every_promise_has_its_test() {
    for document in ["docs/promises.md", "docs/http.md"] {
        has_its_tests(document);
    }
}

fn has_its_tests(document: &str) {
    let text = fs::read_to_string(root().join(document)).unwrap();
    let house = "tests/tests/house";
    let mut wrong = Vec::new();
    for word in quoted(&text) {
        let is_there = if is_name(word) {
            let function = format!("fn {word}(");
            SOURCES.iter().any(|source| source.text.contains(&function))
        } else if word.ends_with(".rs") {
            root().join(house).join(word).exists() || root().join(word).exists()
        } else {
            continue;
        };
        if !is_there {
            wrong.push(word.to_owned());
        }
    }
    none(&format!("what {document} names and nobody finds"), &wrong);
    assert!(quoted(&text).len() > 10, "the promises are written as a table of quoted names");
}

/// Files and folders that documents name exist.
#[test]
fn documents_name_what_is_there() {
    let tops: BTreeSet<String> = files(&|_| true)
        .iter()
        .filter_map(|path| path.split_once('/').map(|(top, _)| top.to_owned()))
        .filter(|top| !top.starts_with('.'))
        .collect();
    let mut wrong = Vec::new();
    for path in files(&|path| path.extension().is_some_and(|extension| extension == "md")) {
        let text = fs::read_to_string(root().join(&path)).unwrap();
        for word in quoted(&text) {
            let word = word.split(' ').next().unwrap_or_default();
            let Some((top, _)) = word.split_once('/') else { continue };
            let is_path = tops.contains(top) && !word.contains(['{', '*', '…', '<']);
            if is_path && !root().join(word).exists() {
                wrong.push(format!("{path}: {word}"));
            }
        }
    }
    none("paths in documents that lead nowhere", &wrong);
}
