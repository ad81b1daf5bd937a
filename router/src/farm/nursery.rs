//! The nursery: from the order for a worker until its keeper has it. What goes wrong on the way costs a pause, and the next
//! one is ordered.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Instant,
};

use fazt_protocol::spawn::Role;

use super::{
    Ground,
    birth::{BirthError, Newborn},
    counts::count,
    death::{Death, Life},
    keeper::Keeper,
};

impl Ground {
    /// A child died before it was ready, or was not born at all: the next one after a pause.
    pub fn stillborn(&self, worker: u64, death: Death) {
        tracing::error!("worker {worker} {} before it was ready", death.word());
        self.miscarry();
    }

    /// Brings a child into the world.
    ///
    /// # Errors
    /// [`BirthError`].
    pub async fn bear(&self, role: Role) -> Result<(Life, Newborn), BirthError> {
        let number = self.children.fetch_add(1, Relaxed);
        let mut newborn = self.births.bear(number, role).await?;
        // The life takes the handle; the newborn keeps a copy that dies with it.
        let pidfd = newborn.pidfd.try_clone().map_err(|error| BirthError::Failed(error.to_string()))?;
        let pidfd = std::mem::replace(&mut newborn.pidfd, pidfd);
        let life = Life::new(number, newborn.pid, pidfd, newborn.group.take(), self.this.clone());
        if !life.is_in_its_group() {
            return Err(BirthError::Failed("it is not in the control group that it was to be born into".to_owned()));
        }
        Ok((life, newborn))
    }

    fn miscarry(&self) {
        self.pool.lock().miscarry();
        let pause = self.newborns.lock().punish((), Instant::now());
        let this = self.this.clone();
        self.control.spawn(async move {
            tokio::time::sleep(pause).await;
            if let Some(ground) = this.upgrade() {
                let births = ground.pool.lock().lacking();
                ground.order_births(births, true);
            }
        });
    }

    pub(super) fn order_births(&self, births: usize, again: bool) {
        for _ in 0..births {
            if again {
                count(&self.counts.respawns);
            }
            let this = self.this.clone();
            self.control.spawn(async move {
                if let Some(ground) = this.upgrade() {
                    ground.raise().await;
                }
            });
        }
    }

    /// One worker, from the order until its keeper has it.
    async fn raise(self: Arc<Self>) {
        let (life, newborn) = match self.bear(Role::Worker).await {
            Ok(born) => born,
            Err(error) => {
                tracing::error!("failed to {error}");
                return self.miscarry();
            }
        };
        let home = self.next_home.fetch_add(1, Relaxed).checked_rem(self.homes.len()).unwrap_or_default();
        let Some(runtime) = self.homes.get(home) else { return };
        let ground = Arc::clone(&self);
        runtime.spawn(async move {
            match Keeper::new(Arc::clone(&ground), life, home, newborn) {
                Ok(keeper) => keeper.run().await,
                Err(error) => {
                    tracing::error!("failed to hear a newborn worker: {error}");
                    ground.miscarry();
                }
            }
        });
    }
}
