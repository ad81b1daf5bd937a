//! The router's log, read as it comes: every line of its standard error, searchable.

use std::{
    io::{BufRead, BufReader, Read},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
};

use serde_json::Value;

use crate::wait::{PATIENCE, eventually};

/// All lines until now.
#[derive(Debug, Clone, Default)]
pub struct Log {
    lines: Arc<Mutex<Vec<String>>>,
    ended: Arc<AtomicBool>,
}

impl Log {
    /// Reads `from` to its end, on a thread of its own.
    pub fn follow(from: impl Read + Send + 'static) -> Self {
        let log = Self::default();
        let here = log.clone();
        thread::spawn(move || {
            let mut from = BufReader::new(from);
            let mut line = Vec::new();
            while from.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
                here.lines.lock().unwrap().push(String::from_utf8_lossy(&line).trim_end().to_owned());
                line.clear();
            }
            here.ended.store(true, SeqCst);
        });
        log
    }

    /// The whole text.
    #[must_use]
    pub fn text(&self) -> String {
        self.lines.lock().unwrap().join("\n")
    }

    /// Whether nobody is left who could write to it.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.ended.load(SeqCst)
    }

    /// How many lines there are, to look only at what comes later.
    #[must_use]
    pub fn mark(&self) -> usize {
        self.lines.lock().unwrap().len()
    }

    /// The events from a mark on: lines that are JSON objects.
    #[must_use]
    pub fn events(&self, from: usize) -> Vec<Value> {
        let lines = self.lines.lock().unwrap();
        lines.iter().skip(from).filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// The events of that message.
    #[must_use]
    pub fn said(&self, message: &str) -> Vec<Value> {
        self.events(0).into_iter().filter(|event| event["message"] == message).collect()
    }

    /// Waits for an event of that message.
    pub fn heard(&self, message: &str) -> Value {
        eventually(PATIENCE, &format!("a log line {message:?}"), || self.said(message).into_iter().next())
    }

    /// The finished requests of that id.
    #[must_use]
    pub fn finished(&self, request_id: &str) -> Vec<Value> {
        // Looked at as text first: a farm that was busy has written a lot by now.
        let lines: Vec<String> =
            self.lines.lock().unwrap().iter().filter(|line| line.contains(request_id)).cloned().collect();
        let events = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        events.filter(|event| event["message"] == "request" && event["request_id"] == request_id).collect()
    }

    /// Waits for the one line of a finished request; that there is no second one is part of the claim.
    #[must_use]
    pub fn one_finished(&self, request_id: &str) -> Value {
        let what = format!("the log line of request {request_id}");
        eventually(PATIENCE, &what, || !self.finished(request_id).is_empty());
        let mut all = self.finished(request_id);
        assert_eq!(all.len(), 1, "one line a finished request: {all:?}");
        all.remove(0)
    }
}
