//! The order of a worker's side of a call, as the router enforces it: what is out of phase ends the worker.
//!
//! Pure state: the router tells it what it sent, asks about what it heard, and acts on the answer.

use super::FromWorker;
use crate::{Breach, limit::LOG_MESSAGES};

/// Where the conversation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Born, and not heard of.
    Born,
    /// Jailed, without an app.
    Blank,
    /// Loading its app.
    Loading,
    /// Waiting for a call.
    Idle,
    /// A call is in hand, and no answer yet.
    Working {
        /// The call.
        number: u64,
        /// `Log` messages so far.
        logs: usize,
    },
    /// The answer's body is on its way.
    Answering {
        /// The call.
        number: u64,
        /// `Log` messages so far.
        logs: usize,
    },
    /// Answered, and not done.
    Finishing {
        /// The call.
        number: u64,
        /// `Log` messages so far.
        logs: usize,
    },
}

impl Phase {
    /// The router sent `Assign`.
    ///
    /// # Errors
    /// [`Breach`] where the router itself is out of phase.
    pub fn assign(self) -> Result<Self, Breach> {
        match self {
            Self::Blank => Ok(Self::Loading),
            other => Err(Breach { said: "Assign", phase: other.word() }),
        }
    }

    /// The router sent `Call`.
    ///
    /// # Errors
    /// As [`Self::assign`].
    pub fn call(self, number: u64) -> Result<Self, Breach> {
        match self {
            Self::Idle => Ok(Self::Working { number, logs: 0 }),
            other => Err(Breach { said: "Call", phase: other.word() }),
        }
    }

    /// The worker said something: the phase that follows.
    ///
    /// # Errors
    /// [`Breach`] where it may not say that now, or speaks of another call than the one in hand.
    pub fn hear(self, message: &FromWorker) -> Result<Self, Breach> {
        match (self, message) {
            (Self::Born, FromWorker::Ready(_)) => Ok(Self::Blank),
            (Self::Loading, FromWorker::Assigned(_)) => Ok(Self::Idle),
            (Self::Working { number, logs }, FromWorker::Log(_)) if logs < LOG_MESSAGES => {
                Ok(Self::Working { number, logs: logs.saturating_add(1) })
            }
            (Self::Finishing { number, logs }, FromWorker::Log(_)) if logs < LOG_MESSAGES => {
                Ok(Self::Finishing { number, logs: logs.saturating_add(1) })
            }
            (Self::Working { number, logs }, FromWorker::Reply(reply)) if reply.number == number => {
                Ok(Self::after_part(number, logs, reply.body.last))
            }
            (Self::Working { number, logs }, FromWorker::Fault(fault)) if fault.number == number => {
                Ok(Self::Finishing { number, logs })
            }
            (Self::Answering { number, logs }, FromWorker::Chunk(part)) => {
                Ok(Self::after_part(number, logs, part.last))
            }
            (Self::Finishing { number, .. }, FromWorker::Done(done)) if done.number == number => Ok(Self::Idle),
            (phase, message) => Err(Breach { said: message.name(), phase: phase.word() }),
        }
    }

    fn after_part(number: u64, logs: usize, last: bool) -> Self {
        if last { Self::Finishing { number, logs } } else { Self::Answering { number, logs } }
    }

    /// The word for logs.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Born => "born",
            Self::Blank => "blank",
            Self::Loading => "loading",
            Self::Idle => "idle",
            Self::Working { .. } => "working",
            Self::Answering { .. } => "answering",
            Self::Finishing { .. } => "finishing",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        body::Part,
        call::{Assigned, Done, Fault, FaultKind, Level, LogLine, Ready, Reply, Source, Spans},
    };

    fn reply(number: u64, last: bool) -> FromWorker {
        let body = Part { bytes: vec![1], last };
        FromWorker::Reply(Box::new(Reply { number, status: 200, headers: Vec::new(), spans: Spans::default(), body }))
    }

    fn fault(number: u64) -> FromWorker {
        let (message, spans) = (String::new(), Spans::default());
        FromWorker::Fault(Box::new(Fault { number, kind: FaultKind::Memory, message, place: None, spans }))
    }

    fn done(number: u64) -> FromWorker {
        let (spans, ops) = (Spans::default(), Vec::new());
        FromWorker::Done(Box::new(Done { number, cpu_us: 0, heap_peak: 0, spans, storage_ops: 0, ops, retire: false }))
    }

    fn log() -> FromWorker {
        FromWorker::Log(LogLine { level: Level::Info, source: Source::Console, message: String::new() })
    }

    fn every_message() -> Vec<FromWorker> {
        let chunk = FromWorker::Chunk(Part::empty());
        let ready = FromWorker::Ready(Ready { protocol: 1, layers: 0 });
        let assigned = FromWorker::Assigned(Assigned { spent_us: 0, handler: true, failure: None });
        vec![ready, assigned, log(), reply(7, true), chunk, fault(7), done(7)]
    }

    fn permitted(phase: Phase) -> Vec<&'static str> {
        every_message().iter().filter(|message| phase.hear(message).is_ok()).map(FromWorker::name).collect()
    }

    #[test]
    fn each_phase_permits_exactly_its_messages() {
        let (number, logs) = (7, 0);
        assert_eq!(permitted(Phase::Born), ["Ready"]);
        assert_eq!(permitted(Phase::Blank), [""; 0]);
        assert_eq!(permitted(Phase::Loading), ["Assigned"]);
        assert_eq!(permitted(Phase::Idle), [""; 0]);
        assert_eq!(permitted(Phase::Working { number, logs }), ["Log", "Reply", "Fault"]);
        assert_eq!(permitted(Phase::Answering { number, logs }), ["Chunk"]);
        assert_eq!(permitted(Phase::Finishing { number, logs }), ["Log", "Done"]);
    }

    #[test]
    fn another_calls_number_is_a_breach() {
        let working = Phase::Idle.call(7).unwrap();
        assert!(working.hear(&reply(8, true)).is_err());
        assert!(working.hear(&fault(8)).is_err());
        let finishing = working.hear(&reply(7, true)).unwrap();
        assert!(finishing.hear(&done(8)).is_err());
        assert!(finishing.hear(&reply(7, true)).is_err(), "a second reply");
        assert_eq!(finishing.hear(&done(7)).unwrap(), Phase::Idle);
    }

    #[test]
    fn logs_without_end_are_a_breach() {
        let mut phase = Phase::Idle.call(7).unwrap();
        for _ in 0..LOG_MESSAGES {
            phase = phase.hear(&log()).unwrap();
        }
        assert!(phase.hear(&log()).is_err());
    }
}
