//! What all threads of the process share: the queues between them, the connection for point reads, limits and counters.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use fazt_protocol::{grant::GrantKey, registry::Status};
use parking_lot::Mutex;

use crate::{
    budget::Budget, config::Config, connection::Connection, delay::Delay, question::Question, queue::Queue,
    readers::Read, schema, session::Channel, writer::Write,
};

/// Threads that scan. So many apps' scans share the processors as the kernel divides them, and wait for nobody's end; the
/// figures are in docs/capacity.md.
pub(crate) const SCANNERS: usize = 16;
/// Threads that read: those, and one for what is quick.
const READERS: usize = SCANNERS + 1;
/// Scans that one app may have in hand at once: so the kernel, which divides by threads, divides by apps.
const SCANS: usize = 1;
const _: () = assert!(SCANS < SCANNERS, "other apps' scans find a thread beside one app's");
/// How far what is probably dear stands back at most: so much may each of the others use before it. As far as a write of many
/// documents does.
const STANDS_BACK: Duration = Duration::from_millis(10);
/// There are many threads that scan, and a scan takes long.
const SCAN_STANDS_BACK: Duration = Duration::from_millis(100);
/// Bodies in this process at once, in bytes.
const BODIES: usize = 256 * 1024 * 1024;
/// Channels of workers.
pub(crate) const BINDS: usize = 4_096;

#[derive(Debug)]
pub(crate) struct Store {
    /// Answers point reads, on the reactor's thread; taken out when the store closes.
    pub(crate) point: Mutex<Option<Connection>>,
    pub(crate) writes: Queue<Write>,
    /// What may take as long as a call may.
    pub(crate) scans: Queue<Read>,
    /// Reads of which each is of few rows: they never wait for a scan, whosever it is.
    pub(crate) reads: Queue<Read>,
    /// Reads of blobs and of deployed files, which may be of many mebibytes each.
    pub(crate) loads: Queue<Question>,
    pub(crate) bodies: Arc<Budget>,
    pub(crate) counters: Counters,
    pub(crate) key: GrantKey,
    pub(crate) limits: Limits,
    pub(crate) delay: Option<Delay>,
    /// Open channels, by their number.
    pub(crate) channels: Mutex<HashMap<u64, Arc<Channel>>>,
    database: PathBuf,
    synchronous: &'static str,
    busy_timeout: Duration,
    sandbox_missing: String,
}

/// What an app may store.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Bytes of an app.
    pub(crate) app_bytes: u64,
    /// Collections of an app.
    pub(crate) collections: u64,
    /// Documents of a collection.
    pub(crate) documents: u64,
    /// Lines of an app's log.
    pub(crate) log_lines: u32,
    /// Their age, in milliseconds.
    pub(crate) log_age_ms: i64,
}

/// Since the start.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) ops: AtomicU64,
    pub(crate) commits: AtomicU64,
    pub(crate) writes: AtomicU64,
}

impl Store {
    pub(crate) fn new(config: &Config, point: Connection, key: GrantKey, sandbox_missing: String) -> Arc<Self> {
        Arc::new(Self {
            point: Mutex::new(Some(point)),
            writes: Queue::new(usize::MAX, STANDS_BACK),
            scans: Queue::new(SCANS, SCAN_STANDS_BACK),
            reads: Queue::new(usize::MAX, STANDS_BACK),
            loads: Queue::new(1, Duration::ZERO),
            bodies: Budget::new(BODIES),
            counters: Counters::default(),
            key,
            limits: Limits::of(config),
            delay: Delay::from_environment(),
            channels: Mutex::default(),
            database: config.database(),
            synchronous: config.durability.word(),
            busy_timeout: config.busy_timeout,
            sandbox_missing,
        })
    }

    /// The longest wait for a lock of somebody else's.
    pub(crate) fn busy_timeout(&self) -> Duration {
        self.busy_timeout
    }

    /// How the store is.
    pub(crate) fn status(&self) -> Status {
        let size = |path: PathBuf| std::fs::metadata(path).map_or(0, |file| file.len());
        let wal = PathBuf::from(format!("{}-wal", self.database.display()));
        Status {
            pid: rustix::process::getpid().as_raw_nonzero().get(),
            path: self.database.display().to_string(),
            journal_mode: "wal".to_owned(),
            synchronous: self.synchronous.to_owned(),
            busy_timeout_ms: u32::try_from(self.busy_timeout.as_millis()).unwrap_or(u32::MAX),
            readers: u32::try_from(READERS).unwrap_or(u32::MAX),
            binds: u32::try_from(self.channels.lock().len()).unwrap_or(u32::MAX),
            wal_bytes: size(wal),
            file_bytes: size(self.database.clone()),
            ops: self.counters.ops.load(Relaxed),
            commits: self.counters.commits.load(Relaxed),
            writes: self.counters.writes.load(Relaxed),
            schema: schema::NEWEST,
            sandbox_missing: self.sandbox_missing.clone(),
        }
    }
}

impl Limits {
    fn of(config: &Config) -> Self {
        Self {
            app_bytes: config.app_storage_bytes,
            collections: config.app_collections,
            documents: config.collection_documents,
            log_lines: config.log_lines,
            log_age_ms: i64::try_from(config.log_age.as_millis()).unwrap_or(i64::MAX),
        }
    }
}

/// Unix time in milliseconds, as documents, keys and versions carry it.
pub(crate) fn unix_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
