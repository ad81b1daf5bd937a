//! The wire below HTTP: a socket that cannot be left hanging.
//!
//! Four clocks that the HTTP library has none of, or only coarse ones: a head has 5 s from its first byte, an idle connection
//! 15 s (either 2 s in a place that is kept for the farm's own pages), an answer may stand still for 30 s and a second more
//! for each 4 KiB that went out, and after the last answer what still comes in is read away for a second, since a socket
//! that is closed with bytes unread takes the answer with it. A client that closes its sending side while it waits
//! still gets its answer; one that resets is reported at once. Heads are watched for smuggling ([`super::heads`]), and what the
//! library says to a head that it refuses is said as a problem ([`super::refusal`]).

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use bytes::{Buf, Bytes};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

use super::{
    heads::{self, Heads},
    refusal,
    session::Session,
};

const HEAD: Duration = Duration::from_secs(5);
const IDLE: Duration = Duration::from_secs(15);
/// What either is where others wait for the place.
const KEPT: Duration = Duration::from_secs(2);
const STALL: Duration = Duration::from_secs(30);
/// The slowest that an answer may be taken, in bytes a second, once it has stood still that long.
const SLOWEST: u64 = 4 * 1024;
const LINGER: Duration = Duration::from_secs(1);
/// What is read away at the end, at most.
const LINGER_BYTES: usize = 1 << 20;

/// A socket with its clocks.
#[derive(Debug)]
pub(super) struct Wire<S> {
    socket: S,
    session: Arc<Session>,
    heads: Heads,
    /// Armed for the earliest moment that mattered when it was set: resetting it for every request would cost more than a
    /// needless look every 15 s.
    clock: Pin<Box<Sleep>>,
    /// When anything last moved.
    moved: Instant,
    head_since: Option<Instant>,
    stalled: Option<Pin<Box<Sleep>>>,
    /// How long writing may still stand still.
    patience: Duration,
    /// Who asked for more when the client had nothing more to say, and was not told.
    untold: Option<Waker>,
    /// Requests whose answers are out, all of them, to the last byte.
    settled: u32,
    /// What is said in place of the library's own words.
    instead: Bytes,
    /// What the library is still to read after a head that was spoiled.
    end: &'static [u8],
    ending: Ending,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Open,
    Draining(usize),
    Over,
}

impl<S> Wire<S> {
    /// A socket that was just accepted.
    pub(super) fn new(socket: S, session: Arc<Session>) -> Self {
        let now = Instant::now();
        Self {
            socket,
            session,
            heads: Heads::new(),
            clock: Box::pin(sleep_until(now + IDLE)),
            moved: now,
            head_since: None,
            stalled: None,
            patience: STALL,
            untold: None,
            settled: 0,
            instead: Bytes::new(),
            end: &[],
            ending: Ending::Open,
        }
    }

    fn took(&mut self, bytes: &mut [u8]) {
        self.moved = Instant::now();
        let was_broken = self.heads.is_broken();
        self.heads.watch(bytes);
        if self.heads.is_broken() && !was_broken {
            self.end = heads::END;
        }
        self.head_since = if self.heads.is_partial() { self.head_since.or(Some(self.moved)) } else { None };
        if let Some(request) = self.heads.last() {
            self.session.end_after(request);
        }
    }

    /// Gives the library as much as there is room for of the end of a head that was spoiled.
    fn give_end(&mut self, to: &mut ReadBuf<'_>) {
        let (now, later) = self.end.split_at(self.end.len().min(to.remaining()));
        to.put_slice(now);
        self.end = later;
    }

    /// Whether an answer is due, or on its way: to a request in hand that came whole, or to one that is still to be read.
    fn is_owed(&self) -> bool {
        self.session.is_working()
            || self.stalled.is_some()
            || (self.session.is_reading() && !self.heads.is_in_body())
            || self.heads.is_ahead(self.session.requests())
    }

