//! Apps as archives: good ones, and those that no farm may take.

use std::{fs, path::Path};

use tar::{EntryType, Header};

/// An archive being made in memory.
#[derive(Debug, Default)]
pub struct Bundle(Vec<u8>);

impl Bundle {
    /// An archive with these files.
    #[must_use]
    pub fn of(files: &[(&str, &str)]) -> Self {
        files.iter().fold(Self::default(), |bundle, (path, content)| bundle.file(path, content.as_bytes()))
    }

    /// An archive of a folder.
    #[must_use]
    pub fn of_folder(folder: &Path) -> Self {
        let mut bundle = Self::default();
        bundle.add_folder(folder, "");
        bundle
    }

    /// With one more file. Its name is taken as it is, also where no archive should have it.
    #[must_use]
    pub fn file(self, path: &str, content: &[u8]) -> Self {
        self.entry(EntryType::Regular, path, "", content)
    }

    /// With an entry of any kind.
    #[must_use]
    pub fn entry(mut self, kind: EntryType, path: &str, target: &str, content: &[u8]) -> Self {
        let mut header = Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(0o644);
        header.set_size(content.len() as u64);
        // Past the library's own checks, which would refuse what the farm has to.
        let raw = header.as_mut_bytes();
        raw[..path.len()].copy_from_slice(path.as_bytes());
        raw[157..157 + target.len()].copy_from_slice(target.as_bytes());
        header.set_cksum();
        self.0.extend_from_slice(header.as_bytes());
        self.0.extend_from_slice(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    /// The archive's bytes.
    #[must_use]
    pub fn bytes(mut self) -> Vec<u8> {
        self.0.resize(self.0.len() + 1024, 0);
        self.0
    }

    fn add_folder(&mut self, folder: &Path, below: &str) {
        let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(Result::unwrap).collect();
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let path = format!("{below}{}", entry.file_name().to_str().unwrap());
            if entry.file_type().unwrap().is_dir() {
                self.add_folder(&entry.path(), &format!("{path}/"));
            } else {
                *self = std::mem::take(self).file(&path, &fs::read(entry.path()).unwrap());
            }
        }
    }
}
