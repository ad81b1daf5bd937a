//! What lies outside of the engine while a call runs: the store, the app's log, the board. One value for a worker's life.
//!
//! Every storage call goes through [`Outside::ask`]: it stands on the board while it lasts, and is asked again over a new
//! channel where the store went away before it can have been done. Counting and timing it for the trace is the engine's.

use std::time::{Duration, Instant};

use fazt_protocol::{
    board::{self, Asking, Phase},
    call::{FromWorker, LogLine, ToWorker},
    clock,
    grant::Grant,
    limit::LOG_MESSAGES,
    op::{Code, Op, Refusal},
    pipe::{Pipe, PipeError},
};

use crate::{
    engine::Question,
    store::{Answered, Store, Unanswered},
};

/// A worker's end of the call conversation.
pub type Router = Pipe<ToWorker, FromWorker>;

/// How long before a call's deadline waiting for a new channel ends, so that the app still hears of it.
const LAST_WORD: Duration = Duration::from_millis(5);
/// How long a worker goes on without a channel. A store that died is back by then, as a rule; one that lives and closed this
/// channel alone is never followed by another, and only a successor can reach it.
const ABSENCE_MOST: Duration = Duration::from_secs(10);

/// The outside of one worker.
#[derive(Debug)]
pub struct Outside {
    /// The router.
    pub router: Router,
    store: Store,
    board: board::Writer,
    most: Duration,
    call: u64,
    /// What storage has cost the call in hand, and how many questions, for the board.
    storage: Duration,
    questions: u32,
    logs: usize,
    /// Since when the channel leads nowhere, as far as was noticed.
    lost: Option<Instant>,
    /// The conversation with the router is over: this worker ends after the call.
    broken: bool,
}

impl Outside {
    /// The outside of a worker that has just been given its store.
    #[must_use]
    pub fn new(router: Router, store: Store, board: board::Writer, most: Duration) -> Self {
        let (call, storage, questions, logs, lost) = (0, Duration::ZERO, 0, 0, None);
        Self { router, store, board, most, call, storage, questions, logs, lost, broken: false }
    }

    /// A call begins.
    pub fn begin(&mut self, call: u64, grant: Grant) {
        self.store.begin(grant);
        self.call = call;
        self.storage = Duration::ZERO;
        self.questions = 0;
        self.logs = 0;
        self.board.spend(0, 0);
    }

