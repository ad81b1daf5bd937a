//! Signals: dump, close, close at once. Heard on the router's first thread, which does no request's work.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// SIGUSR1: the pool into the log.
    Dump,
    /// SIGTERM, SIGINT: finish what runs, and end. A second one: end at once.
    Close,
    /// SIGHUP, which would end a process that does not hear it.
    Hangup,
}

/// The signals that the router hears.
#[derive(Debug)]
pub struct Signals {
    dump: Signal,
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// Hears them from now on.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn hear() -> std::io::Result<Self> {
        Ok(Self {
            dump: signal(SignalKind::user_defined1())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// The wish to close, whatever else is wished before.
    pub async fn close(&mut self) {
        while self.next().await != Wish::Close {}
    }

    /// The next one.
    pub async fn next(&mut self) -> Wish {
        tokio::select! {
            _ = self.dump.recv() => Wish::Dump,
            _ = self.terminate.recv() => Wish::Close,
            _ = self.interrupt.recv() => Wish::Close,
            _ = self.hangup.recv() => Wish::Hangup,
        }
    }
}
