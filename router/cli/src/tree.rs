//! An app's folder, walked and held to the rules of apps: what a deploy takes, what it leaves out, what it refuses.
//!
//! The server checks all of it again; here it is checked so that a mistake is named before a byte is sent. A link is
//! followed where it stays inside the folder, because an archive with links would be refused.

use std::{
    ffi::OsStr,
    fs::{self, Metadata},
    io,
    path::{Path, PathBuf},
};

use crate::failure::Failure;

/// Files of an app.
const FILES: usize = 5_000;
/// One source file.
const SOURCE_BYTES: u64 = 1024 * 1024;
/// All files of an app.
const APP_BYTES: u64 = 100 * 1024 * 1024;
/// A file's path within the app.
const PATH_BYTES: usize = 512;
/// Folders within folders; links may make a circle.
const DEPTH: usize = 32;

/// A file to deploy.
#[derive(Debug)]
pub(crate) struct File {
    /// Within the app, with `/`.
    pub(crate) path: String,
    /// Where it really is.
    pub(crate) source: PathBuf,
    /// Its size.
    pub(crate) bytes: u64,
}

/// What an app consists of.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    /// In the order of their paths.
    pub(crate) files: Vec<File>,
    /// Of all files.
    pub(crate) bytes: u64,
    /// Left out: dot-files, which are never served.
    pub(crate) skipped: Vec<String>,
}

/// Walks an app's folder.
pub(crate) fn walk(folder: &Path) -> Result<Tree, Failure> {
    let failed = |cause| Failure::File { path: folder.to_owned(), cause };
    let root = fs::canonicalize(folder).map_err(|cause| match cause.kind() {
        io::ErrorKind::NotFound => Failure::Usage(format!("{} does not exist", folder.display())),
        _ => failed(cause),
    })?;
    if !fs::metadata(&root).map_err(failed)?.is_dir() {
        return Err(Failure::Usage(format!("{} is not a folder", folder.display())));
    }
    let mut walk = Walk { root: &root, tree: Tree::default() };
    walk.folder(&root, "", 0)?;
    if walk.tree.files.is_empty() {
        return Err(rule("", "there is nothing to deploy in it"));
    }
    walk.tree.files.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(walk.tree)
}

struct Walk<'a> {
    root: &'a Path,
    tree: Tree,
}

impl Walk<'_> {
    fn folder(&mut self, folder: &Path, within: &str, depth: usize) -> Result<(), Failure> {
        if depth > DEPTH {
            return Err(rule(within, "folders lie too deep within each other, or links make a circle"));
        }
        let failed = |cause| Failure::File { path: folder.to_owned(), cause };
        for entry in fs::read_dir(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            self.entry(&entry.path(), &entry.file_name(), within, depth)?;
        }
        Ok(())
    }

    fn entry(&mut self, at: &Path, name: &OsStr, within: &str, depth: usize) -> Result<(), Failure> {
        let Some(name) = name.to_str().filter(|name| is_portable(name)) else {
            let path = format!("{within}{}", name.to_string_lossy());
            return Err(rule(&path, "a file's name is UTF-8, without control characters and backslashes"));
        };
        let path = format!("{within}{name}");
        if name.starts_with('.') {
            // Everybody knows that this one stays behind.
            if name != ".git" {
                self.tree.skipped.push(path);
            }
            return Ok(());
        }
        if name == "node_modules" {
            return Ok(());
        }
        let (source, metadata) = self.resolve(at, &path)?;
        if metadata.is_dir() {
            self.folder(&source, &format!("{path}/"), depth.saturating_add(1))
        } else if metadata.is_file() {
            self.file(File { path, source, bytes: metadata.len() })
        } else {
            Err(rule(&path, "it is neither a file nor a folder"))
        }
    }

    /// Where an entry really is; a link must not lead out.
    fn resolve(&self, at: &Path, path: &str) -> Result<(PathBuf, Metadata), Failure> {
        let failed = |cause| Failure::File { path: at.to_owned(), cause };
        let metadata = fs::symlink_metadata(at).map_err(failed)?;
        if !metadata.is_symlink() {
            return Ok((at.to_owned(), metadata));
        }
        let target = fs::canonicalize(at).map_err(failed)?;
        if !target.starts_with(self.root) {
            return Err(rule(path, "the link leads out of the app's folder"));
        }
        let metadata = fs::metadata(&target).map_err(failed)?;
        Ok((target, metadata))
    }

    fn file(&mut self, file: File) -> Result<(), Failure> {
        if file.path.len() > PATH_BYTES {
            return Err(rule(&file.path, "a path has at most 512 bytes"));
        }
        if is_source(&file.path) && file.bytes > SOURCE_BYTES {
            return Err(rule(&file.path, "a source file has at most 1 MiB"));
        }
        if self.tree.files.len() >= FILES {
            return Err(rule(&file.path, "an app has at most 5,000 files"));
        }
        self.tree.bytes = self.tree.bytes.saturating_add(file.bytes);
        if self.tree.bytes > APP_BYTES {
            return Err(rule(&file.path, "an app has at most 100 MiB"));
        }
        self.tree.files.push(file);
        Ok(())
    }
}

/// What a worker may be asked to load; scripts of the page are files like others.
fn is_source(path: &str) -> bool {
    path.starts_with("api/") && (path.ends_with(".js") || path.ends_with(".ts"))
}

fn is_portable(name: &str) -> bool {
    !name.contains(|character: char| character.is_control() || character == '\\')
}

/// A rule that a file breaks; an empty path means the folder.
pub(crate) fn rule(file: &str, rule: &str) -> Failure {
    let file = if file.is_empty() { "the app's folder" } else { file };
    Failure::Rule { file: file.to_owned(), rule: rule.to_owned() }
}
