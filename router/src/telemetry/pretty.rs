//! Log lines for people: time, level, message, then `key=value`, all escaped.
//!
//! Whatever a value is, it cannot end the line or speak to the terminal: control characters are written as escapes.

use std::fmt;

use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};

/// The format.
#[derive(Debug)]
pub(super) struct Pretty {
    color: bool,
}

#[derive(Debug, Default)]
struct Parts {
    message: String,
    fields: String,
}

impl Pretty {
    /// With colours where a person looks at it.
    pub(super) fn new(color: bool) -> Self {
        Self { color }
    }
}

impl<S, N> FormatEvent<S, N> for Pretty
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut parts = Parts::default();
        event.record(&mut parts);
        let now = humantime::format_rfc3339_millis(std::time::SystemTime::now());
        let level = *event.metadata().level();
        if self.color {
            write!(writer, "\x1b[2m{now}\x1b[0m \x1b[{}m{level:5}\x1b[0m ", color(level))?;
        } else {
            write!(writer, "{now} {level:5} ")?;
        }
        writeln!(writer, "{}{}", parts.message, parts.fields)
    }
}

impl Visit for Parts {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, &format!("{value:?}"));
    }
}

impl Parts {
    fn add(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            escape(value, &mut self.message);
            return;
        }
        self.fields.push(' ');
        self.fields.push_str(field.name());
        self.fields.push('=');
        let quoted = value.is_empty() || value.contains([' ', '"', '=']);
        if quoted {
            self.fields.push('"');
        }
        escape(value, &mut self.fields);
        if quoted {
            self.fields.push('"');
        }
    }
}

/// Appends `text` with quotes, backslashes and all that could end a line or steer a terminal as escapes.
fn escape(text: &str, to: &mut String) {
    for character in text.chars() {
        match character {
            '"' | '\\' => to.extend(['\\', character]),
            // Separators and directions that are no controls to Rust, and are to terminals and editors.
            '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                to.extend(character.escape_unicode());
            }
            plain if !plain.is_control() => to.push(plain),
            control => to.extend(control.escape_default()),
        }
    }
}

fn color(level: Level) -> u8 {
    match level {
        Level::ERROR => 31,
        Level::WARN => 33,
        Level::INFO => 32,
        _ => 36,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_the_line_or_reaches_the_terminal() {
        let mut out = String::new();
        escape("a\r\nb\x1b[31m\u{9b}1m\u{202e}\"\\ü\0", &mut out);
        assert_eq!(out, r#"a\r\nb\u{1b}[31m\u{9b}1m\u{202e}\"\\ü\u{0}"#);
    }
}
