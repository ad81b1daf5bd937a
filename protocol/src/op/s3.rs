//! Ops on blobs. The bytes travel in the body, in chunks.

use serde::{Deserialize, Serialize};

use crate::{
    bounded,
    limit::{BLOB_PATH_BYTES, MIME_BYTES},
};

/// What can be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Op {
    /// Stores the body: `Json`, `{ "etag", "size" }`.
    Put {
        /// The path.
        #[serde(deserialize_with = "bounded::text::<_, BLOB_PATH_BYTES>")]
        path: String,
        /// Its type; the store takes `application/octet-stream` where there is none.
        #[serde(deserialize_with = "bounded::optional_text::<_, MIME_BYTES>")]
        mime: Option<String>,
    },
    /// The blob, or a range of it: `Blob` or `Nothing`.
    Get {
        /// The path.
        #[serde(deserialize_with = "bounded::text::<_, BLOB_PATH_BYTES>")]
        path: String,
        /// First byte, and the byte after the last.
        range: Option<(u64, u64)>,
    },
    /// What [`Op::Get`] says beside the bytes: `Blob` with an empty body, or `Nothing`.
    Head {
        /// The path.
        #[serde(deserialize_with = "bounded::text::<_, BLOB_PATH_BYTES>")]
        path: String,
    },
    /// Removes it: `Flag`, whether it existed.
    Delete {
        /// The path.
        #[serde(deserialize_with = "bounded::text::<_, BLOB_PATH_BYTES>")]
        path: String,
    },
    /// In path order: `Json`, `[{ "path", "mime", "size", "etag", "updatedAt" }]`.
    List {
        /// What the paths begin with.
        #[serde(deserialize_with = "bounded::text::<_, BLOB_PATH_BYTES>")]
        prefix: String,
        /// The most entries.
        limit: u32,
        /// Only paths after this one.
        #[serde(deserialize_with = "bounded::optional_text::<_, BLOB_PATH_BYTES>")]
        after: Option<String>,
    },
}

/// What is known of a blob.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Its type.
    #[serde(deserialize_with = "bounded::text::<_, MIME_BYTES>")]
    pub mime: String,
    /// Its whole size in bytes, whatever range was asked for.
    pub size: u64,
    /// The hash of its content, in hex: `hash`, and `etag` in quotes.
    #[serde(deserialize_with = "bounded::text::<_, 64>")]
    pub hash: String,
    /// Unix time in milliseconds.
    pub updated_at: i64,
}

impl Op {
    /// The name in traces and logs.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Put { .. } => "s3.put",
            Self::Get { .. } => "s3.get",
            Self::Head { .. } => "s3.head",
            Self::Delete { .. } => "s3.delete",
            Self::List { .. } => "s3.list",
        }
    }

    /// Whether it may change anything.
    #[must_use]
    pub fn is_write(&self) -> bool {
        matches!(self, Self::Put { .. } | Self::Delete { .. })
    }
}
