//! What an app returned, made an answer: each property read once, everything checked before it leaves.
//!
//! Whatever is wrong with it is an invalid response that names the cause; nothing is guessed, and nothing that could end
//! one header and begin another gets through.

use super::{
    headers,
    realm::Thrown,
    run::Stop,
    trouble::describe,
    turn::Turn,
    value::{Value, well_formed},
};
use crate::outcome::{Answer, Outcome};

const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";
const BYTES: &str = "application/octet-stream";

/// Why a value is no answer.
pub(super) enum Flaw {
    /// An exception is pending: a getter, a trap or a `toJSON` threw.
    Thrown,
    /// In words.
    Cause(String),
}

impl From<Thrown> for Flaw {
    fn from(Thrown: Thrown) -> Self {
        Self::Thrown
    }
}

/// Whether `value` was made by `respond`.
pub(super) fn is_answer(turn: &Turn<'_>, value: &Value<'_>) -> bool {
    value.prototype().is_some_and(|from| from.is_same(turn.prelude().answer_brand))
}

/// The answer that `value` is. `most` is the most bytes of a body.
pub(super) fn take(turn: &Turn<'_>, value: &Value<'_>, most: usize) -> Result<Answer, Stop> {
    let answer = if is_answer(turn, value) {
        responded(value, most)
    } else if value.is_object() {
        returned(value, most)
    } else {
        content(value, most).map(|content| content.into_answer(200, Vec::new()))
    };
    answer.map_err(|flaw| invalid(turn, value, flaw))
}

/// The value as JSON, `null` for `undefined`; for code that is executed for its value.
pub(super) fn as_json(turn: &Turn<'_>, value: &Value<'_>, most: usize) -> Result<Answer, Stop> {
    let body = if value.is_undefined() { Ok(b"null".to_vec()) } else { json(value, most) };
    let headers = vec![("content-type".to_owned(), JSON.to_owned())];
    body.map(|body| Answer { status: 200, headers, body }).map_err(|flaw| invalid(turn, value, flaw))
}

fn invalid(turn: &Turn<'_>, value: &Value<'_>, flaw: Flaw) -> Stop {
    let cause = match flaw {
        Flaw::Cause(cause) => cause,
        Flaw::Thrown => {
            let thrown = value.realm().exception();
            format!("reading it threw {}", describe(&thrown, Some(turn.prelude())).message)
        }
    };
    Stop::Outcome(Outcome::InvalidResponse(cause))
}

/// A body with the type that it has where the app names none.
struct Content {
    bytes: Vec<u8>,
    kind: Option<&'static str>,
}

impl Content {
    fn into_answer(self, status: u16, mut headers: Vec<(String, String)>) -> Answer {
        let typed = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        if let (Some(kind), false) = (self.kind, typed) {
            headers.push(("content-type".to_owned(), kind.to_owned()));
        }
        // These two have no body, whatever an app says.
        let body = if matches!(status, 204 | 304) { Vec::new() } else { self.bytes };
        Answer { status, headers, body }
    }
}

/// What `respond` made.
fn responded(value: &Value<'_>, most: usize) -> Result<Answer, Flaw> {
    let status = status(&value.get(c"status")?)?;
    let headers = headers::read(&value.get(c"headers")?)?;
    Ok(content(&value.get(c"body")?, most)?.into_answer(status, headers))
}

/// A returned object: an answer where it has a key that makes it one, else a JSON body.
fn returned(value: &Value<'_>, most: usize) -> Result<Answer, Flaw> {
    let own = |key| if value.has_own(key)? { value.get(key).map(Some) } else { Ok(None) };
    let plain = !value.is_array() && !value.is_function() && value.with_bytes(|_| ()).is_none();
    let keys = [c"body", c"json", c"html", c"text", c"redirect"];
    let mut parts: [Option<Value<'_>>; 5] = [const { None }; 5];
    let mut given = None;
    if plain {
        given = own(c"status")?;
        for (part, key) in parts.iter_mut().zip(keys) {
            *part = own(key)?;
        }
        if value.has_own(c"blob")? {
            return Err(Flaw::Cause("an answer from a blob is not supported yet".to_owned()));
        }
    }
    if parts.iter().all(Option::is_none) && !given.as_ref().is_some_and(Value::is_number) {
        return Ok(content(value, most)?.into_answer(200, Vec::new()));
    }
    let mut headers = own(c"headers")?.map_or(Ok(Vec::new()), |headers| headers::read(&headers))?;
    let [body, as_json, html, text, redirect] = parts;
    let mut usual = 200;
    if let Some(target) = redirect {
        usual = 302;
        headers.push(("location".to_owned(), headers::value("location", &target)?));
    }
    let status = given.map_or(Ok(usual), |given| status(&given))?;
    let content = match (body, as_json, html, text) {
        (Some(body), ..) => content(&body, most)?,
        (_, Some(value), ..) => Content { bytes: json(&value, most)?, kind: Some(JSON) },
        (.., Some(html), _) => Content { bytes: string(&html, "html", most)?, kind: Some(HTML) },
        (.., Some(text)) => Content { bytes: string(&text, "text", most)?, kind: Some(TEXT) },
        _ => Content { bytes: Vec::new(), kind: None },
    };
    Ok(content.into_answer(status, headers))
}

fn status(value: &Value<'_>) -> Result<u16, Flaw> {
    let whole = value.as_number().filter(|number| number.fract() == 0.0 && (200.0..600.0).contains(number));
    whole
        .map(|number| number as u16)
        .ok_or_else(|| Flaw::Cause("the status must be a whole number from 200 to 599".to_owned()))
}

/// A body of any kind.
fn content(value: &Value<'_>, most: usize) -> Result<Content, Flaw> {
    if value.is_undefined() || value.is_null() {
        return Ok(Content { bytes: Vec::new(), kind: None });
    }
    if value.is_string() {
        return Ok(Content { bytes: string(value, "body", most)?, kind: Some(TEXT) });
    }
    if matches!(value.kind(), "buffer" | "typed") {
        let bytes =
            value.with_bytes(|bytes| if bytes.len() > most { Err(too_large(most)) } else { Ok(bytes.to_vec()) });
        let bytes = bytes.ok_or_else(|| Flaw::Cause("the body is a buffer that was detached".to_owned()))?;
        return Ok(Content { bytes: bytes?, kind: Some(BYTES) });
    }
    Ok(Content { bytes: json(value, most)?, kind: Some(JSON) })
}

fn string(value: &Value<'_>, name: &str, most: usize) -> Result<Vec<u8>, Flaw> {
    if !value.is_string() {
        return Err(Flaw::Cause(format!("{name} must be a string")));
    }
    value.with_text(|bytes| if bytes.len() > most { Err(too_large(most)) } else { Ok(well_formed(bytes)) })?
}

fn json(value: &Value<'_>, most: usize) -> Result<Vec<u8>, Flaw> {
    let text = value.stringify()?;
    if text.is_undefined() {
        let what = if value.is_symbol() {
            "a symbol"
        } else if value.is_function() {
            "a function"
        } else {
            "this"
        };
        return Err(Flaw::Cause(format!("{what} cannot be sent: there is no JSON for it")));
    }
    string(&text, "JSON", most)
}

fn too_large(most: usize) -> Flaw {
    Flaw::Cause(format!("response_too_large: the body has more than {most} bytes"))
}
