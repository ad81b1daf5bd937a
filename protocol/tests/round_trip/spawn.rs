//! The spawn conversation.

use fazt_protocol::spawn::{FromZygote, Spawn, ToZygote};
use proptest::prelude::*;

use super::{every::ROLES, value::text};

pub(super) fn to_zygote() -> impl Strategy<Value = ToZygote> {
    let role = prop::sample::select(ROLES.to_vec());
    (any::<u64>(), role).prop_map(|(number, role)| ToZygote::Spawn(Spawn { number, role }))
}

pub(super) fn from_zygote() -> impl Strategy<Value = FromZygote> {
    prop_oneof![
        (any::<u16>(), any::<u32>()).prop_map(|(protocol, layers)| FromZygote::Ready { protocol, layers }),
        (any::<u64>(), any::<i32>()).prop_map(|(number, pid)| FromZygote::Spawned { number, pid }),
        (any::<u64>(), text(512)).prop_map(|(number, reason)| FromZygote::Failed { number, reason }),
        text(2048).prop_map(|reason| FromZygote::Refused { reason }),
    ]
}
