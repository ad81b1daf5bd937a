//! The spawn conversation, router ↔ zygote: descriptors in, pid and pidfd out.
//!
//! The zygote says `Ready` first; then each `Spawn` is answered by `Spawned` (with the pidfd) or `Failed`, in order.

use serde::{Deserialize, Serialize};

use crate::{Breach, Message, bounded, limit::SPAWN_FRAME_BYTES};

/// What the router says to the zygote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToZygote {
    /// Bring one child into the world. Two descriptors come with it: its end of the call conversation, and its board; a
    /// third where it is to be born into a control group.
    Spawn(Spawn),
}

/// What kind of child.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// Serves one app for life.
    Worker,
    /// Unpacks and checks one deploy.
    Builder,
}

/// One birth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spawn {
    /// The router's number for the child, never used twice by one router; its own uid follows from it.
    pub number: u64,
    /// What kind.
    pub role: Role,
    /// Whether the descriptor of its control group comes third.
    pub grouped: bool,
}

/// What the jail of all children is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jail {
    /// The layers in force, a bit each.
    pub layers: u32,
    /// What kind of jail they make, in a word for operators.
    #[serde(deserialize_with = "bounded::text::<_, 32>")]
    pub tier: String,
    /// The layers that are missing, by name, and why.
    #[serde(deserialize_with = "bounded::pairs::<_, 32, 2048>")]
    pub missing: Vec<(String, String)>,
}

impl Jail {
    /// The layers that are missing, each with its reason, for people to read.
    #[must_use]
    pub fn lacks(&self) -> Vec<String> {
        self.missing.iter().map(|(layer, why)| format!("{layer}: {why}")).collect()
    }
}

/// What the zygote says to the router.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromZygote {
    /// Once, first.
    Ready {
        /// [`crate::version::PROTOCOL`].
        protocol: u16,
        /// What its own trial child reached, and so each child will.
        jail: Jail,
    },
    /// The child lives; its pidfd comes with this message.
    Spawned {
        /// As in [`Spawn`].
        number: u64,
        /// Its process id as the router sees it.
        pid: i32,
    },
    /// The child could not be made.
    Failed {
        /// As in [`Spawn`].
        number: u64,
        /// Why.
        #[serde(deserialize_with = "bounded::text::<_, 512>")]
        reason: String,
    },
    /// The zygote cannot serve at all: a layer of the jail is missing and the mode is strict.
    Refused {
        /// The layer, why, and how to get it.
        #[serde(deserialize_with = "bounded::text::<_, 2048>")]
        reason: String,
    },
}

/// The order of the zygote's side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Not heard of yet.
    Starting,
    /// Nothing asked.
    Idle,
    /// One birth asked for.
    Bearing {
        /// The child's number.
        number: u64,
    },
}

impl Phase {
    /// The router asked for a birth.
    ///
    /// # Errors
    /// [`Breach`] where one is still open.
    pub fn spawn(self, number: u64) -> Result<Self, Breach> {
        if self == Self::Idle { Ok(Self::Bearing { number }) } else { Err(self.breach("Spawn")) }
    }

    /// The zygote said something.
    ///
    /// # Errors
    /// [`Breach`] where it may not say that now.
    pub fn hear(self, message: &FromZygote) -> Result<Self, Breach> {
        match (self, message) {
            (Self::Starting, FromZygote::Ready { .. } | FromZygote::Refused { .. }) => Ok(Self::Idle),
            (Self::Bearing { number }, FromZygote::Spawned { number: born, .. }) if *born == number => Ok(Self::Idle),
            (Self::Bearing { number }, FromZygote::Failed { number: born, .. }) if *born == number => Ok(Self::Idle),
            _ => Err(self.breach(message.name())),
        }
    }

    fn breach(self, said: &'static str) -> Breach {
        let phase = match self {
            Self::Starting => "starting",
            Self::Idle => "idle",
            Self::Bearing { .. } => "bearing",
        };
        Breach { said, phase }
    }
}

impl FromZygote {
    /// The message's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Ready { .. } => "Ready",
            Self::Spawned { .. } => "Spawned",
            Self::Failed { .. } => "Failed",
            Self::Refused { .. } => "Refused",
        }
    }
}

impl Message for ToZygote {
    const NAME: &'static str = "spawn, to zygote";
    const FRAME_BYTES: usize = SPAWN_FRAME_BYTES;
}

impl Message for FromZygote {
    const NAME: &'static str = "spawn, from zygote";
    const FRAME_BYTES: usize = SPAWN_FRAME_BYTES;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_birth_at_a_time() {
        let jail = Jail { layers: 0, tier: String::new(), missing: Vec::new() };
        let ready = FromZygote::Ready { protocol: 1, jail };
        let spawned = |number| FromZygote::Spawned { number, pid: 2 };
        assert!(Phase::Starting.hear(&spawned(1)).is_err());
        let idle = Phase::Starting.hear(&ready).unwrap();
        assert!(idle.hear(&ready).is_err());
        assert!(idle.hear(&spawned(1)).is_err());
        let bearing = idle.spawn(1).unwrap();
        assert!(bearing.spawn(2).is_err());
        assert!(bearing.hear(&spawned(2)).is_err());
        assert_eq!(bearing.hear(&spawned(1)).unwrap(), Phase::Idle);
        assert_eq!(bearing.hear(&FromZygote::Failed { number: 1, reason: String::new() }).unwrap(), Phase::Idle);
    }
}
