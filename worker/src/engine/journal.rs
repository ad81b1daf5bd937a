//! How many lines a request may write to its app's log, and how long one may be.

use std::cell::Cell;

use fazt_protocol::{
    call::Source,
    limit::{LOG_LINE_BYTES, LOG_LINES},
};

use super::value::well_formed;

/// Counts the lines of one request, apart for `console` and `fazt.log`.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    console: Count,
    fazt: Count,
}

#[derive(Debug, Default)]
struct Count {
    lines: Cell<usize>,
}

impl Journal {
    /// Counts a line. Whether it is to be written.
    pub(crate) fn admits(&self, source: Source) -> bool {
        let lines = &self.count(source).lines;
        lines.set(lines.get().saturating_add(1));
        lines.get() <= LOG_LINES
    }

    /// Who wrote too many lines, and by how many.
    pub(crate) fn dropped(&self) -> impl Iterator<Item = (Source, usize)> {
        let counts = [(Source::Console, self.console.lines.get()), (Source::Fazt, self.fazt.lines.get())];
        counts.into_iter().filter_map(|(source, lines)| {
            let dropped = lines.checked_sub(LOG_LINES)?;
            (dropped > 0).then_some((source, dropped))
        })
    }

    /// A line's text, cut at a character's boundary, with a mark where it was cut.
    pub(crate) fn line(text: &[u8]) -> String {
        const MARK: &str = "…";
        let most = if text.len() > LOG_LINE_BYTES { LOG_LINE_BYTES - MARK.len() } else { text.len() };
        let mut line = String::from_utf8(well_formed(text.get(..most).unwrap_or_default())).unwrap_or_default();
        if text.len() > LOG_LINE_BYTES {
            // A character cut in two was replaced, which may have made it longer.
            line.truncate(line.floor_char_boundary(LOG_LINE_BYTES - MARK.len()));
            line.push_str(MARK);
        }
        line
    }

    fn count(&self, source: Source) -> &Count {
        if source == Source::Fazt { &self.fazt } else { &self.console }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_between_characters() {
        let long = "é".repeat(LOG_LINE_BYTES);
        let line = Journal::line(long.as_bytes());
        assert!(line.len() <= LOG_LINE_BYTES && line.ends_with("é…"), "{}", line.len());
        assert_eq!(Journal::line("short".as_bytes()), "short");
    }

    #[test]
    fn lines_past_the_limit_are_counted() {
        let journal = Journal::default();
        let kept = (0..LOG_LINES + 7).filter(|_| journal.admits(Source::Console)).count();
        assert_eq!(kept, LOG_LINES);
        assert_eq!(journal.dropped().collect::<Vec<_>>(), [(Source::Console, 7)]);
    }
}
