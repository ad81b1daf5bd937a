//! The builder's own limits: what it reads past on its way to the files that count. All others are the protocol's.

use fazt_protocol::limit::{APP_BYTES, APP_FILES, SOURCES_BYTES};

/// Headers in an archive: files, folders, what is left out, and what describes an entry ahead of it.
pub(super) const ENTRIES: usize = 100_000;
/// The whole archive unpacked. More than an app may have, since whoever packs a folder packs its node_modules too; small
/// enough that a bomb is found in about a second.
pub(super) const UNPACKED_BYTES: u64 = 4 * APP_BYTES as u64;
/// A long name or a set of extended attributes ahead of an entry.
pub(super) const EXTENSION_BYTES: u64 = 1024 * 1024;
/// The window that a zstd archive may ask to have kept, as a power of two: 64 MiB, what all levels but --ultra -22 need.
pub(super) const ZSTD_WINDOW_LOG: u32 = 26;

/// Sources that load before anybody notices; past it, whoever deploys is told.
pub(super) const SOURCES_AT_EASE_BYTES: u64 = 4 * 1024 * 1024;

const _: () = assert!(SOURCES_AT_EASE_BYTES < SOURCES_BYTES as u64);
const _: () = assert!(ENTRIES > 2 * APP_FILES, "every file of the largest app, in a folder of its own");
