//! What there is to say of the jail: in the status, with each dump and at each start.

use fazt_protocol::spawn::Jail;
use serde::Serialize;

use super::config::Sandbox;

/// The jail that every worker is in.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// How strict it is to be.
    pub sandbox: &'static str,
    /// What kind of jail this machine and this user allow: `full`; `one-id`, where an ordinary user started the farm, or
    /// root of a container without a range of ids, and workers share the one that there is; `no-user-namespace`, where root
    /// started it and the machine allows none; `incomplete`.
    pub sandbox_tier: String,
    /// The layers that are missing, and why.
    pub sandbox_missing: Vec<String>,
    /// The same of the store's own jail, in one line; empty where none is missing, or no store is there.
    pub sandbox_store_missing: String,
    /// The controllers of workers' control groups and where these are, or why there are none. Nothing that a strict jail
    /// has to have.
    pub sandbox_cgroup: String,
    /// What an operator should not overlook.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sandbox_warning: Option<String>,
}

impl Report {
    /// What the zygote's own trial came to, under that mode, and what the store says of itself.
    #[must_use]
    pub fn of(sandbox: Sandbox, jail: &Jail, store_missing: String, cgroup: &str) -> Self {
        let missing = jail.lacks();
        let warning = match sandbox {
            Sandbox::Off => {
                Some("the sandbox is off: apps can do whatever this user can; for development only".to_owned())
            }
            Sandbox::BestEffort => lacking(&missing, &store_missing).map(|lacking| {
                format!("the sandbox is incomplete: without {lacking}; fazt-router --check says how to get it")
            }),
            Sandbox::Strict => None,
        };
        Self {
            sandbox: sandbox.word(),
            sandbox_tier: jail.tier.clone(),
            sandbox_missing: missing,
            sandbox_store_missing: store_missing,
            sandbox_cgroup: cgroup.to_owned(),
            sandbox_warning: warning,
        }
    }

    /// Writes the warning to the log, where there is one.
    pub fn warn(&self) {
        if let Some(warning) = &self.sandbox_warning {
            tracing::warn!("{warning}");
        }
    }
}

/// What is missing of both jails, in one line; `None` where nothing is.
fn lacking(workers: &[String], store: &str) -> Option<String> {
    let stores = (!store.is_empty()).then(|| format!("of the store {store}"));
    let all: Vec<&str> = workers.iter().map(String::as_str).chain(stores.as_deref()).collect();
    (!all.is_empty()).then(|| all.join(", "))
}
