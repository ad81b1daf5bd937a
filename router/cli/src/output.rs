//! What goes to the terminal: tables and lines for people, JSON for programs, notes and failures on standard error.
//!
//! Names, messages and paths come from apps, and apps are written by strangers: a control character among them could
//! rewrite the terminal, so each one is shown as an escape. JSON escapes them by itself.

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
        self.line(&text)
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
            table.add_row(row.iter().map(|cell| plain(cell)).collect::<Vec<_>>());
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
        let text =
            if self.json { failure.to_json().to_string() } else { format!("fazt: {}", plain(&failure.to_string())) };
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

/// Text with its control characters made visible; line ends and tabs stay.
pub(crate) fn plain(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\t' => shown.push(character),
            control if control.is_control() || is_reordering(control) => shown.extend(control.escape_unicode()),
            other => shown.push(other),
        }
    }
    shown
}

/// Marks that turn the direction of writing: with them, text reads as something that it is not.
fn is_reordering(character: char) -> bool {
    matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
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
        assert_eq!(plain("a\u{1b}[2Jb\r\u{202e}c\nd\te"), "a\\u{1b}[2Jb\\u{d}\\u{202e}c\nd\te");
    }
}
