//! Names of requests: `req_` and a ULID, or what a client asked for in `X-Request-Id`.
//!
//! A request id is a name, not a key: clients may send the same one twice. Inside, requests are counted by the router.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de::Error};

use crate::{bounded, limit::REQUEST_ID_BYTES};

const SHORTEST: usize = 8;

/// Eight to sixty-four of `[A-Za-z0-9_-]`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct RequestId(String);

impl RequestId {
    /// A new one: `req_` and a ULID of this moment.
    #[must_use]
    pub fn generate() -> Self {
        Self(format!("req_{}", ulid::Ulid::generate()))
    }

    /// One that a client sent, if it has the form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (SHORTEST..=REQUEST_ID_BYTES).contains(&text.len());
        let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
        (fits && plain).then(|| Self(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for RequestId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = bounded::text::<D, REQUEST_ID_BYTES>(from)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("a request id of another form"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_keep_their_form() {
        let id = RequestId::generate();
        assert!(id.as_str().starts_with("req_") && id.as_str().len() == 30);
        assert_eq!(RequestId::parse(id.as_str()), Some(id));
        for bad in ["short", "with space", "ünïcode__", "a\r\nInjected: b", &"x".repeat(65)] {
            assert_eq!(RequestId::parse(bad), None, "{bad:?}");
        }
    }
}
