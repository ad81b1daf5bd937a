//! The app's own files under `api/`: which one a name means, and its compiled code.
//!
//! Names are looked up in a map, never joined to a path of the machine. A module is compiled when it is first asked for,
//! and its bytecode kept; the next image has it read already.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
};

use rquickjs::qjs;

use super::{
    bytecode::{self, Fault, Form},
    trouble::Trouble,
};

/// The file that handles requests.
pub(crate) const MAIN: &str = "api/main.js";
/// Where modules may lie.
const ROOT: &str = "api";

/// Files by path, and what was compiled of them.
#[derive(Debug, Default)]
pub(crate) struct Modules {
    files: BTreeMap<String, String>,
    compiled: RefCell<BTreeMap<String, Compiled>>,
    /// Whether something was compiled that the image does not have.
    grown: Cell<bool>,
    /// Whether there was no memory to compile with since somebody last asked.
    starved: Cell<bool>,
}

#[derive(Debug, Clone)]
enum Compiled {
    Pinned(PinnedCode),
    Bytes(Rc<[u8]>),
    Wrong(Rc<Trouble>),
}

/// A function in the image; the reference is the engine's for life.
#[derive(Clone, Copy)]
struct PinnedCode(qjs::JSValue);

/// A module's code, as it can be had now.
pub(crate) enum Code {
    /// Read already, in the image.
    Pinned(qjs::JSValue),
    /// To be read.
    Bytes(Rc<[u8]>),
    /// Its text has no code.
    Wrong(Rc<Trouble>),
    /// There was no memory to compile it with.
    OutOfMemory,
}

/// Why a name means no file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ResolveError {
    /// `..` leads out of `api/`.
    #[error(
        "Cannot find module '{name}' from {from}: the path leaves api/, and an app can only require its own files there"
    )]
    Outside { name: String, from: String },
    /// No such file.
    #[error("Cannot find module '{name}' from {from}: there is no {tried}")]
    Absent { name: String, from: String, tried: String },
    /// Neither `./` nor `../`.
    #[error(
        "Cannot find module '{name}' from {from}: no library of that name exists, nor any other yet; the app's own files are required as './file'{files}"
    )]
    Bare { name: String, from: String, files: String },
}

impl std::fmt::Debug for PinnedCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PinnedCode")
    }
}

impl Modules {
    pub(crate) fn new(files: BTreeMap<String, String>) -> Self {
        Self { files, ..Self::default() }
    }

    /// Whether there is anything to answer requests with.
    pub(crate) fn has_main(&self) -> bool {
        self.files.contains_key(MAIN)
    }

    /// A file's text.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// One line of a file, from 1.
    pub(crate) fn line(&self, path: &str, line: u32) -> Option<&str> {
        self.text(path)?.lines().nth(usize::try_from(line).ok()?.checked_sub(1)?)
    }

    /// The file that `name` means in `from`.
    pub(crate) fn resolve(&self, from: &str, name: &str) -> Result<String, ResolveError> {
        if !(name == "." || name == ".." || name.starts_with("./") || name.starts_with("../")) {
            return Err(ResolveError::Bare { name: shown(name), from: from.to_owned(), files: self.listed() });
        }
        let mut parts: Vec<&str> = from.split('/').collect();
        parts.pop();
        for part in name.split('/') {
            match part {
                "" | "." => {}
                ".." if parts.len() > 1 => drop(parts.pop()),
                ".." => return Err(ResolveError::Outside { name: shown(name), from: from.to_owned() }),
                part => parts.push(part),
            }
        }
        let path = parts.join("/");
        debug_assert!(path.starts_with(ROOT), "nothing leads out of {ROOT}");
        // A name with a slash at its end means a folder.
        let file = if name.ends_with('/') { None } else { Some(path.clone()) };
        let candidates = file.into_iter().flat_map(|path| [path.clone(), format!("{path}.js"), format!("{path}.json")]);
        let mut candidates = candidates.chain([format!("{path}/index.js")]);
        let is_module =
            |path: &String| self.files.contains_key(path) && (path.ends_with(".js") || path.ends_with(".json"));
        let absent = || ResolveError::Absent { name: shown(name), from: from.to_owned(), tried: tried(&path) };
        candidates.find(is_module).ok_or_else(absent)
    }

    /// A module's code; compiled now if this is the first time. That there was no memory is nothing to remember of it.
    pub(crate) fn code(&self, path: &str) -> Code {
        if let Some(known) = self.compiled.borrow().get(path) {
            return known.code();
        }
        let form = if path == MAIN { Form::Script } else { Form::Module };
        let compiled = match bytecode::compile(self.text(path).unwrap_or_default(), path, form) {
            Ok(bytes) => Compiled::Bytes(bytes.into()),
            Err(Fault::Wrong(trouble)) => Compiled::Wrong(Rc::new(trouble)),
            Err(Fault::OutOfMemory) => {
                self.starve();
                return Code::OutOfMemory;
            }
        };
        let code = compiled.code();
        self.grown.set(self.grown.get() || matches!(code, Code::Bytes(_)));
        self.compiled.borrow_mut().insert(path.to_owned(), compiled);
        code
    }

