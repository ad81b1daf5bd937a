//! What a worker is asked to do: answer a request, or run a text.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    bounded,
    limit::{HEADERS, HEADERS_GIVEN_BYTES, URL_BYTES},
};

/// What a call is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Work {
    /// Answer a request.
    Request(Arc<Request>),
    /// Run the body's text as a script in the app's context and return its value as JSON.
    Execute,
}

/// A request's head.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// `GET`, `POST`, …
    #[serde(deserialize_with = "bounded::text::<_, 16>")]
    pub method: String,
    /// The absolute URL.
    #[serde(deserialize_with = "bounded::text::<_, URL_BYTES>")]
    pub url: String,
    /// Percent-decoded once, dot segments resolved.
    #[serde(deserialize_with = "bounded::text::<_, URL_BYTES>")]
    pub path: String,
    /// As sent, without `?`.
    #[serde(deserialize_with = "bounded::text::<_, URL_BYTES>")]
    pub query: String,
    /// Without a port.
    #[serde(deserialize_with = "bounded::text::<_, 256>")]
    pub host: String,
    /// The client's address.
    #[serde(deserialize_with = "bounded::text::<_, 64>")]
    pub ip: String,
    /// Lower-case names and values, repeated ones joined.
    #[serde(deserialize_with = "bounded::pairs::<_, HEADERS, HEADERS_GIVEN_BYTES>")]
    pub headers: Vec<(String, String)>,
    /// Whether there is a body at all.
    pub has_body: bool,
}
