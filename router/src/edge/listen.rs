//! The doors to the farm: listeners, bound or handed over once and accepted from by every runtime.
//!
//! Each runtime has listeners of its own, made from the first by [`Listeners::duplicate`]: the same sockets, so that a second
//! farm on the port must fail (no SO_REUSEPORT), and the same caps. A runtime that happens to accept more than its share hands
//! connections to the one that has the fewest.

use std::{
    io,
    net::TcpListener,
    os::unix::{fs::FileTypeExt, net::UnixListener},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use parking_lot::RwLock;
use tokio::sync::{mpsc, watch};

use super::{
    accept::{self, Guest},
    activation,
    body::Budget,
    caps::Caps,
    config::{Config, Listen},
    socket::{BindError, Listener, Socket},
};
use crate::house::House;

/// Connections that the kernel keeps for us while we are busy.
const BACKLOG: i32 = 4_096;
/// Connections on their way from one runtime to another.
const HANDED_OVER: usize = 256;

/// All addresses, bound, for one runtime.
#[derive(Debug)]
pub struct Listeners {
    pub(super) sockets: Vec<Listener>,
    pub(super) common: Arc<Common>,
}

/// What all runtimes share.
#[derive(Debug)]
pub(super) struct Common {
    pub(super) caps: Arc<Caps>,
    pub(super) budget: Arc<Budget>,
    lanes: RwLock<Vec<Arc<Lane>>>,
    /// Lanes whose connections have all ended.
    resting: watch::Sender<usize>,
}

/// One runtime, as the others see it.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) connections: AtomicUsize,
    pub(super) guests: mpsc::Sender<Guest>,
}

impl Listeners {
    /// Takes the sockets that a service manager handed over, or else binds all addresses of a configuration. To be called
    /// before there is a second thread.
    ///
    /// # Errors
    /// [`BindError`]; then none stays bound.
    pub fn open(config: &Config) -> Result<Self, BindError> {
        let lent = activation::take()?;
        if lent.is_empty() { Self::bind(config) } else { Ok(Self::of(lent, config)) }
    }

    fn bind(config: &Config) -> Result<Self, BindError> {
        let sockets = config.listen.iter().map(bind).collect::<Result<_, _>>()?;
        Ok(Self::of(sockets, config))
    }

    fn of(sockets: Vec<Listener>, config: &Config) -> Self {
        let common = Common {
            caps: Arc::new(Caps::for_descriptors(raise_descriptor_limit())),
            budget: Budget::new(config.body_budget),
            lanes: RwLock::default(),
            resting: watch::Sender::default(),
        };
        Self { sockets, common: Arc::new(common) }
    }

    /// The same sockets for another runtime.
    ///
    /// # Errors
    /// What dup(2) says.
    pub fn duplicate(&self) -> io::Result<Self> {
        let sockets = self.sockets.iter().map(Listener::duplicate).collect::<io::Result<_>>()?;
        Ok(Self { sockets, common: Arc::clone(&self.common) })
    }

    /// The addresses as they were bound: a port of 0 is a real one by now.
    #[must_use]
    pub fn addresses(&self) -> Vec<String> {
        self.sockets.iter().map(Listener::address).collect()
    }
}

/// Accepts and serves, on the runtime that this is awaited on, until the house closes and what runs has ended, or the limit
/// of a whole request has passed.
pub async fn serve(house: Arc<House>, listeners: Listeners) {
    if let Err(error) = accept::serve(house, listeners).await {
        tracing::error!(%error, "a runtime cannot take its sockets");
    }
}

impl Common {
    /// Another runtime begins to accept; what others hand to it comes out of the receiver.
    pub(super) fn join(&self) -> (Arc<Lane>, mpsc::Receiver<Guest>) {
        let (guests, handed) = mpsc::channel(HANDED_OVER);
        let lane = Arc::new(Lane { connections: AtomicUsize::new(0), guests });
        self.lanes.write().push(Arc::clone(&lane));
        (lane, handed)
    }

    /// This runtime's connections have all ended; waits until all others' have.
    pub(super) async fn rest(&self) {
        let all = self.lanes.read().len();
        let mut resting = self.resting.subscribe();
        self.resting.send_modify(|count| *count = count.saturating_add(1));
        // The sender lives as long as this.
        let _all_rest = resting.wait_for(|count| *count >= all).await;
    }

