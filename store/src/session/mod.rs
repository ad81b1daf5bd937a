//! A worker's channel, from its `Bind` to its end: reads questions, checks who may ask, answers or passes on.
//!
//! One task of the reactor a channel. Point reads are answered here, from the one connection that the reactor keeps; scans
//! go to the readers, writes to the writer. The deadline of what was passed on is kept here too: whoever is slow, the
//! worker hears in time. Any breach, and the worker's end, end the channel; what it had in hand is interrupted.

mod channel;
mod inlet;
mod intake;
mod leave;
mod outlet;

use std::{io, os::fd::OwnedFd, sync::Arc, time::Duration};

use fazt_protocol::{
    Breach, clock,
    frame::Inbox,
    id::RequestId,
    limit::SLOW_OP_MS,
    op::{Ask, Code, Refusal, ToStore},
};
use tokio::{
    net::UnixStream,
    task::coop::consume_budget,
    time::{Instant, sleep_until, timeout},
};

pub(crate) use self::channel::{Bound, Channel};
use self::{
    inlet::End,
    intake::{Asked, Intake},
    leave::Leave,
};
use crate::{
    leash::Leash,
    once,
    question::{Question, encode},
    refusal::late,
    route::{Route, route},
    store::Store,
};

/// How long a worker may leave an answer unread before its channel is closed. It may be stopped for a while by the router.
const UNREAD: Duration = Duration::from_secs(10);

/// The reactor's side of a channel.
#[derive(Debug)]
pub(crate) struct Session {
    store: Arc<Store>,
    channel: Arc<Channel>,
    socket: Arc<UnixStream>,
    inbox: Inbox,
    leave: Leave,
    intake: Option<Intake>,
    /// What was passed on and is not answered.
    away: Option<Away>,
}

/// A question in another thread's hands.
#[derive(Debug)]
struct Away {
    number: u64,
    request: RequestId,
    op: &'static str,
    is_write: bool,
    leash: Arc<Leash>,
    asked_ns: u64,
}

impl Session {
    /// A session over the descriptor that came with `Bind`.
    pub(crate) fn open(store: Arc<Store>, bound: Bound, descriptor: OwnedFd) -> io::Result<Self> {
        let stream = std::os::unix::net::UnixStream::from(descriptor);
        stream.set_nonblocking(true)?;
        let socket = Arc::new(UnixStream::from_std(stream)?);
        let leave = Leave::new(bound.bind);
        let channel = Arc::new(Channel::new(bound, Arc::clone(&socket)));
        store.channels.lock().insert(channel.bind, Arc::clone(&channel));
        Ok(Self { store, channel, socket, inbox: Inbox::default(), leave, intake: None, away: None })
    }

    /// Serves the channel to its end.
    pub(crate) async fn run(mut self) {
        let end = match self.serve().await {
            Err(end) => end,
            Ok(never) => match never {},
        };
        if let Some(away) = self.away.take() {
            // Claimed, so that nobody answers into a socket that is about to be closed.
            away.leash.cut();
            let _answered = self.channel.claim(away.number);
        }
        self.store.channels.lock().remove(&self.channel.bind);
        let app = self.channel.app_name.as_str();
        match &end {
            End::Gone | End::Removed => tracing::debug!(bind = self.channel.bind, app, "channel closed: {end}"),
            _ => {
                let request = self.leave.request();
                let request_id = request.as_ref().map_or("", RequestId::as_str);
                tracing::warn!(bind = self.channel.bind, app, request_id, "channel closed: {end}");
            }
        }
    }

    async fn serve(&mut self) -> Result<std::convert::Infallible, End> {
        let channel = Arc::clone(&self.channel);
        let socket = Arc::clone(&self.socket);
        let alarm = sleep_until(Instant::now());
        tokio::pin!(alarm);
        let mut alarm_ns = u64::MAX;
        loop {
            self.hear_all().await?;
            if channel.outlet.is_waiting() {
                timeout(UNREAD, channel.outlet.drain()).await.map_err(|_late| End::Unread)??;
                continue;
            }
            // Moved only where it would ring too late: most ops are answered long before.
            let due_ns = self.due_ns();
            if due_ns < alarm_ns {
                alarm.as_mut().reset(Instant::from_std(clock::instant(due_ns)));
                alarm_ns = due_ns;
            }
            tokio::select! {
                biased;
                ready = socket.readable() => {
                    ready?;
                    inlet::read(&self.socket, &mut self.inbox)?;
                }
                () = channel.outlet.filled() => {}
                () = &mut alarm, if alarm_ns < u64::MAX => {
                    alarm_ns = u64::MAX;
                    self.ring();
                }
                () = channel.end.notified() => return Err(End::Removed),
            }
        }
    }

