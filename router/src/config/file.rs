//! `fazt.toml`: flat keys with the names of the flags, values as texts, numbers, booleans or lists of them.

use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::{
    error::ConfigError,
    keys::{self, KEYS, Key},
    settings::{Origin, Value},
};

/// Reads a file: its settings in no order.
pub(super) fn read(path: &Path) -> Result<Vec<(&'static str, Value)>, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|error| ConfigError::File { path: path.to_owned(), error })?;
    parse(&text, &path.display().to_string())
}

/// Reads a file's text; `file` is its name in messages.
pub(super) fn parse(text: &str, file: &str) -> Result<Vec<(&'static str, Value)>, ConfigError> {
    let table = DeTable::parse(text).map_err(|error| {
        let line = line_of(text, error.span().map_or(0, |span| span.start));
        ConfigError::Syntax { place: format!("{file}:{line}"), reason: error.message().to_owned() }
    })?;
    let mut settings = Vec::new();
    for (name, value) in table.into_inner() {
        let line = line_of(text, name.span().start);
        let name = name.into_inner();
        let Some(key) = keys::named(&name) else {
            let nearest = keys::nearest(&name.replace('_', "-"), KEYS.iter().map(|key| key.name));
            return Err(ConfigError::UnknownKey { place: format!("{file}:{line}"), key: name.into_owned(), nearest });
        };
        let origin = Origin::File(file.to_owned(), line);
        let texts = texts(key, value.get_ref()).map_err(|reason| ConfigError::BadValue {
            origin: origin.clone(),
            key: key.name,
            text: text.get(value.span()).unwrap_or_default().to_owned(),
            reason,
        })?;
        settings.push((key.name, Value { texts, origin }));
    }
    Ok(settings)
}

fn texts(key: Key, value: &DeValue<'_>) -> Result<Vec<String>, String> {
    match value {
        DeValue::Array(list) if key.many => list.iter().map(|value| plain(value.get_ref())).collect(),
        single => Ok(vec![plain(single)?]),
    }
}

fn plain(value: &DeValue<'_>) -> Result<String, String> {
    match value {
        DeValue::String(text) => Ok(text.clone().into_owned()),
        DeValue::Integer(number) if number.radix() == 10 => Ok(number.as_str().to_owned()),
        DeValue::Boolean(flag) => Ok(if *flag { "on" } else { "off" }.to_owned()),
        other => Err(format!("is {}, where a text or a number belongs", other.type_str())),
    }
}

fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count().saturating_add(1)
}
