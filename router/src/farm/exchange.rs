//! One call: what goes to the worker, what comes back, and which of the clocks rings first.
//!
//! The soft clock is the worker's own; the hard one is here, a grace later, and ends in SIGKILL. Whichever it is, the caller
//! gets exactly one answer: the channel to it can be used once.

use std::time::{Duration, Instant};

use fazt_protocol::{
    body::parts,
    call::{Before, Call, FaultKind, ToWorker, is_running},
    clock, limit,
};

use super::{
    account::{Exchange, micros},
    counts::count,
    death::Death,
    door::{DoorPlate, Errand},
    hearing::{Broken, Heard},
    job::Timing,
    keeper::{Fate, Keeper},
    logs,
};
use crate::fault::{Code, Fault};

/// How long a killed worker may take to be gone; the caller waits meanwhile.
const GONE_TIMEOUT: Duration = Duration::from_millis(100);

impl Keeper {
    /// Serves one errand, to the end of the call or of the worker.
    pub(super) async fn answer(&mut self, errand: Errand) -> Fate {
        let Errand { job, answer } = errand;
        let timing = Timing { pid: Some(self.life.pid), ..Timing::queued(job.arrived) };
        let began = Instant::now();
        let mut exchange = Exchange {
            job,
            answer: Some(answer),
            later: None,
            timing,
            number: 0,
            began,
            soft: Duration::ZERO,
            deadline_ns: 0,
        };
        if self.bound.is_none() {
            let bound = self.bind(&exchange.job).await;
            exchange.timing.bind_us = micros(exchange.began.elapsed());
            if let Err(error) = bound {
                return self.stay_unbound(exchange, error);
            }
            self.ground.load(self.life.worker);
        }
        exchange.number = self.ground.number();
        exchange.began = Instant::now();
        let left = exchange.job.deadline.saturating_duration_since(exchange.began);
        exchange.soft = exchange.job.run.min(left);
        if exchange.soft.is_zero() {
            exchange.fault(Fault::new(Code::Timeout, "the whole request's time was over before it could run"));
            return Fate::Keep;
        }
        exchange.deadline_ns =
            clock::now_ns().saturating_add(u64::try_from(exchange.soft.as_nanos()).unwrap_or(u64::MAX));
        self.exchange(exchange).await
    }

    async fn exchange(&mut self, mut exchange: Exchange) -> Fate {
        let hard = exchange.soft.saturating_add(Duration::from_millis(limit::GRACE_MS));
        let until = exchange.began.checked_add(hard).unwrap_or(exchange.began);
        let mut heard = Heard::default();
        let end = tokio::time::timeout_at(until.into(), self.converse(&mut exchange, &mut heard)).await;
        self.keep_logs(&exchange, &heard);
        match end {
            Ok(Ok(())) => self.conclude(exchange, heard),
            Ok(Err(broken)) => self.lose(exchange, broken).await,
            Err(_late) if exchange.answer.is_some() && self.never_began(&exchange).await => self.pass_on(exchange),
            Err(_late) => self.cut_off(exchange),
        }
    }

    /// Whether somebody had stopped the worker before it began. The kernel says the first, which no worker can bring about;
    /// the second is its board's word, which counts once it is dead and can begin no more.
    async fn never_began(&mut self, exchange: &Exchange) -> bool {
        let never = |door: &DoorPlate| door.board.snapshot().call != exchange.number;
        if !never(&self.door) || !self.life.is_stopped() {
            return false;
        }
        self.life.end();
        let gone = tokio::time::timeout(GONE_TIMEOUT, async { while self.pipe.receive().await.is_ok() {} }).await;
        gone.is_ok() && never(&self.door)
    }

    /// Another worker may have what this one never began.
    pub(super) fn pass_on(&self, exchange: Exchange) -> Fate {
        let (app, waited) = (&exchange.job.served.name, exchange.began.elapsed());
        tracing::warn!(
            request_id = %exchange.job.id, %app, worker = self.life.pid,
            "killed after {} ms in which it stood still; another worker has the request", waited.as_millis()
        );
        count(&self.ground.counts.killed);
        exchange.hand_back();
        Fate::End(Death::Killed)
    }

