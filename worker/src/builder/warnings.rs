//! What an app's developer should know though it keeps nothing from being deployed.
//!
//! Pure, and bounded however much there is to say: what does not fit is counted.

use fazt_protocol::limit::{WARNINGS, WARNINGS_BYTES};

/// The longest single warning in bytes.
const WARNING_BYTES: usize = 1024;
/// Warnings of either kind; what does not fit is counted.
const KEPT: usize = 30;

const _: () = assert!(2 * KEPT + 2 <= WARNINGS && (2 * KEPT + 2) * WARNING_BYTES <= WARNINGS_BYTES);

/// Warnings so far.
#[derive(Debug, Default)]
pub(super) struct Warnings {
    texts: Vec<String>,
    more_texts: usize,
    /// What was left out, and how many entries that were.
    left_out: Vec<(String, usize)>,
    more_left_out: usize,
}

impl Warnings {
    /// Adds one, where there is one.
    pub(super) fn add(&mut self, text: impl Into<String>) {
        if self.texts.len() < KEPT {
            self.texts.push(text.into());
        } else {
            self.more_texts = self.more_texts.saturating_add(1);
        }
    }

    /// An entry was left out, for the file or folder `top` that it is or belongs to.
    pub(super) fn leave_out(&mut self, top: &str) {
        // Entries of one folder come together, so the last one is nearly always it.
        if let Some((_, count)) = self.left_out.iter_mut().rev().find(|(there, _)| there == top) {
            *count = count.saturating_add(1);
        } else if self.left_out.len() < KEPT {
            self.left_out.push((top.to_owned(), 1));
        } else {
            self.more_left_out = self.more_left_out.saturating_add(1);
        }
    }

    /// All of them as texts.
    pub(super) fn finish(self) -> Vec<String> {
        let mut all = self.texts;
        all.extend((self.more_texts > 0).then(|| format!("{} more warnings", self.more_texts)));
        all.extend(self.left_out.into_iter().map(|(top, count)| match count {
            1 => format!("left out: {top}"),
            count => format!("left out: {top} ({count} entries)"),
        }));
        all.extend((self.more_left_out > 0).then(|| format!("left out: {} more entries", self.more_left_out)));
        all.into_iter().map(shorten).collect()
    }
}

fn shorten(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(WARNING_BYTES));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_counted_by_its_top() {
        let mut warnings = Warnings::default();
        warnings.add("first");
        for top in ["node_modules", "node_modules", ".env", "node_modules"] {
            warnings.leave_out(top);
        }
        assert_eq!(warnings.finish(), ["first", "left out: node_modules (3 entries)", "left out: .env"]);
    }

    #[test]
    fn there_are_never_too_many() {
        let mut warnings = Warnings::default();
        for number in 0..1000 {
            warnings.add(format!("{number}{}", "ü".repeat(2000)));
            warnings.leave_out(&format!("{number}{}", "ü".repeat(2000)));
        }
        let all = warnings.finish();
        assert!(all.len() <= WARNINGS && all.iter().map(String::len).sum::<usize>() <= WARNINGS_BYTES);
        assert!(all.iter().any(|text| text == "970 more warnings"));
        assert_eq!(all.last().unwrap(), "left out: 970 more entries");
    }
}
