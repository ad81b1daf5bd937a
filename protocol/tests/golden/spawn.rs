//! Samples of the spawn conversation.

use fazt_protocol::spawn::{FromZygote, Jail, Role, Spawn, ToZygote};

use super::{Samples, every::ROLES, variants};

variants! {
    ToZygote: Spawn;
    FromZygote: Ready Spawned Failed Refused;
    Role: Worker Builder;
}

fn jail() -> Jail {
    let missing = vec![("own-ids".to_owned(), "only root can have it".to_owned())];
    Jail { layers: 0b1011, tier: "one-id".to_owned(), missing }
}

pub(super) fn add(samples: &mut Samples) {
    let spawn = |role| ToZygote::Spawn(Spawn { number: 70_000, role, grouped: false });
    samples.add("spawn.to_zygote", vec![spawn(Role::Worker)], |message| message);
    samples.add("spawn.to_zygote.Spawn", ROLES.to_vec(), spawn);
    let said = vec![
        FromZygote::Ready { protocol: 1, jail: jail() },
        FromZygote::Spawned { number: 70_000, pid: 4711 },
        FromZygote::Failed { number: 70_000, reason: "clone: EAGAIN".to_owned() },
        FromZygote::Refused { reason: "landlock is missing".to_owned() },
    ];
    samples.add("spawn.from_zygote", said, |message| message);
}
