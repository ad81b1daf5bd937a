//! One request's own state outside the heap: who hears of it, what it has cost, its random numbers.
//!
//! Native leaves find it through a thread-local pointer that stands for exactly one call of [`enter`]. Everything in it is
//! reached by shared reference and borrowed for moments in which no script can run: a leaf may be called again from
//! within another.
#![expect(
    unsafe_code,
    reason = "the engine's callbacks carry no reference with a lifetime, so a pointer stands for it"
)]

use std::{
    cell::{Cell, RefCell},
    ptr,
    time::Instant,
};

use fazt_protocol::{
    board::Phase,
    call::{Level, LogLine, OpSpan, Request, Source, Work},
    clock::micros,
    limit::TRACED_OPS,
    op::{Code, Refusal},
};

use super::{
    Host, Job, OpReply, Question,
    chance::Chance,
    clock::Clock,
    discretion::Discretion,
    journal::Journal,
    modules::Modules,
    prelude::Prelude,
    realm::{Realm, Thrown},
    rejection::Rejections,
};

thread_local! {
    static CURRENT: Cell<*const ()> = const { Cell::new(ptr::null()) };
}

/// The request in hand.
pub(crate) struct Turn<'a> {
    host: RefCell<&'a mut dyn Host>,
    clock: &'a Clock,
    modules: &'a Modules,
    prelude: &'a Prelude,
    job: &'a Job<'a>,
    journal: Journal,
    chance: RefCell<Option<Chance>>,
    calls_left: Cell<u32>,
    calls_most: u32,
    tally: RefCell<Tally>,
    rejections: RefCell<Rejections>,
    discretion: RefCell<Discretion>,
}

/// What storage has cost.
#[derive(Debug, Default, Clone)]
pub(crate) struct Tally {
    /// Waiting for the store, in microseconds.
    pub(crate) storage_us: u32,
    /// Operations in all.
    pub(crate) count: u32,
    /// The first of them.
    pub(crate) ops: Vec<OpSpan>,
}

/// What a turn is made of.
pub(crate) struct Setting<'a> {
    pub(crate) clock: &'a Clock,
    pub(crate) modules: &'a Modules,
    pub(crate) prelude: &'a Prelude,
    pub(crate) job: &'a Job<'a>,
    pub(crate) storage_calls: u32,
}

impl<'a> Turn<'a> {
    pub(crate) fn new(host: &'a mut dyn Host, setting: &Setting<'a>) -> Self {
        Self {
            host: RefCell::new(host),
            clock: setting.clock,
            modules: setting.modules,
            prelude: setting.prelude,
            job: setting.job,
            journal: Journal::default(),
            chance: RefCell::new(None),
            calls_left: Cell::new(setting.storage_calls),
            calls_most: setting.storage_calls,
            tally: RefCell::default(),
            rejections: RefCell::default(),
            discretion: RefCell::default(),
        }
    }