    /// Whether this worker can go on.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.broken || self.store.is_cut_off()
    }

    /// Says where in the call the worker is.
    pub fn enter(&self, phase: Phase) {
        self.board.enter(phase, self.call);
    }

    /// Sends a line of the app's log; past the protocol's bound it is dropped, since one more would be a breach.
    pub fn log(&mut self, line: LogLine) {
        if self.logs < LOG_MESSAGES {
            self.logs = self.logs.saturating_add(1);
            // Queued with the answer's frame: a router that is gone shows itself there.
            let queued = self.router.queue(&FromWorker::Log(line));
            self.broken |= queued.is_err();
        }
    }

    /// Asks the store. Which phase that is, and which one follows, is the caller's to say.
    ///
    /// # Errors
    /// [`Refusal`], as the app is told.
    pub fn ask(&mut self, question: &Question<'_>) -> Result<Answered, Refusal> {
        let began = Instant::now();
        self.board.ask(asking(question.op));
        let answered = self.ask_until_answered(question, began);
        self.board.ask(Asking::Nothing);
        self.storage = self.storage.saturating_add(began.elapsed());
        self.questions = self.questions.saturating_add(1);
        self.board.spend(u64::from(clock::micros(self.storage)), self.questions);
        answered
    }

    fn ask_until_answered(&mut self, question: &Question<'_>, began: Instant) -> Result<Answered, Refusal> {
        // Once one that left was lost, only a word on the question itself says that it was not done.
        let mut unsure = false;
        let told = |refusal: Refusal, unsure: bool| {
            let unknown = refusal.unknown || (unsure && refusal.code.is_retryable());
            Refusal { unknown, ..refusal }
        };
        loop {
            match self.store.ask(question) {
                Ok(answered) => return Ok(answered),
                Err(Unanswered::Refused(refusal)) => return Err(told(refusal, unsure)),
                Err(Unanswered::Lost { unsure: left }) => {
                    unsure |= left;
                    self.await_channel(began).map_err(|refusal| told(refusal, unsure))?;
                }
            }
        }
    }

    /// Waits for the router to give a channel to the store's next process.
    fn await_channel(&mut self, began: Instant) -> Result<(), Refusal> {
        let since = *self.lost.get_or_insert(began);
        let unavailable = || Refusal::new(Code::Unavailable, "the store is being restarted");
        let last_word = self.store.deadline().checked_sub(LAST_WORD).unwrap_or(began);
        let until = began.checked_add(self.most).unwrap_or(began).min(last_word);
        match self.router.receive(Some(until)) {
            Ok(ToWorker::Rebind { grant }) => self.rebind(grant).map_err(|_error| unavailable()),
            // The conversation is whole: the store is only away for longer than this question may take.
            Err(PipeError::Late(_)) if since.elapsed() < ABSENCE_MOST => Err(unavailable()),
            _ => {
                self.broken = true;
                Err(unavailable())
            }
        }
    }

    /// Takes the new channel that came with a `Rebind`.
    ///
    /// # Errors
    /// [`PipeError`] where none came with it.
    pub fn rebind(&mut self, grant: Option<Grant>) -> Result<(), PipeError> {
        let channel = self.router.take_descriptor()?;
        self.store.rebind(channel, grant);
        self.lost = None;
        Ok(())
    }
}

fn asking(op: &Op) -> Asking {
    match op {
        Op::Files(_) => Asking::Files,
        Op::Kv(_) => Asking::Kv,
        Op::Ds(_) => Asking::Ds,
        Op::S3(_) => Asking::S3,
    }
}

#[cfg(test)]
mod tests {
    use std::{os::fd::AsFd, thread};

    use fazt_protocol::{
        body::Part,
        fd,
        grant::GrantKey,
        id::RequestId,
        op::{Answer, Found, FromStore, ToStore, files, kv},
    };

    use super::*;

    const PATIENT: Duration = Duration::from_secs(20);
    const HURRIED: Duration = Duration::from_millis(500);

    /// An outside that waits so long for a store, and the other ends.
    fn outside(most: Duration) -> (Outside, Pipe<FromWorker, ToWorker>, Pipe<ToStore, FromStore>) {
        let ((to_router, router), (to_store, store)) = (fd::pair().unwrap(), fd::pair().unwrap());
        let page = board::create().unwrap();
        let writer = board::Writer::map(page.as_fd()).unwrap();
        let mut outside = Outside::new(Pipe::new(to_router), Store::new(to_store, most), writer, most);
        let deadline_ns = clock::now_ns() + 30_000_000_000;
        outside.begin(0, GrantKey::new([1; 32]).grant(1, 1, RequestId::generate(), deadline_ns));
        (outside, Pipe::new(router), Pipe::new(store))
    }

    /// What comes of a write with a token whose first channel ends before its answer, by what the next one says.
    fn asked_twice(second: Option<Result<Found, Refusal>>) -> Result<Found, Refusal> {
        // Where another one comes there is time for it.
        let (mut outside, mut router, mut store) = outside(if second.is_some() { PATIENT } else { HURRIED });
        let ends = thread::spawn(move || {
            store.receive(None).unwrap();
            drop(store);
            if let Some(outcome) = second {
                let (next, theirs) = fd::pair().unwrap();
                router.send_with(&ToWorker::Rebind { grant: None }, &[theirs.as_fd()], None).unwrap();
                drop(theirs);
                let mut store = Pipe::<ToStore, FromStore>::new(next);
                store.receive(None).unwrap();
                let answer = Answer { number: 1, spent_us: 1, outcome, body: Part::empty() };
                store.send(&FromStore::Answer(Box::new(answer)), None).unwrap();
            }
            router
        });
        let op = Op::Kv(kv::Op::Delete { key: "k".to_owned() });
        let answered = outside.ask(&Question { op: &op, once: Some("t"), body: &[] });
        ends.join().unwrap();
        answered.map(|answered| answered.found)
    }

