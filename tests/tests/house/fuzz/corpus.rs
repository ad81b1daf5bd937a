//! What guides the search: for each sign of what a farm does with an input, the shortest input that brought it about.
//!
//! Those of long runs are kept in `corpus.txt`, one a line, with escapes as in Rust. Reading panics where a line is not
//! one. Which bytes to change, and how, is not decided here.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use fazt_tests::{http::Answer, wire::Heard};
use serde_json::Value;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/house/fuzz/corpus.txt");
/// The largest input that is kept in the file.
const KEPT_BYTES: usize = 4 * 1024;

/// Inputs that are worth to be changed further.
#[derive(Clone, Default)]
pub(super) struct Corpus {
    /// Of earlier runs, to be sent as they are.
    kept: Vec<Vec<u8>>,
    /// By what they showed in this run.
    shown: BTreeMap<String, Vec<u8>>,
}

impl Corpus {
    /// What earlier runs have kept.
    pub(super) fn read() -> Self {
        let kept = fs::read_to_string(FILE).unwrap().lines().map(unescaped).collect();
        Self { kept, shown: BTreeMap::new() }
    }

    /// Keeps what this run has shown.
    pub(super) fn write(&self) {
        let small = self.shown.values().filter(|input| input.len() <= KEPT_BYTES);
        let lines: BTreeSet<String> = small.map(|input| format!("{}\n", input.escape_ascii())).collect();
        fs::write(FILE, String::from_iter(lines)).unwrap();
    }

    /// What is to be sent as it is.
    pub(super) fn kept(&self) -> &[Vec<u8>] {
        &self.kept
    }

    /// How many there are to choose from.
    pub(super) fn len(&self) -> usize {
        self.kept.len() + self.shown.len()
    }

    /// One of them.
    pub(super) fn get(&self, at: usize) -> Option<&[u8]> {
        self.kept.get(at).or_else(|| self.shown.values().nth(at - self.kept.len())).map(Vec::as_slice)
    }

    /// Remembers an input that showed something new, or something known in fewer bytes.
    pub(super) fn learn(&mut self, input: &[u8], shown: impl IntoIterator<Item = String>) {
        for sign in shown {
            if self.shown.get(&sign).is_none_or(|known| known.len() > input.len()) {
                self.shown.insert(sign, input.to_vec());
            }
        }
    }

    /// Takes what others have learned who began with the same: all that was kept was sent by one of them.
    pub(super) fn take(&mut self, others: impl IntoIterator<Item = Self>) {
        self.kept.clear();
        for (sign, input) in others.into_iter().flat_map(|other| other.shown) {
            self.learn(&input, [sign]);
        }
    }
}

/// What came of an input: each answer by its status, its problem, the rule that refused and the names of its headers;
/// which status followed which; how many there were, and whether the last one was to be the last.
pub(super) fn signs(heard: &Heard) -> BTreeSet<String> {
    let answers = &heard.answers;
    let pairs = answers.windows(2).map(|pair| format!("{} > {}", pair[0].status, pair[1].status));
    let count = (answers.len() + 1).ilog2();
    let is_last = answers.last().is_some_and(|answer| answer.header("connection") == Some("close"));
    answers.iter().map(sign_of).chain(pairs).chain([format!("{count} {is_last}")]).collect()
}

fn sign_of(answer: &Answer) -> String {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let said = |key: &str| body[key].as_str().map(plain).unwrap_or_default();
    let names: BTreeSet<String> = answer.headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
    let names = Vec::from_iter(names).join(" ");
    format!("{} {} {} {} {} {names}", answer.status, said("code"), said("detail"), said("app"), said("method"))
}

/// A sentence up to where it quotes the input, without numbers.
fn plain(text: &str) -> String {
    let own = text.split(['`', '\'', '"']).next().unwrap_or_default();
    own.chars().filter(|letter| !letter.is_ascii_digit()).collect()
}

fn unescaped(line: &str) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::new(), line);
    while let Some(letter) = rest.chars().next() {
        let length = match rest.as_bytes() {
            [b'\\', b'x', ..] => 4,
            [b'\\', ..] => 2,
            _ => 1,
        };
        let piece = &rest[..length];
        bytes.push(match piece {
            "\\n" => b'\n',
            "\\r" => b'\r',
            "\\t" => b'\t',
            _ if length == 4 => u8::from_str_radix(&piece[2..], 16).unwrap(),
            _ if length == 2 => piece.as_bytes()[1],
            _ => u8::try_from(letter).unwrap(),
        });
        rest = &rest[length..];
    }
    bytes
}

#[test]
fn inputs_are_kept_as_they_are() {
    let all: Vec<u8> = (0..=255).collect();
    assert_eq!(unescaped(&all.escape_ascii().to_string()), all);
    let text = fs::read_to_string(FILE).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines.is_sorted() && !lines.is_empty());
    for line in lines {
        let input = unescaped(line);
        assert_eq!(input.escape_ascii().to_string(), line);
        assert!(input.len() <= KEPT_BYTES, "{line}");
    }
}

#[test]
fn the_shortest_input_stands_for_what_was_shown() {
    let mut corpus = Corpus::default();
    corpus.learn(b"abc", ["200".to_owned(), "400".to_owned()]);
    corpus.learn(b"abcd", ["200".to_owned(), "404".to_owned()]);
    corpus.learn(b"ab", ["400".to_owned()]);
    let mut whole = Corpus { kept: vec![b"kept".to_vec()], shown: BTreeMap::new() };
    whole.take([corpus]);
    let all: Vec<_> = (0..whole.len()).filter_map(|at| whole.get(at)).collect();
    assert_eq!(all, [b"abc".as_slice(), b"ab", b"abcd"]);
}
