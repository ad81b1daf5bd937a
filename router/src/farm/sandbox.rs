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
    /// The controllers of workers' control groups and where these are, or why there are none. Nothing that a strict jail
    /// has to have.
    pub sandbox_cgroup: String,
    /// What an operator should not overlook.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sandbox_warning: Option<String>,
}

impl Report {
    /// What the zygote's own trial came to, under that mode.
    #[must_use]
    pub fn of(sandbox: Sandbox, jail: &Jail, cgroup: &str) -> Self {
        let missing = jail.lacks();
        let warning = match sandbox {
            Sandbox::Off => {
                Some("the sandbox is off: apps can do whatever this user can; for development only".to_owned())
            }
            Sandbox::BestEffort if jail.tier == "incomplete" => Some(format!(
                "the sandbox is incomplete: without {}; fazt-router --check says how to get it",
                missing.join(", ")
            )),
            Sandbox::Strict | Sandbox::BestEffort => None,
        };
        Self {
            sandbox: sandbox.word(),
            sandbox_tier: jail.tier.clone(),
            sandbox_missing: missing,
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
