//! Where the compiler is not asked: in few places, and each says why it is right.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::{
    ExprUnsafe, ItemImpl, Macro,
    visit::{self, Visit},
};

use crate::sources::{Source, none, parsed};

/// The engine and its arena, what it is called back by, the jail and the way into it, descriptors, the board, and tests that
/// do what must be stopped. Neither the router nor the store.
const PERMITTED: [&str; 11] = [
    "worker/src/api/mod.rs",
    "worker/src/arena/",
    "worker/src/engine/",
    "worker/src/image/",
    "worker/src/zygote.rs",
    "worker/jail/",
    "worker/tests/",
    "protocol/src/fd.rs",
    "protocol/src/board.rs",
    "protocol/src/heap.rs",
    "tests/bin/",
];

#[test]
fn unsafe_stands_where_it_may() {
    let unsafe_ones: Vec<String> =
        parsed().filter(|source| !find(source).places.is_empty()).map(|source| source.path).collect();
    let (_, wrong): (Vec<String>, Vec<String>) =
        unsafe_ones.iter().cloned().partition(|path| PERMITTED.iter().any(|place| path.starts_with(place)));
    none("sources that use unsafe and may not", &wrong);
    let idle = PERMITTED.iter().filter(|place| !unsafe_ones.iter().any(|path| path.starts_with(**place)));
    none("places that may use unsafe and do not", &idle.map(ToString::to_string).collect::<Vec<_>>());
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

impl Unsafe {
    /// What a macro is given is no syntax yet: a block is the word and braces.
    fn search(&mut self, tokens: TokenStream) {
        let mut word = None;
        for token in tokens {
            let is_block = matches!(&token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace);
            self.places.extend(word.take().filter(|_| is_block));
            match token {
                TokenTree::Ident(ident) if ident == "unsafe" => word = Some(ident.span().start().line),
                TokenTree::Group(group) => self.search(group.stream()),
                _ => {}
            }
        }
    }
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

    fn visit_macro(&mut self, call: &'ast Macro) {
        self.search(call.tokens.clone());
    }
}
