//! Settings as texts, each with its origin: what was given, then what was taken where nothing was.
//!
//! [`Settings::take`] reads a setting, and keeps the default's text where it had to be used: so the settings print whole.

use std::{collections::BTreeMap, fmt, path::Path};

use super::{
    error::ConfigError,
    file,
    flags::Flags,
    keys::{self, KEYS, OTHER_VARIABLES},
};

/// The file that is read where none is named.
const USUAL_FILE: &str = "fazt.toml";
/// How unlike a variable's name may be and still be taken for a slip: others use the prefix too.
const VARIABLE_SLIP: usize = 2;

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The command line.
    Flag,
    /// A variable of that name.
    Env(String),
    /// File and line.
    File(String, usize),
    /// Nobody said anything.
    Default,
}

/// One setting's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// As it was written; more than one where the setting takes a list.
    pub texts: Vec<String>,
    /// Where it comes from.
    pub origin: Origin,
}

/// All settings by name.
#[derive(Debug, Clone, Default)]
pub struct Settings(BTreeMap<&'static str, Value>);

impl Settings {
    /// Gathers what was given; the first source that has a setting wins.
    pub(super) fn gather(flags: Flags, environment: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        let named = flags.config.clone().or_else(|| environment.get("FAZT_CONFIG").map(Into::into));
        let file = match named {
            Some(path) => file::read(&path)?,
            None if Path::new(USUAL_FILE).exists() => file::read(Path::new(USUAL_FILE))?,
            None => Vec::new(),
        };
        let mut settings = Self::default();
        for (name, texts) in flags.given() {
            settings.0.insert(name, Value { texts, origin: Origin::Flag });
        }
        settings.add_environment(environment)?;
        for (name, value) in file {
            settings.0.entry(name).or_insert(value);
        }
        Ok(settings)
    }

    /// Reads a setting that takes one value; `default` is used, and kept, where none was given.
    pub(super) fn take<T>(
        &mut self,
        name: &'static str,
        default: impl Into<String>,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<T, ConfigError> {
        let value = self.value(name, || vec![default.into()]);
        let text = value.texts.last().cloned().unwrap_or_default();
        read(&text).map_err(|reason| ConfigError::BadValue { origin: value.origin.clone(), key: name, text, reason })
    }

    /// Reads a setting that takes a list.
    pub(super) fn take_all<T>(
        &mut self,
        name: &'static str,
        default: &[&str],
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Vec<T>, ConfigError> {
        let value = self.value(name, || default.iter().map(|text| (*text).to_owned()).collect());
        let origin = &value.origin;
        let bad = |text: &String, reason| ConfigError::BadValue {
            origin: origin.clone(),
            key: name,
            text: text.clone(),
            reason,
        };
        value.texts.iter().map(|text| read(text).map_err(|reason| bad(text, reason))).collect()
    }

    /// Whether somebody said something about it.
    pub(super) fn is_given(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|value| value.origin != Origin::Default)
    }

    /// `name = value (origin)`, for errors that speak of two settings.
    pub(super) fn describe(&self, name: &str) -> String {
        let Some(value) = self.0.get(name) else { return name.to_owned() };
        format!("{name} = {} ({})", value.texts.join(", "), value.origin)
    }

    /// All settings in their order: name, value, origin.
    pub fn rows(&self) -> impl Iterator<Item = (&'static str, &Value)> {
        KEYS.iter().filter_map(|key| Some((key.name, self.0.get(key.name)?)))
    }

    fn value(&mut self, name: &'static str, default: impl FnOnce() -> Vec<String>) -> &Value {
        self.0.entry(name).or_insert_with(|| Value { texts: default(), origin: Origin::Default })
    }

    fn add_environment(&mut self, environment: &BTreeMap<String, String>) -> Result<(), ConfigError> {
        let variables: Vec<String> = KEYS.iter().map(keys::Key::variable).collect();
        for (key, variable) in KEYS.iter().zip(&variables) {
            let Some(text) = environment.get(variable) else { continue };
            let texts = if key.many {
                text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
            } else {
                vec![text.clone()]
            };
            self.0.entry(key.name).or_insert(Value { texts, origin: Origin::Env(variable.clone()) });
        }
        let known = || variables.iter().map(String::as_str).chain(OTHER_VARIABLES);
        for name in environment.keys().filter(|name| name.starts_with("FAZT_")) {
            if !known().any(|valid| valid == name)
                && let Some(slip) = known().find(|valid| strsim::damerau_levenshtein(name, valid) <= VARIABLE_SLIP)
            {
                return Err(ConfigError::UnknownKey {
                    place: "environment".to_owned(),
                    key: name.clone(),
                    nearest: Some(slip.to_owned()),
                });
            }
        }
        Ok(())
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("flag"),
            Self::Env(name) => write!(f, "env {name}"),
            Self::File(file, line) => write!(f, "{file}:{line}"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// As TOML, so that it can be kept as a file: `workers = 10  # flag`.
impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let many = |name: &str| keys::named(name).is_some_and(|key| key.many);
        self.rows().try_for_each(|(name, value)| {
            let texts: Vec<String> = value.texts.iter().map(|text| toml_text(text)).collect();
            if many(name) {
                writeln!(f, "{name} = [{}]  # {}", texts.join(", "), value.origin)
            } else {
                writeln!(f, "{name} = {}  # {}", texts.join(""), value.origin)
            }
        })
    }
}

fn toml_text(text: &str) -> String {
    if text.parse::<i64>().is_ok() { text.to_owned() } else { toml::Value::from(text).to_string() }
}
