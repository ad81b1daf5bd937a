//! `fazt app validate`: what deploy would say of a folder, without a farm. Deploy begins with the same check.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::json;

use crate::{
    failure::Failure,
    manifest::{self, Manifest},
    name,
    output::{self, Output},
    tree::{self, Tree},
};

/// A folder that may be deployed.
pub(crate) struct Checked {
    /// The name that it is deployed under.
    pub(crate) name: String,
    /// Whose word that name is.
    pub(crate) source: Source,
    /// The folder, by its whole path.
    pub(crate) folder: PathBuf,
    /// Its files.
    pub(crate) tree: Tree,
    /// What is odd about its manifest. A farm says that of a deploy by itself.
    warnings: Vec<String>,
}

/// Where an app's name comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// The command line: as `--name`, or as the folder's own name, which was typed or is where the user stands.
    User,
    /// `manifest.json` alone.
    Manifest,
}

/// Checks a folder and prints what it holds.
pub(crate) fn run(folder: &Path, name: Option<&str>, output: &Output) -> Result<(), Failure> {
    let checked = check(folder, name, output)?;
    let Checked { name, tree, warnings, .. } = &checked;
    for warning in warnings {
        output.note(&format!("warning: {warning}"));
    }
    if output.is_json() {
        let skipped = &tree.skipped;
        return output.value(&json!({
            "app": name, "valid": true, "files": tree.files.len(), "bytes": tree.bytes, "skipped": skipped,
            "warnings": warnings,
        }));
    }
    output.line(&format!("{name} is valid: {} files, {}", tree.files.len(), output::bytes(tree.bytes)))
}

/// Walks the folder, reads its manifest and finds its name; says what is left out.
pub(crate) fn check(folder: &Path, name: Option<&str>, output: &Output) -> Result<Checked, Failure> {
    let tree = tree::walk(folder)?;
    let manifest = read_manifest(&tree)?;
    let warnings = manifest.warnings();
    // `.` and `..` have names too.
    let folder = fs::canonicalize(folder).map_err(|cause| Failure::File { path: folder.to_owned(), cause })?;
    let (name, source) = choose_name(&folder, name, manifest)?;
    if let Some(first) = tree.skipped.first() {
        let others = match tree.skipped.len() {
            1 => String::new(),
            count => format!(" and {} others", count.saturating_sub(1)),
        };
        output.note(&format!("left out, because dot-files are never served: {first}{others}"));
    }
    Ok(Checked { name, source, folder, tree, warnings })
}

fn read_manifest(tree: &Tree) -> Result<Manifest, Failure> {
    let Some(file) = tree.files.iter().find(|file| file.path == manifest::FILE) else {
        return Ok(Manifest::default());
    };
    let bytes = fs::read(&file.source).map_err(|cause| Failure::File { path: file.source.clone(), cause })?;
    manifest::read(&bytes).map_err(|rule| tree::rule(manifest::FILE, &rule))
}

/// The name given, else the manifest's, else the folder's where it can be one.
fn choose_name(folder: &Path, given: Option<&str>, manifest: Manifest) -> Result<(String, Source), Failure> {
    if let Some(given) = given {
        name::check(given).map_err(|error| Failure::Usage(format!("--name {given:?}: {error}")))?;
        return Ok((given.to_owned(), Source::User));
    }
    let last = folder.file_name().and_then(|last| last.to_str()).unwrap_or_default();
    if let Some(name) = manifest.name {
        let source = if name == last { Source::User } else { Source::Manifest };
        return Ok((name, source));
    }
    match name::check(last) {
        Ok(()) => Ok((last.to_owned(), Source::User)),
        Err(error) => Err(Failure::Usage(format!(
            "the folder's name {last:?} cannot be the app's ({error}): give --name, or \"name\" in manifest.json"
        ))),
    }
}
