//! Logs: one event a line, to stderr, readable or JSON, never with a line break or a terminal's escape from a request.
//!
//! Lines go through a bounded channel to one thread ([`sink`]), so a reader that stalls costs lines and never a request.
//! Targets: `access` (one line a finished request), `timing` (its parts, in debug), `app` (what apps say, in debug), `dump` (the
//! pool, for SIGUSR1, and in debug as it changes); all others are the modules' own.

mod pretty;
mod sink;

use std::{io::IsTerminal, panic};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::{filter::Targets, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use pretty::Pretty;
use sink::Sink;

/// What the logs are told at their start.
#[derive(Debug, Clone)]
pub struct Config {
    /// How lines look.
    pub format: Format,
    /// Whether each finished request is a line.
    pub access_log: bool,
    /// Whether timings, pool state and apps' lines are wanted.
    pub debug: bool,
}

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Pretty,
    /// One object a line.
    Json,
}

/// Keeps the logs going; what is still on its way is written out when it is dropped.
#[derive(Debug)]
pub struct Telemetry(Sink);

/// Starts the logs of this process; once.
///
/// # Errors
/// Where no thread can be made.
pub fn start(config: &Config) -> std::io::Result<Telemetry> {
    let sink = Sink::start()?;
    let registry = tracing_subscriber::registry().with(targets(config));
    let lines = fmt::layer().with_writer(sink.clone());
    // A second subscriber in one process can only be a test's; the first one goes on.
    let _second = match config.format {
        Format::Pretty => registry.with(lines.event_format(Pretty::new(std::io::stderr().is_terminal()))).try_init(),
        Format::Json => {
            registry.with(lines.json().flatten_event(true).with_current_span(false).with_span_list(false)).try_init()
        }
    };
    panic::set_hook(Box::new(|panic| {
        let at = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(at, "panic: {}", panic.payload_as_str().unwrap_or("of an unknown kind"));
    }));
    Ok(Telemetry(sink))
}

fn targets(config: &Config) -> Targets {
    let switch = |on: bool, level| if on { level } else { LevelFilter::OFF };
    let own = if config.debug { LevelFilter::DEBUG } else { LevelFilter::INFO };
    Targets::new()
        .with_default(LevelFilter::WARN)
        .with_target("fazt_router", own)
        .with_target("dump", LevelFilter::INFO)
        .with_target("access", switch(config.access_log, LevelFilter::INFO))
        .with_target("timing", switch(config.debug, LevelFilter::DEBUG))
        .with_target("app", switch(config.debug, LevelFilter::DEBUG))
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        self.0.flush();
    }
}
