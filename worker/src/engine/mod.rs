//! The engine: one app's JavaScript, in a heap that is the same, bit for bit, at the start of every request.
//!
//! [`Blank::make`] makes runtime, context and prelude in an arena, once for a zygote's children; [`Engine::new`] takes it,
//! [`Engine::load`] adds the app's code and takes the image; [`Engine::serve`] runs one request and [`Engine::renew`] puts
//! the heap back. What the engine asks of the outside
//! is a [`Host`]. A run that the soft clock cut off, or that reached the heap's limit, says that the worker is to be retired:
//! the image makes that cheap, not unnecessary.
//!
//! It cannot be had outside a jail, and does not protect itself against mistakes of the C engine: the jail is the
//! boundary, the image is for state.

mod answer;
mod blank;
mod body;
mod buffer;
mod bytecode;
mod chance;
mod clock;
pub(crate) mod discretion;
mod form;
mod headers;
mod inject;
mod job;
mod journal;
pub(crate) mod modules;
mod prelude;
mod property;
pub(crate) mod realm;
mod rejection;
mod run;
mod runtime;
mod settle;
#[cfg(test)]
mod tests;
pub(crate) mod trouble;
pub(crate) mod turn;
pub(crate) mod value;

use std::io;

use fazt_jail::Jailed;
use fazt_protocol::call::Spans;
use nix::time::{ClockId, clock_gettime};

pub use blank::Blank;
pub use job::{App, Config, Finished, FreshState, Host, Job, OpReply, Question};
pub use prelude::Standard;
pub use runtime::EngineError;

use crate::{
    image::{self, Hot, Image, Tracker, Whole},
    outcome::Outcome,
};
use modules::Modules;
use runtime::{Room, Runtime};
use turn::{Setting, Turn};

/// What errors call the text of [`Work::Execute`](fazt_protocol::call::Work::Execute).
const CODE: &str = "code";
/// Of so many restores, one is compared with the image byte for byte.
const SAMPLED: u64 = 1_000;
/// The most that scripts may use of the stack, whatever their limit: a quarter of a process's usual eight megabytes, for
/// native code runs on below the point where a script is stopped.
const STACK_BYTES_MOST: usize = 2 << 20;
/// What a heap may have beside its image, whatever its limit.
const LEAST_BEYOND_IMAGE: usize = 1 << 20;

/// One app's engine. Dropped in this order: the image forgets the arena before the arena goes.
#[derive(Debug)]
pub struct Engine {
    image: Option<Image>,
    room: Option<Room>,
    runtime: Runtime,
    standard: Standard,
    config: Config,
    app: Option<App>,
    modules: Modules,
    /// A run has used the heap since it was last put back.
    used: bool,
    restores: u64,
    /// The heap did not come back as it was, or could not be had anew.
    in_doubt: bool,
}

/// Does what must be done once in a process with one thread, and before its jail: the fault handler that watches for
/// writes is installed; local time is made UTC, which the C library would else look up in files at the first `Date`; and
/// the clock is read once, for its fast path is found by a call that jails forbid.
///
/// # Errors
/// What sigaction(2) says.
pub fn prepare() -> io::Result<()> {
    clock::make_local_time_utc();
    let _ = fazt_protocol::clock::now_ns();
    image::install()
}

impl Engine {
    /// An engine without an app, of a blank that this process inherited or made.
    #[must_use]
    pub fn new(_jailed: &Jailed, blank: Blank) -> Self {
        let Blank { room, runtime, standard, config } = blank;
        let (image, app, modules) = (None, None, Modules::default());
        Self { image, room, runtime, standard, config, app, modules, used: false, restores: 0, in_doubt: false }
    }

    /// Gives the engine its app, once. Mistakes in the app's code are not errors here: they are what each call says.
    ///
    /// # Errors
    /// [`EngineError`]; the worker is of no use then.
    pub fn load(&mut self, mut app: App) -> Result<(), EngineError> {
        self.runtime.enter_stack();
        self.modules = Modules::new(std::mem::take(&mut app.files));
        if self.modules.has_main() {
            // Compiled while nobody waits for an answer. If there was no memory for it the request says so.
            self.modules.code(modules::MAIN);
            self.modules.was_starved();
        }
        if let Some(room) = &self.room {
            introduce(room, &app)?;
        }
        self.app = Some(app);
        self.limit_stack();
        if self.room.is_some() { self.take_image() } else { Ok(()) }
    }