    /// There was no memory to compile with.
    pub(crate) fn starve(&self) {
        self.starved.set(true);
    }

    /// Whether there was no memory to compile with, since the last time that this was asked.
    pub(crate) fn was_starved(&self) -> bool {
        self.starved.take()
    }

    /// Whether modules were compiled since the last [`Self::pin`].
    pub(crate) fn has_grown(&self) -> bool {
        self.grown.get()
    }

    /// Reads every module that is not in the heap yet: `read` gives up a reference for life, or nothing. For the moment
    /// before an image is taken.
    pub(crate) fn pin(&self, mut read: impl FnMut(&[u8]) -> Option<qjs::JSValue>) {
        for compiled in self.compiled.borrow_mut().values_mut() {
            if let Compiled::Bytes(bytes) = compiled
                && let Some(raw) = read(bytes)
            {
                *compiled = Compiled::Pinned(PinnedCode(raw));
            }
        }
        self.grown.set(false);
    }

    fn listed(&self) -> String {
        const SHOWN: usize = 20;
        let names: Vec<&str> = self.files.keys().map(String::as_str).filter(|path| *path != MAIN).take(SHOWN).collect();
        if names.is_empty() { String::new() } else { format!(" (there are: {})", names.join(", ")) }
    }
}

impl Compiled {
    fn code(&self) -> Code {
        match self {
            Self::Pinned(PinnedCode(raw)) => Code::Pinned(*raw),
            Self::Bytes(bytes) => Code::Bytes(Rc::clone(bytes)),
            Self::Wrong(trouble) => Code::Wrong(Rc::clone(trouble)),
        }
    }
}

/// A name as an error may show it: it may be a megabyte of anything.
fn shown(name: &str) -> String {
    let cut: String = name.chars().take(100).flat_map(char::escape_debug).collect();
    if name.chars().nth(100).is_some() { format!("{cut}…") } else { cut }
}

fn tried(path: &str) -> String {
    let path = shown(path);
    if path.ends_with(".js") || path.ends_with(".json") {
        path
    } else {
        format!("{path}.js, {path}.json or {path}/index.js")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn modules() -> Modules {
        let files = ["api/main.js", "api/lib/db.js", "api/lib/index.js", "api/data.json", "api/note.txt"];
        Modules::new(files.iter().map(|path| ((*path).to_owned(), String::new())).collect())
    }

    #[test]
    fn names_mean_files_of_the_app() {
        let modules = modules();
        let cases = [
            ("api/main.js", "./lib/db", "api/lib/db.js"),
            ("api/main.js", "./lib/db.js", "api/lib/db.js"),
            ("api/main.js", "./lib", "api/lib/index.js"),
            ("api/main.js", "./lib/", "api/lib/index.js"),
            ("api/main.js", "./data.json", "api/data.json"),
            ("api/main.js", "./data", "api/data.json"),
            ("api/lib/db.js", "../main.js", "api/main.js"),
            ("api/lib/db.js", "..//main", "api/main.js"),
            ("api/lib/db.js", ".", "api/lib/index.js"),
            ("api/lib/db.js", "./x/../index", "api/lib/index.js"),
        ];
        for (from, name, path) in cases {
            assert_eq!(modules.resolve(from, name).as_deref(), Ok(path), "{name} from {from}");
        }
    }

    #[test]
    fn no_other_name_means_anything() {
        let modules = modules();
        for name in ["../victim/main", "../../etc/passwd", "./../../api/main", "./lib/../../x"] {
            assert!(matches!(modules.resolve("api/main.js", name), Err(ResolveError::Outside { .. })), "{name}");
        }
        for name in ["/etc/passwd", "lodash", "api/main.js", "", "%2e%2e/x", "node:fs", "https://a.example/x.js"] {
            assert!(matches!(modules.resolve("api/main.js", name), Err(ResolveError::Bare { .. })), "{name}");
        }
        for name in ["./nothing", "./note.txt", "./note", "./lib/db.js/", "./lib\0", "./%2e%2e/main"] {
            assert!(matches!(modules.resolve("api/main.js", name), Err(ResolveError::Absent { .. })), "{name}");
        }
        let long = modules.resolve("api/main.js", &format!("./{}", "x".repeat(1 << 20))).unwrap_err();
        assert!(long.to_string().len() < 1_000);
    }
}
