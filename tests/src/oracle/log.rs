//! The router's log as a ledger: one line for each request that was answered, and none without a request.
//!
//! Every answer that [`crate::http`] reads is noted here with its id. [`Record`] compares them with the lines that the
//! router wrote meanwhile: same ids, each as often, same status; a failure names its app and, where it came to one, its
//! worker.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde_json::Value;

use crate::{
    farm::Farm,
    wait::{PATIENCE, eventually},
};

/// Ends that only an app's code can bring about: such a request had an app and a worker.
const OF_A_WORKER: [&str; 9] = [
    "script_error",
    "invalid_response",
    "memory_limit",
    "never_settled",
    "worker_crashed",
    "storage_timeout",
    "quota_exceeded",
    "invalid_json",
    "invalid_body",
];
/// The end of a request whose client did not wait for its answer.
const UNHEARD: &str = "client_gone";

static ANSWERS: Mutex<Answers> = Mutex::new(Answers { known: BTreeSet::new(), given: Vec::new() });

/// What was read by anybody in this process.
struct Answers {
    /// The ids of all of them.
    known: BTreeSet<String>,
    /// Those of which it is known who gave them, in order.
    given: Vec<Given>,
}

#[derive(Debug, Clone)]
struct Given {
    by: SocketAddr,
    id: String,
    status: u16,
}

/// A farm's log from a moment on.
#[derive(Debug)]
pub struct Record {
    lines: usize,
    answers: usize,
}

/// Notes an answer of somebody.
pub(crate) fn note(id: &str) {
    answers().known.insert(id.to_owned());
}

/// Notes an answer of the farm at that address.
pub(crate) fn note_of(by: SocketAddr, id: &str, status: u16) {
    let mut answers = answers();
    answers.known.insert(id.to_owned());
    answers.given.push(Given { by, id: id.to_owned(), status });
}

fn answers() -> MutexGuard<'static, Answers> {
    // A test that failed while it noted an answer is no reason for others to fail.
    ANSWERS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Record {
    /// Begins to compare.
    #[must_use]
    pub fn open(farm: &Farm) -> Self {
        Self { lines: farm.log.mark(), answers: answers().given.len() }
    }

    /// Every answer must have its line, and every line its answer, but for `unheard` requests whose clients did not wait.
    pub fn close(&self, farm: &Farm, unheard: usize) {
        let given = self.given(farm);
        // A call that leaves work behind is written when that is done, which may be after its answer.
        eventually(PATIENCE, "each answer has its line in the log", || {
            let lines = self.lines(farm);
            given.iter().all(|(id, answers)| lines.get(id).is_some_and(|lines| lines.len() >= answers.len()))
        });
        let lines = self.lines(farm);
        for (id, statuses) in &given {
            let written: Vec<_> = lines[id].iter().map(|line| line["status"].as_u64().unwrap_or_default()).collect();
            let mut read: Vec<_> = statuses.iter().map(|status| u64::from(*status)).collect();
            read.sort_unstable();
            assert_eq!(sorted(written), read, "the lines of {id}, beside what was answered: {:?}", lines[id]);
        }
        let mut without = Vec::new();
        for line in lines.values().flatten() {
            let id = line["request_id"].as_str().unwrap_or_default();
            let is_known = answers().known.contains(id);
            if !is_known && line["outcome"] != UNHEARD {
                without.push(line.clone());
            }
            says_enough(line);
        }
        let gone = lines.values().flatten().filter(|line| line["outcome"] == UNHEARD).count();
        assert!(without.len() + gone <= unheard, "{gone} were not waited for; lines without a request: {without:#?}");
    }

    /// The answers of this farm since, by their ids.
    fn given(&self, farm: &Farm) -> BTreeMap<String, Vec<u16>> {
        let mut given = BTreeMap::<String, Vec<u16>>::new();
        for answer in answers().given.iter().skip(self.answers).filter(|answer| answer.by == farm.address) {
            given.entry(answer.id.clone()).or_default().push(answer.status);
        }
        given
    }

    /// The finished requests since, by their ids.
    fn lines(&self, farm: &Farm) -> BTreeMap<String, Vec<Value>> {
        let mut lines = BTreeMap::<String, Vec<Value>>::new();
        for event in farm.log.events(self.lines).into_iter().filter(|event| event["message"] == "request") {
            let id = event["request_id"].as_str().unwrap_or_default().to_owned();
            lines.entry(id).or_default().push(event);
        }
        lines
    }
}

fn sorted(mut numbers: Vec<u64>) -> Vec<u64> {
    numbers.sort_unstable();
    numbers
}

/// A line has an id and an outcome; that of a failure also where it happened.
fn says_enough(line: &Value) {
    let outcome = line["outcome"].as_str().unwrap_or_default();
    let id = line["request_id"].as_str().unwrap_or_default();
    assert!(!id.is_empty() && !outcome.is_empty() && line["status"].is_u64(), "a line that says too little: {line}");
    let ran = line["execute_ms"].as_f64().is_some_and(|spent| spent > 0.0);
    if OF_A_WORKER.contains(&outcome) || (outcome == "timeout" && ran) {
        assert!(line["app"].is_string() && line["worker"].is_i64(), "a failure without app or worker: {line}");
    }
}
