//! One life of the store's process, as the router talks to it: questions out, answers back, by correlation number.

use std::{
    collections::HashMap,
    os::fd::{AsFd, OwnedFd},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use fazt_protocol::{
    body::{Assembly, Part, parts},
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
        let mut body = Begun { outgoing: &self.outgoing, correlation, is_whole: first.last };
        let head = ToStore::Ask { correlation, ask: Box::new(ask), body: first };
        self.outgoing.send((head, descriptor)).await.map_err(|_gone| AskError::Unavailable)?;
        for part in rest {
            let last = part.last;
            let chunk = ToStore::Chunk { correlation, part };
            self.outgoing.send((chunk, None)).await.map_err(|_gone| AskError::Unavailable)?;
            body.is_whole = last;
        }
        Ok(())
    }

    fn take(&self, message: FromStore, open: &mut HashMap<u64, (Answer, Assembly)>) {
        match message {
            FromStore::Answer { correlation, outcome: Err(refusal), .. } => {
                // A body that broke off, where it is not the first that comes of this question.
                open.remove(&correlation);
                self.settle(correlation, Err(AskError::Refused(refusal)));
            }
            FromStore::Answer { correlation, outcome: Ok(answer), body, .. } => {
                match Assembly::begin(body, APP_BYTES) {
                    Ok(assembly) if assembly.is_whole() => {
                        self.settle(correlation, Ok((*answer, assembly.into_bytes())))
                    }
                    // What comes to nobody is not put together.
                    Ok(assembly) if self.is_awaited(correlation) => {
                        open.insert(correlation, (*answer, assembly));
                    }
                    Ok(_unwanted) => {}
                    Err(_malformed) => self.settle(correlation, Err(AskError::Confused)),
                }
            }
            FromStore::Chunk { correlation, part } => {
                let Some((answer, mut assembly)) = open.remove(&correlation) else { return };
                if !self.is_awaited(correlation) {
                    return;
                }
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

    fn is_awaited(&self, correlation: u64) -> bool {
        self.waiting.lock().contains_key(&correlation)
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

/// A body on its way. Given up half way, it is brought to an end in which it counts for nothing: the store would keep what came
/// of it, and wait.
struct Begun<'a> {
    outgoing: &'a mpsc::Sender<Outgoing>,
    correlation: u64,
    is_whole: bool,
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        if self.is_whole {
            return;
        }
        let (outgoing, correlation) = (self.outgoing.clone(), self.correlation);
        tokio::spawn(async move {
            // A part that is too short to be one in the middle: no body may have it.
            for last in [false, true] {
                let part = Part { bytes: Vec::new(), last };
                // A store that is gone keeps nothing.
                let _gone = outgoing.send((ToStore::Chunk { correlation, part }, None)).await;
            }
        });
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

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use fazt_protocol::{builder::Encoding, fd, limit::CHUNK_BYTES, op::Code, pipe::asynchronous::Pipe};
    use tokio::time::timeout;

    use super::*;

    type Other = Reader<ToStore>;

    fn link() -> (Link, Other, Writer<FromStore>) {
        let (ours, theirs) = fd::pair().unwrap();
        let (_, writer) = Pipe::<FromStore, ToStore>::plain(ours).unwrap().split();
        let (reader, other) = Pipe::<ToStore, FromStore>::plain(theirs).unwrap().split();
        (Link::new(writer, GrantKey::new([1; 32]), status()), reader, other)
    }

    pub(in crate::store) fn status() -> Status {
        Status {
            pid: 1,
            path: String::new(),
            journal_mode: String::new(),
            synchronous: String::new(),
            busy_timeout_ms: 0,
            readers: 0,
            binds: 0,
            wal_bytes: 0,
            file_bytes: 0,
            ops: 0,
            commits: 0,
            writes: 0,
            schema: 0,
            sandbox_missing: String::new(),
        }
    }

    #[tokio::test]
    async fn a_body_that_is_given_up_is_brought_to_an_end_that_counts_for_nothing() {
        let (link, mut store, _writer) = link();
        let ask = Ask::File { upload: 1, path: "a".to_owned(), encoding: Encoding::Identity };
        // Nobody reads: what fits is on its way, the rest is not.
        let body = vec![0; 1_000 * CHUNK_BYTES];
        assert!(timeout(Duration::from_millis(50), link.ask(ask, &body, None)).await.is_err());
        let mut next = async || timeout(Duration::from_secs(5), store.receive()).await.unwrap().unwrap();
        let ToStore::Ask { body: first, .. } = next().await else { panic!("no question") };
        let mut assembly = Assembly::begin(first, usize::MAX).unwrap();
        loop {
            let ToStore::Chunk { part, .. } = next().await else { panic!("no part") };
            assert!(!part.last, "a body that ends well");
            if assembly.push(part).is_err() {
                break;
            }
        }
        let ToStore::Chunk { part, .. } = next().await else { panic!("no part") };
        assert!(part.last);
    }

    fn answer(correlation: u64, last: bool) -> FromStore {
        let outcome = Ok(Box::new(Answer::Content { found: true }));
        FromStore::Answer { correlation, spent_us: 0, outcome, body: Part { bytes: vec![0; CHUNK_BYTES], last } }
    }

    #[tokio::test]
    async fn of_answers_that_break_off_or_that_nobody_wants_nothing_is_kept() {
        let (link, _store, _writer) = link();
        let mut open = HashMap::new();
        link.take(answer(1, false), &mut open);
        assert!(open.is_empty(), "nobody asked");
        let (answered, mut told) = oneshot::channel();
        link.waiting.lock().insert(2, answered);
        link.take(answer(2, false), &mut open);
        assert_eq!(open.len(), 1);
        let refusal = fazt_protocol::op::Refusal::new(Code::Timeout, "late");
        let outcome = Err(refusal.clone());
        link.take(FromStore::Answer { correlation: 2, spent_us: 0, outcome, body: Part::empty() }, &mut open);
        assert_eq!((told.try_recv(), open.len()), (Ok(Err(AskError::Refused(refusal))), 0));
        let (answered, _given_up) = oneshot::channel();
        link.waiting.lock().insert(3, answered);
        link.take(answer(3, false), &mut open);
        drop(Forget { link: &link, correlation: 3 });
        link.take(
            FromStore::Chunk { correlation: 3, part: Part { bytes: vec![0; CHUNK_BYTES], last: false } },
            &mut open,
        );
        assert!(open.is_empty(), "who asked has gone");
    }
}
