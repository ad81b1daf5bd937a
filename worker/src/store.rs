//! Asks the store: one question at a time over the op channel, each within its deadline, for the one app of this worker.
//!
//! A question that is late leaves an answer behind, which is passed over before the next question. When the store is gone
//! the router sends a new channel over the call conversation, and what may be asked again is asked there: a read, a write
//! that never left, or one whose token has it done once. Another write that left and has no answer may have happened, and
//! its refusal says so.

use std::{
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

use fazt_protocol::{
    body::{Assembly, parts},
    clock,
    grant::Grant,
    limit::OP_BODY_BYTES,
    op::{Ask, Code, Found, FromStore, Refusal, ToStore},
    pipe::{Pipe, PipeError},
};

use crate::engine::Question;

/// How much longer than the store may take we wait for its word that it took too long.
const PATIENCE: Duration = Duration::from_millis(10);

/// An op channel and the state of its conversation.
#[derive(Debug)]
pub struct Store {
    channel: Option<Pipe<FromStore, ToStore>>,
    number: u64,
    /// The number of a question whose answer has not been read to its end.
    unread: Option<Unread>,
    /// Of the call in hand, until it was sent.
    grant: Option<Grant>,
    deadline: Instant,
    /// One question, at most.
    most: Duration,
}

/// What came of a question.
#[derive(Debug)]
pub struct Answered {
    /// What the store found or did.
    pub found: Found,
    /// JSON text, or bytes.
    pub body: Vec<u8>,
    /// What the store spent on it, in microseconds.
    pub store_us: u32,
}

/// Why a question has no answer yet.
#[derive(Debug)]
pub enum Unanswered {
    /// The store says no, or there is no asking again.
    Refused(Refusal),
    /// The channel leads nowhere any more; this question surely was not done and may be asked over the next one.
    Lost,
}

#[derive(Debug, Clone, Copy)]
struct Unread {
    number: u64,
    /// Whether its head was read, so that only parts of its body are left.
    within: bool,
}

impl Store {
    /// A store behind a new channel.
    #[must_use]
    pub fn new(channel: OwnedFd, most: Duration) -> Self {
        let channel = Some(Pipe::new(channel));
        Self { channel, number: 0, unread: None, grant: None, deadline: Instant::now(), most }
    }

    /// Takes a new channel, with leave to go on with the call in hand if there is one.
    pub fn rebind(&mut self, channel: OwnedFd, grant: Option<Grant>) {
        self.channel = Some(Pipe::new(channel));
        self.number = 0;
        self.unread = None;
        self.grant = grant;
    }

    /// A call begins: its questions are asked with this leave and until its deadline.
    pub fn begin(&mut self, grant: Grant) {
        self.deadline = clock::instant(grant.deadline_ns);
        self.grant = Some(grant);
    }

    /// When the call in hand ends.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Asks one question and waits for its answer.
    ///
    /// # Errors
    /// [`Unanswered`].
    pub fn ask(&mut self, question: &Question<'_>) -> Result<Answered, Unanswered> {
        let now = Instant::now();
        let within = self.deadline.saturating_duration_since(now).min(self.most);
        if within.is_zero() {
            return Err(refused(Code::Timeout, "the request's time is over", false));
        }
        let until = now.checked_add(within.saturating_add(PATIENCE)).unwrap_or(now).min(self.deadline.max(now));
        if question.body.len() > OP_BODY_BYTES {
            return Err(refused(Code::TooLarge, "one call moves at most 16 MiB", false));
        }
        self.catch_up(until).map_err(|error| self.give_up(&error))?;
        self.send(question, within, until).map_err(|error| self.give_up(&error))?;
        // From here on the store may have done it.
        let unsure = question.op.is_write();
        self.hear(until).map_err(|error| match self.give_up(&error) {
            Unanswered::Refused(refusal) => Unanswered::Refused(Refusal { unknown: unsure, ..refusal }),
            Unanswered::Lost if question.is_repeatable() => Unanswered::Lost,
            Unanswered::Lost => refused(Code::Unavailable, "the store went away before it answered", unsure),
        })?
    }

    fn send(&mut self, question: &Question<'_>, within: Duration, until: Instant) -> Result<(), PipeError> {
        let Some(channel) = &mut self.channel else { return Err(PipeError::Closed("op, from store")) };
        self.number = self.number.saturating_add(1);
        let (first, rest) = parts(question.body);
        let ask = Ask {
            number: self.number,
            grant: self.grant.clone(),
            until_ns: clock::now_ns().saturating_add(u64::try_from(within.as_nanos()).unwrap_or(u64::MAX)),
            once: question.once.map(str::to_owned),
            op: question.op.clone(),
            body: first,
        };
        channel.queue(&ToStore::Ask(Box::new(ask)))?;
        for part in rest {
            channel.flush(Some(until))?;
            channel.queue(&ToStore::Chunk(part))?;
        }
        channel.flush(Some(until))?;
        self.grant = None;
        self.unread = Some(Unread { number: self.number, within: false });
        Ok(())
    }

    fn hear(&mut self, until: Instant) -> Result<Result<Answered, Unanswered>, PipeError> {
        let Some(channel) = &mut self.channel else { return Err(PipeError::Closed("op, from store")) };
        let confused = || Ok(Err(refused(Code::Unavailable, "the store answered another question", true)));
        let FromStore::Answer(answer) = channel.receive(Some(until))? else { return confused() };
        if answer.number != self.number {
            return confused();
        }
        let Ok(mut body) = Assembly::begin(answer.body, OP_BODY_BYTES.saturating_mul(4)) else { return confused() };
        while !body.is_whole() {
            self.unread = Some(Unread { number: self.number, within: true });
            let FromStore::Chunk(part) = channel.receive(Some(until))? else { return confused() };
            if body.push(part).is_err() {
                return confused();
            }
        }
        self.unread = None;
        let (found, store_us) = (answer.outcome, answer.spent_us);
        Ok(found.map(|found| Answered { found, body: body.into_bytes(), store_us }).map_err(Unanswered::Refused))
    }

    /// Passes over what is left of a late answer.
    fn catch_up(&mut self, until: Instant) -> Result<(), PipeError> {
        while let Some(unread) = self.unread {
            let Some(channel) = &mut self.channel else { return Ok(()) };
            let last = match channel.receive(Some(until))? {
                FromStore::Answer(answer) if !unread.within && answer.number == unread.number => answer.body.last,
                FromStore::Chunk(part) if unread.within => part.last,
                _ => return Err(PipeError::Closed("op, from store")),
            };
            self.unread = (!last).then_some(Unread { within: true, ..unread });
        }
        Ok(())
    }

    fn give_up(&mut self, error: &PipeError) -> Unanswered {
        if matches!(error, PipeError::Late(_)) {
            return refused(Code::Timeout, "the store did not answer in time", false);
        }
        self.channel = None;
        Unanswered::Lost
    }
}

fn refused(code: Code, message: &str, unknown: bool) -> Unanswered {
    Unanswered::Refused(Refusal { code, message: message.to_owned(), unknown })
}

#[cfg(test)]
mod tests {
    use std::thread;

    use fazt_protocol::{
        body::Part,
        fd,
        grant::GrantKey,
        id::RequestId,
        op::{Answer, Op, kv},
    };

    use super::*;

    type Peer = Pipe<ToStore, FromStore>;

    fn get() -> Op {
        Op::Kv(kv::Op::Get { key: "a".to_owned() })
    }

    fn set() -> Op {
        Op::Kv(kv::Op::Set { key: "a".to_owned(), ttl_ms: None, condition: kv::Condition::Always })
    }

    fn store() -> (Store, Peer) {
        let (ours, theirs) = fd::pair().unwrap();
        let mut store = Store::new(ours, Duration::from_millis(200));
        let deadline_ns = clock::now_ns() + 5_000_000_000;
        store.begin(GrantKey::new([1; 32]).grant(1, 1, RequestId::generate(), deadline_ns));
        (store, Peer::new(theirs))
    }

    fn answer(number: u64, bytes: &[u8], last: bool) -> FromStore {
        let body = Part { bytes: bytes.to_vec(), last };
        FromStore::Answer(Box::new(Answer { number, spent_us: 7, outcome: Ok(Found::Json), body }))
    }

    fn asked(peer: &mut Peer) -> Box<Ask> {
        match peer.receive(None).unwrap() {
            ToStore::Ask(ask) => ask,
            ToStore::Chunk(part) => panic!("{part:?}"),
        }
    }

    #[test]
    fn the_first_question_carries_the_grant_and_answers_come_whole() {
        let (mut store, mut peer) = store();
        let peer = thread::spawn(move || {
            assert!(asked(&mut peer).grant.is_some());
            peer.send(&answer(1, b"1", false), None).unwrap();
            peer.send(&FromStore::Chunk(Part::whole(b"2".to_vec())), None).unwrap();
            assert!(asked(&mut peer).grant.is_none());
            peer.send(&answer(2, b"3", true), None).unwrap();
        });
        let first = store.ask(&Question::new(&get(), b"")).unwrap();
        assert_eq!((first.body.as_slice(), first.store_us), (b"12".as_slice(), 7));
        assert_eq!(store.ask(&Question::new(&get(), b"")).unwrap().body, b"3");
        peer.join().unwrap();
    }

    #[test]
    fn a_late_answer_is_passed_over() {
        let (mut store, mut peer) = store();
        let late = store.ask(&Question::new(&set(), b"1")).unwrap_err();
        assert!(matches!(late, Unanswered::Refused(Refusal { code: Code::Timeout, unknown: true, .. })), "{late:?}");
        asked(&mut peer);
        peer.send(&answer(1, b"late", false), None).unwrap();
        peer.send(&FromStore::Chunk(Part::whole(b"later".to_vec())), None).unwrap();
        let peer = thread::spawn(move || {
            assert_eq!(asked(&mut peer).number, 2);
            peer.send(&answer(2, b"right", true), None).unwrap();
        });
        assert_eq!(store.ask(&Question::new(&get(), b"")).unwrap().body, b"right");
        peer.join().unwrap();
    }

    #[test]
    fn only_what_surely_was_not_done_may_be_asked_again() {
        let (mut reads, peer) = store();
        drop(peer);
        assert!(matches!(reads.ask(&Question::new(&get(), b"")).unwrap_err(), Unanswered::Lost));
        let (mut writes, mut peer) = store();
        let peer = thread::spawn(move || {
            asked(&mut peer);
        });
        let gone = writes.ask(&Question::new(&set(), b"1")).unwrap_err();
        assert!(
            matches!(gone, Unanswered::Refused(Refusal { code: Code::Unavailable, unknown: true, .. })),
            "{gone:?}"
        );
        assert!(
            matches!(writes.ask(&Question::new(&set(), b"1")).unwrap_err(), Unanswered::Lost),
            "the next one never left"
        );
        peer.join().unwrap();
        let (mut once, mut peer) = store();
        let peer = thread::spawn(move || asked(&mut peer).once.clone());
        let question = Question { op: &set(), once: Some("t"), body: b"1" };
        assert!(matches!(once.ask(&question).unwrap_err(), Unanswered::Lost), "its token has it done once");
        assert_eq!(peer.join().unwrap().as_deref(), Some("t"));
    }
}
