//! Where the compiler is not asked: in few places, and each says why it is right.

use syn::{
    ExprUnsafe, ItemImpl,
    visit::{self, Visit},
};

use crate::sources::{Source, none, parsed};

/// The engine and its arena, the jail, descriptors, the board, the one file of the router for calls that no crate wraps,
/// and tests that lie.
const PERMITTED: [&str; 5] =
    ["worker/", "protocol/src/fd.rs", "protocol/src/board.rs", "protocol/tests/", "tests/bin/"];
/// How many files of the router may.
const ROUTER: usize = 1;

#[test]
fn unsafe_stands_where_it_may() {
    let (mut wrong, mut router) = (Vec::new(), Vec::new());
    for source in parsed() {
        let found = find(&source);
        if found.places.is_empty() || PERMITTED.iter().any(|place| source.path.starts_with(place)) {
            continue;
        }
        if source.path.starts_with("router/src/") { router.push(source.path) } else { wrong.push(source.path) }
    }
    if router.len() > ROUTER {
        wrong.append(&mut router);
    }
    none("sources that use unsafe and may not", &wrong);
}

#[test]
fn every_unsafe_block_says_why_it_is_right() {
    let mut silent = Vec::new();
    for source in parsed() {
        let lines: Vec<&str> = source.text.lines().collect();
        for line in find(&source).places {
            if !is_explained(&lines, line) {
                silent.push(format!("{}:{line}", source.path));
            }
        }
    }
    none("unsafe without a word on why it is right", &silent);
}

/// Whether a `SAFETY:` stands in the comment above the statement that the line belongs to, or on the line itself.
fn is_explained(lines: &[&str], line: usize) -> bool {
    let mut above = lines.iter().take(line).rev().map(|line| line.trim());
    if above.next().is_some_and(|own| own.contains("SAFETY:")) {
        return true;
    }
    let mut inside = false;
    for text in above {
        let is_comment = text.starts_with("//");
        if is_comment && (text.contains("SAFETY:") || text.contains("# Safety")) {
            return true;
        }
        // Up through the statement, then through its comment and attributes, and no further.
        if inside && !is_comment && !text.starts_with('#') {
            return false;
        }
        inside |= is_comment || text.ends_with(';') || text.ends_with('}') || text.is_empty();
        if !is_comment && (text.ends_with(';') || text.is_empty()) {
            return false;
        }
    }
    false
}

#[derive(Default)]
struct Unsafe {
    places: Vec<usize>,
}

fn find(source: &Source) -> Unsafe {
    let mut found = Unsafe::default();
    found.visit_file(&source.syntax);
    found
}

impl<'ast> Visit<'ast> for Unsafe {
    fn visit_expr_unsafe(&mut self, block: &'ast ExprUnsafe) {
        self.places.push(block.unsafe_token.span.start().line);
        visit::visit_expr_unsafe(self, block);
    }

    fn visit_item_impl(&mut self, item: &'ast ItemImpl) {
        if let Some(token) = &item.unsafety {
            self.places.push(token.span.start().line);
        }
        visit::visit_item_impl(self, item);
    }
}