    /// Hears what is whole, unless an answer waits to be read first.
    async fn hear_all(&mut self) -> Result<(), End> {
        while !self.channel.outlet.is_waiting() {
            // A worker that never stops asking must not keep the reactor from the others.
            consume_budget().await;
            match self.inbox.take::<ToStore>()? {
                Some(ToStore::Ask(ask)) => self.ask(*ask)?,
                Some(ToStore::Chunk(part)) => {
                    let Some(intake) = &mut self.intake else {
                        return Err(Breach { said: "Chunk", phase: "no body is coming" }.into());
                    };
                    intake.push(part)?;
                    let Asked { leash, op, request_ends_ns, .. } = &intake.asked;
                    if !leash.is_past() {
                        leash.extend(self.channel.latest_ns(op, *request_ends_ns));
                    }
                    self.settle();
                }
                None => break,
            }
        }
        Ok(())
    }

    fn ask(&mut self, ask: Ask) -> Result<(), End> {
        if self.intake.is_some() || self.channel.is_busy() {
            return Err(Breach { said: "Ask", phase: "a question is in hand" }.into());
        }
        self.leave.hear(ask.number, ask.grant.as_ref(), &self.store.key)?;
        let asked_ns = clock::now_ns();
        let (refused, request, request_ends_ns) = match self.leave.take(asked_ns) {
            Ok((request, ends_ns)) => (None, request, ends_ns),
            Err(refusal) => (Some(refusal), self.leave.request().unwrap_or_else(RequestId::generate), asked_ns),
        };
        let leash = Leash::until(self.channel.latest_ns(&ask.op, request_ends_ns).min(ask.until_ns));
        let refused = refused.or_else(|| once::check(ask.once.as_deref(), &ask.op).err());
        let Ask { number, once, op, .. } = ask;
        let asked = Asked { number, once, op, request, leash, asked_ns, request_ends_ns };
        self.intake = Some(Intake::begin(asked, refused, ask.body, self.store.bodies.lease(self.channel.app))?);
        self.settle();
        Ok(())
    }

    /// Once the body is whole: refuses, answers, or passes on.
    fn settle(&mut self) {
        let Some(intake) = self.intake.take_if(|intake| intake.is_whole()) else { return };
        let (asked, body) = intake.into_body();
        let Asked { number, once, op, request, leash, asked_ns, request_ends_ns: ends_ns } = asked;
        match body {
            Ok(_) if leash.is_past() => self.refuse(number, asked_ns, late()),
            Err(refusal) => self.refuse(number, asked_ns, refusal),
            Ok((body, lease, hash)) => {
                let channel = Arc::clone(&self.channel);
                self.pass_on(Question {
                    channel,
                    number,
                    request,
                    once,
                    op,
                    body,
                    hash,
                    lease,
                    leash,
                    asked_ns,
                    ends_ns,
                    staging: None,
                    tries: 0,
                });
            }
        }
    }

    fn pass_on(&mut self, question: Question) {
        let number = question.number;
        self.channel.begin(number);
        let where_to = route(&question.op, self.store.delay.is_some());
        let (op, is_write, asked_ns) = (question.op.name(), question.op.is_write(), question.asked_ns);
        let question = match where_to {
            Route::Here => self.store.answer_here(question),
            Route::Reader | Route::Loads | Route::Writer => Some(question),
        };
        let Some(question) = question else { return };
        let (request, leash) = (question.request.clone(), Arc::clone(&question.leash));
        self.away = Some(Away { number, request, op, is_write, leash, asked_ns });
        if self.store.pass_on(question, where_to).is_err() && self.channel.claim(number) {
            self.refuse(number, asked_ns, Refusal::new(Code::Unavailable, "the store is closing"));
        }
    }

    fn refuse(&self, number: u64, asked_ns: u64, refusal: Refusal) {
        let spent_us = u32::try_from(clock::now_ns().saturating_sub(asked_ns) / 1_000).unwrap_or(u32::MAX);
        self.channel.outlet.send(encode(number, spent_us, Err(refusal)), self.store.bodies.lease(self.channel.app));
    }

    /// When the question in hand, or its body, must be there.
    fn due_ns(&self) -> u64 {
        let away = self.away.as_ref().filter(|away| self.channel.is_in_hand(away.number));
        let coming = self.intake.as_ref().filter(|intake| intake.is_kept());
        let leash = away.map(|away| &away.leash).or(coming.map(|intake| &intake.asked.leash));
        leash.map_or(u64::MAX, |leash| leash.deadline_ns())
    }

    /// A deadline may have passed.
    fn ring(&mut self) {
        if let Some(intake) = &mut self.intake {
            if intake.asked.leash.is_past() {
                intake.refuse(late());
            }
            return;
        }
        let Some(away) = self.away.take_if(|away| away.leash.is_past()) else { return };
        if self.channel.claim(away.number) {
            // It may be running, and a write that runs may still be committed.
            let unknown = away.is_write && away.leash.has_started();
            let (request_id, app, op) = (away.request.as_str(), self.channel.app_name.as_str(), away.op);
            let ms = clock::now_ns().saturating_sub(away.asked_ns) / 1_000_000;
            if ms >= SLOW_OP_MS {
                tracing::warn!(request_id, app, op, ms, unknown, "slow_op: its deadline passed");
            }
            self.refuse(away.number, away.asked_ns, Refusal { unknown, ..late() });
        }
    }
}
