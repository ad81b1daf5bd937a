//! One request's entry in the book: opened with its head, closed exactly once, however it ends.
//!
//! It travels down the stack with the request and up with its outcome. Whoever drops it before it was closed did so because
//! the client went away, and the entry closes itself as that; nothing is ever in the book twice or not at all.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use fazt_protocol::{call::Done, id::RequestId};
use http::{HeaderMap, HeaderValue, Method, Response, Uri, Version, header, request};
use hyper::body::Incoming;
use tokio::time::timeout;

use super::{
    body::{self, Body},
    host::Host,
    room::Lease,
    session::Session,
};
use crate::{
    catalog::Served,
    farm::job::Timing,
    fault::{Code, Fault},
    house::House,
    trace::{Breakdown, Outcome, Trace},
};

/// How long the end of a call is waited for after its answer: a call's own clocks are shorter, whatever its limits.
const LATER: Duration = Duration::from_secs(3_600);

/// A request on its way down. `T` is [`Target`] once it was admitted.
#[derive(Debug)]
pub struct Passage<T = Target> {
    /// Its entry in the book.
    pub entry: Entry,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, until it is read.
    pub body: Option<Incoming>,
    /// Its connection.
    pub session: Arc<Session>,
    /// What it is aimed at.
    pub target: T,
}

/// What a request is aimed at, checked.
#[derive(Debug)]
pub struct Target {
    /// The host.
    pub host: Host,
    /// The path, decoded once.
    pub path: String,
}

/// A request's outcome on its way up.
#[derive(Debug)]
pub struct Departure {
    /// Its entry in the book.
    pub entry: Entry,
    /// An answer, or why there is none.
    pub outcome: Result<Response<Body>, Fault>,
}

/// One request in the book.
#[derive(Debug)]
pub struct Entry {
    /// What the request could reach.
    pub house: Arc<House>,
    /// Its name.
    pub id: RequestId,
    /// Its method.
    pub method: Method,
    /// Its target as it was sent.
    pub uri: Uri,
    /// The version of HTTP that it came in.
    pub version: Version,
    /// When its head was there.
    pub arrived: Instant,
    /// How long its body took.
    pub body_took: Duration,
    /// The app, once it is known.
    pub app: Option<Arc<Served>>,
    /// What the farm measured.
    pub timing: Timing,
    /// Whether this client may see stacks and timings.
    pub debug: bool,
    /// Whether this client is a person's browser.
    pub html: bool,
    /// `Origin`, where the app's rules on it hold for this path.
    pub cors: Option<HeaderValue>,
    closed: bool,
}

impl<T> Passage<T> {
    /// Reads the body whole, once. The lease is its room, to be kept as long as the body.
    ///
    /// # Errors
    /// As [`body::read`]; then nothing can follow on this connection, where the rest of the body still comes in.
    pub async fn read_body(&mut self, limit: usize) -> Result<(Vec<u8>, Lease), Fault> {
        let begun = Instant::now();
        let lease = self.session.budget.requests.lease(self.entry.app.as_ref().map(|served| served.app.id));
        let read = match self.body.take() {
            Some(body) => body::read(body, limit, lease).await,
            None => Ok((Vec::new(), lease)),
        };
        match &read {
            Ok((body, _)) => {
                self.session.work();
                if !body.is_empty() {
                    self.entry.body_took = begun.elapsed();
                }
            }
            Err(_) => self.session.end_after_this(),
        }
        read
    }
}

impl Entry {
    /// Opens an entry; gives the headers back.
    #[must_use]
    pub fn open(house: Arc<House>, head: request::Parts) -> (Self, HeaderMap) {
        let request::Parts { method, uri, version, headers, .. } = head;
        let named = headers.get("x-request-id").and_then(|value| RequestId::parse(value.to_str().ok()?));
        let token = |value: &HeaderValue| house.token.is(value.as_bytes());
        let entry = Self {
            id: named.unwrap_or_else(RequestId::generate),
            debug: house.config.edge.debug || headers.get(header::AUTHORIZATION).is_some_and(token),
            html: headers.get(header::ACCEPT).is_some_and(|value| super::page::is_wanted(value.as_bytes())),
            house,
            method,
            uri,
            version,
            arrived: Instant::now(),
            body_took: Duration::ZERO,
            app: None,
            timing: Timing::default(),
            cors: None,
            closed: false,
        };
        (entry, headers)
    }

    /// How long it has taken until now, and where that went.
    #[must_use]
    pub fn spent(&self) -> (u64, Breakdown) {
        let duration_us = micros(self.arrived.elapsed());
        (duration_us, self.split(duration_us))
    }

    /// Closes it. What a call leaves behind after its answer is waited for, elsewhere.
    pub fn close(mut self, status: u16, outcome: Outcome, duration_us: u64) {
        self.closed = true;
        match self.timing.later.take() {
            Some(later) => {
                tokio::spawn(async move {
                    // A call whose worker dies after its answer has no such end; what is known then is kept.
                    if let Ok(Ok(done)) = timeout(LATER, later).await {
                        self.timing.settle(*done);
                    }
                    self.write(status, outcome, duration_us);
                });
            }
            None => self.write(status, outcome, duration_us),
        }
    }

    /// Refuses the request.
    #[must_use]
    pub fn refuse(self, fault: Fault) -> Departure {
        Departure { entry: self, outcome: Err(fault) }
    }

    /// Answers the request.
    #[must_use]
    pub fn answer(self, response: Response<Body>) -> Departure {
        Departure { entry: self, outcome: Ok(response) }
    }

    fn split(&self, duration_us: u64) -> Breakdown {
        let mut spans = self.timing.spans;
        let body = u32::try_from(self.body_took.as_micros()).unwrap_or(u32::MAX);
        spans.parse_us = spans.parse_us.saturating_add(body);
        Breakdown::of(duration_us, self.timing.queue_us, self.timing.bind_us, spans)
    }

    fn write(&mut self, status: u16, outcome: Outcome, duration_us: u64) {
        let started = SystemTime::now().checked_sub(self.arrived.elapsed()).unwrap_or(SystemTime::UNIX_EPOCH);
        let started = started.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let trace = Arc::new(Trace {
            id: self.id.clone(),
            app: self.app.as_ref().map(|served| Arc::clone(&served.name)),
            method: self.method.as_str().to_owned(),
            path: self.uri.path().to_owned(),
            status,
            outcome,
            started_at: u64::try_from(started.as_millis()).unwrap_or(u64::MAX),
            duration_us,
            breakdown: self.split(duration_us),
            cpu_us: self.timing.cpu_us,
            memory_peak: self.timing.heap_peak,
            worker_pid: self.timing.pid,
            storage_ops: std::mem::take(&mut self.timing.ops),
            storage_ops_total: self.timing.ops_total,
        });
        super::record::log(&trace, &self.timing.logs);
        self.house.traces.keep(trace);
    }
}

impl Timing {
    /// The end of a call is known: what it says is final.
    pub fn settle(&mut self, done: Done) {
        self.spans = done.spans;
        self.cpu_us = u64::from(done.cpu_us);
        self.heap_peak = done.heap_peak;
        self.ops = done.ops;
        self.ops_total = done.storage_ops;
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if !self.closed {
            self.closed = true;
            let duration_us = micros(self.arrived.elapsed());
            if std::thread::panicking() {
                // Our own mistake is not the client's going away.
                self.write(500, Outcome::Faulted(Code::Internal), duration_us);
            } else {
                // What other servers write for a client that closed; it is never sent.
                self.write(499, Outcome::ClientGone, duration_us);
            }
        }
    }
}

/// Whole microseconds.
#[must_use]
pub fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}
