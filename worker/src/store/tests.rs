//! One end of the op conversation against a peer of the test's own.

use std::thread;

use fazt_protocol::{
    body::Part,
    fd,
    grant::GrantKey,
    id::RequestId,
    limit::CHUNK_BYTES,
    op::{Answer, Op, kv},
};

use super::*;

type Peer = Pipe<ToStore, FromStore>;

fn get() -> Op {
    Op::Kv(kv::Op::Get { key: "a".to_owned() })
}

fn set() -> Op {
    Op::Kv(kv::Op::Set { key: "a".to_owned(), ttl_ms: None, condition: kv::Condition::Always })
}

/// With time for any answer.
fn store() -> (Store, Peer) {
    store_within(Duration::from_secs(20))
}

/// To be kept waiting for longer than it waits.
fn hurried() -> (Store, Peer) {
    store_within(Duration::from_millis(200))
}

fn store_within(most: Duration) -> (Store, Peer) {
    let (ours, theirs) = fd::pair().unwrap();
    let mut store = Store::new(ours, most);
    let deadline_ns = clock::now_ns() + 30_000_000_000;
    store.begin(GrantKey::new([1; 32]).grant(1, 1, RequestId::generate(), deadline_ns));
    (store, Peer::new(theirs))
}

fn answer(number: u64, bytes: &[u8], last: bool) -> FromStore {
    let body = Part { bytes: bytes.to_vec(), last };
    FromStore::Answer(Box::new(Answer { number, spent_us: 7, outcome: Ok(Found::Json), body }))
}

fn asked(peer: &mut Peer) -> Box<Ask> {
    match peer.receive(None).unwrap() {
        ToStore::Ask(ask) => ask,
        ToStore::Chunk(part) => panic!("{part:?}"),
    }
}

#[test]
fn the_first_question_carries_the_grant_and_answers_come_whole() {
    let (mut store, mut peer) = store();
    let peer = thread::spawn(move || {
        assert!(asked(&mut peer).grant.is_some());
        peer.send(&answer(1, &[b'1'; CHUNK_BYTES], false), None).unwrap();
        peer.send(&FromStore::Chunk(Part::whole(b"2".to_vec())), None).unwrap();
        assert!(asked(&mut peer).grant.is_none());
        peer.send(&answer(2, b"3", true), None).unwrap();
    });
    let first = store.ask(&Question::new(&get(), b"")).unwrap();
    assert_eq!((first.body.len(), first.body.last(), first.store_us), (CHUNK_BYTES + 1, Some(&b'2'), 7));
    assert_eq!(store.ask(&Question::new(&get(), b"")).unwrap().body, b"3");
    peer.join().unwrap();
}

#[test]
fn a_late_answer_is_passed_over() {
    let (mut store, mut peer) = hurried();
    let late = store.ask(&Question::new(&set(), b"1")).unwrap_err();
    assert!(matches!(late, Unanswered::Refused(Refusal { code: Code::Timeout, unknown: true, .. })), "{late:?}");
    asked(&mut peer);
    peer.send(&answer(1, b"late", false), None).unwrap();
    peer.send(&FromStore::Chunk(Part::whole(b"later".to_vec())), None).unwrap();
    // There before it is asked for, or the second one might be late too.
    peer.send(&answer(2, b"right", true), None).unwrap();
    assert_eq!(store.ask(&Question::new(&get(), b"")).unwrap().body, b"right");
    assert_eq!(asked(&mut peer).number, 2);
}

#[test]
fn only_what_was_not_done_or_is_done_once_may_be_asked_again() {
    let (mut reads, peer) = store();
    drop(peer);
    assert!(matches!(reads.ask(&Question::new(&get(), b"")).unwrap_err(), Unanswered::Lost { unsure: false }));
    let (mut writes, mut peer) = store();
    let peer = thread::spawn(move || {
        asked(&mut peer);
    });
    let gone = writes.ask(&Question::new(&set(), b"1")).unwrap_err();
    assert!(matches!(gone, Unanswered::Refused(Refusal { code: Code::Unavailable, unknown: true, .. })), "{gone:?}");
    assert!(
        matches!(writes.ask(&Question::new(&set(), b"1")).unwrap_err(), Unanswered::Lost { unsure: false }),
        "the next one never left"
    );
    peer.join().unwrap();
    let (mut once, mut peer) = store();
    let peer = thread::spawn(move || asked(&mut peer).once.clone());
    let question = Question { op: &set(), once: Some("t"), body: b"1" };
    assert!(
        matches!(once.ask(&question).unwrap_err(), Unanswered::Lost { unsure: true }),
        "its token has it done once"
    );
    assert_eq!(peer.join().unwrap().as_deref(), Some("t"));
}

#[test]
fn a_question_left_half_said_is_the_last_one() {
    let (mut store, peer) = hurried();
    let body = vec![b' '; OP_BODY_BYTES];
    let late = store.ask(&Question::new(&set(), &body)).unwrap_err();
    assert!(matches!(late, Unanswered::Refused(Refusal { code: Code::Timeout, unknown: false, .. })), "{late:?}");
    assert!(store.is_cut_off());
    assert!(matches!(store.ask(&Question::new(&get(), b"")).unwrap_err(), Unanswered::Lost { .. }));
    let (ours, _theirs) = fd::pair().unwrap();
    store.rebind(ours, None);
    assert!(!store.is_cut_off());
    drop(peer);
}

/// A write's outcome where the store's first word is that: refused, and the last question of this channel.
fn out_of_step(word: &FromStore) {
    let (mut store, mut peer) = store();
    peer.send(word, None).unwrap();
    let refused = store.ask(&Question::new(&set(), b"1")).unwrap_err();
    let expected = matches!(refused, Unanswered::Refused(Refusal { code: Code::Unavailable, unknown: true, .. }));
    assert!(expected, "{refused:?}");
    assert!(store.is_cut_off());
    assert!(matches!(store.ask(&Question::new(&get(), b"")).unwrap_err(), Unanswered::Lost { .. }));
}

#[test]
fn a_store_that_answers_another_question_is_asked_nothing_more() {
    out_of_step(&answer(2, b"1", true));
    out_of_step(&FromStore::Chunk(Part::whole(b"1".to_vec())));
    out_of_step(&answer(1, b"short and not the last", false));
}

#[test]
fn nor_is_one_whose_late_answer_is_another_one_s() {
    let (mut store, mut peer) = hurried();
    store.ask(&Question::new(&get(), b"")).unwrap_err();
    peer.send(&answer(7, b"1", true), None).unwrap();
    let refused = store.ask(&Question::new(&set(), b"1")).unwrap_err();
    let never_left = matches!(refused, Unanswered::Refused(Refusal { code: Code::Unavailable, unknown: false, .. }));
    assert!(never_left, "{refused:?}");
    assert!(store.is_cut_off());
}
