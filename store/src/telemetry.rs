//! Log lines to stderr, one event a line. What a line is about stands in its fields: `request_id`, `app`, `op`.

use std::io;

use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;

/// Starts logging. The level is `info`, or what `FAZT_LOG` says.
pub(crate) fn start(format: LogFormat) {
    let filter = EnvFilter::try_from_env("FAZT_LOG").unwrap_or_else(|_unset| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(false);
    match format {
        LogFormat::Json => lines.json().flatten_event(true).init(),
        LogFormat::Pretty => lines.init(),
    }
}
