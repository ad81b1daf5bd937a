//! What goes to the terminal: tables and lines for people, JSON for programs, notes and failures on standard error.
//!
//! Names, messages, values and paths come from apps, and apps are written by strangers: a control character among them could
//! rewrite the terminal, and a mark that turns the direction of writing shows text as something that it is not. So each one is
//! shown as an escape; in JSON, where only texts can hold one, as JSON's own, so that a program reads what was meant.

use std::io::{self, IsTerminal, Write};

use comfy_table::{CellAlignment, Table, presets};
use serde_json::Value;

use crate::failure::Failure;

/// Standard output and standard error.
#[derive(Debug)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    /// For people, or, with `json`, for programs.
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether programs read it.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// One JSON value, spread over lines.
    pub(crate) fn value(&self, value: &Value) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_string());
        self.line(&json(&text))
    }

    /// One JSON value on a line of its own.
    pub(crate) fn compact(&self, value: &Value) -> Result<(), Failure> {
        self.line(&json(&value.to_string()))
    }

    /// A JSON text, spread over lines where it can be: what is nested too deeply, or holds half of a character, stays as it came.
    pub(crate) fn text(&self, text: &str) -> Result<(), Failure> {
        match serde_json::from_str(text) {
            Ok(value) => self.value(&value),
            Err(_) => self.line(&json(text)),
        }
    }

    /// One line.
    pub(crate) fn line(&self, text: &str) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        writeln!(out, "{text}")?;
        Ok(out.flush()?)
    }

    /// A table: its head, and rows of as many cells. The columns in `numbers` stand to the right.
    pub(crate) fn table(&self, head: &[&str], numbers: &[usize], rows: Vec<Vec<String>>) -> Result<(), Failure> {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_header(head.to_vec());
        for row in rows {
            table.add_row(row.iter().map(|cell| one_line(cell)).collect::<Vec<_>>());
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        for &index in numbers {
            if let Some(column) = table.column_mut(index) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        self.line(&table.trim_fmt())
    }

    /// For people beside the result, on standard error: it never mixes with what a program reads.
    pub(crate) fn note(&self, text: &str) {
        // Who closed standard error does not want notes.
        let _ = writeln!(io::stderr().lock(), "{}", plain(text));
    }

    /// What went wrong, on standard error.
    pub(crate) fn failure(&self, failure: &Failure) {
        let text = if self.json {
            json(&failure.to_json().to_string())
        } else {
            format!("fazt: {}", set_in(&plain(&failure.to_string())))
        };
        let _ = writeln!(io::stderr().lock(), "{text}");
    }

    /// Starts the screen again, where there is one.
    pub(crate) fn clear(&self) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        if out.is_terminal() {
            write!(out, "\x1b[H\x1b[2J")?;
        }
        Ok(())
    }
}

/// What follows in a text of several lines stands below its beginning: it cannot pass for a line of its own.
pub(crate) fn set_in(text: &str) -> String {
    text.replace('\n', "\n      ")
}

/// Text with its control characters made visible; line ends and tabs stay.
pub(crate) fn plain(text: &str) -> String {
    escape(text, |c| is_hidden(c) && !matches!(c, '\n' | '\t'), |c| c.escape_unicode().to_string())
}

/// The same of what has to stay on its line.
pub(crate) fn one_line(text: &str) -> String {
    escape(text, is_hidden, |c| c.escape_unicode().to_string())
}

/// The same of a JSON text. Outside of its own texts it has no such character but line ends, and those are its layout. All of them
/// are below U+FFFF.
fn json(text: &str) -> String {
    escape(text, |c| is_hidden(c) && !matches!(c, '\n' | '\t'), |c| format!("\\u{:04x}", u32::from(c)))
}

fn escape(text: &str, is_meant: impl Fn(char) -> bool, escaped: impl Fn(char) -> String) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_meant(character) {
            shown.push_str(&escaped(character));
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Control characters, and the marks that turn the direction of writing (Unicode's `Bidi_Control`).
fn is_hidden(character: char) -> bool {
    let is_turning = matches!(
        character,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    character.is_control() || is_turning
}

/// `1.5 MiB`.
pub(crate) fn bytes(count: u64) -> String {
    indicatif::BinaryBytes(count).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_cannot_drive_the_terminal() {
        let text = "a\u{1b}[2Jb\r\u{202e}c\nd\te\u{9b}f";
        assert_eq!(plain(text), "a\\u{1b}[2Jb\\u{d}\\u{202e}c\nd\te\\u{9b}f");
        assert_eq!(one_line("a\nb\tc\u{200f}"), "a\\u{a}b\\u{9}c\\u{200f}");
        let written = serde_json::to_string(text).unwrap();
        assert_eq!(json(&written), "\"a\\u001b[2Jb\\r\\u202ec\\nd\\te\\u009bf\"");
        assert_eq!(serde_json::from_str::<String>(&json(&written)).unwrap(), text);
    }
}
