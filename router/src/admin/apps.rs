//! `/api/_admin/apps`: which apps there are, one of them whole, and removing it.

use http::StatusCode;
use serde_json::{Value, json};

use super::{Page, change, json as answer, no_such_app, refused};
use crate::{
    catalog::Served,
    edge::{Departure, Passage, address_of, host::is_app_name},
    fault::{Code, Fault},
};

/// Apps and versions that are listed.
const ROWS: usize = 1_000;

/// An app's name, if it can be one.
///
/// # Errors
/// 400.
pub(super) fn name(text: &str) -> Result<&str, Fault> {
    is_app_name(text).then_some(text).ok_or_else(|| {
        let rule = "an app's name has 1 to 63 small letters, digits and inner hyphens, and is none of the reserved \
            admin, api, www, root, system";
        Fault::new(Code::InvalidRequest, rule)
    })
}

/// Lists those that are served.
pub(super) fn list(passage: Passage) -> Departure {
    let apps: Vec<Value> =
        passage.entry.house.catalog.all().iter().take(ROWS).map(|served| row(&passage, served)).collect();
    let outcome = answer(StatusCode::OK, &json!({ "apps": apps }));
    Departure { entry: passage.entry, outcome }
}

/// Shows one.
pub(super) async fn show(passage: Passage, name: &str) -> Departure {
    let outcome = details(&passage, name).await;
    Departure { entry: passage.entry, outcome }
}

/// Removes one with all that it has.
pub(super) async fn remove(passage: Passage, name: &str) -> Departure {
    let outcome = forget(&passage, name).await;
    Departure { entry: passage.entry, outcome }
}

/// Where an app answers, as this client sees the farm.
pub(super) fn url(passage: &Passage, name: &str) -> String {
    address_of(name, &passage.target.host, &passage.entry.house.config.edge.domains)
}

fn row(passage: &Passage, served: &Served) -> Value {
    json!({
        "name": served.app.name,
        "version": served.app.version,
        "files": served.app.files,
        "bytes": served.app.bytes,
        "updatedAt": served.app.updated_at,
        "url": url(passage, &served.app.name),
    })
}

async fn details(passage: &Passage, name: &str) -> Page {
    let store = &passage.entry.house.store;
    let app = store.app(name).await.map_err(refused)?.ok_or_else(|| no_such_app(name))?;
    let mut versions = Vec::new();
    let mut before = None;
    while versions.len() < ROWS {
        let page = store.versions(name, before).await.map_err(refused)?;
        let Some(last) = page.last() else { break };
        before = Some(last.version);
        versions.extend(page);
    }
    let versions: Vec<Value> = versions
        .iter()
        .take(ROWS)
        .map(|version| {
            json!({
                "version": version.version,
                "createdAt": version.created_at,
                "files": version.files,
                "bytes": version.bytes,
                "active": version.version == app.version,
            })
        })
        .collect();
    let keys: Vec<&str> = app.env.iter().map(|(key, _)| key.as_str()).collect();
    let shown = json!({
        "name": app.name,
        "version": app.version,
        "files": app.files,
        "bytes": app.bytes,
        "updatedAt": app.updated_at,
        "url": url(passage, name),
        "env": keys,
        "versions": versions,
    });
    answer(StatusCode::OK, &shown)
}

async fn forget(passage: &Passage, name: &str) -> Page {
    let owned = name.to_owned();
    let existed =
        change::make(
            &passage.entry.house,
            name,
            |house| async move { house.store.remove(&owned).await.map_err(refused) },
        )
        .await?;
    if !existed {
        return Err(no_such_app(name));
    }
    tracing::info!(app = name, "app removed");
    answer(StatusCode::OK, &json!({ "removed": true }))
}
