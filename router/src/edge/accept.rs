//! Accepting: a connection is counted, given to a runtime, and served until it ends or the house closes.

use std::{
    convert::Infallible,
    io,
    net::IpAddr,
    pin::pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use http::Request;
use http_body::Body as _;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
    sync::{mpsc, watch},
    time::{sleep, timeout},
};
use tower::Service as _;

use super::{
    admit,
    caps::Pass,
    listen::{Common, Lane, Listeners},
    refusal,
    session::Session,
    socket::{self, Listener},
    stack, translate,
    wire::Wire,
};
use crate::house::House;

const HEADERS: usize = fazt_protocol::limit::HEADERS;
/// Room for a whole head: the target, 64 KiB of headers, and enough beyond to say which of the two is too long.
const BUFFER_BYTES: usize = 96 * 1024;
/// How long accepting rests where the process has no descriptor or memory left.
const REST: Duration = Duration::from_millis(50);
/// How long a connection without a request in hand stays open when the farm closes: what a client sent before it could know
/// is on its way.
const LAST_WORDS: Duration = Duration::from_millis(100);
/// How long after the last request's limit connections may need to end.
const GRACE: Duration = Duration::from_secs(1);
/// What is read of a client that is one too many, so that closing does not take its answer with it.
const UNHEARD_BYTES: usize = 16 * 1024;

/// A connection that was let in.
#[derive(Debug)]
pub(super) struct Guest {
    socket: Socket,
    peer: Option<IpAddr>,
    pass: Pass,
}

#[derive(Debug)]
enum Socket {
    Tcp(std::net::TcpStream),
    Unix(std::os::unix::net::UnixStream),
}

/// What every connection of a runtime needs. Whoever holds one keeps the runtime from ending.
#[derive(Debug, Clone)]
struct Reception {
    house: Arc<House>,
    common: Arc<Common>,
    lane: Arc<Lane>,
    http: http1::Builder,
    _alive: mpsc::Sender<Infallible>,
}

struct Doorway {
    door: Door,
    /// Whether somebody else goes on with it.
    lent: bool,
}

enum Door {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// See [`super::listen::serve`].
pub(super) async fn serve(house: Arc<House>, listeners: Listeners) -> io::Result<()> {
    let Listeners { sockets, common } = listeners;
    let (lane, mut handed) = common.join();
    let doorways = sockets.into_iter().map(Doorway::from_listener).collect::<io::Result<Vec<_>>>()?;
    let (alive, mut all_gone) = mpsc::channel(1);
    let mut closing = house.closing.clone();
    let patience = house.config.edge.request.saturating_add(GRACE);
    let reception = Reception { house, common, lane, http: http(), _alive: alive };
    for doorway in doorways {
        tokio::spawn(reception.clone().accept(doorway));
    }
    loop {
        tokio::select! {
            _ = closed(&mut closing) => break,
            Some(guest) = handed.recv() => reception.clone().seat(guest),
        }
    }
    // What was handed over and not yet seated was accepted, and is served like the rest.
    handed.close();
    while let Some(guest) = handed.recv().await {
        reception.clone().seat(guest);
    }
    let common = Arc::clone(&reception.common);
    drop(reception);
    // Past that time whoever is left has had all that it can claim. A runtime that is done waits for the others: workers
    // whose keepers live on it may be serving their requests.
    let _late = timeout(patience, async {
        let _all_gone = all_gone.recv().await;
        common.rest().await;
    })
    .await;
    Ok(())
}

fn http() -> http1::Builder {
    let mut http = http1::Builder::new();
    // The wire has the clocks: the library's would be set anew for every request.
    http.header_read_timeout(None).max_headers(HEADERS).max_buf_size(BUFFER_BYTES);
    http
}

async fn closed(closing: &mut watch::Receiver<bool>) {
    // A house that is gone without having said so has closed as well.
    let _gone = closing.wait_for(|closing| *closing).await;
}

impl Reception {
    async fn accept(self, doorway: Doorway) {
        let mut closing = self.house.closing.clone();
        loop {
            let accepted = tokio::select! {
                biased;
                () = closed(&mut closing) => break,
                accepted = doorway.next() => accepted,
            };
            match accepted {
                Ok((socket, peer)) => self.receive(socket, peer),
                Err(error) if is_the_clients(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    sleep(REST).await;
                }
            }
        }
        // Whoever waits at a door that was lent is the next farm's guest.
        if doorway.lent {
            return;
        }
        // Who was let in by the kernel already is served; then nobody is let in any more, by any copy of the socket.
        while let Ok(Ok((socket, peer))) = timeout(Duration::ZERO, doorway.next()).await {
            self.receive(socket, peer);
        }
        doorway.shut();
    }

