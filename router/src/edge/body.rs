//! Bodies: of requests read whole before anybody works on them, of answers given whole or as a stream.
//!
//! A slow sender is cut off, a long upload is not ([`super::pace`]). What all
//! bodies together hold is bounded by a budget, and one app's by its share of it, taken by what arrived and not by what was
//! promised.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};

use super::{
    pace::Pace,
    room::{Full, Room, SMALL_BYTES},
    session::Session,
};
use crate::fault::{Code, Fault};

/// One app's requests hold at most one of so many parts of the room for bodies.
const PARTS: usize = 4;
/// The same of answers, which cost an app's own time first.
const ANSWER_PARTS: usize = 2;

/// Room for the bodies of all requests, and of all answers.
#[derive(Debug)]
pub struct Budget {
    requests: Arc<Room>,
    /// That for answers, as much again.
    pub(super) answers: Arc<Room>,
}

/// A part of the budget; given back when it is dropped.
#[derive(Debug)]
pub struct Lease {
    room: Arc<Room>,
    /// Whose it is; none for the farm's own pages.
    app: Option<u64>,
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
        Arc::new(Self { requests: Room::new(bytes, PARTS), answers: Room::new(bytes, ANSWER_PARTS) })
    }
}

impl Lease {
    /// No room.
    #[must_use]
    pub fn none(budget: &Budget, app: Option<u64>) -> Self {
        Self { room: Arc::clone(&budget.requests), app, bytes: 0 }
    }

    fn grow(&mut self, bytes: usize) -> Result<(), Fault> {
        self.room.take(self.app, bytes).map_err(|full| {
            let detail = match full {
                Full::Share => "this app's requests hold all the room that one app's bodies may have",
                Full::All => "too many bodies are in hand already",
            };
            Fault::new(Code::Overloaded, detail)
        })?;
        self.bytes = self.bytes.saturating_add(bytes);
        Ok(())
    }

    /// Makes room in `whole` for that many bytes more, of `most` that may come in all. It doubles, so that a long body is not
    /// moved for each piece; what is reserved for that counts, since it is memory too.
    fn reserve(&mut self, whole: &mut Vec<u8>, more: usize, most: usize) -> Result<(), Fault> {
        let needed = whole.len().saturating_add(more);
        if needed > whole.capacity() {
            let wanted = whole.capacity().saturating_mul(2).min(most).max(needed);
            // However little others left, a small body is taken.
            if wanted > SMALL_BYTES {
                self.grow(wanted.saturating_sub(self.bytes))?;
            }
            whole.reserve_exact(wanted.saturating_sub(whole.len()));
        }
        Ok(())
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.room.give(self.app, self.bytes);
    }
}

/// Reads a request's body whole. The lease is its room in the budget, to be kept as long as the body.
///
/// # Errors
/// 413 past `limit` bytes, 408 where it comes too slowly, 400 where it breaks off, 503 where the budget is spent.
pub async fn read(mut body: Incoming, limit: usize, mut lease: Lease) -> Result<(Vec<u8>, Lease), Fault> {
    if body.is_end_stream() {
        return Ok((Vec::new(), lease));
    }
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large(limit));
    }
    let most = body.size_hint().exact().and_then(|length| usize::try_from(length).ok()).unwrap_or(limit);
    let mut pace = Pace::new(Instant::now());
    let mut whole = Vec::new();
    loop {
        let Ok(frame) = timeout_at(pace.due(), body.frame()).await else {
            return Err(Fault::new(Code::RequestTimeout, "the body came too slowly"));
        };
        let Some(frame) = frame else { return Ok((whole, lease)) };
        let frame = frame.map_err(|_| Fault::new(Code::InvalidRequest, "the body broke off or is malformed"))?;
        // Trailers are of no use to anybody here.
        let Ok(data) = frame.into_data() else { continue };
        if whole.len().saturating_add(data.len()) > limit {
            return Err(too_large(limit));
        }
        pace.came(data.len(), Instant::now());
        lease.reserve(&mut whole, data.len(), most)?;
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
        let budget = Budget::new(12);
        let [mut one, mut same, mut other] = [Some(1), Some(1), None].map(|app| Lease::none(&budget, app));
        assert!(one.grow(2).is_ok() && same.grow(1).is_ok());
        assert!(same.grow(1).unwrap_err().detail.contains("one app's bodies"));
        assert!(other.grow(9).is_ok() && other.grow(1).unwrap_err().detail.contains("too many bodies"));
        drop(one);
        assert!(same.grow(1).is_err(), "a quarter of what the others left");
        assert!(other.grow(2).is_ok() && other.grow(1).is_err());
        drop(same);
        assert!(other.grow(1).is_ok());
    }

    #[test]
    fn what_is_reserved_counts_and_what_is_promised_does_not() {
        let budget = Budget::new(400 << 10);
        let (mut lease, mut whole) = (Lease::none(&budget, Some(1)), Vec::new());
        let mut come = |bytes: usize| {
            let outcome = lease.reserve(&mut whole, bytes << 10, 80 << 10).map(|()| whole.extend(vec![0; bytes << 10]));
            (outcome.is_ok(), lease.bytes >> 10, whole.capacity() >> 10)
        };
        assert_eq!(come(10), (true, 0, 10), "a small one needs none");
        assert_eq!((come(20), come(1), come(40)), ((true, 30, 30), (true, 60, 60), (true, 80, 80)));
        assert_eq!((come(9), come(30)), ((true, 80, 80), (false, 80, 80)), "110 are more than a quarter of all");
    }
}
