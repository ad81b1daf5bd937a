//! Which thread does what: point reads at once, scans by the readers, writes by the one writer.

use fazt_protocol::op::{Op, ds, kv, s3};

use crate::{
    question::Question,
    readers::{self, Read},
    refusal::late,
    store::Store,
    writer::Write,
};

/// Keys of a `getMany` that are still looked up at once.
const FEW_KEYS: usize = 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// In the reactor: a look-up or two.
    Here,
    /// By a reader: it may take a while.
    Reader,
    /// By the writer.
    Writer,
}

/// Where an op is executed. With delays in it, nothing is done in the reactor, which would hold up everybody.
pub(crate) fn route(op: &Op, delayed: bool) -> Route {
    let point = match op {
        Op::Kv(kv::Op::Get { .. } | kv::Op::GetVersion { .. }) | Op::S3(s3::Op::Head { .. }) => true,
        Op::Kv(kv::Op::GetMany { keys }) => keys.len() <= FEW_KEYS,
        Op::Ds(ds::Op { verb: ds::Verb::Count, .. }) | Op::Ds(_) | Op::Kv(_) | Op::S3(_) | Op::Files(_) => false,
    };
    match (op.is_write(), point && !delayed) {
        (true, _) => Route::Writer,
        (false, true) => Route::Here,
        (false, false) => Route::Reader,
    }
}

impl Store {
    /// Answers a point read on this thread.
    pub(crate) fn answer_here(&self, question: Question) {
        let outcome = {
            let point = self.point.lock();
            match point.as_ref() {
                Some(connection) if question.start() => readers::execute(connection, &question, self),
                _ => Err(late()),
            }
        };
        question.answer(self, outcome);
    }

    /// Gives a question to the threads that it is for; gives it back where they take nothing more.
    pub(crate) fn pass_on(&self, question: Question, route: Route) -> Result<(), ()> {
        let app = question.channel.app;
        let question = Box::new(question);
        match route {
            Route::Writer => self.writes.push(app, Write::Op(question)).map_err(drop),
            Route::Reader | Route::Here => self.reads.push(app, Read::Op(question)).map_err(drop),
        }
    }
}
