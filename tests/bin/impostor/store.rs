//! Lies to the store: about who asks, until when, and how much at a time. What the store says to them is the answer's body.

use std::time::Duration;

use fazt_protocol::{
    body::Part,
    call::Call,
    clock, frame,
    grant::{Grant, GrantKey},
    op::{Ask, Found, FromStore, Op, ToStore, kv},
};

use crate::life::Impostor;

const LONG: Duration = Duration::from_secs(3_600);

pub(crate) fn tell(name: &str, liar: &mut Impostor, call: &Call) {
    let said = match name {
        "op-garbage" => {
            pour(liar, &[0xee; 4_096]);
            hear(liar)
        }
        "op-flood" => flood(liar, &call.grant),
        // A key of its own, and all the time in the world.
        "op-forged" => {
            let until = clock::now_ns().saturating_add(u64::try_from(LONG.as_nanos()).unwrap_or(u64::MAX));
            ask(liar, Some(GrantKey::new([7; 32]).grant(call.grant.bind, 1 << 60, call.grant.request.clone(), until)))
        }
        // The true one, and a time of its own: the store has its own longest.
        "op-until-max" => ask_until(liar, &call.grant, u64::MAX),
        "op-until-zero" => ask_until(liar, &call.grant, 0),
        "op-until-past" => ask_until(liar, &call.grant, clock::now_ns().saturating_sub(1)),
        // All leave that there is, for what another app has under that key.
        "op-neighbour" => ask(liar, Some(call.grant.clone())),
        "op-write-flood" => write_flood(liar, &call.grant),
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
    put(liar, &question(1, grant))
}

fn ask_until(liar: &mut Impostor, grant: &Grant, until_ns: u64) -> String {
    let ToStore::Ask(ask) = question(1, Some(grant.clone())) else { unreachable!("it is a question") };
    put(liar, &ToStore::Ask(Box::new(Ask { until_ns, ..*ask })))
}

fn put(liar: &mut Impostor, question: &ToStore) -> String {
    let mut bytes = Vec::new();
    frame::write(question, &mut bytes).unwrap();
    if pour(liar, &bytes) { hear(liar) } else { "closed".to_owned() }
}

/// Many questions, and no ear for the answers.
fn flood(liar: &mut Impostor, grant: &Grant) -> String {
    let mut bytes = Vec::new();
    for number in 1..200_000 {
        let grant = (number == 1).then(|| grant.clone());
        bytes.clear();
        frame::write(&question(number, grant), &mut bytes).unwrap();
        if !pour(liar, &bytes) {
            return "closed".to_owned();
        }
    }
    "all taken".to_owned()
}

/// Ten thousand writes, and no ear for the answers.
fn write_flood(liar: &mut Impostor, grant: &Grant) -> String {
    let mut bytes = Vec::new();
    for number in 1..10_000 {
        let op = Op::Kv(kv::Op::Set { key: format!("k{number}"), ttl_ms: None, condition: kv::Condition::Always });
        let grant = (number == 1).then(|| grant.clone());
        let ask = Ask { number, grant, until_ns: u64::MAX, once: None, op, body: Part::whole(b"1".to_vec()) };
        bytes.clear();
        frame::write(&ToStore::Ask(Box::new(ask)), &mut bytes).unwrap();
        if !pour(liar, &bytes) {
            return "closed".to_owned();
        }
    }
    "all taken".to_owned()
}

/// Sends bytes; whether the store still took them.
fn pour(liar: &mut Impostor, bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while !rest.is_empty() {
        match rustix::net::send(liar.op.socket(), rest, rustix::net::SendFlags::NOSIGNAL) {
            Ok(count) => rest = rest.get(count..).unwrap_or_default(),
            Err(_) => return false,
        }
    }
    true
}

fn hear(liar: &mut Impostor) -> String {
    match liar.op.receive(None) {
        Ok(FromStore::Answer(answer)) => match answer.outcome {
            Ok(Found::Nothing) => "nothing".to_owned(),
            Ok(_) => "answered".to_owned(),
            Err(refusal) => refusal.code.word().to_owned(),
        },
        Ok(FromStore::Chunk(_)) => "a chunk".to_owned(),
        Err(_) => "closed".to_owned(),
    }
}
