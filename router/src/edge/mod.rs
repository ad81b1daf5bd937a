//! The edge: HTTP in and out. It admits connections and requests, finds the app, serves files, and turns requests into jobs
//! for the farm and what comes back into answers. It knows nothing of workers; the farm knows nothing of HTTP.

pub mod body;
pub mod caps;
pub mod config;
pub mod contents;
pub mod entry;
pub mod host;
pub mod listen;
pub mod path;
pub mod problem;
pub mod session;

mod accept;
mod activation;
mod admit;
mod app;
mod cors;
mod encoding;
mod heads;
mod pace;
mod page;
mod preconditions;
mod range;
pub mod ready;
mod record;
mod refusal;
mod resolve;
mod respond;
mod room;
mod route;
mod rules;
mod site;
mod socket;
mod stack;
mod translate;
mod wire;

pub use entry::{Departure, Passage, Target};
pub use resolve::{address_of, app as resolve_app};
