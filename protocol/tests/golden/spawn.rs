//! Samples of the spawn conversation.

use fazt_protocol::spawn::{FromZygote, Role, Spawn, ToZygote};

use super::{Samples, every::ROLES, variants};

variants! {
    ToZygote: Spawn;
    FromZygote: Ready Spawned Failed Refused;
    Role: Worker Builder;
}

pub(super) fn add(samples: &mut Samples) {
    let spawn = |role| ToZygote::Spawn(Spawn { number: 70_000, role });
    samples.add("spawn.to_zygote", vec![spawn(Role::Worker)], |message| message);
    samples.add("spawn.to_zygote.Spawn", ROLES.to_vec(), spawn);
    let said = vec![
        FromZygote::Ready { protocol: 1, layers: 0b1011 },
        FromZygote::Spawned { number: 70_000, pid: 4711 },
        FromZygote::Failed { number: 70_000, reason: "clone: EAGAIN".to_owned() },
        FromZygote::Refused { reason: "landlock is missing".to_owned() },
    ];
    samples.add("spawn.from_zygote", said, |message| message);
}
