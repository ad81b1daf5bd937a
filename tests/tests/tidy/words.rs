//! The project speaks of itself only: nothing in it names a machine, a folder outside of it, or how it came about.

use std::fs;

use crate::sources::{files, none, root};

const TEXTS: [&str; 12] = ["rs", "toml", "md", "js", "html", "css", "sh", "sql", "json", "yml", "service", "ts"];

#[test]
fn nothing_names_what_is_outside() {
    // In pieces, so that this very file holds none of them.
    let words = [
        ["../sha", "red"],
        ["/wo", "rk/"],
        ["issue tra", "cker"],
        ["issues sh", "ow"],
        ["language mo", "del"],
        ["as an A", "I"],
        ["cla", "ude"],
        ["sub", "agent"],
        ["design", ".md"],
        ["interfaces", ".md"],
        ["app-contract", ".md"],
        ["threats", ".md"],
        ["/ho", "me/"],
    ]
    .map(|word| word.concat());
    let mut wrong = Vec::new();
    let is_text = |path: &std::path::Path| {
        let extension = path.extension().and_then(|extension| extension.to_str());
        extension.map_or(path.starts_with("scripts") || path.starts_with(".ci"), |name| TEXTS.contains(&name))
    };
    for path in files(&is_text) {
        let text = fs::read_to_string(root().join(&path)).unwrap_or_default();
        for (number, line) in text.lines().enumerate() {
            let lower = line.to_lowercase();
            if let Some(word) = words.iter().find(|word| lower.contains(&word.to_lowercase())) {
                wrong.push(format!("{path}:{}: {word:?}", number.saturating_add(1)));
            }
        }
    }
    none("words that do not belong here", &wrong);
}
