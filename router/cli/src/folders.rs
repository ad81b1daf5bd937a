//! As which app each folder was deployed last, on each farm, as far as this user did it.
//!
//! It is kept in a file of the user's own, outside of every app: a folder that a stranger gave away can say nothing about itself
//! here. What cannot be read or written is forgotten, and costs a question (`command/replace.rs`).

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process,
};

use serde::{Deserialize, Serialize};

/// Folders that are remembered, the newest.
const MOST: usize = 1_000;

/// The list, and where it is kept.
pub(crate) struct Folders {
    file: Option<PathBuf>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Entry {
    server: String,
    folder: String,
    app: String,
}

impl Folders {
    /// This user's: in `$XDG_STATE_HOME/fazt`, else in `~/.local/state/fazt`; nowhere where neither is set.
    pub(crate) fn of_user() -> Self {
        let variable = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let state = variable("XDG_STATE_HOME").or_else(|| variable("HOME").map(|home| home.join(".local/state")));
        Self { file: state.map(|state| state.join("fazt/folders.json")) }
    }

    /// Whether the folder was deployed as this app when it was deployed last.
    pub(crate) fn knows(&self, server: &str, folder: &Path, app: &str) -> bool {
        let known = |entry: &Entry| entry.server == server && Some(&*entry.folder) == folder.to_str();
        self.read().iter().rev().find(|entry| known(entry)).is_some_and(|entry| entry.app == app)
    }

    /// Remembers it.
    pub(crate) fn remember(&self, server: &str, folder: &Path, app: &str) {
        let (Some(file), Some(folder)) = (&self.file, folder.to_str()) else { return };
        let mut entries = self.read();
        entries.retain(|entry| entry.server != server || entry.folder != folder);
        entries.push(Entry { server: server.to_owned(), folder: folder.to_owned(), app: app.to_owned() });
        entries.drain(..entries.len().saturating_sub(MOST));
        // The app is deployed: that the next time may need a word more is no reason to call it a failure.
        let _forgotten = write(file, &entries);
    }

    fn read(&self) -> Vec<Entry> {
        let text = self.file.as_ref().and_then(|file| fs::read(file).ok()).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }
}

/// Whole or not at all, also beside another `fazt`.
fn write(file: &Path, entries: &[Entry]) -> io::Result<()> {
    file.parent().map_or(Ok(()), fs::create_dir_all)?;
    let new = file.with_extension(format!("{}.new", process::id()));
    fs::write(&new, serde_json::to_vec_pretty(entries)?)?;
    fs::rename(&new, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_deploy_of_a_folder_counts_on_each_farm() {
        let home = tempfile::tempdir().unwrap();
        let folders = Folders { file: Some(home.path().join("deep/folders.json")) };
        let (one, other) = (Path::new("/one"), Path::new("/other"));
        folders.remember("http://a", one, "shop");
        folders.remember("http://b", one, "blog");
        assert!(folders.knows("http://a", one, "shop") && folders.knows("http://b", one, "blog"));
        assert!(!folders.knows("http://a", other, "shop") && !folders.knows("http://a", one, "blog"));
        folders.remember("http://a", one, "blog");
        assert!(!folders.knows("http://a", one, "shop"));
    }

    #[test]
    fn the_list_has_an_end_and_what_is_no_list_is_forgotten() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("folders.json");
        let folders = Folders { file: Some(file.clone()) };
        fs::write(&file, "{").unwrap();
        (0..=MOST).for_each(|index| folders.remember("http://a", Path::new(&format!("/{index}")), "shop"));
        assert_eq!(folders.read().len(), MOST);
        assert!(!folders.knows("http://a", Path::new("/0"), "shop"));
        assert!(folders.knows("http://a", Path::new("/1"), "shop"));
        Folders { file: None }.remember("http://a", Path::new("/1"), "shop");
    }
}
