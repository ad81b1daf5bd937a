//! Ops on keys and values. Values are JSON text, in the body.

use serde::{Deserialize, Serialize};

use super::f64Bits;
use crate::{
    bounded,
    limit::{KV_KEY_BYTES, KV_KEYS},
};

/// What can be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Op {
    /// The value of a key: `Json` or `Nothing`.
    Get {
        /// The key.
        #[serde(deserialize_with = "bounded::text::<_, KV_KEY_BYTES>")]
        key: String,
    },
    /// Value and version: `Json` `{ "value", "version" }` or `Nothing`.
    GetVersion {
        /// The key.
        #[serde(deserialize_with = "bounded::text::<_, KV_KEY_BYTES>")]
        key: String,
    },
    /// Those that exist: `Json`, an object.
    GetMany {
        /// The keys.
        #[serde(deserialize_with = "bounded::list::<_, _, KV_KEYS>")]
        keys: Vec<Key>,
    },
    /// Sets a key to the body: `Done`, or `Flag` where there is a condition.
    Set {
        /// The key.
        #[serde(deserialize_with = "bounded::text::<_, KV_KEY_BYTES>")]
        key: String,
        /// When it expires, in milliseconds from now.
        ttl_ms: Option<u64>,
        /// Whether to set at all.
        condition: Condition,
    },
    /// Removes a key: `Flag`, whether it existed.
    Delete {
        /// The key.
        #[serde(deserialize_with = "bounded::text::<_, KV_KEY_BYTES>")]
        key: String,
    },
    /// Adds to a number, from 0 where there is none: `Number`, the new one.
    Incr {
        /// The key.
        #[serde(deserialize_with = "bounded::text::<_, KV_KEY_BYTES>")]
        key: String,
        /// What to add.
        by: f64Bits,
    },
    /// Keys and values in key order: `Json`, `[{ "key", "value", "expiresAt"? }]`.
    List {
        /// What the keys begin with.
        #[serde(deserialize_with = "bounded::text::<_, KV_KEY_BYTES>")]
        prefix: String,
        /// The most entries.
        limit: u32,
        /// Only keys after this one.
        #[serde(deserialize_with = "bounded::optional_text::<_, KV_KEY_BYTES>")]
        after: Option<String>,
    },
}

/// One key of many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Key(#[serde(deserialize_with = "bounded::text::<_, KV_KEY_BYTES>")] pub String);

/// Whether a key is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Condition {
    /// In any case.
    Always,
    /// Only where there is none.
    IfAbsent,
    /// Only where the key's version is this one.
    IfVersion(u64),
}

impl Op {
    /// The name in traces and logs.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Get { .. } => "kv.get",
            Self::GetVersion { .. } => "kv.getVersion",
            Self::GetMany { .. } => "kv.getMany",
            Self::Set { .. } => "kv.set",
            Self::Delete { .. } => "kv.delete",
            Self::Incr { .. } => "kv.incr",
            Self::List { .. } => "kv.list",
        }
    }

    /// Whether it may change anything.
    #[must_use]
    pub fn is_write(&self) -> bool {
        matches!(self, Self::Set { .. } | Self::Delete { .. } | Self::Incr { .. })
    }
}
