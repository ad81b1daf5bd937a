//! Contents of static files on their way to the router.

use fazt_protocol::{
    op::Code,
    registry::{Answer, Ask, FromStore},
};

use crate::harness::{Farm, eventually, soon};

/// More than fits between the store and a router that reads nothing: 64 frames of 256 KiB wait, and what the socket holds.
const BYTES: usize = 28 << 20;

#[test]
fn a_content_whose_app_is_removed_while_it_is_sent_is_an_error_and_no_shorter_content() {
    let mut farm = Farm::start();
    let content: Vec<u8> = (0..BYTES).map(|at| (at / 1_000) as u8).collect();
    farm.deploy("a", &[("api/main.js", b"respond(1)"), ("large.bin", &content)]);
    let hash = *blake3::hash(&content).as_bytes();
    let asked = farm.send(Ask::Content { hash });
    let removed = farm.send(Ask::Remove { name: "a".to_owned() });
    // Nothing is read of either answer: the content stands still half way.
    let database = rusqlite::Connection::open(farm.database()).unwrap();
    let chunks = || database.query_row("SELECT count(*) FROM chunk", [], |row| row.get::<_, u32>(0)).unwrap();
    eventually(|| (chunks() == 0).then_some(()));
    let (mut bytes, mut is_removed) = (0, false);
    let refusal = loop {
        match farm.registry.receive(soon()).unwrap() {
            FromStore::Answer { correlation, outcome, .. } if correlation == removed => is_removed = outcome.is_ok(),
            FromStore::Answer { correlation, outcome: Err(refusal), .. } if correlation == asked => break refusal,
            FromStore::Answer { correlation, outcome: Ok(answer), body, .. } if correlation == asked => {
                assert_eq!(*answer, Answer::Content { found: true });
                bytes += body.bytes.len();
            }
            FromStore::Chunk { correlation, part } if correlation == asked => {
                bytes += part.bytes.len();
                assert!(!part.last, "{bytes} bytes of {BYTES} were taken for all");
            }
            other => panic!("{other:?}"),
        }
    };
    assert!(refusal.code == Code::Unavailable && refusal.message.contains("removed"), "{refusal}");
    assert!(bytes > 0 && bytes < BYTES, "{bytes}");
    assert!(is_removed);
    assert_eq!(farm.ask(Ask::Content { hash }), Ok(Answer::Content { found: false }));
}
