//! What the store's process is told at its start.

use std::path::PathBuf;

use crate::farm::config::Sandbox;

/// Configuration of the store's process.
#[derive(Debug, Clone)]
pub struct Config {
    /// `fazt-store`.
    pub program: PathBuf,
    /// The data folder.
    pub data_dir: PathBuf,
    /// The database file.
    pub database: PathBuf,
    /// Whether an acknowledged write survives a loss of power.
    pub durability: Durability,
    /// Whether its log lines are JSON.
    pub log_json: bool,
    /// How strict its jail is.
    pub sandbox: Sandbox,
}

/// What an acknowledged write survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// A loss of power.
    Full,
    /// A death of the process.
    Normal,
}
