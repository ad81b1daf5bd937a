//! Apps' log lines on their way to the store: batched, bounded, never waited for by a request.
//!
//! Where the store is slower than the apps talk, lines are dropped and counted, and the log says so.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use fazt_protocol::{
    call::{Level, LogLine, Source},
    id::RequestId,
    limit::{CHUNK_BYTES, LOG_BATCH},
    registry::LogRecord,
};
use tokio::sync::mpsc;

use super::counts::{Counts, count, read};
use crate::store::Store;

/// Lines that wait for the store.
const WAITING: usize = 4_096;

/// Where log lines go.
#[derive(Debug, Clone)]
pub struct Logs {
    lines: mpsc::Sender<LogRecord>,
    counts: Arc<Counts>,
}

impl Logs {
    /// Starts the task that takes lines to the store. It ends with the last sender.
    pub fn start(store: Store, counts: Arc<Counts>) -> (Self, tokio::task::JoinHandle<()>) {
        let (lines, waiting) = mpsc::channel(WAITING);
        let task = tokio::spawn(carry(store, waiting, Arc::clone(&counts)));
        (Self { lines, counts }, task)
    }

    /// Keeps one line.
    pub fn keep(&self, app: u64, request: &RequestId, line: LogLine) {
        let LogLine { level, source, message } = line;
        let record = LogRecord { id: 0, app, at: now_ms(), level, source, request: request.to_string(), message };
        if self.lines.try_send(record).is_err() {
            count(&self.counts.lost_logs);
        }
    }
}

/// The line that an end leaves in an app's log where its worker could not write it: it was killed, or died.
#[must_use]
pub fn uncaught(message: &str) -> LogLine {
    LogLine { level: Level::Error, source: Source::Uncaught, message: message.to_owned() }
}

fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}

async fn carry(store: Store, mut waiting: mpsc::Receiver<LogRecord>, counts: Arc<Counts>) {
    let mut told = 0;
    let mut next = waiting.recv().await;
    while let Some(first) = next.take() {
        let mut bytes = first.message.len();
        let mut lines = vec![first];
        while lines.len() < LOG_BATCH {
            match waiting.try_recv() {
                Ok(line) if bytes.saturating_add(line.message.len()) > CHUNK_BYTES / 2 => {
                    next = Some(line);
                    break;
                }
                Ok(line) => {
                    bytes = bytes.saturating_add(line.message.len());
                    lines.push(line);
                }
                Err(_none) => break,
            }
        }
        if let Err(error) = store.append_logs(lines).await {
            tracing::warn!("failed to keep log lines of apps: {error}");
        }
        let lost = read(&counts.lost_logs);
        if lost > told {
            tracing::warn!(lost_logs = lost, "log lines of apps were dropped: the store takes them too slowly");
            told = lost;
        }
        if next.is_none() {
            next = waiting.recv().await;
        }
    }
}
