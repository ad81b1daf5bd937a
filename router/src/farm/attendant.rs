//! The zygote's attendant: keeps one alive, passes births on to it, and replaces it now and then.
//!
//! Children of one zygote share the addresses of everything that it had mapped. So that what was learnt in one worker is of no
//! use in those that are born much later, a zygote is replaced after an hour or a thousand births: the next one is ready
//! before it goes.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use fazt_protocol::spawn::{Role, Spawn};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::{sleep, sleep_until},
};

use super::{
    birth::{BirthError, Newborn, Zygote},
    config::Config,
    death,
};
use crate::cgroup::{Group, Groups};

/// The pause before a zygote is started again.
const RESTART_PAUSE: Duration = Duration::from_millis(20);
/// Births that wait for the zygote.
const WAITING: usize = 1_024;
/// When a zygote is replaced: after so long, and after so many births.
const AGE_MOST: Duration = Duration::from_secs(3600);
const BIRTHS_MOST: u32 = 1_000;

/// Where births are asked for.
#[derive(Debug, Clone)]
pub struct Births(mpsc::Sender<Wish>);

#[derive(Debug)]
struct Wish {
    spawn: Spawn,
    born: oneshot::Sender<Result<Newborn, BirthError>>,
}

/// The zygote at hand, and how much of its life is over.
#[derive(Debug)]
struct Present {
    zygote: Zygote,
    until: Instant,
    births: u32,
}

#[derive(Debug)]
struct Attendant {
    config: Config,
    /// The layers that the first zygote's children had: no later one may have fewer.
    layers: u32,
    /// What children are born into, where there are groups.
    groups: Option<Arc<Groups>>,
    present: Option<Present>,
    /// The next zygote on its way, while the one at hand goes on.
    coming: Option<JoinHandle<Result<Zygote, BirthError>>>,
}

impl Births {
    /// Asks for a child.
    ///
    /// # Errors
    /// [`BirthError`].
    pub async fn bear(&self, number: u64, role: Role) -> Result<Newborn, BirthError> {
        let (born, birth) = oneshot::channel();
        self.0.send(Wish { spawn: Spawn { number, role, grouped: false }, born }).await.map_err(|_gone| lost())?;
        birth.await.unwrap_or_else(|_gone| Err(lost()))
    }
}

/// Answers wishes for as long as anybody may have one, with this zygote or the next one.
pub fn attend(config: Config, zygote: Zygote, groups: Option<Arc<Groups>>) -> (Births, impl Future<Output = ()>) {
    let (wishes, waiting) = mpsc::channel(WAITING);
    let layers = zygote.jail.layers;
    let attendant = Attendant { config, layers, groups, present: Some(Present::new(zygote)), coming: None };
    (Births(wishes), attendant.answer(waiting))
}

impl Present {
    fn new(zygote: Zygote) -> Self {
        let mut present = Self { zygote, until: Instant::now(), births: 0 };
        present.begin_anew();
        present
    }

    /// Its time counts from now.
    fn begin_anew(&mut self) {
        let now = Instant::now();
        (self.until, self.births) = (now.checked_add(AGE_MOST).unwrap_or(now), 0);
    }
}

impl Attendant {
    async fn answer(mut self, mut waiting: mpsc::Receiver<Wish>) {
        loop {
            let until = self.present.as_ref().map(|present| present.until);
            let wish = tokio::select! {
                biased;
                wish = waiting.recv() => match wish {
                    Some(wish) => wish,
                    None => return,
                },
                // An idle zygote has nothing to say: whatever comes is its end, and its successor is started before it is
                // needed.
                end = silence(&mut self.present) => {
                    tracing::error!("zygote gone: {end}");
                    self.restart().await;
                    continue;
                }
                next = arrived(&mut self.coming) => {
                    self.replace(next);
                    continue;
                }
                () = reached(until) => {
                    self.send_for_next();
                    continue;
                }
            };
            self.grant(wish).await;
        }
    }

