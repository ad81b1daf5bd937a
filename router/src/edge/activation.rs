//! Socket activation: listeners that a service manager opened before us and keeps after us, handed over as descriptors from 3 on
//! (sd_listen_fds(3): `LISTEN_FDS`, `LISTEN_PID`).
//!
//! Whoever connects while one farm ends and the next one starts waits in the kernel's queue, and is refused by nobody.

use std::io;

use listenfd::ListenFd;
use rustix::net::sockopt::socket_acceptconn;

use super::socket::{BindError, Listener, Socket};

/// Takes what was handed over; nothing where nobody did. To be called once, before there is a second thread: it takes the
/// variables out of the environment.
///
/// # Errors
/// [`BindError::Lent`] for what is no listener of a stream.
pub(super) fn take() -> Result<Vec<Listener>, BindError> {
    let mut lent = ListenFd::from_env();
    (0..lent.len()).map(|at| listener(&mut lent, at).map_err(|error| BindError::Lent { at, error })).collect()
}

fn listener(lent: &mut ListenFd, at: usize) -> io::Result<Listener> {
    let tcp = lent.take_tcp_listener(at);
    let socket = match tcp {
        Ok(socket) => socket.map(Socket::Tcp),
        Err(_not_tcp) => lent.take_unix_listener(at)?.map(Socket::Unix),
    };
    let socket = socket.ok_or(io::ErrorKind::NotFound)?;
    if !socket_acceptconn(&socket)? {
        return Err(io::Error::other("nobody listens on it"));
    }
    socket.set_nonblocking()?;
    Ok(Listener { socket, lent: true })
}
