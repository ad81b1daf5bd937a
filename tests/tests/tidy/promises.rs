//! Documents that do not lie: a promise names the test that holds it, both test and file are there, and one that is named
//! after a file is in it.

use std::{collections::BTreeSet, fs};

use crate::sources::{Parsed, SOURCES, files, none, root};

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
    for document in ["docs/promises.md", "docs/http.md", "docs/sandbox.md", "docs/protocol.md"] {
        has_its_tests(document);
    }
}

fn has_its_tests(document: &str) {
    let text = fs::read_to_string(root().join(document)).unwrap();
    let mut wrong = Vec::new();
    for line in text.lines() {
        let mut file = None;
        for (place, part) in line.split('`').enumerate() {
            if place % 2 == 0 {
                // A file goes with the tests behind it, up to the end of the cell or of the half-sentence.
                file = file.filter(|_| !part.contains(['|', ';']));
            } else if part.ends_with(".rs") {
                file = Some(part);
                wrong.extend((!SOURCES.iter().any(|source| is_at(source, part))).then(|| part.to_owned()));
            } else if is_name(part) {
                let is_here = |source: &Parsed| file.is_none_or(|file| is_at(source, file)) && has_test(source, part);
                wrong.extend((!SOURCES.iter().any(is_here)).then(|| format!("{} {part}", file.unwrap_or_default())));
            }
        }
    }
    none(&format!("what {document} names and nobody finds"), &wrong);
    assert!(quoted(&text).len() > 10, "the promises are written as a table of quoted names");
}

fn is_at(source: &Parsed, file: &str) -> bool {
    source.path == file || source.path.strip_prefix("tests/tests/house/") == Some(file)
}

/// A test of the usual harness, or one that is given to another by its name.
fn has_test(source: &Parsed, name: &str) -> bool {
    let function = format!("fn {name}(");
    let lines: Vec<&str> = source.text.lines().map(str::trim).collect();
    let Some(at) = lines.iter().position(|line| line.contains(&function)) else { return false };
    let above = lines.iter().take(at).rev().take_while(|line| line.starts_with("#[") || line.starts_with("//"));
    let is_given_by_name = || SOURCES.iter().any(|source| source.text.contains(&format!("\"{name}\"")));
    above.clone().any(|line| line.contains("test]") || line.contains("test(")) || is_given_by_name()
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