    pub(crate) fn clock(&self) -> &'a Clock {
        self.clock
    }

    pub(crate) fn modules(&self) -> &'a Modules {
        self.modules
    }

    pub(crate) fn prelude(&self) -> &'a Prelude {
        self.prelude
    }

    pub(crate) fn journal(&self) -> &Journal {
        &self.journal
    }

    /// The request's id.
    pub(crate) fn id(&self) -> &'a str {
        self.job.id
    }

    /// The request's head; `None` where code runs that no request brought.
    pub(crate) fn request(&self) -> Option<&'a Request> {
        match self.job.work {
            Work::Request(request) => Some(request),
            Work::Execute => None,
        }
    }

    /// The request's body; `None` where there is none.
    pub(crate) fn body(&self) -> Option<&'a [u8]> {
        self.request().filter(|request| request.has_body).map(|_| self.job.body)
    }

    /// What storage has cost so far.
    pub(crate) fn tally(&self) -> Tally {
        self.tally.borrow().clone()
    }

    /// Enters a phase, for those who watch from outside.
    pub(crate) fn enter_phase(&self, phase: Phase) {
        self.host.borrow_mut().phase(phase);
    }

    /// Writes a line, cut to what a line may have.
    pub(crate) fn write(&self, level: Level, source: Source, text: &[u8]) {
        let message = Journal::line(text);
        self.host.borrow_mut().log(LogLine { level, source, message });
    }

    /// A promise was rejected with nobody to hear of it, or somebody came to hear of it after all.
    pub(super) fn rejected(&self, promise: usize, why: Option<String>) {
        self.rejections.borrow_mut().note(promise, why);
    }

    /// Words that are about to be thrown show names or source of the app; who must not see them reads others instead.
    pub(crate) fn conceal(&self, words: &str, instead: &'static str) {
        self.discretion.borrow_mut().note(words, instead);
    }

    /// What was concealed.
    pub(super) fn into_discretion(self) -> Discretion {
        self.discretion.into_inner()
    }

    /// Says how many lines were dropped, where any were; and which rejections nobody heard of, beside an answer.
    pub(crate) fn close_journal(&self, answered: bool) {
        for why in self.rejections.take().into_texts().filter(|_| answered) {
            self.write(Level::Error, Source::Uncaught, format!("unhandled rejection: {why}").as_bytes());
        }
        for (source, dropped) in self.journal.dropped() {
            let text = format!("{dropped} more lines were dropped");
            self.write(Level::Warn, source, text.as_bytes());
        }
    }

    /// A number from 0 to below 1, of a generator seeded for this request.
    pub(crate) fn chance(&self) -> Result<f64, getrandom::Error> {
        let mut chance = self.chance.borrow_mut();
        let seeded = match chance.take() {
            Some(seeded) => seeded,
            None => Chance::seeded()?,
        };
        Ok(chance.insert(seeded).next())
    }

    /// Asks the store.
    pub(crate) fn ask(&self, question: &Question<'_>) -> Result<OpReply, Refusal> {
        let Some(left) = self.calls_left.get().checked_sub(1) else {
            let message = format!("a request may make {} storage calls", self.calls_most);
            return Err(Refusal::new(Code::RateLimited, message));
        };
        self.calls_left.set(left);
        let (name, collection) = (question.op.name().to_owned(), question.op.collection().map(str::to_owned));
        let asked = Instant::now();
        let mut host = self.host.borrow_mut();
        host.phase(Phase::Storage);
        let reply = host.ask(question);
        host.phase(Phase::Execute);
        let span = micros(asked.elapsed());
        let store_us = reply.as_ref().map_or(0, |reply| reply.store_us);
        self.tally.borrow_mut().add(OpSpan { op: name, micros: span, store_us, collection });
        reply
    }

    /// Throws the `StorageError` that a refusal is to an app.
    pub(crate) fn throw_storage_error(&self, realm: Realm<'_>, op: &str, refusal: &Refusal) -> Thrown {
        let made = (|| {
            let code = realm.string(refusal.code.word())?;
            let message = realm.string(&format!("{op}: {}", refusal.message))?;
            let outcome = realm.string(if refusal.unknown { "unknown" } else { "none" })?;
            let retryable = realm.boolean(refusal.code.is_retryable());
            let make = realm.share(self.prelude.make_storage_error);
            make.call(&[&code, &message, &realm.string(op)?, &retryable, &outcome])
        })();
        match made {
            Ok(error) => realm.throw(error),
            Err(thrown) => thrown,
        }
    }
}

impl Tally {
    fn add(&mut self, span: OpSpan) {
        self.storage_us = self.storage_us.saturating_add(span.micros);
        self.count = self.count.saturating_add(1);
        if self.ops.len() < TRACED_OPS {
            self.ops.push(span);
        }
    }
}

/// Runs `work` with `turn` as the one that leaves find.
pub(crate) fn enter<R>(turn: &Turn<'_>, work: impl FnOnce() -> R) -> R {
    struct Leave(*const ());
    impl Drop for Leave {
        fn drop(&mut self) {
            CURRENT.set(self.0);
        }
    }
    let _leave = Leave(CURRENT.replace(ptr::from_ref(turn).cast()));
    work()
}

/// Hands the turn of this thread to `work`, if there is one.
pub(crate) fn with<R>(work: impl for<'x> FnOnce(Option<&'x Turn<'x>>) -> R) -> R {
    let current = CURRENT.get().cast::<Turn<'_>>();
    // SAFETY: `enter` keeps the turn borrowed for as long as the pointer stands, on this one thread. Its own lifetime is
    // made shorter, which is right as long as nothing is put into it: a turn's references are never replaced.
    work(unsafe { current.as_ref() })
}
