//! The neighbour: an app `victim` that is asked again and again, one read and one write in turn, by keep-alive connection.
//! Each answer must be a 200 with its own body, and each acknowledged write must be there afterwards, once.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use serde_json::Value;

use crate::{
    farm::Farm,
    http::{App, Request},
    wait::{PATIENCE, eventually, millis, promised, seconds},
};

/// The app's name.
pub const NAME: &str = "victim";
/// What it does: `say` answers with what it was told, `add` counts a key up, `all` lists them.
pub const SOURCE: &str = "
module.exports = (request) => {
  const { kv } = fazt.storage
  const { say, add } = request.query
  if (say) return { said: say }
  if (add) return { count: kv.incr('ledger:' + add) }
  const all = {}
  let page = kv.list('ledger:')
  while (page.length > 0) {
    for (const { key, value } of page) all[key.slice(7)] = value
    page = kv.list('ledger:', { after: page[page.length - 1].key })
  }
  return all
}";

/// What a request of the neighbour that reads takes at most, but for one in a hundred.
const READ: Duration = millis(75);
/// The same of one that writes: it waits for a disk, to which tests beside this one flush their deploys.
const WRITE: Duration = millis(200);

/// Between two requests: it is to be there all the time, and neither to be the load itself nor to use up, in the few seconds of
/// a test, what one connection may bring.
const REST: Duration = Duration::from_millis(4);

/// One request that did not go as it must.
pub type Failure = String;

/// The neighbour's life.
#[derive(Debug)]
pub struct Canary {
    app: App,
    over: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
    book: Arc<Mutex<Book>>,
    asking: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Book {
    acknowledged: BTreeSet<String>,
    unknown: BTreeSet<String>,
    failures: Vec<Failure>,
    /// Of each answer: whether it was for a write, and how long it took.
    took: Vec<(bool, Duration)>,
    /// How many of them came before anything happened, and before all was over.
    bounds: (usize, usize),
}

/// Deploys the neighbour's app and asks it once.
#[must_use]
pub fn deploy(farm: &Farm) -> App {
    let app = farm.script(NAME, SOURCE);
    assert_eq!(app.get("/api/?say=hello").json()["said"], "hello");
    app
}

/// How long all but one in a hundred of the neighbour's requests of a kind took.
#[derive(Debug)]
pub struct Usual {
    /// The kind.
    pub what: &'static str,
    /// While nothing else happened, before and afterwards.
    pub idle: Duration,
    /// Between.
    pub busy: Duration,
    /// What they may take then, by what they take where nothing else happens.
    pub most: Duration,
}

impl Canary {
    /// Deploys the app and begins to ask.
    #[must_use]
    pub fn release(farm: &Farm) -> Self {
        Self::ask(deploy(farm))
    }

    /// Begins to ask an app that is there.
    #[must_use]
    pub fn ask(app: App) -> Self {
        let (over, asked, book) = (Arc::default(), Arc::default(), Arc::default());
        let mut canary = Self { app, over, asked, book, asking: None };
        let (app, over) = (canary.app.keeping(), Arc::clone(&canary.over));
        let (asked, book) = (Arc::clone(&canary.asked), Arc::clone(&canary.book));
        canary.asking = Some(thread::spawn(move || {
            for number in 0.. {
                if over.load(SeqCst) {
                    return;
                }
                ask_once(&app, number, &book);
                asked.fetch_add(1, SeqCst);
                thread::sleep(REST);
            }
        }));
        canary
    }

    /// Waits for so many more answers.
    pub fn sings(&self, more: usize) {
        let until = self.asked.load(SeqCst).saturating_add(more);
        eventually(seconds(30), "the neighbour is served", || self.asked.load(SeqCst) >= until);
    }

    /// Until now nothing else happened.
    pub fn idle_until_now(&self) {
        let mut book = self.book.lock().unwrap();
        book.bounds = (book.took.len(), book.took.len());
    }

    /// From now on nothing else happens.
    pub fn idle_from_now(&self) {
        let mut book = self.book.lock().unwrap();
        book.bounds.1 = book.took.len();
    }

    /// How long its reads and its writes took.
    #[must_use]
    pub fn usual(&self) -> [Usual; 2] {
        let book = self.book.lock().unwrap();
        let (before, rest) = book.took.split_at(book.bounds.0);
        let (between, after) = rest.split_at(book.bounds.1.saturating_sub(book.bounds.0));
        [("reads", false, READ), ("writes", true, WRITE)].map(|(what, kind, most)| {
            let idle = most_of(before, kind).max(most_of(after, kind));
            let most = promised(most).max(idle.saturating_mul(3));
            Usual { what, idle, busy: most_of(between, kind), most }
        })
    }

    /// Ends it: all must have been answered well, and all that was acknowledged be there, once.
    pub fn was_well(self) {
        let (failures, _) = self.end();
        assert_eq!(failures, Vec::<Failure>::new(), "the neighbour was disturbed");
    }

    /// Ends it; gives what failed and how long the slowest answer took. What was acknowledged must be there in any case.
    #[must_use]
    pub fn end(mut self) -> (Vec<Failure>, Duration) {
        self.over.store(true, SeqCst);
        self.asking.take().unwrap().join().unwrap();
        assert!(self.asked.load(SeqCst) > 0, "a neighbour that was never asked proves nothing");
        let kept = eventually(PATIENCE, "the ledger can be read", || {
            let answer = self.app.try_send(&Request::new("GET", "/api/")).ok()?;
            (answer.status == 200).then(|| answer.json())
        });
        let kept = kept.as_object().unwrap();
        let book = self.book.lock().unwrap();
        for token in &book.acknowledged {
            assert_eq!(kept.get(token), Some(&Value::from(1)), "an acknowledged write, {token}, is there once");
        }
        for (token, count) in kept {
            let known = book.acknowledged.contains(token) || book.unknown.contains(token);
            assert!(known && *count == 1, "{token} was written {count} times, or by nobody");
        }
        (book.failures.clone(), book.took.iter().map(|(_, took)| *took).max().unwrap_or_default())
    }
}

/// What all but one in a hundred of a kind are within; of fewer, all but one.
fn most_of(took: &[(bool, Duration)], kind: bool) -> Duration {
    let mut sorted: Vec<Duration> = took.iter().filter(|(of, _)| *of == kind).map(|(_, took)| *took).collect();
    sorted.sort_unstable();
    let beyond = (sorted.len() / 100).max(1);
    sorted.iter().rev().nth(beyond).copied().unwrap_or_default()
}

fn ask_once(app: &App, number: usize, book: &Mutex<Book>) {
    let token = format!("t{number}");
    let is_write = number % 2 == 1;
    let target = format!("/api/?{}={token}", if is_write { "add" } else { "say" });
    let answer = app.try_send(&Request::new("GET", &target));
    let mut book = book.lock().unwrap();
    let well = match &answer {
        Ok(answer) if answer.status != 200 => false,
        Ok(answer) if is_write => answer.json()["count"] == 1,
        Ok(answer) => answer.json()["said"] == token.as_str(),
        Err(_) => false,
    };
    book.took.extend(answer.as_ref().map(|answer| (is_write, answer.took)));
    match (is_write, well) {
        (true, true) => drop(book.acknowledged.insert(token)),
        (true, false) => drop(book.unknown.insert(token)),
        _ => {}
    }
    if !well {
        let what =
            answer.map_or_else(|error| error.to_string(), |answer| format!("{} {}", answer.status, answer.text()));
        book.failures.push(format!("{target}: {what}"));
    }
}