    /// Lets a connection in, and gives it to the runtime that should have it.
    fn receive(&self, socket: Socket, peer: Option<IpAddr>) {
        // A proxy brings many clients over one address.
        let counted = peer.filter(|_| !translate::vouches(peer, &self.house.config.edge.trusted));
        let Some(pass) = self.common.caps.admit(counted) else {
            socket.turn_away();
            return;
        };
        let guest = Guest { socket, peer, pass };
        let lane = self.common.choose(&self.lane);
        if Arc::ptr_eq(&lane, &self.lane) {
            self.clone().seat(guest);
        } else if let Err(refused) = lane.guests.try_send(guest) {
            self.clone().seat(refused.into_inner());
        }
    }

    fn seat(self, guest: Guest) {
        self.lane.connections.fetch_add(1, Relaxed);
        tokio::spawn(async move {
            let lane = Arc::clone(&self.lane);
            self.host(guest).await;
            lane.connections.fetch_sub(1, Relaxed);
        });
    }

    async fn host(self, guest: Guest) {
        let Guest { socket, peer, pass } = guest;
        let session = Session::new(peer, Arc::clone(&self.common.budget));
        let session = Arc::new(if pass.is_kept() { session.kept() } else { session });
        match socket {
            Socket::Tcp(socket) => match TcpStream::from_std(socket) {
                Ok(socket) => self.talk(socket, session).await,
                Err(error) => tracing::warn!(%error, "a connection could not be served"),
            },
            Socket::Unix(socket) => match UnixStream::from_std(socket) {
                Ok(socket) => self.talk(socket, session).await,
                Err(error) => tracing::warn!(%error, "a connection could not be served"),
            },
        }
        drop(pass);
    }

    async fn talk<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(self, socket: S, session: Arc<Session>) {
        let mut closing = self.house.closing.clone();
        let wire = TokioIo::new(Wire::new(socket, Arc::clone(&session)));
        let stack = stack::stack(self.house, Arc::clone(&session));
        let arriving = Arc::clone(&session);
        let service = service_fn(move |request: Request<Incoming>| {
            // At once, and not when the answer is first asked for: the library may meet the end of the stream before that.
            arriving.begin(request.body().is_end_stream());
            stack.clone().call(request)
        });
        let mut connection = pin!(self.http.serve_connection(wire, service));
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = closed(&mut closing) => {
                session.end_after_this();
                match timeout(LAST_WORDS, connection.as_mut()).await {
                    Ok(ended) => ended,
                    Err(_late) => {
                        session.refuse();
                        connection.as_mut().graceful_shutdown();
                        connection.await
                    }
                }
            }
        };
        // What a client does wrong is its own affair; the request's line in the log says what came of it.
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection ended");
        }
    }
}

impl Doorway {
    fn from_listener(listener: Listener) -> io::Result<Self> {
        let Listener { socket, lent } = listener;
        let door = match socket {
            socket::Socket::Tcp(listener) => TcpListener::from_std(listener).map(Door::Tcp),
            socket::Socket::Unix(listener) => UnixListener::from_std(listener).map(Door::Unix),
        };
        Ok(Self { door: door?, lent })
    }

    /// Turns later clients away at the door. Another runtime may have done so already.
    fn shut(&self) {
        match &self.door {
            // Whoever holds a copy of this socket accepts nothing through it any more.
            Door::Tcp(listener) => {
                let _shut = rustix::net::shutdown(listener, rustix::net::Shutdown::Read);
            }
            // A socket of this family that is shut stays readable for ever without anything to accept; its name goes instead.
            Door::Unix(listener) => {
                let address = listener.local_addr().ok();
                let _removed = address.as_ref().and_then(|at| at.as_pathname()).map(std::fs::remove_file);
            }
        }
    }

    async fn next(&self) -> io::Result<(Socket, Option<IpAddr>)> {
        match &self.door {
            Door::Tcp(listener) => {
                let (socket, peer) = listener.accept().await?;
                // Answers are written whole; waiting for more to fill a packet only delays them.
                socket.set_nodelay(true)?;
                Ok((Socket::Tcp(socket.into_std()?), Some(peer.ip().to_canonical())))
            }
            Door::Unix(listener) => {
                let (socket, _) = listener.accept().await?;
                Ok((Socket::Unix(socket.into_std()?), None))
            }
        }
    }
}

impl Socket {
    /// Says that there is no room, as far as that can be said without waiting.
    fn turn_away(self) {
        let words = refusal::turn_away(&admit::full());
        match self {
            Self::Tcp(mut socket) => say_last(&mut socket, &words),
            Self::Unix(mut socket) => say_last(&mut socket, &words),
        }
    }
}

fn say_last(socket: &mut (impl io::Read + io::Write), words: &[u8]) {
    // Whoever does not take it, or has gone, is turned away all the same.
    let _unheard = socket.read(&mut [0; UNHEARD_BYTES]);
    let _untold = socket.write(words);
}

/// Whether it is about the one client that was to be accepted, and not about us.
fn is_the_clients(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, InvalidInput, NotConnected};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | InvalidInput | NotConnected)
}
