//! Sockets that are listened on, whoever opened them.

use std::{
    io,
    net::TcpListener,
    os::{
        fd::{AsFd, BorrowedFd},
        unix::net::UnixListener,
    },
    path::Path,
};

use super::config::Listen;

/// Why an address cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Somebody does already.
    #[error("{0} is in use by another program; stop it, or choose another address with --listen")]
    InUse(Listen),
    /// This user may not.
    #[error("{0} may not be listened on by this user; choose a port from 1024 on with --listen")]
    Denied(Listen),
    /// The path is there, and no socket.
    #[error("{} is there and is no socket; remove it, or choose another path with --listen", .0.display())]
    NoSocket(std::path::PathBuf),
    /// A service manager handed over something else.
    #[error(
        "descriptor {} is no listener ({error}); hand over stream sockets that listen: in the .socket unit ListenStream=, and \
         not Accept=yes", .at + 3
    )]
    Lent {
        /// Its place among those that were handed over, from 0 on.
        at: usize,
        /// What is wrong with it.
        error: io::Error,
    },
    /// Anything else.
    #[error("{address} cannot be listened on: {error}")]
    Other {
        /// The address.
        address: Listen,
        /// What the kernel says.
        error: io::Error,
    },
}

/// A bound socket, for one runtime.
#[derive(Debug)]
pub(super) struct Listener {
    pub(super) socket: Socket,
    /// Whether somebody lent it to us who goes on with it when we have ended.
    pub(super) lent: bool,
}

#[derive(Debug)]
pub(super) enum Socket {
    /// TCP.
    Tcp(TcpListener),
    /// A socket file.
    Unix(UnixListener),
}

impl Listener {
    /// The same socket once more.
    pub(super) fn duplicate(&self) -> io::Result<Self> {
        let socket = match &self.socket {
            Socket::Tcp(listener) => listener.try_clone().map(Socket::Tcp),
            Socket::Unix(listener) => listener.try_clone().map(Socket::Unix),
        };
        Ok(Self { socket: socket?, lent: self.lent })
    }

    /// Where it listens: a port of 0 is a real one by now.
    pub(super) fn address(&self) -> String {
        match &self.socket {
            Socket::Tcp(listener) => listener.local_addr().map(|address| address.to_string()).unwrap_or_default(),
            Socket::Unix(listener) => {
                let address = listener.local_addr().ok();
                let path = address.as_ref().and_then(|address| address.as_pathname());
                format!("unix:{}", path.unwrap_or(Path::new("")).display())
            }
        }
    }
}

impl Socket {
    pub(super) fn set_nonblocking(&self) -> io::Result<()> {
        match self {
            Self::Tcp(listener) => listener.set_nonblocking(true),
            Self::Unix(listener) => listener.set_nonblocking(true),
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(listener) => listener.as_fd(),
            Self::Unix(listener) => listener.as_fd(),
        }
    }
}
