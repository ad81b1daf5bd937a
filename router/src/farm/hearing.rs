//! What a keeper hears of a call, piece by piece, and how hearing can break off.

use fazt_protocol::{
    body::{Assembly, Part},
    call::{self, Done, FromWorker, LogLine},
    pipe::PipeError,
};

/// What has been heard of a call so far.
#[derive(Debug, Default)]
pub(super) struct Heard {
    pub(super) logs: Vec<LogLine>,
    pub(super) reply: Option<(call::Reply, Assembly)>,
    pub(super) fault: Option<call::Fault>,
    pub(super) done: Option<Box<Done>>,
}

/// Why hearing ended without `Done`.
#[derive(Debug)]
pub(super) enum Broken {
    /// The worker is gone.
    Gone(String),
    /// It broke the protocol.
    Breach(String),
}

impl Heard {
    /// Takes one message that is in phase.
    pub(super) fn take(&mut self, message: FromWorker, answer_bytes: usize) -> Result<(), Broken> {
        let breach = |error: &dyn std::fmt::Display| Broken::Breach(error.to_string());
        match message {
            FromWorker::Log(line) => self.logs.push(line),
            FromWorker::Reply(mut head) => {
                if !(200..=599).contains(&head.status) {
                    return Err(breach(&format_args!("a status of {}", head.status)));
                }
                let first = std::mem::replace(&mut head.body, Part::empty());
                let body = Assembly::begin(first, answer_bytes).map_err(|error| breach(&error))?;
                self.reply = Some((*head, body));
            }
            FromWorker::Chunk(part) => {
                let Some((_, body)) = &mut self.reply else { return Err(breach(&"a part of nothing")) };
                body.push(part).map_err(|error| breach(&error))?;
            }
            FromWorker::Fault(fault) => self.fault = Some(*fault),
            FromWorker::Done(done) => self.done = Some(done),
            FromWorker::Ready(_) | FromWorker::Assigned(_) => {}
        }
        Ok(())
    }
}

impl From<PipeError> for Broken {
    fn from(error: PipeError) -> Self {
        match error {
            PipeError::Frame(_) | PipeError::NoDescriptor(_) => Self::Breach(error.to_string()),
            _ => Self::Gone(error.to_string()),
        }
    }
}
