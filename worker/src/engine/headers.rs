//! An answer's headers: names and values as HTTP permits them, those that are the connection's business left out.

use fazt_protocol::limit::{HEADERS, HEADERS_BYTES};

use super::{answer::Flaw, value::Value};

/// Headers of the connection and of framing: the router's.
const DROPPED: [&str; 11] = [
    "connection",
    "content-length",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "trailers",
    "transfer-encoding",
    "upgrade",
];

/// Reads an object of headers; `undefined` and `null` are none.
pub(super) fn read(value: &Value<'_>) -> Result<Vec<(String, String)>, Flaw> {
    let mut headers = Vec::new();
    if value.is_undefined() || value.is_null() {
        return Ok(headers);
    }
    if !value.is_object() || value.is_array() || value.is_function() {
        return Err(Flaw::Cause("headers must be an object".to_owned()));
    }
    let mut bytes = 0;
    let within = value.entries(HEADERS, |name, content| {
        let name = header_name(&name)?;
        for text in values(&name, &content)? {
            bytes += name.len() + text.len();
            if bytes > HEADERS_BYTES || headers.len() >= HEADERS {
                return Err(too_many());
            }
            if !DROPPED.contains(&name.as_str()) {
                headers.push((name.clone(), text));
            }
        }
        Ok(())
    })?;
    if within { Ok(headers) } else { Err(too_many()) }
}

/// A single value of the header `name`.
pub(super) fn value(name: &str, value: &Value<'_>) -> Result<String, Flaw> {
    if !value.is_string() && !value.is_number() {
        return Err(Flaw::Cause(format!("the value of header {name} must be a string")));
    }
    let text = value.with_text(|bytes| {
        let fits = bytes.len() <= HEADERS_BYTES && bytes.iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~'));
        fits.then(|| String::from_utf8_lossy(bytes).trim_matches([' ', '\t']).to_owned())
    })?;
    text.ok_or_else(|| {
        Flaw::Cause(format!("the value of header {name} is too long or has characters that are not printable ASCII"))
    })
}

/// One value, or the several of an array.
fn values(name: &str, content: &Value<'_>) -> Result<Vec<String>, Flaw> {
    if !content.is_array() {
        return Ok(vec![value(name, content)?]);
    }
    let length = content.length()?;
    if length as usize > HEADERS {
        return Err(too_many());
    }
    (0..length).map(|index| value(name, &content.at(index)?)).collect()
}

/// A name in lower case.
fn header_name(name: &Value<'_>) -> Result<String, Flaw> {
    let name = name.with_text(|bytes| {
        let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
        let fits = (1..=256).contains(&bytes.len()) && bytes.iter().all(is_token);
        if fits {
            Ok(String::from_utf8_lossy(bytes).to_ascii_lowercase())
        } else {
            Err(String::from_utf8_lossy(bytes.get(..64).unwrap_or(bytes)).into_owned())
        }
    })?;
    name.map_err(|name| Flaw::Cause(format!("{name:?} is not a header's name")))
}

fn too_many() -> Flaw {
    Flaw::Cause(format!("there are more than {HEADERS} headers, or {} KiB of them", HEADERS_BYTES >> 10))
}
