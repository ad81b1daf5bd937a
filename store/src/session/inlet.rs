//! The way in of a channel: one read at a time, without room for descriptors; and why a channel ends.

use std::{cell::RefCell, io, os::fd::AsFd};

use fazt_protocol::{
    Breach,
    frame::{FrameError, Inbox},
};
use rustix::net::RecvFlags;
use tokio::{io::Interest, net::UnixStream};

/// What one read asks for.
const READ_BYTES: usize = 64 * 1024;

thread_local! {
    /// Where all sessions of the reactor read to; a buffer of that size for each would be most of their memory.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
}

/// Why a channel is over.
#[derive(Debug, thiserror::Error)]
pub(crate) enum End {
    #[error("the worker is gone")]
    Gone,
    #[error("the app was removed")]
    Removed,
    #[error("{0}")]
    Frame(#[from] FrameError),
    #[error("{0}")]
    Breach(#[from] Breach),
    #[error("{0}")]
    Socket(io::Error),
    #[error("it left its answer unread")]
    Unread,
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => Self::Gone,
            _ => Self::Socket(error),
        }
    }
}

/// Reads once what the socket has.
pub(super) fn read(socket: &UnixStream, inbox: &mut Inbox) -> Result<(), End> {
    let mut came = None;
    let tried = SCRATCH.with_borrow_mut(|scratch| {
        socket.try_io(Interest::READABLE, || {
            let (count, _) = rustix::net::recv(socket.as_fd(), scratch.as_mut_slice(), RecvFlags::empty())?;
            inbox.space().extend_from_slice(scratch.get(..count).unwrap_or_default());
            came = Some(count);
            // A short read has emptied the socket: told so, tokio waits for the next edge without a call in vain.
            if count < READ_BYTES { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
        })
    });
    match (came, tried) {
        (Some(0), _) => Err(End::Gone),
        (Some(_), _) | (None, Ok(())) => Ok(()),
        (None, Err(error)) => match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(()),
            _ => Err(error.into()),
        },
    }
}