    /// Whether there is an `api/main.js`.
    #[must_use]
    pub fn has_handler(&self) -> bool {
        self.modules.has_main()
    }

    /// Runs one job. Call [`Self::renew`] when its answer is on the way; else the next job does.
    pub fn serve(&mut self, job: &Job<'_>, host: &mut dyn Host) -> Finished {
        self.renew();
        let cpu = cpu_us();
        self.used = true;
        let Some(room) = self.enter_room() else { return self.no_room() };
        let limits = self.app.as_ref().map(|app| app.limits);
        let answer_bytes = limits.map_or(0, |limits| usize::try_from(limits.answer_bytes).unwrap_or(usize::MAX));
        let setting = Setting {
            clock: self.runtime.clock(),
            modules: &self.modules,
            prelude: &room.prelude,
            job,
            storage_calls: limits.map_or(0, |limits| limits.storage_calls),
        };
        let turn = Turn::new(host, &setting);
        self.runtime.enter_stack();
        self.runtime.clock().wind(job.run);
        let (outcome, spans) = turn::enter(&turn, || run::run(room.realm(), &turn, job, answer_bytes));
        turn.close_journal(matches!(outcome, Outcome::Reply(_)));
        let (tally, discretion) = (turn.tally(), turn.into_discretion());
        let (outcome, poisoned) = self.judge(job, outcome);
        let public = outcome.fault().and_then(|_| discretion.publish(&outcome.message()));
        self.runtime.clock().stop();
        let heap_peak = self.runtime.arena().peak_bytes() as u64;
        self.leave_room(room);
        let cpu_us = u32::try_from(cpu_us().saturating_sub(cpu)).unwrap_or(u32::MAX);
        let retire = poisoned || self.in_doubt;
        Finished { outcome, public, spans, cpu_us, heap_peak, storage_ops: tally.count, ops: tally.ops, retire }
    }

    /// Puts the heap back to its image; with modules in it that were first asked for since it was taken.
    pub fn renew(&mut self) {
        if !std::mem::take(&mut self.used) {
            return;
        }
        let Some(image) = &mut self.image else { return self.use_again() };
        let high = self.runtime.arena().high_bytes();
        image.restore(self.runtime.arena());
        self.restores = self.restores.wrapping_add(1);
        if self.restores.is_multiple_of(SAMPLED) && image.difference(high).is_some() {
            self.in_doubt = true;
        }
        if self.modules.has_grown() && self.take_image().is_err() {
            self.in_doubt = true;
        }
    }

    /// Without an image the request's head is all that is new: enough for measurements, which serve the same one again.
    fn use_again(&mut self) {
        if let (FreshState::UsedAgain, Some(room)) = (self.config.fresh_state, &self.room) {
            self.runtime.enter_stack();
            self.in_doubt |= room.realm().share(room.prelude.forget_request).call(&[]).is_err();
        }
    }

    /// Takes the image of the heap as it stands, with every module that was compiled.
    fn take_image(&mut self) -> Result<(), EngineError> {
        self.image = None;
        let Some(room) = &self.room else { return Ok(()) };
        let realm = room.realm();
        // What could not be read is read by the request that asks for it. Its exception must not get into the image.
        self.modules.pin(|bytes| realm.forgive(realm.read(bytes)).map(value::Value::into_raw));
        let heap_bytes = self.heap_bytes();
        self.runtime.put_collection_off(heap_bytes);
        self.runtime.arena_mut().limit(heap_bytes);
        let tracker: Box<dyn Tracker> = match self.config.fresh_state {
            FreshState::WholeImage => Box::new(Whole::default()),
            FreshState::Image | FreshState::Context => Box::new(Hot::default()),
            FreshState::UsedAgain => return Ok(()),
        };
        self.image = Some(Image::take(self.runtime.arena(), tracker).map_err(EngineError::Image)?);
        Ok(())
    }

