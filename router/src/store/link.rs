//! One life of the store's process, as the router talks to it: questions out, answers back, by correlation number.

use std::{
    collections::HashMap,
    os::fd::{AsFd, OwnedFd},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use fazt_protocol::{
    body::{Assembly, parts},
    grant::GrantKey,
    limit::APP_BYTES,
    pipe::{
        PipeError,
        asynchronous::{Reader, Writer},
    },
    registry::{Answer, Ask, FromStore, Status, ToStore},
};
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

use super::AskError;

/// Frames that wait for the writer. Parts of a large body take their turn with everybody else's questions.
const OUTGOING: usize = 64;

type Waiting = oneshot::Sender<Result<(Answer, Vec<u8>), AskError>>;

/// A conversation with one process.
#[derive(Debug)]
pub struct Link {
    /// To the task that writes: a question that is given up must not leave half a frame behind.
    outgoing: mpsc::Sender<Outgoing>,
    waiting: Mutex<HashMap<u64, Waiting>>,
    correlation: AtomicU64,
    bind: AtomicU64,
    key: GrantKey,
    status: Status,
}

impl Link {
    /// A link whose store has said that it is ready.
    #[must_use]
    pub fn new(writer: Writer<ToStore>, key: GrantKey, status: Status) -> Self {
        let (outgoing, waiting) = mpsc::channel(OUTGOING);
        tokio::spawn(write(writer, waiting));
        Self {
            outgoing,
            waiting: Mutex::default(),
            correlation: AtomicU64::new(1),
            bind: AtomicU64::new(1),
            key,
            status,
        }
    }

    /// What grants are sealed with in this life.
    #[must_use]
    pub fn key(&self) -> &GrantKey {
        &self.key
    }

    /// What the store said of itself when it was ready.
    #[must_use]
    pub fn status(&self) -> &Status {
        &self.status
    }

    /// Asks one question and waits for its answer.
    ///
    /// # Errors
    /// [`AskError::Refused`] where the store says no, [`AskError::Unavailable`] where it dies first.
    pub async fn ask(&self, ask: Ask, body: &[u8], descriptor: Option<OwnedFd>) -> Result<(Answer, Vec<u8>), AskError> {
        let correlation = self.correlation.fetch_add(1, Relaxed);
        let (answered, answer) = oneshot::channel();
        self.waiting.lock().insert(correlation, answered);
        // Removes the entry also where this future is dropped at its deadline.
        let _forget = Forget { link: self, correlation };
        self.send(correlation, ask, body, descriptor).await?;
        answer.await.unwrap_or(Err(AskError::Unavailable))
    }

    /// Gives a worker's channel to the store. Returns the channel's number.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub async fn bind(&self, app: u64, version: u64, storage_ms: u32, theirs: OwnedFd) -> Result<u64, AskError> {
        let bind = self.bind.fetch_add(1, Relaxed);
        self.ask(Ask::Bind { bind, app, version, storage_ms }, &[], Some(theirs)).await?;
        Ok(bind)
    }

    /// Hears the store until it is gone; then every open question fails.
    pub async fn hear(&self, reader: &mut Reader<FromStore>) -> PipeError {
        let mut open = HashMap::new();
        let end = loop {
            match reader.receive().await {
                Ok(message) => self.take(message, &mut open),
                Err(error) => break error,
            }
        };
        for (_, waiting) in self.waiting.lock().drain() {
            // Who no longer waits does not want to know.
            let _gone = waiting.send(Err(AskError::Unavailable));
        }
        end
    }

    async fn send(&self, correlation: u64, ask: Ask, body: &[u8], descriptor: Option<OwnedFd>) -> Result<(), AskError> {
        let (first, rest) = parts(body);
        let head = ToStore::Ask { correlation, ask: Box::new(ask), body: first };
        self.outgoing.send((head, descriptor)).await.map_err(|_gone| AskError::Unavailable)?;
        for part in rest {
            let chunk = ToStore::Chunk { correlation, part };
            self.outgoing.send((chunk, None)).await.map_err(|_gone| AskError::Unavailable)?;
        }
        Ok(())
    }

    fn take(&self, message: FromStore, open: &mut HashMap<u64, (Answer, Assembly)>) {
        match message {
            FromStore::Answer { correlation, outcome: Err(refusal), .. } => {
                self.settle(correlation, Err(AskError::Refused(refusal)));
            }
            FromStore::Answer { correlation, outcome: Ok(answer), body, .. } => {
                match Assembly::begin(body, APP_BYTES) {
                    Ok(assembly) if assembly.is_whole() => {
                        self.settle(correlation, Ok((*answer, assembly.into_bytes())))
                    }
                    Ok(assembly) => {
                        open.insert(correlation, (*answer, assembly));
                    }
                    Err(_malformed) => self.settle(correlation, Err(AskError::Confused)),
                }
            }
            FromStore::Chunk { correlation, part } => {
                let Some((answer, mut assembly)) = open.remove(&correlation) else { return };
                match assembly.push(part) {
                    Ok(()) if assembly.is_whole() => self.settle(correlation, Ok((answer, assembly.into_bytes()))),
                    Ok(()) => {
                        open.insert(correlation, (answer, assembly));
                    }
                    Err(_malformed) => self.settle(correlation, Err(AskError::Confused)),
                }
            }
            FromStore::Ready { .. } | FromStore::Refused { .. } => {}
        }
    }

    fn settle(&self, correlation: u64, outcome: Result<(Answer, Vec<u8>), AskError>) {
        if let Some(waiting) = self.waiting.lock().remove(&correlation) {
            // Who gave up waiting does not want to know.
            let _gone = waiting.send(outcome);
        }
    }
}

type Outgoing = (ToStore, Option<OwnedFd>);

/// Writes what comes, as much of it at once as there is. Ends with the link or with the process at the other end.
async fn write(mut writer: Writer<ToStore>, mut outgoing: mpsc::Receiver<Outgoing>) {
    while let Some(first) = outgoing.recv().await {
        let mut next = Some(first);
        while let Some((message, descriptor)) = next {
            let written = match descriptor {
                Some(descriptor) => writer.send_with(&message, &[descriptor.as_fd()]).await,
                None => writer.queue(&message),
            };
            match written {
                Ok(()) => {}
                // The conversation is as whole as before; who asked gives up at its deadline.
                Err(PipeError::Frame(error)) => tracing::error!("a question to the store does not fit: {error}"),
                Err(_gone) => return,
            }
            next = outgoing.try_recv().ok();
        }
        if writer.flush().await.is_err() {
            return;
        }
    }
}

struct Forget<'a> {
    link: &'a Link,
    correlation: u64,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.link.waiting.lock().remove(&self.correlation);
    }
}
