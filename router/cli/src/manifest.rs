//! `manifest.json`, checked for what the farm would refuse anyway, so that it is said before anything is uploaded.
//! A lower limit than the farm's is the app's right; whether it is lower is the farm's to say. A key that is not known here is
//! no mistake: a newer farm may know it, and one that does not warns of it.

use std::collections::BTreeMap;

use serde::{Deserialize, de::IgnoredAny};

use crate::{environment::is_key, name};

/// The file's name, at the top of an app.
pub(crate) const FILE: &str = "manifest.json";

/// What an app says of itself.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Manifest {
    /// The name that it is deployed under, where none is given.
    #[serde(default)]
    pub(crate) name: Option<String>,
    #[serde(default, rename = "spa")]
    _spa: bool,
    #[serde(default)]
    timeout_ms: Option<u32>,
    #[serde(default)]
    memory_mb: Option<u32>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default, rename = "cors")]
    cors: Option<Cors>,
    #[serde(flatten)]
    unknown: BTreeMap<String, IgnoredAny>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cors {
    origins: Vec<String>,
    #[serde(default, rename = "credentials")]
    _credentials: bool,
    #[serde(default, rename = "maxAge")]
    _max_age: u32,
    #[serde(flatten)]
    unknown: BTreeMap<String, IgnoredAny>,
}

impl Manifest {
    /// A warning for each key that is not known here.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let top = self.unknown.keys().cloned();
        let cors = self.cors.iter().flat_map(|cors| cors.unknown.keys().map(|key| format!("cors.{key}")));
        top.chain(cors).map(|key| format!("{FILE}: the key {key:?} is not known here")).collect()
    }
}

/// Reads a manifest; the error is the rule that it breaks, in words.
pub(crate) fn read(bytes: &[u8]) -> Result<Manifest, String> {
    // The derived reader would take an array for the fields in their order.
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err("it is a JSON object".to_owned());
    }
    let manifest: Manifest = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if let Some(name) = &manifest.name {
        name::check(name).map_err(|error| format!("\"name\": {error}"))?;
    }
    if manifest.timeout_ms == Some(0) {
        return Err("\"timeoutMs\" is at least 1".to_owned());
    }
    if manifest.memory_mb == Some(0) {
        return Err("\"memoryMb\" is at least 1".to_owned());
    }
    if let Some(key) = manifest.env.keys().find(|key| !is_key(key)) {
        return Err(format!("\"env\": {key:?} is not the name of a variable"));
    }
    if manifest.cors.as_ref().is_some_and(|cors| cors.origins.is_empty()) {
        return Err("\"cors\": \"origins\" names at least one origin, or \"*\"".to_owned());
    }
    Ok(manifest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_manifest_is_read() {
        let text = br#"{ "name": "momentum", "spa": true, "timeoutMs": 500, "memoryMb": 32, "env": { "A": "b" },
                         "cors": { "origins": ["https://a.example"], "credentials": false, "maxAge": 600 } }"#;
        assert_eq!(read(text).unwrap().name.as_deref(), Some("momentum"));
        assert!(read(b"{}").unwrap().name.is_none());
    }

    #[test]
    fn what_is_wrong_is_named() {
        let rows = [
            ("[]", "a JSON object"),
            (r#"["a", true]"#, "a JSON object"),
            ("", "a JSON object"),
            ("{", "line 1"),
            (r#"{ "name": "A" }"#, "\"name\""),
            (r#"{ "spa": 1 }"#, "expected a boolean"),
            (r#"{ "timeoutMs": 0 }"#, "timeoutMs"),
            (r#"{ "memoryMb": 0 }"#, "memoryMb"),
            (r#"{ "timeoutMs": -5 }"#, "invalid value"),
            (r#"{ "env": { "A": 1 } }"#, "expected a string"),
            (r#"{ "env": { "a b": "1" } }"#, "a b"),
            (r#"{ "cors": { "origins": [] } }"#, "origins"),
            (r#"{ "cors": { "origin": "*" } }"#, "missing field `origins`"),
        ];
        for (text, part) in rows {
            let rule = read(text.as_bytes()).unwrap_err();
            assert!(rule.contains(part), "{text}: {rule}");
        }
    }

    #[test]
    fn a_key_that_is_not_known_is_a_warning() {
        let text = br#"{ "nmae": "a", "spa": true, "cors": { "origins": ["*"], "origin": { "deep": [1] } } }"#;
        let warnings = read(text).unwrap().warnings();
        let known = |key| format!("manifest.json: the key \"{key}\" is not known here");
        assert_eq!(warnings, [known("nmae"), known("cors.origin")]);
    }
}
