//! `manifest.json`, read and checked key by key, so that a wrong one is refused by the name of what is wrong.
//!
//! Pure. A key that is not known is a warning: a newer farm may know it. What a key means is for others; that a limit is
//! lower than the farm's own is the farm's to see to.

use fazt_protocol::{
    builder::{Cors, Manifest},
    limit::{APP_NAME_BYTES, ENV_BYTES, ENV_VARIABLES, ORIGINS, ORIGINS_BYTES, SOURCE_BYTES},
};
use serde_json::{Map, Value};
use url::Url;

use super::{name::show, refusal::Rule, warnings::Warnings};

/// The file's path.
pub(super) const FILE: &str = "manifest.json";

const KEYS: [&str; 6] = ["name", "spa", "timeoutMs", "memoryMb", "env", "cors"];
const CORS_KEYS: [&str; 3] = ["origins", "credentials", "maxAge"];
const RESERVED: [&str; 5] = ["admin", "api", "www", "root", "system"];
/// A name that shares less than this with a key was hardly meant for it.
const LIKENESS: f64 = 0.7;

const NAME: &str =
    "an app's name: 1 to 63 of a-z, 0-9 and -, without - at either end, and not admin, api, www, root or system";
const SWITCH: &str = "true or false";
const ORIGIN_LIST: &str =
    "a list of 1 to 64 origins such as \"https://a.example\" (no path, no / at the end), or \"*\"";

/// The size, before the content is read.
pub(super) fn check_size(bytes: u64) -> Result<(), Rule> {
    if bytes > SOURCE_BYTES as u64 { Err(Rule::ManifestBytes) } else { Ok(()) }
}

/// Reads it.
pub(super) fn read(content: &[u8], warnings: &mut Warnings) -> Result<Manifest, Rule> {
    // Editors on Windows put it there.
    let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
    let value = serde_json::from_slice::<Value>(content);
    let Value::Object(keys) = value.map_err(|error| Rule::ManifestSyntax(error.to_string()))? else {
        return Err(Rule::ManifestShape);
    };
    warn_of_unknown(&keys, "", &KEYS, warnings);
    Ok(Manifest {
        name: given(&keys, "", "name", NAME, app_name)?,
        spa: given(&keys, "", "spa", SWITCH, Value::as_bool)?.unwrap_or_default(),
        timeout_ms: given(&keys, "", "timeoutMs", "a whole number of milliseconds, at least 1", at_least_one)?,
        memory_mb: given(&keys, "", "memoryMb", "a whole number of MiB, at least 1", at_least_one)?,
        env: given(&keys, "", "env", "an object of strings", Value::as_object)?.map_or(Ok(Vec::new()), env)?,
        cors: given(&keys, "", "cors", "an object with \"origins\"", Value::as_object)?
            .map(|keys| cors(keys, warnings))
            .transpose()?,
    })
}

/// The value of a key, where it is given.
fn given<'a, T>(
    keys: &'a Map<String, Value>,
    within: &str,
    key: &str,
    takes: &'static str,
    read: impl FnOnce(&'a Value) -> Option<T>,
) -> Result<Option<T>, Rule> {
    let wrong = || Rule::ManifestValue { key: format!("{within}{key}"), takes };
    keys.get(key).map(|value| read(value).ok_or_else(wrong)).transpose()
}

fn app_name(value: &Value) -> Option<String> {
    let name = value.as_str()?;
    let is_label = (1..=APP_NAME_BYTES).contains(&name.len())
        && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        && !name.starts_with('-')
        && !name.ends_with('-');
    (is_label && !RESERVED.contains(&name)).then(|| name.to_owned())
}

fn at_least_one(value: &Value) -> Option<u32> {
    count(value).filter(|&number| number >= 1)
}

fn count(value: &Value) -> Option<u32> {
    value.as_u64().and_then(|number| u32::try_from(number).ok())
}

