//! What router and builder say to each other over the builder's call descriptor: an archive in, checked files out.
//!
//! ```text
//! builder  Ready
//! router   Begin (first bytes of the archive), Chunk…
//! builder  File, Chunk… for each file and each encoding of it, then Built; or Refused at any time, which ends it
//! ```
//!
//! The builder is as untrusted as a worker: the router checks every path again, and the store hashes every content.

use serde::{Deserialize, Serialize};

use crate::{
    Breach, Message,
    body::Part,
    bounded,
    call::Ready,
    limit::{
        APP_FILES, APP_NAME_BYTES, ENV_BYTES, ENV_VARIABLES, ERROR_TEXT_BYTES, FILE_PATH_BYTES, FRAME_BYTES, ORIGINS,
        ORIGINS_BYTES, WARNINGS, WARNINGS_BYTES,
    },
};

/// What the router says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToBuilder {
    /// The archive: a tar, plain or compressed with gzip or zstd.
    Begin {
        /// [`crate::version::PROTOCOL`].
        protocol: u16,
        /// Its first bytes.
        body: Part,
    },
    /// More of it.
    Chunk(Part),
}

/// What the builder says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromBuilder {
    /// Once, first.
    Ready(Ready),
    /// One content of one file; the identity comes before its other encodings.
    File(File),
    /// More of that content.
    Chunk(Part),
    /// All files were given; this is what the manifest says.
    Built(Box<Built>),
    /// The archive is refused whole.
    Refused {
        /// The entry, or empty where the archive itself is meant.
        #[serde(deserialize_with = "bounded::text::<_, { 2 * FILE_PATH_BYTES }>")]
        file: String,
        /// The rule that it breaks, in words.
        #[serde(deserialize_with = "bounded::text::<_, ERROR_TEXT_BYTES>")]
        rule: String,
    },
}

/// One content of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Relative, with `/`, without dot segments.
    #[serde(deserialize_with = "bounded::text::<_, FILE_PATH_BYTES>")]
    pub path: String,
    /// How these bytes are encoded.
    pub encoding: Encoding,
    /// The content.
    pub body: Part,
}

/// How a content is stored for answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Encoding {
    /// As deployed.
    Identity,
    /// `gzip`.
    Gzip,
    /// `br`.
    Brotli,
    /// `zstd`.
    Zstd,
}

/// A deploy that holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Built {
    /// From `manifest.json`, or its defaults.
    pub manifest: Manifest,
    /// What was left out or looks wrong, in words.
    #[serde(deserialize_with = "bounded::texts::<_, WARNINGS, WARNINGS_BYTES>")]
    pub warnings: Vec<String>,
}

/// `manifest.json`, checked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The app's name, as a default for who deploys.
    #[serde(deserialize_with = "bounded::optional_text::<_, APP_NAME_BYTES>")]
    pub name: Option<String>,
    /// Whether unknown paths without an extension serve `index.html`.
    pub spa: bool,
    /// A lower run limit, in milliseconds.
    pub timeout_ms: Option<u32>,
    /// A lower heap limit, in MiB.
    pub memory_mb: Option<u32>,
    /// Environment variables.
    #[serde(deserialize_with = "bounded::pairs::<_, ENV_VARIABLES, ENV_BYTES>")]
    pub env: Vec<(String, String)>,
    /// Cross-origin rules, answered by the router.
    pub cors: Option<Cors>,
}

/// `"cors"` of a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cors {
    /// Origins, or `*`.
    #[serde(deserialize_with = "bounded::texts::<_, ORIGINS, ORIGINS_BYTES>")]
    pub origins: Vec<String>,
    /// Whether cookies may come along.
    pub credentials: bool,
    /// How long a preflight holds, in seconds.
    pub max_age: u32,
}

/// The order of a builder's side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Not heard of yet.
    Born,
    /// Between files.
    Giving {
        /// Contents so far.
        contents: usize,
    },
    /// Within a file's content.
    Within {
        /// Contents so far.
        contents: usize,
    },
    /// Built or refused.
    Over,
}

impl Phase {
    /// The builder said something.
    ///
    /// # Errors
    /// [`Breach`] where it may not say that now, or gives more files than an app may have.
    pub fn hear(self, message: &FromBuilder) -> Result<Self, Breach> {
        let most = APP_FILES.saturating_mul(4);
        match (self, message) {
            (Self::Born, FromBuilder::Ready(_)) => Ok(Self::Giving { contents: 0 }),
            (Self::Giving { contents }, FromBuilder::File(file)) if contents < most => {
                Ok(Self::after_part(contents.saturating_add(1), file.body.last))
            }
            (Self::Within { contents }, FromBuilder::Chunk(part)) => Ok(Self::after_part(contents, part.last)),
            (Self::Giving { .. }, FromBuilder::Built(_)) => Ok(Self::Over),
            (Self::Giving { .. }, FromBuilder::Refused { .. }) => Ok(Self::Over),
            (phase, message) => Err(Breach { said: message.name(), phase: phase.word() }),
        }
    }

    fn after_part(contents: usize, last: bool) -> Self {
        if last { Self::Giving { contents } } else { Self::Within { contents } }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Born => "born",
            Self::Giving { .. } => "giving files",
            Self::Within { .. } => "within a file",
            Self::Over => "over",
        }
    }
}

impl Encoding {
    /// The word of `Content-Encoding`; `identity` is never sent.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }
}

impl FromBuilder {
    /// The message's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Ready(_) => "Ready",
            Self::File(_) => "File",
            Self::Chunk(_) => "Chunk",
            Self::Built(_) => "Built",
            Self::Refused { .. } => "Refused",
        }
    }
}

impl Message for ToBuilder {
    const NAME: &'static str = "build, to builder";
    const FRAME_BYTES: usize = FRAME_BYTES;
}

impl Message for FromBuilder {
    const NAME: &'static str = "build, from builder";
    const FRAME_BYTES: usize = FRAME_BYTES;
}
