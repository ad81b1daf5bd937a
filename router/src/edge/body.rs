//! Bodies: of requests read whole before anybody works on them, of answers given whole or as a stream.
//!
//! A slow sender is cut off, a long upload is not ([`super::pace`]). What all bodies together hold is bounded by a budget, and
//! one app's by its share of it, taken by what arrived and not by what was promised.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use fazt_protocol::{
    limit::{APP_BYTES, ARCHIVE_BYTES, BODY_BYTES},
    share::Shares,
};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};

use super::{
    config::BODY_BUDGET,
    pace::Pace,
    room::{Full, Lease, Room, SMALL_BYTES},
    session::Session,
};
use crate::fault::{Code, Fault};

/// One app's bodies hold at most one of so many parts of the room beyond all floors.
const PARTS: usize = 2;
/// So many apps are sure of a floor, whatever the others hold: room for one body of the largest size.
const FLOORS: usize = 16;

const _: () =
    assert!(BODY_BYTES + BODY_BUDGET / PARTS >= APP_BYTES, "the largest file finds room where nobody holds any");

/// Room for the bodies of all requests, and of all answers.
#[derive(Debug)]
pub struct Budget {
    pub(super) requests: Arc<Room>,
    /// That for answers, static files among them.
    pub(super) answers: Arc<Room>,
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
    /// Room for that many bytes beyond the floors, of requests, and as much again of answers. What comes for the farm's own
    /// pages has room for one deploy beside it; what goes out of those has none, and is small.
    #[must_use]
    pub fn new(bytes: usize) -> Arc<Self> {
        let shares = || Shares::new(bytes, PARTS).with_floors(BODY_BYTES, FLOORS);
        Arc::new(Self { requests: Room::new(shares().with_own(ARCHIVE_BYTES)), answers: Room::new(shares()) })
    }

    /// How many bytes requests and answers hold now, in that order.
    #[must_use]
    pub fn held(&self) -> (usize, usize) {
        (self.requests.held(), self.answers.held())
    }
}

/// Makes room in `whole` for that many bytes more, of `most` that may come in all. It doubles, so that a long body is not
/// moved for each piece; what is reserved for that counts, since it is memory too.
fn reserve(lease: &mut Lease, whole: &mut Vec<u8>, more: usize, most: usize) -> Result<(), Fault> {
    let needed = whole.len().saturating_add(more);
    if needed > whole.capacity() {
        let wanted = whole.capacity().saturating_mul(2).min(most).max(needed);
        // However little others left, a small body is taken.
        if wanted > SMALL_BYTES {
            lease.grow(wanted.saturating_sub(lease.bytes())).map_err(no_room)?;
        }
        whole.reserve_exact(wanted.saturating_sub(whole.len()));
    }
    Ok(())
}

fn no_room(full: Full) -> Fault {
    let detail = match full {
        Full::Share => "this app's requests hold all the room that one app's bodies may have",
        Full::All => "too many bodies are in hand already",
    };
    Fault::new(Code::Overloaded, detail)
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
        reserve(&mut lease, &mut whole, data.len(), most)?;
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
    fn whose_bodies_hold_too_much_is_told_so() {
        let room = Room::new(Shares::new(12, 4));
        let [mut one, mut other] = [Some(1), None].map(|app| room.lease(app));
        let told = |lease: &mut Lease, bytes| lease.grow(bytes).map_err(|full| no_room(full).detail);
        assert_eq!(told(&mut one, 3), Ok(()));
        assert!(told(&mut one, 1).unwrap_err().contains("one app's bodies"));
        assert!(told(&mut other, 10).unwrap_err().contains("too many bodies"));
        drop(one);
        assert_eq!(told(&mut other, 12), Ok(()));
    }

    /// The largest of each kind fits what is set aside for it, also where its length was not promised.
    #[test]
    fn a_floor_has_room_for_the_largest_body_and_the_farms_own_for_a_deploy() {
        let budget = Budget::new(0);
        for (app, most) in [(Some(1), BODY_BYTES), (None, ARCHIVE_BYTES)] {
            let (mut lease, mut whole) = (budget.requests.lease(app), Vec::new());
            assert!(reserve(&mut lease, &mut whole, most / 2 + 1, most).is_ok());
            assert!(reserve(&mut lease, &mut whole, most, most).is_ok() && whole.capacity() == most);
        }
        assert!(budget.answers.keep(1, vec![0; BODY_BYTES]).is_ok());
    }

    #[test]
    fn what_is_reserved_counts_and_what_is_promised_does_not() {
        let room = Room::new(Shares::new(400 << 10, 4));
        let (mut lease, mut whole) = (room.lease(Some(1)), Vec::new());
        let mut come = |bytes: usize| {
            let outcome =
                reserve(&mut lease, &mut whole, bytes << 10, 80 << 10).map(|()| whole.extend(vec![0; bytes << 10]));
            (outcome.is_ok(), lease.bytes() >> 10, whole.capacity() >> 10)
        };
        assert_eq!(come(10), (true, 0, 10), "a small one needs none");
        assert_eq!((come(20), come(1), come(40)), ((true, 30, 30), (true, 60, 60), (true, 80, 80)));
        assert_eq!((come(9), come(30)), ((true, 80, 80), (false, 80, 80)), "110 are more than a quarter of all");
    }
}
