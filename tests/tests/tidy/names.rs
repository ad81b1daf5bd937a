//! Names that say nothing, promises that are not kept, and permissions without a reason.

use syn::{
    Attribute, Item,
    visit::{self, Visit},
};

use crate::sources::{SOURCES, Source, none, parsed, quoted};

/// Modules that hold whatever found no place.
const MODULES: [&str; 6] = ["utils", "util", "common", "helpers", "helper", "misc"];
/// Ends of types' names that would fit any type.
const TYPES: [&str; 5] = ["Manager", "Handler", "Helper", "Info", "Data"];

#[test]
fn names_say_something() {
    let mut wrong = Vec::new();
    for source in parsed() {
        let file = source.path.rsplit('/').next().unwrap_or_default().trim_end_matches(".rs").to_owned();
        if MODULES.contains(&file.as_str()) || source.path.split('/').any(|part| MODULES.contains(&part)) {
            wrong.push(format!("{}: a module that could hold anything", source.path));
        }
        let mut names = Names { path: &source.path, wrong: Vec::new() };
        names.visit_file(&source.syntax);
        wrong.append(&mut names.wrong);
    }
    none("names that say nothing", &wrong);
}

#[test]
fn nothing_is_left_for_later() {
    // In pieces, so that this very file holds none of them.
    let words =
        [["TO", "DO"], ["FIX", "ME"], ["todo", "!("], ["unimplemented", "!("], ["X", "XX"]].map(|word| word.concat());
    let mut wrong = Vec::new();
    for source in SOURCES.iter() {
        for (number, line) in source.text.lines().enumerate() {
            let bare =
                |word: &String| line.split(|c: char| !c.is_alphanumeric() && c != '!' && c != '(').any(|w| w == word);
            if words.iter().any(|word| bare(word) || (word.ends_with('(') && line.contains(word.as_str()))) {
                wrong.push(format!("{}:{}: {}", source.path, number.saturating_add(1), line.trim()));
            }
        }
    }
    none("what is left for later", &wrong);
}

/// `expect` rather than `allow`, so that a permission that is not needed any more is noticed; in either case with a reason.
#[test]
fn every_permission_has_a_reason() {
    let mut wrong = Vec::new();
    for source in parsed() {
        let mut permissions = Permissions { source: &source, wrong: Vec::new() };
        permissions.visit_file(&source.syntax);
        wrong.append(&mut permissions.wrong);
    }
    none("permissions without a reason", &wrong);
}

struct Names<'a> {
    path: &'a str,
    wrong: Vec<String>,
}

impl Visit<'_> for Names<'_> {
    fn visit_item(&mut self, item: &Item) {
        let (name, banned) = match item {
            Item::Struct(item) => (&item.ident, &TYPES[..]),
            Item::Enum(item) => (&item.ident, &TYPES[..]),
            Item::Trait(item) => (&item.ident, &TYPES[..]),
            Item::Type(item) => (&item.ident, &TYPES[..]),
            Item::Mod(item) => (&item.ident, &MODULES[..]),
            _ => return,
        };
        let name = name.to_string();
        // `Data` itself is a word of its own: what it holds stands beside it.
        if banned.iter().any(|end| name.ends_with(end) && (name != *end || MODULES.contains(end))) {
            self.wrong.push(format!("{}: {name}", self.path));
        }
        visit::visit_item(self, item);
    }
}

struct Permissions<'a> {
    source: &'a Source,
    wrong: Vec<String>,
}

impl Visit<'_> for Permissions<'_> {
    fn visit_attribute(&mut self, attribute: &Attribute) {
        let permits = ["allow", "expect"].iter().any(|word| attribute.path().is_ident(word));
        if permits && !quoted(attribute).contains("reason") {
            self.wrong.push(format!("{}: {}", self.source.path, quoted(attribute)));
        }
    }
}
