//! What a client may read of an error who has no right to the app's source: nothing that names a file or quotes a line.
//!
//! Errors of ours that do so are noted when they are thrown, outside of the heap, where no script can reach. Where one of them
//! ends the run, or is quoted by the error that does, its words are replaced. What an app writes by itself is its own affair.

/// Errors that are remembered; an app that makes more has its errors told without words of theirs.
const REMEMBERED: usize = 8;
/// By so many bytes of their beginning words are known again where an error was cut short.
const KNOWN_BYTES: usize = 24;
/// What is said where too many were thrown to remember.
const NOTHING: &str = "Error: the app failed";

/// In place of a syntax error.
pub(crate) const SYNTAX: &str = "the app's code has a syntax error";
/// In place of a module that is not there.
pub(crate) const MODULE: &str = "a module that the app requires was not found";

/// The words to conceal, each with those to say instead.
#[derive(Debug, Default)]
pub(super) struct Discretion {
    noted: Vec<(String, &'static str)>,
    too_many: bool,
}

impl Discretion {
    /// Notes words that are about to be thrown.
    pub(super) fn note(&mut self, words: &str, instead: &'static str) {
        if self.noted.iter().any(|(known, _)| known == words) {
            return;
        }
        match self.noted.len() < REMEMBERED {
            true => self.noted.push((words.to_owned(), instead)),
            false => self.too_many = true,
        }
    }

    /// What may be read in place of `message`, where not all of it may be.
    pub(super) fn publish(&self, message: &str) -> Option<String> {
        if self.too_many {
            return Some(NOTHING.to_owned());
        }
        let mut text = message.to_owned();
        for (words, instead) in &self.noted {
            text = text.replace(words, instead);
            let beginning = words.get(..words.floor_char_boundary(KNOWN_BYTES)).unwrap_or(words);
            if let Some(at) = text.find(beginning) {
                text.truncate(at);
                text.push_str(instead);
            }
        }
        (text != message).then_some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noted_words_are_replaced_whole_or_cut_short() {
        let mut discretion = Discretion::default();
        assert_eq!(discretion.publish("Error: api/a.js is mine to name"), None);
        discretion.note("Cannot find module './secret' from api/lib/a.js", MODULE);
        let message = "Error: while loading: Cannot find module './secret' from api/lib/a.js!";
        assert_eq!(discretion.publish(message).unwrap(), format!("Error: while loading: {MODULE}!"));
        assert_eq!(discretion.publish(message.get(..60).unwrap()).unwrap(), format!("Error: while loading: {MODULE}"));
        for n in 0..2 * REMEMBERED {
            discretion.note(&format!("{n}"), SYNTAX);
        }
        assert_eq!(discretion.publish("anything").as_deref(), Some(NOTHING));
    }
}