    async fn converse(&mut self, exchange: &mut Exchange, heard: &mut Heard) -> Result<(), Broken> {
        self.send(exchange).await?;
        let mut changes = self.store.changes();
        while heard.done.is_none() {
            let message = match self.pipe.take_ready().map_err(Broken::from)? {
                Some(message) => message,
                None => {
                    exchange.answer_early(heard);
                    tokio::select! {
                        biased;
                        said = self.pipe.receive() => said.map_err(Broken::from)?,
                        _ = changes.changed() => {
                            let rebound = self.rebind(Some((exchange.job.id.clone(), exchange.deadline_ns))).await;
                            rebound.map_err(|_late| Broken::Breach("it took no new channel to the store".to_owned()))?;
                            continue;
                        }
                    }
                }
            };
            self.phase = self.phase.hear(&message).map_err(|breach| Broken::Breach(breach.to_string()))?;
            heard.take(message, self.ground.config.answer_bytes)?;
        }
        Ok(())
    }

    async fn send(&mut self, exchange: &Exchange) -> Result<(), Broken> {
        let breach = |breach: fazt_protocol::Breach| Broken::Breach(breach.to_string());
        self.phase = self.phase.call(exchange.number).map_err(breach)?;
        let Some(bound) = &mut self.bound else { return Err(Broken::Breach("it is not bound".to_owned())) };
        let (body, rest) = parts(&exchange.job.body);
        let call = Call {
            number: exchange.number,
            grant: bound.grant(exchange.job.id.clone(), exchange.deadline_ns),
            run_us: micros(exchange.soft),
            work: exchange.job.work.clone(),
            spent: Before {
                queue_us: u32::try_from(exchange.timing.queue_us).unwrap_or(u32::MAX),
                bind_us: u32::try_from(exchange.timing.bind_us).unwrap_or(u32::MAX),
            },
            debug: exchange.job.debug,
            body,
        };
        self.pipe.queue(&ToWorker::Call(Box::new(call)))?;
        self.pipe.flush().await?;
        for part in rest {
            self.pipe.queue(&ToWorker::Chunk(part))?;
            self.pipe.flush().await?;
        }
        Ok(())
    }

    fn keep_logs(&self, exchange: &Exchange, heard: &Heard) {
        let (served, request) = (&exchange.job.served, &exchange.job.id);
        for line in &heard.logs {
            self.ground.logs.keep(served, request, line.clone());
        }
    }

    /// An end that the worker could not write into its app's log itself.
    fn log_end(&self, exchange: &Exchange, fault: &Fault) {
        self.ground.logs.keep(&exchange.job.served, &exchange.job.id, logs::uncaught(&fault.detail));
    }

    /// One call more that was begun.
    fn count_call(&self, exchange: &Exchange) {
        let ran = micros(exchange.began.elapsed());
        count(&self.ground.counts.executions);
        self.ground.counts.execute_us.fetch_add(ran, std::sync::atomic::Ordering::Relaxed);
        self.door.count();
    }