fn env(variables: &Map<String, Value>) -> Result<Vec<(String, String)>, Rule> {
    if variables.len() > ENV_VARIABLES {
        return Err(Rule::EnvVariables);
    }
    let mut bytes = 0usize;
    let mut env = Vec::new();
    for (name, value) in variables {
        let wrong = |takes| Rule::ManifestValue { key: format!("env.{}", show(name.as_bytes())), takes };
        if !is_variable(name) {
            return Err(wrong("another name: letters, digits and _, not a digit first"));
        }
        let value = value.as_str().ok_or_else(|| wrong("a string"))?;
        bytes = bytes.saturating_add(name.len()).saturating_add(value.len());
        env.push((name.clone(), value.to_owned()));
    }
    if bytes > ENV_BYTES { Err(Rule::EnvBytes) } else { Ok(env) }
}

fn is_variable(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && name.bytes().next().is_some_and(|first| !first.is_ascii_digit())
}

fn cors(keys: &Map<String, Value>, warnings: &mut Warnings) -> Result<Cors, Rule> {
    warn_of_unknown(keys, "cors.", &CORS_KEYS, warnings);
    let origins = given(keys, "cors.", "origins", ORIGIN_LIST, origins)?;
    let credentials = given(keys, "cors.", "credentials", SWITCH, Value::as_bool)?.unwrap_or_default();
    let max_age = given(keys, "cors.", "maxAge", "a whole number of seconds", count)?.unwrap_or_default();
    let missing = || Rule::ManifestValue { key: "cors.origins".to_owned(), takes: ORIGIN_LIST };
    let origins = origins.ok_or_else(missing)?;
    if credentials && origins.iter().any(|origin| origin == "*") {
        warnings.add(format!("{FILE}: \"cors.credentials\" does nothing beside the origin \"*\": name the origins"));
    }
    Ok(Cors { origins, credentials, max_age })
}

fn origins(value: &Value) -> Option<Vec<String>> {
    let list = value.as_array().filter(|list| (1..=ORIGINS).contains(&list.len()))?;
    let origins: Vec<String> = list.iter().map(origin).collect::<Option<_>>()?;
    let bytes = origins.iter().fold(0usize, |sum, origin| sum.saturating_add(origin.len()));
    (bytes <= ORIGINS_BYTES).then_some(origins)
}

/// A browser's word for an origin is compared byte by byte, so it must be given as a browser writes it.
fn origin(value: &Value) -> Option<String> {
    let text = value.as_str()?;
    let as_written = || Url::parse(text).ok().map(|url| url.origin().ascii_serialization());
    (text == "*" || as_written().as_deref() == Some(text)).then(|| text.to_owned())
}

