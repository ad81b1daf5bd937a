//! `GET /api/_admin/config`: every setting in force, and where it comes from. No setting is a secret; the token is none.

use http::StatusCode;
use serde_json::json;

use super::json as answer;
use crate::edge::{Departure, Passage};

/// Shows them.
pub(super) fn show(passage: Passage) -> Departure {
    let rows: Vec<_> = passage
        .entry
        .house
        .config
        .settings
        .rows()
        .map(|(name, value)| json!({ "name": name, "value": value.texts, "origin": value.origin.to_string() }))
        .collect();
    let outcome = answer(StatusCode::OK, &json!({ "settings": rows }));
    Departure { entry: passage.entry, outcome }
}