    /// The lane that should have the next connection: `own`, unless another has clearly fewer.
    pub(super) fn choose(&self, own: &Arc<Lane>) -> Arc<Lane> {
        let lanes = self.lanes.read();
        let count = |lane: &Arc<Lane>| lane.connections.load(Relaxed);
        let fewest = lanes.iter().min_by_key(|lane| count(lane)).unwrap_or(own);
        // One more is not worth the way.
        let chosen = if count(own) > count(fewest).saturating_add(1) { fewest } else { own };
        Arc::clone(chosen)
    }
}

fn bind(address: &Listen) -> Result<Listener, BindError> {
    let explain = |error: io::Error| match error.kind() {
        io::ErrorKind::AddrInUse => BindError::InUse(address.clone()),
        io::ErrorKind::PermissionDenied => BindError::Denied(address.clone()),
        _ => BindError::Other { address: address.clone(), error },
    };
    let socket = match address {
        Listen::Tcp(tcp) => TcpListener::bind(tcp).map(Socket::Tcp).map_err(explain)?,
        Listen::Unix(path) => {
            clear(path, address)?;
            UnixListener::bind(path).map(Socket::Unix).map_err(explain)?
        }
    };
    // The standard library's backlog is that of a time with fewer clients; asking again only changes it.
    let backlog = rustix::net::listen(&socket, BACKLOG).map_err(io::Error::from);
    socket.set_nonblocking().and(backlog).map_err(explain)?;
    Ok(Listener { socket, lent: false })
}

/// Removes a socket file that a farm which is no more left behind.
fn clear(path: &Path, address: &Listen) -> Result<(), BindError> {
    let Ok(found) = path.symlink_metadata() else { return Ok(()) };
    if !found.file_type().is_socket() {
        return Err(BindError::NoSocket(path.to_owned()));
    }
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        return Err(BindError::InUse(address.clone()));
    }
    std::fs::remove_file(path).map_err(|error| BindError::Other { address: address.clone(), error })
}

/// Takes all descriptors that this process may have; says how many.
fn raise_descriptor_limit() -> u64 {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return 256 };
    match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
        Ok(()) => hard,
        Err(_) => soft,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(listen: Listen) -> Config {
        Config {
            listen: vec![listen],
            domains: Vec::new(),
            default_app: None,
            run: std::time::Duration::from_secs(1),
            request: std::time::Duration::from_secs(5),
            body_bytes: 1,
            body_budget: 1,
            content_bytes: 1,
            trusted: Vec::new(),
            debug: false,
        }
    }

    #[test]
    fn a_port_is_one_farms() {
        let listeners = Listeners::bind(&config(Listen::Tcp("127.0.0.1:0".parse().unwrap()))).unwrap();
        let address = listeners.addresses().remove(0);
        assert_eq!(listeners.duplicate().unwrap().addresses(), std::slice::from_ref(&address));
        let second = Listeners::bind(&config(Listen::Tcp(address.parse().unwrap())));
        assert!(matches!(second, Err(BindError::InUse(_))));
    }

    #[test]
    fn a_stale_socket_file_is_replaced_and_a_living_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("farm.sock");
        let unix = config(Listen::Unix(path.clone()));
        let first = Listeners::bind(&unix).unwrap();
        assert!(matches!(Listeners::bind(&unix), Err(BindError::InUse(_))));
        drop(first);
        assert!(path.exists());
        drop(Listeners::bind(&unix).unwrap());
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "precious").unwrap();
        assert!(matches!(Listeners::bind(&unix), Err(BindError::NoSocket(_))));
    }

    #[test]
    fn connections_go_to_who_has_fewest() {
        let listeners = Listeners::bind(&config(Listen::Tcp("127.0.0.1:0".parse().unwrap()))).unwrap();
        let common = &listeners.common;
        let ((first, _to_first), (second, _to_second)) = (common.join(), common.join());
        first.connections.store(1, Relaxed);
        assert!(Arc::ptr_eq(&common.choose(&first), &first));
        first.connections.store(2, Relaxed);
        assert!(Arc::ptr_eq(&common.choose(&first), &second));
    }
}
