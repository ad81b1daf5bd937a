//! The spawn conversation.

use fazt_protocol::spawn::{FromZygote, Jail, Spawn, ToZygote};
use proptest::prelude::*;

use super::{
    every::ROLES,
    value::{list, text},
};

pub(super) fn to_zygote() -> impl Strategy<Value = ToZygote> {
    let role = prop::sample::select(ROLES.to_vec());
    (any::<u64>(), role, any::<bool>())
        .prop_map(|(number, role, grouped)| ToZygote::Spawn(Spawn { number, role, grouped }))
}

fn jail() -> impl Strategy<Value = Jail> {
    // A sum is bounded, so each text has its share of it.
    let missing = list((text(20), text(44)), 32);
    (any::<u32>(), text(32), missing).prop_map(|(layers, tier, missing)| Jail { layers, tier, missing })
}

pub(super) fn from_zygote() -> impl Strategy<Value = FromZygote> {
    prop_oneof![
        (any::<u16>(), jail()).prop_map(|(protocol, jail)| FromZygote::Ready { protocol, jail }),
        (any::<u64>(), any::<i32>()).prop_map(|(number, pid)| FromZygote::Spawned { number, pid }),
        (any::<u64>(), text(512)).prop_map(|(number, reason)| FromZygote::Failed { number, reason }),
        text(2048).prop_map(|reason| FromZygote::Refused { reason }),
    ]
}
