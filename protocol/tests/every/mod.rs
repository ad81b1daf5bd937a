//! Every value of the enums without fields that travel, for the tests that go through all of them.
//!
//! The golden test proves that none is missing, and so for every other test that takes a list from here.

use fazt_protocol::{
    builder::Encoding,
    call::{FaultKind, Level, Source},
    op::Code,
    spawn::Role,
};

/// How bad a log line is.
pub(crate) const LEVELS: [Level; 4] = [Level::Debug, Level::Info, Level::Warn, Level::Error];

/// Who wrote a log line.
pub(crate) const SOURCES: [Source; 3] = [Source::Console, Source::Fazt, Source::Uncaught];

/// How a call ends without an answer.
pub(crate) const FAULT_KINDS: [FaultKind; 12] = [
    FaultKind::NoHandler,
    FaultKind::ScriptError,
    FaultKind::InvalidJson,
    FaultKind::InvalidBody,
    FaultKind::SoftTimeout,
    FaultKind::Memory,
    FaultKind::Stack,
    FaultKind::NeverSettled,
    FaultKind::InvalidResponse,
    FaultKind::StorageTimeout,
    FaultKind::StorageUnavailable,
    FaultKind::QuotaExceeded,
];

/// Why the store refuses.
pub(crate) const CODES: [Code; 7] = [
    Code::Timeout,
    Code::QuotaExceeded,
    Code::TooLarge,
    Code::InvalidArgument,
    Code::Conflict,
    Code::RateLimited,
    Code::Unavailable,
];

/// How a content is encoded.
pub(crate) const ENCODINGS: [Encoding; 4] = [Encoding::Identity, Encoding::Gzip, Encoding::Brotli, Encoding::Zstd];

/// What a child is born for.
pub(crate) const ROLES: [Role; 2] = [Role::Worker, Role::Builder];
