//! `fazt app deploy`: checks a folder, packs it, uploads it, and says under which version and address it is served.

use serde::Deserialize;
use serde_json::Value;

use super::{path_of, replace, shape, validate};
use crate::{
    args::Deploy,
    client::{Client, encode},
    environment::read_words,
    failure::Failure,
    folders::Folders,
    output::{self, Output},
    pack::pack,
};

/// What a header may hold on its way; more than this goes through `fazt env set --file`.
const HEADER_BYTES: usize = 16 * 1024;

#[derive(Deserialize)]
struct Deployed {
    app: String,
    version: u64,
    active: bool,
    files: u64,
    bytes: u64,
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    warnings: Vec<String>,
}

/// Deploys.
pub(crate) fn run(deploy: &Deploy, client: &Client, output: &Output) -> Result<(), Failure> {
    let environment = write_environment(&deploy.env)?;
    let checked = validate::check(&deploy.dir, deploy.name.as_deref(), output)?;
    let path = path_of(&checked.name)?;
    let (standing, folders) = (greet(&path, client)?, Folders::of_user());
    if !deploy.yes {
        replace::permit(&checked, standing.as_ref(), client.server(), &folders, output)?;
    }
    let archive = pack(&checked.tree)?;
    let path = format!("{path}/deploy?activate={}", !deploy.no_activate);
    let answer = client.upload(&path, environment.as_deref(), &archive)?;
    let deployed: Deployed = shape(&answer, client)?;
    folders.remember(client.server(), &checked.folder, &checked.name);
    for warning in &deployed.warnings {
        output.note(&format!("warning: {warning}"));
    }
    if output.is_json() {
        return output.value(&answer);
    }
    let Deployed { app, version, files, bytes, .. } = &deployed;
    let state = if deployed.active { "is served" } else { "is stored, not served" };
    output.line(&format!("{app} version {version} {state}: {files} files, {}", output::bytes(*bytes)))?;
    match deployed.url.filter(|_| deployed.active) {
        Some(url) => output.line(&output::plain(&url)),
        None => Ok(()),
    }
}

/// A server that will refuse the token, or is not there, says so before a hundred megabytes are on their way: it may
/// close an upload that it does not want, and then its reason is lost. Gives the app as it is there; that it is new is no reason.
fn greet(path: &str, client: &Client) -> Result<Option<Value>, Failure> {
    match client.get(path) {
        Err(Failure::Refused(problem)) if problem.status == 404 => Ok(None),
        other => other.map(Some),
    }
}

/// `K=V&…`, each part percent-encoded.
fn write_environment(words: &[String]) -> Result<Option<String>, Failure> {
    let pairs = read_words(words)?;
    let text = pairs.iter().map(|(key, value)| format!("{}={}", encode(key), encode(value))).collect::<Vec<_>>();
    let text = text.join("&");
    if text.len() > HEADER_BYTES {
        return Err(Failure::Usage("--env takes 16 KiB together: use `fazt env set NAME --file FILE`".to_owned()));
    }
    Ok(Some(text).filter(|text| !text.is_empty()))
}
