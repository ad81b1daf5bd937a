//! Why an archive is refused, in the words that whoever deploys reads, and why building stops at all.
//!
//! A [`Rule`] is one thing that an archive may not do; a [`Refusal`] is a rule and the entry that breaks it. Nothing here
//! decides anything.

use std::io;

use fazt_protocol::{
    limit::{
        APP_BYTES, APP_FILES, ARCHIVE_BYTES, ENV_BYTES, ENV_VARIABLES, FILE_PATH_BYTES, SOURCE_BYTES, SOURCES_BYTES,
    },
    pipe::PipeError,
    version::Mismatch,
};

use super::limit::{ENTRIES, EXTENSION_BYTES, UNPACKED_BYTES, ZSTD_WINDOW_LOG};

const MIB: usize = 1024 * 1024;

/// One thing that an archive may not do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Rule {
    #[error("the archive is empty: send a tar, plain or compressed with gzip or zstd")]
    Empty,
    #[error("the archive is {0}: send a tar, plain or compressed with gzip or zstd")]
    Foreign(&'static str),
    #[error("the archive is not a tar: send a tar, plain or compressed with gzip or zstd")]
    NotTar,
    #[error("the archive is damaged: {0}")]
    Damaged(String),
    #[error("the archive was cut off before its end")]
    CutOff,
    #[error("the archive is damaged after this entry: what follows is no header of a tar")]
    HeaderAfter,
    #[error("the archive goes on after its end")]
    AfterEnd,
    #[error("the archive has more than {} MiB", ARCHIVE_BYTES / MIB)]
    ArchiveBytes,
    #[error("the archive needs more than {} MiB to unpack: take a lower level of zstd", (1 << ZSTD_WINDOW_LOG) / MIB)]
    Window,
    #[error("the archive unpacks to more than {} MiB, with all that is left out", UNPACKED_BYTES / MIB as u64)]
    UnpackedBytes,
    #[error("the archive has more than {ENTRIES} entries, with all that is left out")]
    Entries,
    #[error("there is no file in the archive that an app could have")]
    NoFile,

    #[error("its name is not UTF-8")]
    NotUtf8,
    #[error("its name has a control character")]
    Control,
    #[error("its name has a backslash: folders are parted by /")]
    Backslash,
    #[error("its path is absolute: paths are relative to the app's folder")]
    Absolute,
    #[error("its path has a .. in it, which would leave the app's folder")]
    Parent,
    #[error("its path has a . in it: only a leading ./ is taken away")]
    DotSegment,
    #[error("its path has an empty segment")]
    EmptySegment,
    #[error("it has no name")]
    NoName,
    #[error("its path has more than {FILE_PATH_BYTES} bytes")]
    PathBytes,
    #[error("it is {0}: an app has only plain files and folders")]
    Kind(&'static str),
    #[error("it has content, which its kind cannot have")]
    Content,
    #[error("its size is given twice, and not as the same")]
    TwoSizes,
    #[error("its name is given twice")]
    TwoNames,
    #[error("what the archive says about the entry has more than {} KiB", EXTENSION_BYTES / 1024)]
    ExtensionBytes,

    #[error("it is in the archive twice")]
    Twice,
    #[error("its path and that of {0} differ only in upper and lower case")]
    CaseClash(String),
    #[error("it is a file and a folder at once")]
    FileAndFolder,
    #[error("{0} is a file, and cannot be a folder too")]
    BelowFile(String),
    #[error("an app has at most {APP_FILES} files")]
    Files,
    #[error("an app has at most {APP_FILES} folders")]
    Folders,
    #[error("an app has at most {} MiB", APP_BYTES / MIB)]
    AppBytes,

    #[error("a source file has at most {} MiB", SOURCE_BYTES / MIB)]
    SourceBytes,
    #[error("the sources under api/ have at most {} MiB together", SOURCES_BYTES / MIB)]
    SourcesBytes,
    #[error("line {0} is not UTF-8, and a source file must be")]
    SourceText(usize),
    #[error("TypeScript does not run here: deploy the JavaScript it compiles to, with api/main.js as the handler")]
    TypeScript,

    #[error("it has at most {} MiB", SOURCE_BYTES / MIB)]
    ManifestBytes,
    #[error("it does not parse as JSON: {0}")]
    ManifestSyntax(String),
    #[error("it must be a JSON object")]
    ManifestShape,
    #[error("\"{key}\" takes {takes}")]
    ManifestValue { key: String, takes: &'static str },
    #[error("\"env\" has at most {ENV_VARIABLES} variables")]
    EnvVariables,
    #[error("\"env\" has at most {} KiB", ENV_BYTES / 1024)]
    EnvBytes,
}

/// A rule, and the entry that breaks it; no entry where the archive itself is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) file: String,
    pub(super) rule: Rule,
}

/// The conversation broke, so there is nobody to refuse anything to.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The router is gone, or said what is no message.
    #[error("{0}")]
    Pipe(#[from] PipeError),
    /// The router is of another build.
    #[error("understand fazt-router: {0}")]
    Version(#[from] Mismatch),
    /// The router said something that it may not say now.
    #[error("understand fazt-router: {0}")]
    Breach(&'static str),
}

/// Why building stops before its end.
#[derive(Debug)]
pub(super) enum Stop {
    Refused(Refusal),
    Lost(BuildError),
}

impl Rule {
    /// Broken by that entry.
    pub(super) fn by(self, file: impl Into<String>) -> Refusal {
        Refusal { file: file.into(), rule: self }
    }

    /// Broken by the archive.
    pub(super) fn by_archive(self) -> Refusal {
        self.by("")
    }
}

impl Stop {
    /// Names the entry in whose content the archive turned out to be bad.
    pub(super) fn within(mut self, entry: &str) -> Self {
        if let Self::Refused(refusal) = &mut self
            && refusal.file.is_empty()
        {
            entry.clone_into(&mut refusal.file);
        }
        self
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<BuildError> for Stop {
    fn from(error: BuildError) -> Self {
        Self::Lost(error)
    }
}

impl From<BuildError> for io::Error {
    fn from(error: BuildError) -> Self {
        Self::other(error)
    }
}

impl From<io::Error> for Stop {
    /// What a reader of the archive says: the conversation's own errors travel through the decompressors as they are,
    /// all others are about the archive.
    fn from(error: io::Error) -> Self {
        match error.downcast::<BuildError>() {
            Ok(lost) => Self::Lost(lost),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Rule::CutOff.by_archive().into(),
            Err(error) if error.kind() == io::ErrorKind::QuotaExceeded => Rule::ArchiveBytes.by_archive().into(),
            // What the decompressor calls it; it has no kind for it.
            Err(error) if error.to_string().contains("too much memory") => Rule::Window.by_archive().into(),
            Err(error) => Rule::Damaged(error.to_string()).by_archive().into(),
        }
    }
}
