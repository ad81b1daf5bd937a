//! A dotted path of a query, as a path that SQLite takes as a bound parameter: each segment a JSON string.

use fazt_protocol::{limit::FIELD_PATH_BYTES, op::Refusal};

use crate::refusal::invalid;

/// What a dotted path leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Field {
    /// The document's id, a column.
    Id,
    /// When it was made, a column.
    CreatedAt,
    /// When it was changed, a column.
    UpdatedAt,
    /// Something in the document.
    Path(Path),
}

/// A path within a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Path {
    /// `$."a"."b"`.
    pub(super) text: String,
    /// The names on the way, the outermost first.
    pub(super) names: Vec<String>,
}

/// Reads a dotted path.
///
/// # Errors
/// `INVALID_ARGUMENT` for a segment that begins with `$`, or a path that is too long.
pub(super) fn parse(dotted: &str) -> Result<Field, Refusal> {
    if dotted.len() > FIELD_PATH_BYTES {
        return Err(invalid(format!("a field's path of more than {FIELD_PATH_BYTES} bytes")));
    }
    match dotted {
        "id" => return Ok(Field::Id),
        "_createdAt" => return Ok(Field::CreatedAt),
        "_updatedAt" => return Ok(Field::UpdatedAt),
        _ => {}
    }
    let mut text = "$".to_owned();
    let mut names = Vec::new();
    for segment in dotted.split('.') {
        if segment.contains('\0') {
            return Err(invalid("a field's name cannot hold U+0000"));
        }
        if segment.starts_with('$') {
            return Err(invalid(format!("{dotted}: a field's name cannot begin with $ here")));
        }
        text.push('.');
        // The encoder knows every character that must be escaped; a text always has an encoding.
        text.push_str(&serde_json::to_string(segment).unwrap_or_default());
        names.push(segment.to_owned());
    }
    Ok(Field::Path(Path { text, names }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path(dotted: &str) -> Path {
        match parse(dotted).unwrap() {
            Field::Path(path) => path,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn segments_are_quoted() {
        assert_eq!(path("a.b\"c").text, r#"$."a"."b\"c""#);
        assert_eq!(path("a.b.c").names, ["a", "b", "c"]);
        assert_eq!(parse("id").unwrap(), Field::Id);
        assert!(parse("$where").is_err() && parse("a.$b").is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]
        #[test]
        fn sqlite_finds_exactly_the_named_field(name in "[^.\\x00]{0,12}", other in "[^.\\x00]{0,12}") {
            prop_assume!(!name.starts_with('$') && !["id", "_createdAt", "_updatedAt"].contains(&name.as_str()));
            let sql = rusqlite::Connection::open_in_memory().unwrap();
            let document = serde_json::json!({ other.clone(): 1 }).to_string();
            let found: Option<i64> = sql
                .query_row("SELECT json_extract(jsonb(?1), ?2)", [&document, &path(&name).text], |row| row.get(0))
                .unwrap();
            prop_assert_eq!(found.is_some(), name == other, "{:?} in {}", name, document);
        }
    }
}
