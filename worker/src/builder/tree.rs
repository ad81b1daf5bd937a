//! The app's files and folders so far: each path once, whatever its case, and not more of them than an app may have.
//!
//! Pure. Memory is bounded by the two counts; a path's length has been checked before.

use std::collections::{HashMap, hash_map::Entry};

use fazt_protocol::limit::{APP_BYTES, APP_FILES, SOURCE_BYTES, SOURCES_BYTES};

use super::{refusal::Rule, source};

/// What is there already.
#[derive(Debug, Default)]
pub(super) struct Tree {
    /// By their paths in lower case.
    nodes: HashMap<String, Node>,
    files: usize,
    folders: usize,
    bytes: u64,
    source_bytes: u64,
}

#[derive(Debug)]
struct Node {
    path: String,
    is_file: bool,
}

impl Tree {
    /// Adds a file and the folders above it.
    pub(super) fn add_file(&mut self, path: &str, bytes: u64) -> Result<(), Rule> {
        self.add(path, true)?;
        self.weigh(path, bytes)
    }

    /// Adds a folder and those above it. The same folder again is no second one.
    pub(super) fn add_folder(&mut self, path: &str) -> Result<(), Rule> {
        self.add(path, false)
    }

    pub(super) fn files(&self) -> usize {
        self.files
    }

    /// All sources together.
    pub(super) fn source_bytes(&self) -> u64 {
        self.source_bytes
    }

    /// Whether there is a file with exactly that path.
    pub(super) fn has_file(&self, path: &str) -> bool {
        self.nodes.get(&fold(path)).is_some_and(|node| node.is_file && node.path == path)
    }

    fn add(&mut self, path: &str, is_file: bool) -> Result<(), Rule> {
        let folded = fold(path);
        if self.has_parent(path, &folded) {
            return self.place(path, &folded, is_file);
        }
        // Both have the same slashes, if not at the same places.
        let ends = path.match_indices('/').zip(folded.match_indices('/'));
        for ((end, _), (folded_end, _)) in ends {
            let (above, folded_above) = (path.get(..end), folded.get(..folded_end));
            self.place(above.unwrap_or_default(), folded_above.unwrap_or_default(), false).map_err(
                |rule| match rule {
                    Rule::FileAndFolder => Rule::BelowFile(above.unwrap_or_default().to_owned()),
                    other => other,
                },
            )?;
        }
        self.place(path, &folded, is_file)
    }

    /// Whether the folder right above is there, and with it all above that.
    fn has_parent(&self, path: &str, folded: &str) -> bool {
        let (Some((parent, _)), Some((folded, _))) = (path.rsplit_once('/'), folded.rsplit_once('/')) else {
            return false;
        };
        self.nodes.get(folded).is_some_and(|node| !node.is_file && node.path == parent)
    }

    fn place(&mut self, path: &str, folded: &str, is_file: bool) -> Result<(), Rule> {
        match self.nodes.entry(folded.to_owned()) {
            Entry::Occupied(there) => match there.get() {
                node if node.path != path => Err(Rule::CaseClash(node.path.clone())),
                node if node.is_file != is_file => Err(Rule::FileAndFolder),
                _ if is_file => Err(Rule::Twice),
                _ => Ok(()),
            },
            Entry::Vacant(free) => {
                let (count, rule) =
                    if is_file { (&mut self.files, Rule::Files) } else { (&mut self.folders, Rule::Folders) };
                if *count == APP_FILES {
                    return Err(rule);
                }
                *count = count.saturating_add(1);
                free.insert(Node { path: path.to_owned(), is_file });
                Ok(())
            }
        }
    }

    fn weigh(&mut self, path: &str, bytes: u64) -> Result<(), Rule> {
        if source::is_source(path) {
            if bytes > SOURCE_BYTES as u64 {
                return Err(Rule::SourceBytes);
            }
            self.source_bytes = self.source_bytes.saturating_add(bytes);
            if self.source_bytes > SOURCES_BYTES as u64 {
                return Err(Rule::SourcesBytes);
            }
        }
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > APP_BYTES as u64 { Err(Rule::AppBytes) } else { Ok(()) }
    }
}

/// A path as a disk sees it that does not tell cases apart. Character by character, so that what stands behind a
/// character does not matter to it.
fn fold(path: &str) -> String {
    path.chars().flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_is_there_once() {
        let mut tree = Tree::default();
        tree.add_folder("a").unwrap();
        tree.add_file("a/b.js", 1).unwrap();
        tree.add_folder("a").unwrap();
        tree.add_file("ΑΣ/x", 1).unwrap();
        assert!(tree.has_file("a/b.js") && !tree.has_file("a/B.js") && !tree.has_file("a"));
        let rows = [
            ("a/b.js", Rule::Twice),
            ("a/B.js", Rule::CaseClash("a/b.js".to_owned())),
            ("A/c.js", Rule::CaseClash("a".to_owned())),
            ("ασ/y", Rule::CaseClash("ΑΣ".to_owned())),
            ("a/b.js/c", Rule::BelowFile("a/b.js".to_owned())),
            ("a", Rule::FileAndFolder),
        ];
        for (path, rule) in rows {
            assert_eq!(tree.add_file(path, 1), Err(rule), "{path}");
        }
        assert_eq!(tree.add_folder("a/b.js"), Err(Rule::FileAndFolder));
        assert_eq!(tree.files(), 2);
    }

    #[test]
    fn counts_and_sizes_are_bounded() {
        let mut tree = Tree::default();
        for number in 0..APP_FILES {
            tree.add_file(&format!("{number}"), 0).unwrap();
            tree.add_folder(&format!("f{number}")).unwrap();
        }
        assert_eq!(tree.add_file("one-more", 0), Err(Rule::Files));
        assert_eq!(tree.add_folder("one-more"), Err(Rule::Folders));

        let mut tree = Tree::default();
        tree.add_file("big", APP_BYTES as u64).unwrap();
        assert_eq!(tree.add_file("more", 1), Err(Rule::AppBytes));

        let mut tree = Tree::default();
        assert_eq!(tree.add_file("api/a.js", SOURCE_BYTES as u64 + 1), Err(Rule::SourceBytes));
        for number in 0..SOURCES_BYTES / SOURCE_BYTES {
            tree.add_file(&format!("api/{number}.js"), SOURCE_BYTES as u64).unwrap();
        }
        assert_eq!(tree.add_file("api/more.js", 1), Err(Rule::SourcesBytes));
    }
}