    /// What the app's heap may have, image included.
    fn heap_bytes(&self) -> usize {
        let limit = self.app.as_ref().map_or(u64::MAX, |app| app.limits.heap_bytes);
        let least = self.runtime.arena().live_bytes().saturating_add(LEAST_BEYOND_IMAGE);
        usize::try_from(limit).unwrap_or(usize::MAX).min(self.config.heap_bytes_most).max(least)
    }

    /// The one room of an image, or a new one.
    fn enter_room(&mut self) -> Option<Room> {
        if let Some(room) = self.room.take() {
            return Some(room);
        }
        // A context made under a limit that it does not fit can crash: the limit comes after it.
        self.runtime.arena_mut().limit(usize::MAX);
        let room = self.runtime.furnish(&self.standard).ok()?;
        let heap_bytes = self.heap_bytes();
        introduce(&room, self.app.as_ref()?).ok()?;
        self.runtime.put_collection_off(heap_bytes);
        self.runtime.arena_mut().limit(heap_bytes);
        Some(room)
    }

    fn leave_room(&mut self, room: Room) {
        match self.config.fresh_state {
            FreshState::Image | FreshState::WholeImage | FreshState::UsedAgain => self.room = Some(room),
            FreshState::Context if self.runtime.has_jobs() => self.begin_anew(),
            FreshState::Context => self.runtime.clear(room),
        }
    }

    /// A new runtime for the next context: the queue of jobs is the runtime's, and cannot be emptied but by running them.
    fn begin_anew(&mut self) {
        match Runtime::new(self.config.heap_bytes_most) {
            Ok(runtime) => {
                self.runtime = runtime;
                self.limit_stack();
            }
            Err(_) => self.in_doubt = true,
        }
    }

    fn limit_stack(&self) {
        let limit = self.app.as_ref().map_or(0, |app| app.limits.stack_bytes);
        self.runtime.limit_stack(usize::try_from(limit).unwrap_or(usize::MAX).min(STACK_BYTES_MOST));
    }

    fn no_room(&mut self) -> Finished {
        self.in_doubt = true;
        let (spans, ops) = (Spans::default(), Vec::new());
        let outcome = Outcome::Memory(self.heap_bytes());
        Finished { outcome, public: None, spans, cpu_us: 0, heap_peak: 0, storage_ops: 0, ops, retire: true }
    }

    /// What the clock's and the allocator's state say about an outcome, whatever the script made of it; and whether the
    /// run is poisoned.
    fn judge(&self, job: &Job<'_>, outcome: Outcome) -> (Outcome, bool) {
        let late = self.runtime.clock().has_fired();
        let refused = self.runtime.arena().refused() | self.modules.was_starved();
        let outcome = match outcome {
            Outcome::SoftTimeout(..) => outcome,
            // It was late, even if it got an answer done before it noticed.
            _ if late => Outcome::SoftTimeout(job.run_ms(), trouble::Trouble::default()),
            Outcome::Reply(_) => outcome,
            // Out of memory may be thrown as anything, `null` above all.
            _ if refused => Outcome::Memory(self.heap_bytes()),
            _ => outcome,
        };
        let timed_out = matches!(outcome, Outcome::SoftTimeout(..));
        (outcome, late || refused || timed_out)
    }
}

fn introduce(room: &Room, app: &App) -> Result<(), EngineError> {
    let realm = room.realm();
    room.prelude
        .introduce(realm, &app.name, app.version, &app.env)
        .map_err(|realm::Thrown| EngineError::Prelude(trouble::describe(&realm.exception(), None).message))
}

/// CPU time of this thread, in microseconds.
fn cpu_us() -> u64 {
    let Ok(now) = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID) else { return 0 };
    u64::try_from(now.tv_sec().saturating_mul(1_000_000).saturating_add(now.tv_nsec() / 1_000)).unwrap_or_default()
}
