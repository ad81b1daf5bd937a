//! The neighbour's app, honestly served: what it is asked by those who watch over a farm, by way of the true store.

use std::time::Duration;

use fazt_protocol::{
    body::{Assembly, Part},
    call::Call,
    clock,
    op::{Ask, Found, FromStore, Op, ToStore, kv},
};
use serde_json::{Map, Value, json};

use crate::life::Impostor;

const LEDGER: &str = "ledger:";

pub(crate) fn answer(honest: &mut Impostor, call: &Call, query: &str) {
    let said = match query.split_once('=') {
        Some(("say", word)) => json!({ "said": word }),
        Some(("add", word)) => {
            let by = 1.0.into();
            match ask(honest, call, kv::Op::Incr { key: format!("{LEDGER}{word}"), by }) {
                (Found::Number(count), _) => json!({ "count": count.get() as u64 }),
                other => panic!("{other:?}"),
            }
        }
        _ => Value::Object(ledger(honest, call)),
    };
    honest.answer(call.number, &said.to_string());
}

fn ledger(honest: &mut Impostor, call: &Call) -> Map<String, Value> {
    let (mut all, mut after) = (Map::new(), None);
    loop {
        let op = kv::Op::List { prefix: LEDGER.to_owned(), limit: 1_000, after: after.take() };
        let (_, page) = ask(honest, call, op);
        let page: Vec<Value> = serde_json::from_slice(&page).unwrap();
        let Some(last) = page.last() else { return all };
        after = last["key"].as_str().map(str::to_owned);
        for entry in &page {
            let key = entry["key"].as_str().unwrap().trim_start_matches(LEDGER).to_owned();
            all.insert(key, entry["value"].clone());
        }
    }
}

/// One question and its whole answer.
fn ask(honest: &mut Impostor, call: &Call, op: kv::Op) -> (Found, Vec<u8>) {
    honest.asked += 1;
    let until_ns = clock::now_ns().saturating_add(u64::try_from(Duration::from_secs(5).as_nanos()).unwrap());
    let grant = honest.granted.take();
    let ask = Ask { number: honest.asked, grant, until_ns, once: None, op: Op::Kv(op), body: Part::empty() };
    honest.op.send(&ToStore::Ask(Box::new(ask)), None).unwrap();
    let FromStore::Answer(answer) = honest.op.receive(None).unwrap() else {
        panic!("no answer to call {}", call.number)
    };
    let mut body = Assembly::begin(answer.body, usize::MAX).unwrap();
    while !body.is_whole() {
        let FromStore::Chunk(part) = honest.op.receive(None).unwrap() else { panic!("a part was due") };
        body.push(part).unwrap();
    }
    (answer.outcome.unwrap(), body.into_bytes())
}
