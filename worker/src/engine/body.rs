//! A request's body as a value, by what its `Content-Type` says, before any code of the app has run.

use std::collections::{BTreeMap, BTreeSet};

use fazt_protocol::call::Request;
use url::form_urlencoded;

use super::{
    form::{self, FIELDS, FormError, Part},
    realm::{Realm, Thrown},
    run::Stop,
    trouble::describe,
    value::Value,
};
use crate::outcome::Outcome;

/// What errors in a JSON body call it.
const NAME: &str = "<body>";

/// A body, and the files of a form.
pub(super) struct Content<'a> {
    pub(super) body: Value<'a>,
    pub(super) files: Option<Value<'a>>,
}

/// Parses a body.
pub(super) fn parse<'a>(realm: Realm<'a>, request: &Request, bytes: &[u8]) -> Result<Content<'a>, Stop> {
    let without_files = |body| Content { body, files: None };
    if !request.has_body || bytes.is_empty() {
        return Ok(without_files(realm.undefined()));
    }
    let header = request.headers.iter().find(|(name, _)| name == "content-type").map_or("", |(_, value)| value);
    let kind = header.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    Ok(match kind.as_str() {
        json if json == "application/json" || (json.starts_with("application/") && json.ends_with("+json")) => {
            without_files(parse_json(realm, bytes)?)
        }
        "application/x-www-form-urlencoded" => without_files(fields(realm, bytes)?),
        "multipart/form-data" => parse_multipart(realm, header, bytes)?,
        text if text.starts_with("text/") => without_files(realm.string(&String::from_utf8_lossy(bytes))?),
        _ => without_files(realm.buffer(bytes)?),
    })
}

fn parse_json<'a>(realm: Realm<'a>, bytes: &[u8]) -> Result<Value<'a>, Stop> {
    // A byte order mark is not JSON, and is sent all the same.
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    if let Err(error) = std::str::from_utf8(bytes) {
        let (line, column) = position(bytes, error.valid_up_to());
        return Err(bad_json(&format!("the bytes are not UTF-8 at line {line}, column {column}")));
    }
    let mut text = Vec::with_capacity(bytes.len().saturating_add(1));
    text.extend_from_slice(bytes);
    text.push(0);
    realm.parse_json(&text, c"<body>").map_err(|Thrown| {
        let error = realm.exception();
        if error.peek(c"name").and_then(|name| name.words()).as_deref() != Some("SyntaxError") {
            // Out of memory, or too deep: no mistake of the JSON's grammar.
            let trouble = describe(&error, None).message;
            return if trouble.contains("call stack") {
                bad_json("nested too deeply")
            } else {
                realm.throw(error).into()
            };
        }
        let message = error.peek(c"message").and_then(|text| text.words()).unwrap_or_default();
        let place = error.stack(None).and_then(|stack| place(&stack));
        let (line, column) = place.unwrap_or((1, 1));
        bad_json(&format!("{message} at line {line}, column {column}"))
    })
}

fn bad_json(why: &str) -> Stop {
    Stop::Outcome(Outcome::BadJson(why.to_owned()))
}

/// Line and column of the first frame, which the parser puts there.
fn place(stack: &str) -> Option<(u32, u32)> {
    let (_, place) = stack.lines().next()?.rsplit_once(NAME)?;
    let (line, column) = place.trim_matches([':', ')']).split_once(':')?;
    Some((line.parse().ok()?, column.parse().ok()?))
}

fn position(bytes: &[u8], at: usize) -> (usize, usize) {
    let before = bytes.get(..at).unwrap_or(bytes);
    let line = before.iter().filter(|byte| **byte == b'\n').count().saturating_add(1);
    let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline.saturating_add(1));
    (line, before.len().saturating_sub(start).saturating_add(1))
}

/// Fields of a form in a URL's manner; the first of a name counts.
fn fields<'a>(realm: Realm<'a>, bytes: &[u8]) -> Result<Value<'a>, Stop> {
    let (fields, mut seen) = (realm.object()?, BTreeSet::new());
    for (count, (name, value)) in form_urlencoded::parse(bytes).enumerate() {
        if count == FIELDS {
            return Err(bad_form(FormError::TooMany));
        }
        if !seen.contains(&name) {
            fields.define_named(&name, realm.string(&value)?)?;
            seen.insert(name);
        }
    }
    Ok(fields)
}

fn bad_form(error: FormError) -> Stop {
    Stop::Outcome(Outcome::BadForm(error.to_string()))
}

fn parse_multipart<'a>(realm: Realm<'a>, header: &str, bytes: &[u8]) -> Result<Content<'a>, Stop> {
    let parts = form::parse(header, bytes).map_err(bad_form)?;
    let (body, files) = (realm.object()?, realm.object()?);
    let (texts, uploads): (Vec<&Part<'_>>, Vec<&Part<'_>>) = parts.iter().partition(|part| part.file.is_none());
    let mut seen = BTreeSet::new();
    for part in texts.into_iter().filter(|part| seen.insert(&part.name)) {
        body.define_named(&part.name, realm.string(&String::from_utf8_lossy(part.content))?)?;
    }
    let mut named: BTreeMap<&str, Vec<&Part<'_>>> = BTreeMap::new();
    for part in &uploads {
        named.entry(&part.name).or_default().push(part);
    }
    // In the order in which their names came first.
    for part in uploads {
        let Some(of_name) = named.remove(part.name.as_str()) else { continue };
        // One file is itself, several are an array.
        let value = match of_name.as_slice() {
            [one] => file(realm, one)?,
            several => {
                let list = realm.array()?;
                for (index, one) in (0..).zip(several) {
                    list.define_at(index, file(realm, one)?)?;
                }
                list
            }
        };
        files.define_named(&part.name, value)?;
    }
    Ok(Content { body, files: Some(files) })
}

fn file<'a>(realm: Realm<'a>, part: &Part<'_>) -> Result<Value<'a>, Stop> {
    let file = realm.object()?;
    file.define(c"name", realm.string(part.file.as_deref().unwrap_or_default())?)?;
    file.define(c"type", realm.string(&part.kind)?)?;
    file.define(c"size", realm.number(part.content.len() as f64))?;
    file.define(c"data", realm.buffer(part.content)?)?;
    Ok(file)
}
