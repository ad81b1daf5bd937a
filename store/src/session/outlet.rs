//! The way out of a channel: any thread sends; what the socket does not take at once is left to the reactor.
//!
//! Order is kept by one lock. What waits is bounded: a session takes no question while something waits here.

use std::{io, os::fd::AsFd, sync::Arc};

use fazt_protocol::fd::{self, Waiting};
use parking_lot::Mutex;
use tokio::{io::Interest, net::UnixStream, sync::Notify};

use crate::budget::Lease;

#[derive(Debug)]
pub(crate) struct Outlet {
    socket: Arc<UnixStream>,
    rest: Mutex<Rest>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct Rest {
    bytes: Vec<u8>,
    sent: usize,
    leases: Vec<Lease>,
    broken: bool,
}

impl Outlet {
    pub(crate) fn new(socket: Arc<UnixStream>) -> Self {
        Self { socket, rest: Mutex::default(), wake: Notify::new() }
    }

    /// Sends frames from any thread, without waiting. The lease is kept until they are out.
    pub(crate) fn send(&self, bytes: Vec<u8>, lease: Lease) {
        let mut rest = self.rest.lock();
        if rest.broken {
            return;
        }
        if !rest.bytes.is_empty() {
            rest.bytes.extend_from_slice(&bytes);
            rest.leases.push(lease);
            return;
        }
        match fd::send(self.socket.as_fd(), &bytes, &[], Waiting::Never) {
            Ok(sent) if sent == bytes.len() => return,
            Ok(sent) => *rest = Rest { bytes, sent, leases: vec![lease], broken: false },
            Err(error) if is_passing(&error) => *rest = Rest { bytes, sent: 0, leases: vec![lease], broken: false },
            Err(_gone) => rest.broken = true,
        }
        drop(rest);
        self.wake.notify_one();
    }

    /// Whether something waits, or the peer is gone.
    pub(crate) fn is_waiting(&self) -> bool {
        let rest = self.rest.lock();
        rest.broken || !rest.bytes.is_empty()
    }

    /// Resolves when something begins to wait.
    pub(crate) async fn filled(&self) {
        self.wake.notified().await;
    }

    /// Sends what waits as the socket takes it. May be given up at any time.
    pub(crate) async fn drain(&self) -> io::Result<()> {
        while self.is_waiting() {
            self.socket.async_io(Interest::WRITABLE, || self.send_some()).await?;
        }
        Ok(())
    }

    fn send_some(&self) -> io::Result<()> {
        let mut rest = self.rest.lock();
        if rest.broken {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let left = rest.bytes.get(rest.sent..).unwrap_or_default();
        let sent = fd::send(self.socket.as_fd(), left, &[], Waiting::Never)?;
        rest.sent = rest.sent.saturating_add(sent);
        if rest.sent >= rest.bytes.len() {
            *rest = Rest::default();
        }
        Ok(())
    }
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
