//! `/api/_admin/apps/{name}/env`: names are shown, values never again.

use fazt_protocol::limit::{ENV_BYTES, ENV_VARIABLES};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Page, change, json as answer, refused};
use crate::{
    edge::{Departure, Passage},
    fault::{Code, Fault},
};

/// What a change may weigh.
const BODY_BYTES: usize = 1 << 20;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    #[serde(default)]
    set: Map<String, Value>,
    #[serde(default)]
    unset: Vec<String>,
}

#[derive(Debug)]
struct Change {
    set: Vec<(String, String)>,
    unset: Vec<String>,
}

/// Lists the names.
pub(super) async fn list(passage: Passage, name: &str) -> Departure {
    let outcome = keys(&passage, name).await.and_then(|keys| answer(StatusCode::OK, &json!({ "keys": keys })));
    Departure { entry: passage.entry, outcome }
}

/// Sets and removes. An app that is deployed gets a new version by it.
pub(super) async fn change(mut passage: Passage, name: &str) -> Departure {
    let outcome = apply(&mut passage, name).await;
    Departure { entry: passage.entry, outcome }
}

async fn apply(passage: &mut Passage, name: &str) -> Page {
    let (body, _lease) = passage.read_body(BODY_BYTES).await?;
    let Change { set, unset } = parse(&body)?;
    check_size(set.iter().flat_map(|(name, value)| [name, value]), 2)?;
    check_size(&unset, 1)?;
    let owned = name.to_owned();
    let app = change::make(&passage.entry.house, name, |house| async move {
        house.store.set_env(&owned, set, unset).await.map_err(refused)
    })
    .await?;
    let keys = keys(passage, name).await?;
    answer(StatusCode::OK, &json!({ "keys": keys, "version": app.map(|app| app.version) }))
}

/// Whether texts, `each` of them for a variable, are within what the store takes at once.
pub(super) fn check_size<'a>(texts: impl IntoIterator<Item = &'a String>, each: usize) -> Result<(), Fault> {
    let (count, bytes) = texts
        .into_iter()
        .fold((0usize, 0usize), |(count, bytes), text| (count.saturating_add(1), bytes.saturating_add(text.len())));
    if count > ENV_VARIABLES.saturating_mul(each) || bytes > ENV_BYTES {
        let what = format!("an environment has at most {ENV_VARIABLES} variables of {ENV_BYTES} bytes in all");
        return Err(Fault::new(Code::InvalidRequest, what));
    }
    Ok(())
}

fn parse(body: &[u8]) -> Result<Change, Fault> {
    let invalid = |what: String| Fault::new(Code::InvalidRequest, what);
    // The parser's own words could repeat a secret.
    let said: Said = serde_json::from_slice(body).map_err(|error| {
        invalid(format!("the body is not {{ \"set\": {{…}}, \"unset\": […] }} (line {})", error.line()))
    })?;
    let text = |(name, value): (String, Value)| match value {
        Value::String(text) => Ok((name, text)),
        _ => Err(invalid(format!("the value of `{name}` is not a string"))),
    };
    Ok(Change { set: said.set.into_iter().map(text).collect::<Result<_, _>>()?, unset: said.unset })
}

async fn keys(passage: &Passage, name: &str) -> Result<Vec<String>, Fault> {
    let env = passage.entry.house.store.env(name).await.map_err(refused)?;
    Ok(env.into_iter().map(|(key, _)| key).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_store_would_not_take_is_refused() {
        let size = |count: usize, bytes: usize| check_size(&vec!["x".repeat(bytes); count], 1).is_ok();
        assert!(size(ENV_VARIABLES, ENV_BYTES / ENV_VARIABLES) && size(1, ENV_BYTES));
        assert!(!size(ENV_VARIABLES + 1, 1) && !size(1, ENV_BYTES + 1));
    }

    #[test]
    fn a_change_is_read_and_a_bad_one_repeats_no_value() {
        let Change { set, unset } = parse(br#"{"set":{"A":"1","B":""},"unset":["C"]}"#).unwrap();
        assert_eq!(set, [("A".to_owned(), "1".to_owned()), ("B".to_owned(), String::new())]);
        assert_eq!(unset, ["C"]);
        assert!(parse(b"{}").unwrap().set.is_empty());
        for bad in [r#"{"set":{"A":7133}}"#, r#"{"put":{}}"#, r#"{"set":{"A":"hunter2"}"#, ""] {
            let fault = parse(bad.as_bytes()).unwrap_err();
            assert_eq!(fault.code, Code::InvalidRequest);
            assert!(!fault.detail.contains("7133") && !fault.detail.contains("hunter2"), "{}", fault.detail);
        }
    }
}