    #[test]
    fn a_write_with_a_token_is_asked_again_and_its_outcome_is_known_or_said_not_to_be() {
        assert_eq!(asked_twice(Some(Ok(Found::Flag(true)))), Ok(Found::Flag(true)));
        let nobody = asked_twice(None).unwrap_err();
        assert_eq!((nobody.code, nobody.unknown), (Code::Unavailable, true), "it may have been done: {nobody}");
        let busy = asked_twice(Some(Err(Refusal::new(Code::Timeout, "busy")))).unwrap_err();
        assert!(busy.unknown, "the second one was not done, the first one may have been");
        let full = asked_twice(Some(Err(Refusal::new(Code::QuotaExceeded, "full")))).unwrap_err();
        assert!(!full.unknown, "its token was looked up first: the first one was not done");
    }

    #[test]
    fn a_store_that_is_away_for_long_costs_the_question_and_not_the_worker() {
        let (mut outside, mut router, store) = outside(HURRIED);
        drop(store);
        let op = Op::Files(files::Op::Sources);
        let away = outside.ask(&Question::new(&op, &[])).unwrap_err();
        assert_eq!((away.code, away.unknown, outside.is_broken()), (Code::Unavailable, false, false), "{away}");
        let (next, theirs) = fd::pair().unwrap();
        router.send_with(&ToWorker::Rebind { grant: None }, &[theirs.as_fd()], None).unwrap();
        let mut store = Pipe::<ToStore, FromStore>::new(next);
        // There before it is asked for, which is not waited for long.
        let answer = Answer { number: 1, spent_us: 1, outcome: Ok(Found::Bytes), body: Part::empty() };
        store.send(&FromStore::Answer(Box::new(answer)), None).unwrap();
        assert_eq!(outside.ask(&Question::new(&op, &[])).unwrap().found, Found::Bytes);
        store.receive(None).unwrap();
        // One that closed this channel alone sends no other.
        drop(store);
        outside.lost = Instant::now().checked_sub(ABSENCE_MOST);
        assert_eq!(outside.ask(&Question::new(&op, &[])).unwrap_err().code, Code::Unavailable);
        assert!(outside.is_broken());
    }

    #[test]
    fn a_question_leaves_the_phase_as_it_was() {
        let ((to_router, _router), (to_store, store)) = (fd::pair().unwrap(), fd::pair().unwrap());
        let page = board::create().unwrap();
        let shown = board::Reader::map(page.as_fd()).unwrap();
        let most = Duration::from_secs(5);
        let store_end = thread::spawn(move || {
            let mut peer = Pipe::<ToStore, FromStore>::new(store);
            for number in 1..=2 {
                peer.receive(None).unwrap();
                let (outcome, body) = (Ok(Found::Bytes), Part::empty());
                let answer = Answer { number, spent_us: 1, outcome, body };
                peer.send(&FromStore::Answer(Box::new(answer)), None).unwrap();
            }
        });
        let writer = board::Writer::map(page.as_fd()).unwrap();
        let mut outside = Outside::new(Pipe::new(to_router), Store::new(to_store, most), writer, most);
        let deadline_ns = clock::now_ns() + 5_000_000_000;
        outside.begin(0, GrantKey::new([1; 32]).grant(1, 1, RequestId::generate(), deadline_ns));
        for phase in [Phase::Load, Phase::Execute] {
            outside.enter(phase);
            outside.ask(&Question::new(&Op::Files(files::Op::Sources), &[])).unwrap();
            assert_eq!(shown.snapshot().phase, Some(phase));
        }
        store_end.join().unwrap();
    }
}
