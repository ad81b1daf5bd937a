//! The project's files: every Rust source parsed once, and every other text that people read.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use syn::{Attribute, Item, ItemMod, visit::Visit};

/// One Rust source.
pub(crate) struct Source {
    /// Below the project's folder, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) syntax: syn::File,
}

/// All of them, in order.
pub(crate) static SOURCES: LazyLock<Vec<Parsed>> = LazyLock::new(|| {
    let mut paths = files(&|path| path.extension().is_some_and(|extension| extension == "rs"));
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(root().join(&path)).unwrap();
            Parsed { path, text }
        })
        .collect()
});

/// A source's text; syntax trees cannot be shared between threads, so each test parses for itself.
pub(crate) struct Parsed {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Parsed {
    pub(crate) fn parse(&self) -> Source {
        let syntax = syn::parse_file(&self.text).unwrap_or_else(|error| panic!("{}: {error}", self.path));
        Source { path: self.path.clone(), text: self.text.clone(), syntax }
    }
}

/// Every source, parsed.
pub(crate) fn parsed() -> impl Iterator<Item = Source> {
    SOURCES.iter().map(Parsed::parse)
}

/// The project's folder.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The project's files for which `wanted` holds, without what was built or fetched.
pub(crate) fn files(wanted: &dyn Fn(&Path) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root().join(&folder)).unwrap().map(Result::unwrap) {
            let path = folder.join(entry.file_name());
            let kind = entry.file_type().unwrap();
            if kind.is_dir() && !is_foreign(&path) {
                folders.push(path);
            } else if kind.is_file() && wanted(&path) {
                found.push(path.to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

fn is_foreign(folder: &Path) -> bool {
    let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    [".git", "target", "fazt-data", "node_modules", "corpus", "artifacts"].contains(&name)
}

/// Fails with every place at once.
pub(crate) fn none(rule: &str, places: &[String]) {
    assert!(places.is_empty(), "{rule}:\n  {}", places.join("\n  "));
}

/// Whether an item exists in tests only.
pub(crate) fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("test")
            || (attribute.path().is_ident("cfg") && quoted(attribute).contains("test"))
            || attribute.path().segments.last().is_some_and(|segment| segment.ident == "test")
    })
}

/// An attribute's arguments as text.
pub(crate) fn quoted(attribute: &Attribute) -> String {
    match &attribute.meta {
        syn::Meta::List(list) => list.tokens.to_string(),
        _ => String::new(),
    }
}

/// Whether a file is a test's: its own lines may be more, since tables are long.
pub(crate) fn is_test_file(path: &str) -> bool {
    path.starts_with("tests/") || path.split('/').any(|part| part == "tests" || part == "tests.rs")
}

#[test]
fn every_source_is_part_of_a_program() {
    let mut reached = BTreeSet::new();
    for source in parsed().filter(|source| is_root(&source.path)) {
        reach(&source.path, &mut reached);
    }
    let all = SOURCES.iter().map(|source| source.path.clone());
    let orphans: Vec<String> = all.filter(|path| !reached.contains(path)).collect();
    none("sources that no module names", &orphans);
}

/// Where cargo begins to read: the roots of libraries, programs, tests, examples, benches, fuzz targets.
fn is_root(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    let file = parts.last().copied().unwrap_or_default();
    let folder = parts.iter().rev().nth(1).copied().unwrap_or_default();
    let above = parts.iter().rev().nth(2).copied().unwrap_or_default();
    let kinds = ["tests", "examples", "benches", "bin", "fuzz_targets"];
    let is_lone = kinds.contains(&folder) && !parts.contains(&"src");
    let is_folder = file == "main.rs" && kinds.contains(&above);
    file == "build.rs" || (folder == "src" && ["lib.rs", "main.rs"].contains(&file)) || is_lone || is_folder
}

fn reach(path: &str, reached: &mut BTreeSet<String>) {
    let Some(source) = SOURCES.iter().find(|source| source.path == path) else { return };
    if !reached.insert(path.to_owned()) {
        return;
    }
    let (folder, file) = path.rsplit_once('/').unwrap();
    // A root and a mod.rs have their modules beside them, any other file in a folder of its name.
    let below =
        if file == "mod.rs" || is_root(path) { folder.to_owned() } else { path.trim_end_matches(".rs").to_owned() };
    let mut modules = Modules { beside: folder.to_owned(), below: vec![below], found: Vec::new() };
    modules.visit_file(&source.parse().syntax);
    for found in modules.found {
        reach(&found, reached);
    }
}

struct Modules {
    beside: String,
    below: Vec<String>,
    found: Vec<String>,
}

impl Visit<'_> for Modules {
    fn visit_item_mod(&mut self, item: &ItemMod) {
        let name = item.ident.to_string();
        let below = self.below.last().cloned().unwrap();
        if let Some((_, items)) = &item.content {
            self.below.push(format!("{below}/{name}"));
            items.iter().for_each(|item: &Item| self.visit_item(item));
            self.below.pop();
            return;
        }
        match item.attrs.iter().find_map(path_of) {
            Some(path) => self.found.push(clean(&format!("{}/{path}", self.beside))),
            None => self.found.extend([format!("{below}/{name}.rs"), format!("{below}/{name}/mod.rs")]),
        }
    }
}

fn path_of(attribute: &Attribute) -> Option<String> {
    let syn::Meta::NameValue(pair) = &attribute.meta else { return None };
    let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) = &pair.value else { return None };
    pair.path.is_ident("path").then(|| text.value())
}

fn clean(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}
