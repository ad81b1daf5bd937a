//! Bodies: of requests read whole before anybody works on them, of answers given whole or as a stream.
//!
//! A body has 5 s, and a second more for each 32 KiB that came: a slow sender is cut off, a long upload is not. What all
//! bodies together hold is bounded by a budget, taken by what arrived and not by what was promised.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};

use super::{room::Room, session::Session};
use crate::fault::{Code, Fault};

/// What a body has at first.
const PATIENCE: Duration = Duration::from_secs(5);
/// The slowest that one may come, in bytes a second.
const SLOWEST: u64 = 32 * 1024;
/// What is made room for before anything came.
const FIRST_BYTES: u64 = 64 * 1024;

/// Room for the bodies of all requests, and of all answers.
#[derive(Debug)]
pub struct Budget {
    left: AtomicUsize,
    /// That for answers, as much again.
    pub(super) answers: Arc<Room>,
}

/// A part of the budget; given back when it is dropped.
#[derive(Debug)]
pub struct Lease {
    budget: Arc<Budget>,
    bytes: usize,
}

/// An answer's body.
#[derive(Debug)]
pub struct Body {
    content: Content,
    /// Told when the whole answer is on its way.
    session: Option<Arc<Session>>,
}

#[derive(Debug)]
enum Content {
    Whole(Bytes),
    Stream(mpsc::Receiver<Bytes>),
}

impl Budget {
    /// Room for that many bytes.
    #[must_use]
    pub fn new(bytes: usize) -> Arc<Self> {
        Arc::new(Self { left: AtomicUsize::new(bytes), answers: Room::new(bytes) })
    }

    fn take(&self, bytes: usize) -> bool {
        self.left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(bytes)).is_ok()
    }
}

impl Lease {
    /// No room.
    #[must_use]
    pub fn none(budget: &Arc<Budget>) -> Self {
        Self { budget: Arc::clone(budget), bytes: 0 }
    }

    fn grow(&mut self, bytes: usize) -> bool {
        let taken = self.budget.take(bytes);
        if taken {
            self.bytes = self.bytes.saturating_add(bytes);
        }
        taken
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.budget.left.fetch_add(self.bytes, Relaxed);
    }
}

/// Reads a request's body whole. The lease is its room in the budget, to be kept as long as the body.
///
/// # Errors
/// 413 past `limit` bytes, 408 where it comes too slowly, 400 where it breaks off, 503 where the budget is spent.
pub async fn read(mut body: Incoming, limit: usize, budget: &Arc<Budget>) -> Result<(Vec<u8>, Lease), Fault> {
    let mut lease = Lease::none(budget);
    if body.is_end_stream() {
        return Ok((Vec::new(), lease));
    }
    let declared = body.size_hint().lower();
    if declared > limit as u64 {
        return Err(too_large(limit));
    }
    let begun = Instant::now();
    let mut whole = Vec::with_capacity(usize::try_from(declared.min(FIRST_BYTES)).unwrap_or_default());
    loop {
        let due = begun + PATIENCE + Duration::from_millis((whole.len() as u64).saturating_mul(1_000) / SLOWEST);
        let Ok(frame) = timeout_at(due, body.frame()).await else {
            return Err(Fault::new(Code::RequestTimeout, "the body came too slowly"));
        };
        let Some(frame) = frame else { return Ok((whole, lease)) };
        let frame = frame.map_err(|_| Fault::new(Code::InvalidRequest, "the body broke off or is malformed"))?;
        // Trailers are of no use to anybody here.
        let Ok(data) = frame.into_data() else { continue };
        if whole.len().saturating_add(data.len()) > limit {
            return Err(too_large(limit));
        }
        if !lease.grow(data.len()) {
            return Err(Fault::new(Code::Overloaded, "too many bodies are in hand already"));
        }
        whole.extend_from_slice(&data);
    }
}

fn too_large(limit: usize) -> Fault {
    Fault::new(Code::BodyTooLarge, format!("the body is larger than {limit} bytes"))
}

impl Body {
    /// No body.
    #[must_use]
    pub fn empty() -> Self {
        Self::whole(Bytes::new())
    }

    /// A body that is there.
    #[must_use]
    pub fn whole(bytes: impl Into<Bytes>) -> Self {
        Self { content: Content::Whole(bytes.into()), session: None }
    }

    /// A body that comes by and by, and ends with its sender.
    #[must_use]
    pub fn stream(pieces: mpsc::Receiver<Bytes>) -> Self {
        Self { content: Content::Stream(pieces), session: None }
    }

    /// The same, which tells the connection when it is on its way.
    #[must_use]
    pub fn on(mut self, session: Arc<Session>) -> Self {
        self.session = Some(session);
        self
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        if let Some(session) = &self.session {
            session.wait();
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = match &mut self.content {
            Content::Whole(bytes) if bytes.is_empty() => None,
            Content::Whole(bytes) => Some(std::mem::take(bytes)),
            Content::Stream(pieces) => ready!(pieces.poll_recv(cx)),
        };
        Poll::Ready(piece.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.content, Content::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::Stream(_) => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_is_shared_and_given_back() {
        let budget = Budget::new(10);
        let mut one = Lease::none(&budget);
        let mut other = Lease::none(&budget);
        assert!(one.grow(6) && !other.grow(5) && other.grow(4) && !one.grow(1));
        drop(one);
        assert!(other.grow(6) && !other.grow(1));
    }
}