fn warn_of_unknown(keys: &Map<String, Value>, within: &str, known: &[&str], warnings: &mut Warnings) {
    for key in keys.keys().filter(|key| !known.contains(&key.as_str())) {
        let likeness = |known: &&&str| strsim::jaro_winkler(&key.to_lowercase(), &known.to_lowercase());
        let nearest = known.iter().max_by(|one, other| likeness(one).total_cmp(&likeness(other)));
        let hint = match nearest.filter(|nearest| likeness(nearest) >= LIKENESS) {
            Some(nearest) => format!("did you mean \"{within}{nearest}\"?"),
            None => format!("known are {}", known.join(", ")),
        };
        warnings.add(format!("{FILE}: the key \"{within}{}\" is not known here: {hint}", show(key.as_bytes())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: &str) -> String {
        read(text.as_bytes(), &mut Warnings::default()).unwrap_err().to_string()
    }

    fn warnings(text: &str) -> Vec<String> {
        let mut warnings = Warnings::default();
        read(text.as_bytes(), &mut warnings).unwrap();
        warnings.finish()
    }

    #[test]
    fn a_whole_manifest_is_read() {
        let text =
            br#"{ "name": "momentum", "spa": true, "timeoutMs": 500, "memoryMb": 32, "env": { "_B": "", "A": "b" },
            "cors": { "origins": ["https://a.example", "http://localhost:3000", "*"], "maxAge": 600 } }"#;
        let mut warnings = Warnings::default();
        let manifest = read(text, &mut warnings).unwrap();
        let origins = ["https://a.example", "http://localhost:3000", "*"].map(str::to_owned).to_vec();
        let expected = Manifest {
            name: Some("momentum".to_owned()),
            spa: true,
            timeout_ms: Some(500),
            memory_mb: Some(32),
            env: vec![("_B".to_owned(), String::new()), ("A".to_owned(), "b".to_owned())],
            cors: Some(Cors { origins, credentials: false, max_age: 600 }),
        };
        assert_eq!(manifest, expected);
        assert!(warnings.finish().is_empty());
        assert_eq!(read(b"\xef\xbb\xbf{}", &mut Warnings::default()), Ok(Manifest::default()));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let rows = [
            ("", "line 1 column 0"),
            ("{\n \"spa\": tru }", "line 2 column"),
            ("{} x", "line 1 column 4"),
            ("[]", "a JSON object"),
            ("null", "a JSON object"),
            (r#"{ "name": "Upper" }"#, "\"name\" takes an app's name"),
            (r#"{ "name": "-a" }"#, "\"name\" takes"),
            (r#"{ "name": "api" }"#, "\"name\" takes"),
            (r#"{ "name": "" }"#, "\"name\" takes"),
            (r#"{ "name": 1 }"#, "\"name\" takes"),
            (r#"{ "spa": 1 }"#, "\"spa\" takes true or false"),
            (r#"{ "spa": null }"#, "\"spa\" takes"),
            (r#"{ "timeoutMs": 0 }"#, "\"timeoutMs\" takes a whole number of milliseconds, at least 1"),
            (r#"{ "timeoutMs": 1.5 }"#, "\"timeoutMs\" takes"),
            (r#"{ "timeoutMs": "500" }"#, "\"timeoutMs\" takes"),
            (r#"{ "memoryMb": -1 }"#, "\"memoryMb\" takes a whole number of MiB"),
            (r#"{ "memoryMb": 4294967296 }"#, "\"memoryMb\" takes"),
            (r#"{ "env": [] }"#, "\"env\" takes an object of strings"),
            (r#"{ "env": { "A": 1 } }"#, "\"env.A\" takes a string"),
            (r#"{ "env": { "9A": "" } }"#, "\"env.9A\" takes another name"),
            (r#"{ "env": { "": "" } }"#, "\"env.\" takes another name"),
            (r#"{ "env": { "A-B": "" } }"#, "\"env.A-B\" takes another name"),
            (r#"{ "cors": true }"#, "\"cors\" takes an object"),
            (r#"{ "cors": {} }"#, "\"cors.origins\" takes a list"),
            (r#"{ "cors": { "origins": [] } }"#, "\"cors.origins\" takes a list"),
            (r#"{ "cors": { "origins": ["https://a.example/"] } }"#, "no / at the end"),
            (r#"{ "cors": { "origins": ["a.example"] } }"#, "\"cors.origins\""),
            (r#"{ "cors": { "origins": ["*"], "credentials": "yes" } }"#, "\"cors.credentials\" takes true or false"),
            (r#"{ "cors": { "origins": ["*"], "maxAge": -1 } }"#, "\"cors.maxAge\" takes a whole number of seconds"),
        ];
        for (text, part) in rows {
            let rule = rule(text);
            assert!(rule.contains(part), "{text}: {rule}");
        }
    }

    #[test]
    fn the_environment_is_bounded() {
        let many: Vec<String> = (0..=ENV_VARIABLES).map(|number| format!("\"A{number}\": \"\"")).collect();
        assert!(rule(&format!("{{ \"env\": {{ {} }} }}", many.join(","))).contains("256 variables"));
        let big = "x".repeat(ENV_BYTES);
        assert!(rule(&format!("{{ \"env\": {{ \"A\": \"{big}\" }} }}")).contains("64 KiB"));
    }

    #[test]
    fn an_unknown_key_is_a_warning_with_the_nearest() {
        assert!(warnings(r#"{ "timeoutms": 5 }"#)[0].contains("did you mean \"timeoutMs\""));
        assert!(warnings(r#"{ "SPA": true }"#)[0].contains("did you mean \"spa\""));
        assert!(warnings(r#"{ "quux": 5 }"#)[0].contains("known are name, spa"));
        let cors = r#"{ "cors": { "origins": ["*"], "credentials": true, "origin": 1 } }"#;
        let all = warnings(cors);
        assert!(all[0].contains("did you mean \"cors.origins\"") && all[1].contains("does nothing"), "{all:?}");
    }
}
