//! A document on its way in and out: JSON text with `id`, `_createdAt` and `_updatedAt`, which are columns in the file.

use std::fmt;

use fazt_protocol::{
    limit::{DOCUMENT_BYTES, DOCUMENT_ID_BYTES},
    op::{Code, Refusal},
};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::ROW_BYTES;
use crate::{
    json::{self, push_number, push_string},
    refusal::invalid,
};

/// Fields that are columns.
pub(super) const COLUMNS: [&str; 3] = ["id", "_createdAt", "_updatedAt"];

/// Levels of arrays and objects in a document.
const DEPTH: usize = 500;

/// A document that an app gives.
#[derive(Debug)]
pub(super) struct Given {
    /// Its own id, or a new one.
    pub(super) id: String,
    /// JSON text of an object, without the columns.
    pub(super) body: String,
}

/// The fields of an object in their order, their values as they were written.
pub(super) struct Fields<'a>(pub(super) Vec<(String, &'a RawValue)>);

/// Reads a document. What it says of `_createdAt` and `_updatedAt` is passed over: a document that was found may be
/// inserted again as it is.
pub(super) fn read(text: &[u8]) -> Result<Given, Refusal> {
    if text.len() > DOCUMENT_BYTES {
        return Err(Refusal::new(Code::TooLarge, format!("a document of more than {DOCUMENT_BYTES} bytes")));
    }
    let fields: Fields<'_> = serde_json::from_slice(text).map_err(|error| invalid(format!("doc: {error}")))?;
    let given = fields.0.iter().rev().find(|(name, _)| name == "id");
    let id = match given {
        Some((_, id)) => read_id(id.get())?,
        None => ulid::Ulid::generate().to_string(),
    };
    let mut body = "{".to_owned();
    for (name, value) in fields.0.iter().filter(|(name, _)| !COLUMNS.contains(&name.as_str())) {
        if body.len() > 1 {
            body.push(',');
        }
        body.push_str(&serde_json::to_string(name).unwrap_or_default());
        body.push(':');
        body.push_str(value.get());
    }
    body.push('}');
    check_form(&body)?;
    Ok(Given { id, body })
}

/// SQLite reads JSON of a thousand levels, of which a document may have half, and names without U+0000.
pub(super) fn check_form(body: &str) -> Result<(), Refusal> {
    if json::has_nul_in_a_name(body) {
        return Err(invalid("doc: a field's name cannot hold U+0000"));
    }
    if json::depth(body) > DEPTH {
        return Err(invalid(format!("doc: nested deeper than {DEPTH} levels")));
    }
    Ok(())
}

fn read_id(text: &str) -> Result<String, Refusal> {
    let id: String = serde_json::from_str(text).map_err(|_other| invalid("doc.id: an id is a string"))?;
    if id.is_empty() {
        return Err(invalid("doc.id: empty"));
    }
    if id.len() > DOCUMENT_ID_BYTES {
        return Err(Refusal::new(Code::TooLarge, format!("doc.id: an id of more than {DOCUMENT_ID_BYTES} bytes")));
    }
    Ok(id)
}

/// Appends a document as apps see it.
pub(super) fn push(id: &str, body: &str, (created_at, updated_at): (i64, i64), out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"id\":");
    push_string(id, out);
    let fields = body.trim().strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or_default();
    if !fields.is_empty() {
        out.push(b',');
        out.extend_from_slice(fields.as_bytes());
    }
    out.extend_from_slice(b",\"_createdAt\":");
    push_number(created_at, out);
    out.extend_from_slice(b",\"_updatedAt\":");
    push_number(updated_at, out);
    out.push(b'}');
}

/// What the quota counts. The id stands in the table and in the index that finds it.
pub(super) fn cost(id: &str, body: &str) -> u64 {
    (id.len() as u64).saturating_mul(2).saturating_add(body.len() as u64).saturating_add(ROW_BYTES)
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        from.deserialize_map(Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_leave_the_body_and_come_back() {
        let given = read(br#"{"a":1.50,"id":"x","_createdAt":5,"b":{"id":2}}"#).unwrap();
        assert_eq!((given.id.as_str(), given.body.as_str()), ("x", r#"{"a":1.50,"b":{"id":2}}"#));
        let mut out = Vec::new();
        push("x\"", &given.body, (7, 8), &mut out);
        assert_eq!(out, br#"{"id":"x\"","a":1.50,"b":{"id":2},"_createdAt":7,"_updatedAt":8}"#);
        out.clear();
        push("x", "{}", (7, 8), &mut out);
        assert_eq!(out, br#"{"id":"x","_createdAt":7,"_updatedAt":8}"#);
    }

    #[test]
    fn an_id_is_a_short_text() {
        assert_eq!(read(b"{}").unwrap().id.len(), 26);
        for bad in [r#"{"id":5}"#, r#"{"id":""}"#, r#"{"id":null}"#, "[]", "7", "{", ""] {
            assert_eq!(read(bad.as_bytes()).unwrap_err().code, Code::InvalidArgument, "{bad}");
        }
        let long = format!(r#"{{"id":"{}"}}"#, "x".repeat(129));
        assert_eq!(read(long.as_bytes()).unwrap_err().code, Code::TooLarge);
    }
}
