//! What an app threw, described without running any of its code: a thrown value may have getters that throw or never
//! return, and be anything at all.

use fazt_protocol::{
    call::Place,
    limit::{ERROR_TEXT_BYTES, FILE_PATH_BYTES},
};

use super::{modules::Modules, prelude::Prelude, value::Value};

/// The longest message and stack that leave the engine: a log line holds both.
const TEXT_BYTES: usize = 4096;
const CONTEXT_BYTES: usize = 512;
/// What frames of our own prelude are in.
const OURS: &str = "(fazt:";

const _: () = assert!(TEXT_BYTES <= ERROR_TEXT_BYTES);

/// A thrown value, in words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trouble {
    /// `TypeError: x is not a function`.
    pub message: String,
    /// The frames, a line each, those of the prelude left out.
    pub stack: String,
    /// The file of the first frame in the app's own code; empty where there is none.
    pub file: String,
    /// Its line, from 1; 0 where it is not known.
    pub line: u32,
    /// Its column, from 1; 0 where it is not known.
    pub column: u32,
    /// The source line.
    pub context: String,
}

impl Trouble {
    /// One with a message and no place.
    pub(crate) fn plain(message: &str) -> Self {
        Self { message: cut(message, TEXT_BYTES), ..Self::default() }
    }

    /// The same with the source line that it points at.
    pub(crate) fn with_context(mut self, modules: &Modules) -> Self {
        if let Some(line) = modules.line(&self.file, self.line) {
            self.context = cut(line.trim_end(), CONTEXT_BYTES);
        }
        self
    }

    /// The message without `SyntaxError: ` in front of it.
    pub(crate) fn without_name(&self) -> &str {
        self.message.strip_prefix("SyntaxError: ").unwrap_or(&self.message)
    }

    /// The place, as it travels.
    #[must_use]
    pub fn place(&self) -> Option<Place> {
        let known = !self.stack.is_empty() || !self.file.is_empty();
        known.then(|| Place {
            stack: self.stack.clone(),
            file: cut(&self.file, FILE_PATH_BYTES),
            line: self.line,
            column: self.column,
            context: self.context.clone(),
        })
    }

    fn with_stack(mut self, stack: &str) -> Self {
        let kept = stack.lines().filter(|line| !line.contains(OURS));
        self.stack = cut(&kept.collect::<Vec<_>>().join("\n"), TEXT_BYTES);
        if let Some((file, line, column)) = stack.lines().find_map(frame) {
            (self.file, self.line, self.column) = (file.to_owned(), line, column);
        }
        self
    }
}

/// Describes a thrown value. `prelude` knows the way to a stack; a scratch runtime has none, and its errors carry theirs.
pub(crate) fn describe(thrown: &Value<'_>, prelude: Option<&Prelude>) -> Trouble {
    if !thrown.is_object() {
        return Trouble::plain(&format!("non-error thrown: {}", primitive(thrown)));
    }
    let peek = |key| thrown.peek(key).filter(Value::is_string).and_then(|text| text.words());
    let message = peek(c"message");
    if !thrown.is_error() && message.is_none() {
        return Trouble::plain(&format!(
            "non-error thrown: {}",
            if thrown.is_function() { "a function" } else { "an object" }
        ));
    }
    let name = peek(c"name").unwrap_or_else(|| "Error".to_owned());
    let text = match message {
        Some(message) if !message.is_empty() => format!("{name}: {message}"),
        _ => name,
    };
    let stack = peek(c"stack").or_else(|| thrown.stack(prelude));
    Trouble::plain(&text).with_stack(&stack.unwrap_or_default())
}

fn primitive(thrown: &Value<'_>) -> String {
    if thrown.is_symbol() {
        return "a symbol".to_owned();
    }
    if thrown.is_big_int() {
        return "a bigint".to_owned();
    }
    let text = thrown.with_text(|text| String::from_utf8_lossy(text.get(..TEXT_BYTES).unwrap_or(text)).into_owned());
    thrown
        .realm()
        .forgive(text)
        .map_or_else(|| "a value".to_owned(), |text| if thrown.is_string() { format!("{text:?}") } else { text })
}

/// File, line and column of a frame in the app's own code: `at name (api/x.js:3:5)` or `at api/x.js:3:5`.
fn frame(line: &str) -> Option<(&str, u32, u32)> {
    let at = line.trim().strip_prefix("at ")?;
    let place = at.rsplit_once('(').map_or(at, |(_, place)| place.trim_end_matches(')'));
    let (rest, column) = place.rsplit_once(':')?;
    let (file, line) = rest.rsplit_once(':')?;
    let is_ours = file.starts_with("api/") || file == super::CODE;
    is_ours.then_some((file, line.parse().ok()?, column.parse().ok()?))
}

fn cut(text: &str, most: usize) -> String {
    text.get(..text.floor_char_boundary(most)).unwrap_or(text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_the_app_are_found() {
        assert_eq!(frame("    at f (api/lib/db.js:3:5)"), Some(("api/lib/db.js", 3, 5)));
        assert_eq!(frame("    at api/main.js:2:9"), Some(("api/main.js", 2, 9)));
        for other in ["    at f (native)", "    at g (fazt:kv.js:3:5)", "    at <anonymous> (api/main.js)", "nonsense"]
        {
            assert_eq!(frame(other), None, "{other}");
        }
    }
}
