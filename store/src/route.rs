//! Which thread does what: point reads at once, scans by the readers, blobs and deployed files by a thread of their own,
//! writes by the one writer.

use fazt_protocol::op::{Op, ds, kv, s3};

use crate::{
    ds::plan,
    question::Question,
    readers::{self, Read},
    refusal::late,
    store::Store,
    writer::{Job, Write},
};

/// The largest value that is read in the reactor.
const SMALL_BYTES: usize = 64 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// In the reactor: a look-up or two.
    Here,
    /// By a reader: it may take a while.
    Reader,
    /// By the thread for what may come to many mebibytes.
    Loads,
    /// By the writer.
    Writer,
}

/// Where an op is executed. With delays in it, nothing is done in the reactor, which would hold up everybody.
pub(crate) fn route(op: &Op, delayed: bool) -> Route {
    let point = match op {
        Op::Kv(kv::Op::Get { .. } | kv::Op::GetVersion { .. }) | Op::S3(s3::Op::Head { .. }) => true,
        // Of `getMany` each value may be a mebibyte, and everybody would wait for all of them.
        Op::Files(_) | Op::S3(s3::Op::Get { .. }) => return Route::Loads,
        Op::Ds(_) | Op::Kv(_) | Op::S3(_) => false,
    };
    match (op.is_write(), point && !delayed) {
        (true, _) => Route::Writer,
        (false, true) => Route::Here,
        (false, false) => Route::Reader,
    }
}

/// Whether a read may look at any number of rows: among the keys of a list there may be many that have expired.
fn scans(op: &Op, body: &[u8]) -> bool {
    match op {
        Op::Ds(ds::Op { verb: ds::Verb::FindOne, .. }) => !body.starts_with(b"\""),
        Op::Ds(_) | Op::Kv(kv::Op::List { .. }) => true,
        Op::Kv(_) | Op::S3(_) | Op::Files(_) => false,
    }
}

impl Store {
    /// Answers a point read on this thread; gives it back where it is of more than this thread does, which everybody waits
    /// for, or was interrupted by the writer.
    pub(crate) fn answer_here(&self, question: Question) -> Option<Question> {
        let outcome = {
            let point = self.point.lock();
            match point.as_ref() {
                Some(connection) if question.start() => {
                    readers::answer_small(connection, &question, (self, SMALL_BYTES))
                }
                _ => Some(Err(late())),
            }
        };
        let Some(outcome) = outcome else { return Some(question) };
        question.answer(self, outcome);
        None
    }

    /// Gives a question to the threads that it is for; gives it back where they take nothing more.
    pub(crate) fn pass_on(&self, question: Question, route: Route) -> Result<(), ()> {
        let app = question.channel.app;
        match route {
            // What takes long of a write is done by a reader, which passes it on.
            Route::Writer if !plan::is_due(&question.op, &question.body) => {
                let job = Box::new(Job { question, plan: None });
                self.writes.push(app, Write::Op(job)).map_err(drop)
            }
            Route::Loads => self.loads.push(app, question).map_err(drop),
            Route::Writer | Route::Reader | Route::Here => {
                let queue = if scans(&question.op, &question.body) { &self.scans } else { &self.reads };
                queue.push(app, Read::Op(Box::new(question))).map_err(drop)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_single_values_are_read_in_the_reactor() {
        let get = |key: &str| Op::Kv(kv::Op::Get { key: key.to_owned() });
        assert_eq!((route(&get("k"), false), route(&get("k"), true)), (Route::Here, Route::Reader));
        for count in [1, 15, 16] {
            let keys = vec![kv::Key("k".to_owned()); count];
            assert_eq!(route(&Op::Kv(kv::Op::GetMany { keys }), false), Route::Reader, "{count} keys");
        }
    }

    #[test]
    fn what_is_named_by_an_id_is_no_scan() {
        let one = Op::Ds(ds::Op { collection: "c".to_owned(), verb: ds::Verb::FindOne });
        assert!(!scans(&one, b"\"id\"") && scans(&one, b"{}"));
    }
}