    async fn grant(&mut self, wish: Wish) {
        // Who gave up waiting wants no child any more.
        if wish.born.is_closed() {
            return;
        }
        let Some(present) = &mut self.present else {
            let _gone = wish.born.send(Err(BirthError::Lost("it is being restarted".to_owned())));
            return self.restart().await;
        };
        let birth = match group(self.groups.as_ref(), wish.spawn.role) {
            Ok(group) => present.zygote.bear(wish.spawn, group).await,
            Err(error) => Err(BirthError::Failed(format!("failed to make its control group: {error}"))),
        };
        present.births = present.births.saturating_add(1);
        let (is_lost, is_spent) = (matches!(birth, Err(BirthError::Lost(_))), present.births >= BIRTHS_MOST);
        if let Err(Ok(orphan)) = wish.born.send(birth) {
            // It gave up meanwhile: its child is nobody's, and would stay on the kernel's list for ever.
            tokio::task::spawn_blocking(move || {
                death::kill(&orphan.pidfd);
                death::collect(&orphan.pidfd);
                drop(orphan);
            });
        }
        if is_lost {
            self.restart().await;
        } else if is_spent {
            self.send_for_next();
        }
    }

    /// Starts a zygote where none is left.
    async fn restart(&mut self) {
        self.present = None;
        match start(&self.config, self.layers).await {
            Ok(zygote) => {
                tracing::info!(pid = zygote.pid(), "zygote restarted");
                self.present = Some(Present::new(zygote));
            }
            Err(error) => {
                tracing::error!("failed to start a zygote: {error}");
                sleep(RESTART_PAUSE).await;
            }
        }
    }

    /// Starts the next zygote beside the one at hand. On this thread, whose end its parent-death signal follows.
    fn send_for_next(&mut self) {
        if let Some(present) = &mut self.present {
            present.begin_anew();
        }
        if self.coming.is_none() {
            let (config, layers) = (self.config.clone(), self.layers);
            self.coming = Some(tokio::spawn(async move { start(&config, layers).await }));
        }
    }

    /// The next one is ready, and the one at hand goes; where it is not to be had, that one stays.
    fn replace(&mut self, next: Result<Zygote, BirthError>) {
        match next {
            Ok(zygote) => {
                tracing::info!(pid = zygote.pid(), "zygote replaced: it has had its time");
                let old = self.present.replace(Present::new(zygote));
                // It is killed and waited for.
                tokio::task::spawn_blocking(move || drop(old));
            }
            Err(error) => tracing::error!("failed to replace the zygote, which goes on: {error}"),
        }
    }
}

/// What a child is born into.
fn group(groups: Option<&Arc<Groups>>, role: Role) -> io::Result<Option<Group>> {
    groups.map(|groups| groups.child(role)).transpose()
}

async fn start(config: &Config, layers: u32) -> Result<Zygote, BirthError> {
    let zygote = Zygote::start(config).await?;
    if zygote.jail.layers & layers == layers {
        return Ok(zygote);
    }
    let missing = zygote.jail.lacks().join(", ");
    Err(BirthError::Refused(format!("its jail is less complete than at the start of the farm: {missing}")))
}

fn lost() -> BirthError {
    BirthError::Lost("it is not there any more".to_owned())
}

async fn silence(present: &mut Option<Present>) -> String {
    match present {
        Some(present) => present.zygote.silence().await,
        None => std::future::pending().await,
    }
}

/// The next zygote, once it is ready or is not to be had.
async fn arrived(coming: &mut Option<JoinHandle<Result<Zygote, BirthError>>>) -> Result<Zygote, BirthError> {
    let Some(started) = coming else { return std::future::pending().await };
    let next = started.await.unwrap_or_else(|panic| Err(BirthError::Lost(panic.to_string())));
    *coming = None;
    next
}

async fn reached(until: Option<Instant>) {
    match until {
        Some(until) => sleep_until(until.into()).await,
        None => std::future::pending().await,
    }
}
