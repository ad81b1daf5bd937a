//! `POST /api/_admin/apps/{name}/deploy`: an archive in, a version out. The archive is unpacked and checked in a jail; here
//! only the result is put into force, after the store has it whole.

use fazt_protocol::limit::ARCHIVE_BYTES;
use http::StatusCode;
use serde_json::json;

use super::{
    Page, apps, change,
    env::check_size,
    json as answer,
    query::{Query, pairs},
    refused,
};
use crate::{
    edge::{Departure, Passage},
    farm::builder::{self, Uploaded},
    fault::{Code, Fault},
    store::{AskError, Release},
};

/// Environment variables that are set with the deploy, as a form.
const ENV: &str = "x-fazt-env";

/// Deploys.
pub(super) async fn deploy(mut passage: Passage, name: &str) -> Departure {
    let outcome = build_and_commit(&mut passage, name).await;
    Departure { entry: passage.entry, outcome }
}

async fn build_and_commit(passage: &mut Passage, name: &str) -> Page {
    let activate = Query(passage.entry.uri.query().unwrap_or_default()).switch("activate").unwrap_or(true);
    let env = env(passage)?;
    let (archive, lease) = passage.read_body(ARCHIVE_BYTES).await?;
    if archive.is_empty() {
        return Err(Fault::new(Code::DeployRefused, "the body is empty, where an archive belongs"));
    }
    let house = &passage.entry.house;
    let Uploaded { upload, manifest, warnings, files, bytes } =
        builder::build(&house.farm, &house.store, archive).await?;
    drop(lease);
    let release = Release { upload: upload.number(), name: name.to_owned(), manifest, env, activate };
    let app = change::make(house, name, move |house| async move {
        match house.store.commit(release).await {
            Ok(app) => {
                upload.keep();
                Ok(app)
            }
            Err(error) => {
                upload.abort().await;
                Err(refuse(error))
            }
        }
    })
    .await?;
    let version = if activate { app.version } else { app.newest };
    tracing::info!(app = name, version, activate, files, bytes, request_id = passage.entry.id.as_str(), "app deployed");
    let shown = json!({
        "app": name,
        "version": version,
        "active": activate,
        "files": files,
        "bytes": bytes,
        "url": apps::url(passage, name),
        "warnings": warnings,
    });
    answer(StatusCode::CREATED, &shown)
}

fn env(passage: &Passage) -> Result<Vec<(String, String)>, Fault> {
    let Some(value) = passage.headers.get(ENV) else { return Ok(Vec::new()) };
    let text = value.to_str().map_err(|_| Fault::new(Code::InvalidRequest, "X-Fazt-Env is not a form"))?;
    let env: Vec<_> = pairs(text).collect();
    check_size(env.iter().flat_map(|(name, value)| [name, value]), 2)?;
    Ok(env)
}

/// What the store refuses of a deploy is the deploy's fault, where it is not the store's own state.
fn refuse(error: AskError) -> Fault {
    let fault = refused(error);
    match fault.code {
        Code::InvalidRequest | Code::BodyTooLarge => Fault::new(Code::DeployRefused, fault.detail),
        _ => fault,
    }
}
