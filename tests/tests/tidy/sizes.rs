//! The walls: a file opens with what it is, and neither it nor a function of it outgrows what one can keep in mind.

use syn::{
    Attribute, ImplItemFn, Item, ItemFn, TraitItemFn,
    visit::{self, Visit},
};

use crate::sources::{Source, is_test, is_test_file, none, parsed, quoted};

/// Lines of a file.
const FILE: usize = 300;
/// Lines of a file with tests in it.
const FILE_WITH_TESTS: usize = 400;
/// Lines of code in a function.
const FUNCTION: usize = 50;
/// Arguments of a function.
const ARGUMENTS: usize = 5;

#[test]
fn every_file_says_what_it_is() {
    let silent = parsed().filter(|source| !source.text.starts_with("//!"));
    none("files that do not open with `//!`", &silent.map(|source| source.path).collect::<Vec<_>>());
}

#[test]
fn no_file_passes_its_wall() {
    let mut long = Vec::new();
    for source in parsed() {
        let with_tests = is_test_file(&source.path) || source.syntax.items.iter().any(is_test_module);
        let wall = if with_tests { FILE_WITH_TESTS } else { FILE };
        let lines = source.text.lines().count();
        if lines > wall {
            long.push(format!("{}: {lines} lines, the wall is {wall}", source.path));
        }
    }
    none("files that are too long", &long);
}

#[test]
fn no_function_passes_its_wall() {
    let mut long = Vec::new();
    for source in parsed() {
        let mut functions = Functions { source: &source, long: Vec::new() };
        functions.visit_file(&source.syntax);
        long.append(&mut functions.long);
    }
    none("functions that are too long", &long);
}

fn is_test_module(item: &Item) -> bool {
    matches!(item, Item::Mod(module) if module.content.is_some() && is_test(&module.attrs))
}

struct Functions<'a> {
    source: &'a Source,
    long: Vec<String>,
}

impl Functions<'_> {
    fn judge(&mut self, signature: &syn::Signature, block: &syn::Block, attributes: &[Attribute]) {
        // Where a rule makes the code worse, it is broken, and the reason stands there.
        if attributes.iter().any(|attribute| quoted(attribute).contains("too_many")) {
            return;
        }
        let lines = self.source.text.lines();
        let (from, to) = (block.brace_token.span.open().start().line, block.brace_token.span.close().end().line);
        let is_code = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with("//");
        let count = lines.skip(from).take(to.saturating_sub(from).saturating_sub(1)).filter(is_code).count();
        let arguments = signature.inputs.iter().filter(|input| matches!(input, syn::FnArg::Typed(_))).count();
        if count > FUNCTION || arguments > ARGUMENTS {
            let name = &signature.ident;
            self.long.push(format!("{}:{from} {name}: {count} lines, {arguments} arguments", self.source.path));
        }
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_fn(&mut self, function: &'ast ItemFn) {
        self.judge(&function.sig, &function.block, &function.attrs);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast ImplItemFn) {
        // What C calls has as many arguments as C gives it.
        if function.sig.abi.is_none() {
            self.judge(&function.sig, &function.block, &function.attrs);
        }
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast TraitItemFn) {
        if let Some(block) = &function.default {
            self.judge(&function.sig, block, &function.attrs);
        }
        visit::visit_trait_item_fn(self, function);
    }
}
