//! What reads may take of the store: memory for an order, and threads.

use std::thread;

use fazt_protocol::op::{
    Code, Op,
    ds::{Order, Verb},
    kv,
};
use serde_json::{Value, json};

use crate::harness::{Farm, Worker};

fn ordered(worker: &mut Worker, limit: u32, offset: u32, descending: bool) -> Result<Vec<Value>, Code> {
    let order = vec![Order { path: "t".to_owned(), descending }];
    let found = worker.ds("c", Verb::Find { limit, offset, order }, "{}").map_err(|refusal| refusal.code)?;
    Ok(serde_json::from_slice::<Vec<Value>>(&found.1).unwrap().into_iter().map(|one| one["n"].clone()).collect())
}

#[test]
fn an_order_keeps_no_more_than_an_answer_may_have() {
    let mut farm = Farm::start();
    let app = farm.app("a");
    let mut worker = farm.worker(&app);
    let long = "x".repeat(1_000_000);
    for n in 0..40 {
        worker.insert("c", &json!({"n": n, "t": format!("{:02}{long}", n * 7 % 40)}).to_string()).unwrap();
    }
    // The keys of two are kept at a time, whatever was looked at.
    assert_eq!(ordered(&mut worker, 2, 0, false).unwrap(), [json!(0), json!(23)]);
    assert_eq!(ordered(&mut worker, 1, 1, true).unwrap(), [json!(34)]);
    let verb = Verb::Find { limit: 1, offset: 39, order: vec![Order { path: "t".to_owned(), descending: false }] };
    let refused = worker.ds("c", verb, "{}").unwrap_err();
    assert!(refused.code == Code::TooLarge && refused.message.contains("offset"), "{refused}");
    assert_eq!(ordered(&mut worker, u32::MAX, u32::MAX, false), Err(Code::TooLarge));
}

#[test]
fn quick_reads_wait_for_nobodys_scan() {
    let mut farm = Farm::start();
    let apps = ["a", "b", "c"].map(|name| farm.app(name));
    let documents: Vec<String> =
        (0..1_000).map(|n| format!(r#"{{"n":{n},"text":"some text, a little longer"}}"#)).collect();
    let documents = format!("[{}]", documents.join(","));
    for app in &apps {
        let mut worker = farm.worker(app);
        (0..100).for_each(|_| drop(worker.ds("c", Verb::InsertMany, &documents).unwrap()));
    }
    let quiet = farm.app("quiet");
    let mut neighbour = farm.worker(&quiet);
    neighbour.insert("c", r#"{"id":"x"}"#).unwrap();
    let mut rounds = 0;
    thread::scope(|scope| {
        let scans: Vec<_> = apps
            .iter()
            .map(|app| {
                let mut worker = farm.worker(app);
                scope.spawn(move || {
                    for _ in 0..8 {
                        worker.number("c", Verb::Count, r#"{"$or":[{"text":"x"},{"n":-1}]}"#).unwrap();
                    }
                })
            })
            .collect();
        while scans.iter().any(|scan| !scan.is_finished()) {
            neighbour.ask(Op::Kv(kv::Op::GetMany { keys: vec![kv::Key("k".to_owned()); 20] }), b"").unwrap();
            neighbour.ds("c", Verb::FindOne, "\"x\"").unwrap();
            rounds += 1;
        }
    });
    // Behind the scans, each of its two reads would wait for one of twenty-four.
    assert!(rounds > 48, "{rounds} rounds beside twenty-four scans");
}
