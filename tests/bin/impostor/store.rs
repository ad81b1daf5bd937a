//! Lies to the store: about who asks, until when, and how much at a time. What the store says to them is the answer's body.

use std::time::Duration;

use fazt_protocol::{
    body::Part,
    call::Call,
    clock, frame,
    grant::{Grant, GrantKey},
    op::{Ask, FromStore, Op, ToStore, kv},
};

use crate::life::Impostor;

const LONG: Duration = Duration::from_secs(3_600);

pub(crate) fn tell(name: &str, liar: &mut Impostor, call: &Call) {
    let said = match name {
        "op-garbage" => {
            shout(liar, &[0xee; 4_096]);
            hear(liar)
        }
        "op-flood" => flood(liar, &call.grant),
        // A key of its own, and all the time in the world.
        "op-forged" => {
            let until = clock::now_ns().saturating_add(u64::try_from(LONG.as_nanos()).unwrap_or(u64::MAX));
            ask(liar, Some(GrantKey::new([7; 32]).grant(call.grant.bind, 1 << 60, call.grant.request.clone(), until)))
        }
        // The true one, changed: another channel.
        "op-stolen" => {
            let mut grant = call.grant.clone();
            grant.bind = grant.bind.wrapping_add(1);
            ask(liar, Some(grant))
        }
        _ => ask(liar, None),
    };
    liar.answer(call.number, &said);
}

fn question(number: u64, grant: Option<Grant>) -> ToStore {
    let op = Op::Kv(kv::Op::Get { key: "ledger:t1".to_owned() });
    ToStore::Ask(Box::new(Ask { number, grant, until_ns: u64::MAX, once: None, op, body: Part::empty() }))
}

/// One question; what comes of it in a word.
fn ask(liar: &mut Impostor, grant: Option<Grant>) -> String {
    let mut bytes = Vec::new();
    frame::write(&question(1, grant), &mut bytes).unwrap();
    match shout(liar, &bytes).as_str() {
        "silence" => hear(liar),
        other => other.to_owned(),
    }
}

/// Many questions, and no ear for the answers.
fn flood(liar: &mut Impostor, grant: &Grant) -> String {
    let mut bytes = Vec::new();
    for number in 1..200_000 {
        let grant = (number == 1).then(|| grant.clone());
        bytes.clear();
        frame::write(&question(number, grant), &mut bytes).unwrap();
        if shout(liar, &bytes) != "silence" {
            return "closed".to_owned();
        }
    }
    "all taken".to_owned()
}

fn shout(liar: &mut Impostor, bytes: &[u8]) -> String {
    let mut rest = bytes;
    while !rest.is_empty() {
        match rustix::net::send(liar.op.socket(), rest, rustix::net::SendFlags::NOSIGNAL) {
            Ok(count) => rest = rest.get(count..).unwrap_or_default(),
            Err(_) => return "closed".to_owned(),
        }
    }
    "silence".to_owned()
}

fn hear(liar: &mut Impostor) -> String {
    match liar.op.receive(None) {
        Ok(FromStore::Answer(answer)) => {
            answer.outcome.map_or_else(|refusal| refusal.code.word().to_owned(), |_| "answered".to_owned())
        }
        Ok(FromStore::Chunk(_)) => "a chunk".to_owned(),
        Err(_) => "closed".to_owned(),
    }
}
