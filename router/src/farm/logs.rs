//! Apps' log lines on their way to the store: batched, bounded, never waited for by a request.
//!
//! Where the store is slower than the apps talk, lines are dropped and counted, for each app by itself, and the log says so. An
//! app may have as many lines waiting as there is room left beside them: one that talks without end has half of the room, two
//! of them a third each, and whoever says a word finds room for it.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use fazt_protocol::{
    call::{Level, LogLine, Source},
    id::RequestId,
    limit::{CHUNK_BYTES, LOG_BATCH},
    registry::LogRecord,
    share::Shares,
};
use parking_lot::Mutex;
use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};

use super::counts::{Counts, count};
use crate::{catalog::Served, store::Store};

/// Lines that wait for the store.
const WAITING: usize = 4_096;
/// One app's are at most one of so many parts of what the others left.
const PARTS: usize = 2;
/// How often it is said that lines were dropped.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// Where log lines go.
#[derive(Debug, Clone)]
pub struct Logs {
    lines: mpsc::Sender<LogRecord>,
    waiting: Arc<Mutex<Waiting>>,
    counts: Arc<Counts>,
}

/// Whose lines wait, and whose were dropped since that was last said.
#[derive(Debug)]
struct Waiting {
    lines: Shares,
    lost: HashMap<Arc<str>, u64>,
}

impl Logs {
    /// Starts the task that takes lines to the store. It ends with the last sender.
    pub fn start(store: Store, counts: Arc<Counts>) -> (Self, tokio::task::JoinHandle<()>) {
        let (lines, arriving) = mpsc::channel(WAITING);
        let waiting = Arc::new(Mutex::new(Waiting::new(WAITING)));
        let task = tokio::spawn(carry(store, arriving, Arc::clone(&waiting)));
        (Self { lines, waiting, counts }, task)
    }

    /// Keeps one line.
    pub fn keep(&self, served: &Served, request: &RequestId, line: LogLine) {
        let app = served.app.id;
        if !self.waiting.lock().admit(app, &served.name) {
            return count(&self.counts.lost_logs);
        }
        let LogLine { level, source, message } = line;
        let record = LogRecord { id: 0, app, at: now_ms(), level, source, request: request.to_string(), message };
        // There is room for all that are admitted; what ends before the last sender does so by a panic, which is said.
        let _carried = self.lines.try_send(record);
    }
}

impl Waiting {
    fn new(room: usize) -> Self {
        Self { lines: Shares::new(room, PARTS), lost: HashMap::new() }
    }

    /// Whether one more line of this app may wait.
    fn admit(&mut self, app: u64, name: &Arc<str>) -> bool {
        let admitted = self.lines.take(Some(app), 1).is_ok();
        if !admitted {
            let lost = self.lost.entry(Arc::clone(name)).or_default();
            *lost = lost.saturating_add(1);
        }
        admitted
    }

    /// One of its lines is on its way to the store.
    fn release(&mut self, app: u64) {
        self.lines.give(Some(app), 1);
    }

    /// Says of each app how many lines were dropped since the last time.
    fn tell(&mut self) {
        for (app, lost) in self.lost.drain() {
            tracing::warn!(%app, lost, "log lines of an app were dropped: it says more than the store takes");
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

async fn carry(store: Store, mut arriving: mpsc::Receiver<LogRecord>, waiting: Arc<Mutex<Waiting>>) {
    let mut next = None;
    let mut tell_at = Instant::now() + TELL_EVERY;
    loop {
        if Instant::now() >= tell_at {
            waiting.lock().tell();
            tell_at = Instant::now() + TELL_EVERY;
        }
        let first = match next.take() {
            Some(first) => first,
            None => match timeout_at(tell_at, arriving.recv()).await {
                Ok(Some(first)) => first,
                Ok(None) => break,
                Err(_quiet) => continue,
            },
        };
        let lines = gather(first, &mut next, &mut arriving);
        {
            let mut waiting = waiting.lock();
            lines.iter().for_each(|line| waiting.release(line.app));
        }
        if let Err(error) = store.append_logs(lines).await {
            tracing::warn!("failed to keep log lines of apps: {error}");
        }
    }
    waiting.lock().tell();
}

/// One batch: what has arrived, as much as one message to the store may carry. The line that would be too much is the next one.
fn gather(first: LogRecord, next: &mut Option<LogRecord>, arriving: &mut mpsc::Receiver<LogRecord>) -> Vec<LogRecord> {
    let mut bytes = first.message.len();
    let mut lines = vec![first];
    while lines.len() < LOG_BATCH {
        match arriving.try_recv() {
            Ok(line) if bytes.saturating_add(line.message.len()) > CHUNK_BYTES / 2 => {
                *next = Some(line);
                break;
            }
            Ok(line) => {
                bytes = bytes.saturating_add(line.message.len());
                lines.push(line);
            }
            Err(_none) => break,
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(waiting: &mut Waiting, app: u64, lines: usize) -> usize {
        let name: Arc<str> = format!("app-{app}").into();
        (0..lines).filter(|_| waiting.admit(app, &name)).count()
    }

    #[test]
    fn whoever_says_a_word_finds_room_for_it() {
        let mut waiting = Waiting::new(120);
        assert_eq!(admitted(&mut waiting, 1, 1_000), 60, "one has half of it");
        assert_eq!(admitted(&mut waiting, 2, 1_000), 30, "the next one half of what is left");
        for app in 3..6 {
            assert!(admitted(&mut waiting, app, 3) == 3, "and {app} finds room too");
        }
        assert_eq!(admitted(&mut waiting, 1, 1), 0);
        (0..60).for_each(|_| waiting.release(1));
        assert_eq!(waiting.lines.held_by(1), 0);
        assert!(admitted(&mut waiting, 1, 1_000) >= 40, "what is carried away makes room");
    }

    #[test]
    fn what_was_lost_is_counted_for_each() {
        let mut waiting = Waiting::new(4);
        assert_eq!((admitted(&mut waiting, 1, 5), admitted(&mut waiting, 2, 2)), (2, 1));
        let lost = |waiting: &Waiting, app: &str| waiting.lost.get(app).copied();
        assert_eq!((lost(&waiting, "app-1"), lost(&waiting, "app-2")), (Some(3), Some(1)));
        waiting.tell();
        assert!(waiting.lost.is_empty());
    }
}