    /// The call is over in good order.
    fn conclude(&mut self, mut exchange: Exchange, heard: Heard) -> Fate {
        self.count_call(&exchange);
        let Some(mut done) = heard.done else { return Fate::End(Death::Breach) };
        // Its own word, shown within what can be true of one thread in that time, and of a heap with that limit.
        done.cpu_us = done.cpu_us.min(clock::micros(exchange.began.elapsed()));
        done.heap_peak = done.heap_peak.min(self.limits(&exchange.job.served).heap_bytes);
        self.spend(done.cpu_us);
        let retire = done.retire;
        let mut spent = retire;
        if let Some(later) = exchange.later.take() {
            // Who does not wait for the trace's last figures does not want them.
            let _gone = later.send(done);
        } else {
            exchange.settle_times(*done);
            if exchange.job.debug {
                exchange.timing.logs = heard.logs;
            }
            match (heard.fault, heard.reply) {
                (Some(fault), _) => {
                    spent |= matches!(fault.kind, FaultKind::SoftTimeout | FaultKind::Memory);
                    if fault.kind == FaultKind::SoftTimeout {
                        count(&self.ground.counts.interrupted);
                    }
                    exchange.fault(Fault::from_worker(fault));
                }
                (None, Some((head, body))) => exchange.reply(head, body),
                (None, None) => return Fate::End(Death::Breach),
            }
        }
        self.ground.forgive(exchange.job.served.app.id);
        if spent { Fate::End(Death::Spent) } else { Fate::Keep }
    }

    /// Whether another worker may have what this one, which is gone, never began, as its board says: once. It may have died of
    /// this very request, and a captured one says what it likes; so where nobody else killed it, or it is not the first, the app
    /// pays as for any early death.
    async fn may_go_on(&self, exchange: &mut Exchange) -> bool {
        let is_first = !std::mem::replace(&mut exchange.job.handed_on, true);
        if !is_first || !self.life.was_killed().await {
            let app = exchange.job.served.app.id;
            self.ground.punish(app);
            self.ground.wear(app);
        }
        is_first
    }

    /// The worker is gone or broke the protocol.
    async fn lose(&mut self, mut exchange: Exchange, broken: Broken) -> Fate {
        let board = self.door.board.snapshot();
        let never_began = board.call != exchange.number && exchange.answer.is_some();
        if never_began && matches!(broken, Broken::Gone(_)) && self.may_go_on(&mut exchange).await {
            exchange.hand_back();
            return Fate::End(Death::Crashed);
        }
        let app = &exchange.job.served.name;
        let (death, why) = match broken {
            Broken::Gone(why) => (self.life.cause(Death::Crashed), why),
            Broken::Breach(why) => (Death::Breach, why),
        };
        self.count_call(&exchange);
        tracing::warn!(request_id = %exchange.job.id, %app, worker = self.life.pid, "worker {}: {why}", death.word());
        // A death after an answer is not held against the app; this call is counted already.
        if self.door.served.load(std::sync::atomic::Ordering::Relaxed) <= 1 {
            self.ground.punish(exchange.job.served.app.id);
        }
        exchange.spans_from_board(board);
        let mut fault = match death {
            Death::OutOfMemory => Fault::new(Code::MemoryLimit, "the app's process used more memory than it may have"),
            _ => Fault::new(Code::WorkerCrashed, "the app's process ended in the middle of the request"),
        };
        fault.phase = board.phase;
        self.log_end(&exchange, &fault);
        exchange.fault(fault);
        Fate::End(death)
    }

    /// The hard clock rang.
    fn cut_off(&mut self, mut exchange: Exchange) -> Fate {
        let board = self.door.board.snapshot();
        self.count_call(&exchange);
        count(&self.ground.counts.killed);
        exchange.spans_from_board(board);
        let phase = board.phase.map_or("unknown", fazt_protocol::board::Phase::word);
        let detail = if exchange.soft < exchange.job.run {
            format!("the whole request took longer than its limit; it was in phase {phase}")
        } else {
            let file = if board.phase.is_some_and(is_running) { "api/main.js" } else { "the app" };
            format!("{file} ran for more than {} ms", exchange.job.run.as_millis())
        };
        let (app, waited) = (&exchange.job.served.name, exchange.began.elapsed());
        tracing::info!(
            request_id = %exchange.job.id, %app, worker = self.life.pid, phase,
            "killed after {} ms", waited.as_millis()
        );
        let mut fault = Fault::new(Code::Timeout, detail);
        fault.phase = board.phase;
        self.log_end(&exchange, &fault);
        exchange.fault(fault);
        Fate::End(Death::Killed)
    }
}