    /// Nothing came: has the client still time?
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let (head, idle) = if self.session.is_kept { (KEPT, KEPT) } else { (HEAD, IDLE) };
        loop {
            let due = match self.head_since {
                Some(since) => since + head,
                None if self.session.is_waiting() && self.stalled.is_none() => self.moved + idle,
                // A request or its answer is in hand: others watch over it, and reading is asked for again after it.
                None => return Poll::Pending,
            };
            if due <= Instant::now() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            if self.clock.deadline() > due || self.clock.is_elapsed() {
                self.clock.as_mut().reset(due);
            }
            ready!(self.clock.as_mut().poll(cx));
        }
    }

    /// Takes words of the library's own. All that it writes answers a request, but for its refusal of a head: what comes
    /// while no answer is due is that. Says whether it was.
    fn takes(&mut self, words: &[u8]) -> bool {
        if !self.session.is_waiting() || self.session.requests() != self.settled || self.instead.has_remaining() {
            return false;
        }
        let Some(instead) = refusal::reword(words) else { return false };
        self.instead = instead;
        true
    }

    /// A write moved on, or did not.
    fn wrote(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(written) = written {
            self.moved = Instant::now();
            if let Some(clock) = self.stalled.take() {
                self.patience = clock.deadline().saturating_duration_since(self.moved);
            }
            let bytes = written.as_ref().map_or(0, |bytes| *bytes as u64);
            let earned = Duration::from_millis(bytes.saturating_mul(1_000) / SLOWEST);
            self.patience = self.patience.saturating_add(earned).min(STALL);
            return Poll::Ready(written);
        }
        let due = Instant::now() + self.patience;
        let clock = self.stalled.get_or_insert_with(|| Box::pin(sleep_until(due)));
        ready!(clock.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncWrite + Unpin> Wire<S> {
    fn poll_instead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.instead.has_remaining() {
            let written = Pin::new(&mut self.socket).poll_write(cx, &self.instead);
            match ready!(self.wrote(cx, written))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => self.instead.advance(count),
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.end.is_empty() {
            self.give_end(to);
            return Poll::Ready(Ok(()));
        }
        let before = to.filled().len();
        let Poll::Ready(read) = Pin::new(&mut self.socket).poll_read(cx, to) else { return self.wait(cx) };
        read?;
        let came = to.filled_mut().get_mut(before..).unwrap_or_default();
        if came.is_empty() {
            // The end of what the client says is not the end of what it hears: while an answer is due, it is not told.
            if self.is_owed() {
                self.untold = Some(cx.waker().clone());
                return self.wait(cx);
            }
            return Poll::Ready(Ok(()));
        }
        self.took(came);
        self.give_end(to);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.takes(bytes) {
            return Poll::Ready(Ok(bytes.len()));
        }
        let written = Pin::new(&mut self.socket).poll_write(cx, bytes);
        self.wrote(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.takes(pieces.first().map_or(&[], |piece| piece)) {
            return Poll::Ready(Ok(pieces.iter().map(|piece| piece.len()).sum()));
        }
        let written = Pin::new(&mut self.socket).poll_write_vectored(cx, pieces);
        self.wrote(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_instead(cx))?;
        ready!(Pin::new(&mut self.socket).poll_flush(cx))?;
        if self.session.is_waiting() {
            self.settled = self.session.requests();
        }
        if !self.is_owed()
            && let Some(waker) = self.untold.take()
        {
            waker.wake();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.ending == Ending::Open {
            ready!(Pin::new(&mut self.socket).poll_shutdown(cx))?;
            if !self.heads.is_open(self.session.requests()) {
                self.ending = Ending::Over;
                return Poll::Ready(Ok(()));
            }
            self.ending = Ending::Draining(0);
            self.clock.as_mut().reset(Instant::now() + LINGER);
        }
        let mut space = [0; 8 * 1024];
        while let Ending::Draining(drained) = self.ending {
            let mut to = ReadBuf::new(&mut space);
            let over = match Pin::new(&mut self.socket).poll_read(cx, &mut to) {
                Poll::Pending => {
                    ready!(self.clock.as_mut().poll(cx));
                    true
                }
                Poll::Ready(Err(_)) => true,
                Poll::Ready(Ok(())) => to.filled().is_empty() || drained > LINGER_BYTES,
            };
            let drained = drained.saturating_add(to.filled().len());
            self.ending = if over { Ending::Over } else { Ending::Draining(drained) };
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests;
