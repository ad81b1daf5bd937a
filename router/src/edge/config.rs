//! What the edge is told at its start.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

/// Bytes of bodies that all requests together may hold beyond what each app is sure of, and all answers as many again. Of it
/// one app alone has a part that the largest file fits.
pub const BODY_BUDGET: usize = 192 << 20;

/// Contents of static files that are kept in memory, in bytes.
pub const CONTENT_BYTES: u64 = 64 << 20;

/// Configuration of the edge, complete and checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen.
    pub listen: Vec<Listen>,
    /// Base domains, in lower case: an app's name stands in front.
    pub domains: Vec<String>,
    /// The app that answers where the host names none.
    pub default_app: Option<String>,
    /// The run limit of a request.
    pub run: Duration,
    /// The limit of a whole request.
    pub request: Duration,
    /// A request's body, in bytes.
    pub body_bytes: usize,
    /// Bodies of all requests together, in bytes, beyond what each app is sure of; and as many of answers.
    pub body_budget: usize,
    /// Contents of static files that are kept in memory, in bytes.
    pub content_bytes: u64,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted: Vec<Trusted>,
    /// Whether everybody may see stacks and timings.
    pub debug: bool,
}

/// An address to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// TCP.
    Tcp(SocketAddr),
    /// A socket file.
    Unix(PathBuf),
}

/// A proxy in front of the farm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trusted {
    /// Whoever connects from there.
    Network(ipnet::IpNet),
    /// Whoever connects to a socket file.
    Unix,
}

impl std::fmt::Display for Listen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}
