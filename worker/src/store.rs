//! Asks the store: one question at a time over the op channel, each within its deadline, for the one app of this worker.
//!
//! A question that is late leaves an answer behind, which is passed over before the next question. When the store is gone
//! the router sends a new channel over the call conversation, and what may be asked again is asked there: a read, a write
//! that never left, or one whose token has it done once. Another write that left and has no answer may have happened, and
//! its refusal says so. A store that answers what was not asked has lost the thread, and is asked nothing more.

use std::{
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

use fazt_protocol::{
    body::{Assembly, BodyError, parts},
    clock,
    grant::Grant,
    limit::{ANSWER_BODY_BYTES, OP_BODY_BYTES},
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
    /// The question whose answer has not been read to its end.
    unread: Option<Unread>,
    /// Of the call in hand, until it was sent.
    grant: Option<Grant>,
    /// When the call in hand ends.
    deadline: Instant,
    /// How long one question may take.
    most: Duration,
    /// The conversation is out of step, or a question was left half said: nothing can follow.
    cut_off: bool,
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
    /// The channel leads nowhere any more; this question may be asked over the next one.
    Lost {
        /// It is a write that left, so it may have happened: who asks again and hears nothing better has to say so.
        unsure: bool,
    },
}

/// Why no whole answer was heard.
enum Unheard {
    Pipe(PipeError),
    /// The store is there, and says what nobody asked.
    OutOfStep,
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
        Self { channel, number: 0, unread: None, grant: None, deadline: Instant::now(), most, cut_off: false }
    }

    /// Takes a new channel, with leave to go on with the call in hand if there is one.
    pub fn rebind(&mut self, channel: OwnedFd, grant: Option<Grant>) {
        self.channel = Some(Pipe::new(channel));
        self.number = 0;
        self.unread = None;
        self.grant = grant;
        self.cut_off = false;
    }

    /// Whether the channel is of no use though the store may be there: nobody will send another one.
    #[must_use]
    pub fn is_cut_off(&self) -> bool {
        self.cut_off
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
        let most = if question.op.is_load() { Duration::MAX } else { self.most };
        let within = self.deadline.saturating_duration_since(now).min(most);
        if within.is_zero() {
            return Err(refused(Code::Timeout, "the request's time is over", false));
        }
        let until = now.checked_add(within.saturating_add(PATIENCE)).unwrap_or(now).min(self.deadline.max(now));
        if question.body.len() > OP_BODY_BYTES {
            return Err(refused(Code::TooLarge, "one call moves at most 16 MiB", false));
        }
        self.catch_up(until).map_err(|why| self.give_up(&why))?;
        self.send(question, within, until).map_err(|error| self.give_up_sending(error))?;
        // From here on the store may have done it.
        let unsure = question.op.is_write();
        let told = self.hear(until).map_err(|why| match self.give_up(&why) {
            Unanswered::Refused(refusal) => Unanswered::Refused(Refusal { unknown: unsure, ..refusal }),
            Unanswered::Lost { .. } if question.is_repeatable() => Unanswered::Lost { unsure },
            Unanswered::Lost { .. } => refused(Code::Unavailable, "the store went away before it answered", unsure),
        })?;
        told.map_err(Unanswered::Refused)
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

    fn hear(&mut self, until: Instant) -> Result<Result<Answered, Refusal>, Unheard> {
        let Some(channel) = &mut self.channel else { return Err(PipeError::Closed("op, from store").into()) };
        let FromStore::Answer(answer) = channel.receive(Some(until))? else { return Err(Unheard::OutOfStep) };
        if answer.number != self.number {
            return Err(Unheard::OutOfStep);
        }
        let mut body = Assembly::begin(answer.body, ANSWER_BODY_BYTES)?;
        while !body.is_whole() {
            self.unread = Some(Unread { number: self.number, within: true });
            let FromStore::Chunk(part) = channel.receive(Some(until))? else { return Err(Unheard::OutOfStep) };
            body.push(part)?;
        }
        self.unread = None;
        let (found, store_us) = (answer.outcome, answer.spent_us);
        Ok(found.map(|found| Answered { found, body: body.into_bytes(), store_us }))
    }

    /// Passes over what is left of a late answer.
    fn catch_up(&mut self, until: Instant) -> Result<(), Unheard> {
        while let Some(unread) = self.unread {
            let Some(channel) = &mut self.channel else { return Ok(()) };
            let last = match channel.receive(Some(until))? {
                FromStore::Answer(answer) if !unread.within && answer.number == unread.number => answer.body.last,
                FromStore::Chunk(part) if unread.within => part.last,
                _ => return Err(Unheard::OutOfStep),
            };
            self.unread = (!last).then_some(Unread { within: true, ..unread });
        }
        Ok(())
    }

    fn give_up(&mut self, why: &Unheard) -> Unanswered {
        if matches!(why, Unheard::Pipe(PipeError::Late(_))) {
            return refused(Code::Timeout, "the store did not answer in time", false);
        }
        self.channel = None;
        // A store that is there still is followed by no other, so that no new channel comes.
        if matches!(why, Unheard::OutOfStep | Unheard::Pipe(PipeError::Frame(_))) {
            self.cut_off = true;
            return refused(Code::Unavailable, "the store answered another question", false);
        }
        Unanswered::Lost { unsure: false }
    }

    /// A frame that was sent in part ends the conversation: whatever came next would be taken for its rest.
    fn give_up_sending(&mut self, error: PipeError) -> Unanswered {
        let given_up = self.give_up(&error.into());
        self.channel = None;
        self.cut_off |= matches!(given_up, Unanswered::Refused(_));
        given_up
    }
}

impl From<PipeError> for Unheard {
    fn from(error: PipeError) -> Self {
        Self::Pipe(error)
    }
}

impl From<BodyError> for Unheard {
    fn from(_: BodyError) -> Self {
        Self::OutOfStep
    }
}

fn refused(code: Code, message: &str, unknown: bool) -> Unanswered {
    Unanswered::Refused(Refusal { code, message: message.to_owned(), unknown })
}

#[cfg(test)]
mod tests;
