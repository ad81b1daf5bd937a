//! The house: what a request can reach, wired once by `main` and shared by every runtime behind one `Arc`.

use std::time::Instant;

use tokio::sync::watch;

use crate::{
    admin::token::Token,
    catalog::Catalog,
    config::Config,
    edge::{contents::Contents, ready::Readiness},
    farm::Farm,
    store::Store,
    trace::Traces,
};

/// Everything that edge and admin work with.
#[derive(Debug)]
pub struct House {
    /// The configuration in force.
    pub config: Config,
    /// The door to the workers.
    pub farm: Farm,
    /// The door to the store.
    pub store: Store,
    /// The apps.
    pub catalog: Catalog,
    /// The last requests.
    pub traces: Traces,
    /// Contents of static files.
    pub contents: Contents,
    /// Who may use the admin interface.
    pub token: Token,
    /// What `/readyz` found last.
    pub readiness: Readiness,
    /// When the router started.
    pub started: Instant,
    /// Turns true when the router begins to close.
    pub closing: watch::Receiver<bool>,
}
