//! One end of the op conversation against a peer of the test's own.

use std::thread;

use fazt_protocol::{
    body::Part,
    fd,
    grant::GrantKey,
    id::RequestId,
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

fn store() -> (Store, Peer) {
    let (ours, theirs) = fd::pair().unwrap();
    let mut store = Store::new(ours, Duration::from_millis(200));
    let deadline_ns = clock::now_ns() + 5_000_000_000;
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
        peer.send(&answer(1, b"1", false), None).unwrap();
        peer.send(&FromStore::Chunk(Part::whole(b"2".to_vec())), None).unwrap();
        assert!(asked(&mut peer).grant.is_none());
        peer.send(&answer(2, b"3", true), None).unwrap();
    });
    let first = store.ask(&Question::new(&get(), b"")).unwrap();
    assert_eq!((first.body.as_slice(), first.store_us), (b"12".as_slice(), 7));
    assert_eq!(store.ask(&Question::new(&get(), b"")).unwrap().body, b"3");
    peer.join().unwrap();
}

#[test]
fn a_late_answer_is_passed_over() {
    let (mut store, mut peer) = store();
    let late = store.ask(&Question::new(&set(), b"1")).unwrap_err();
    assert!(matches!(late, Unanswered::Refused(Refusal { code: Code::Timeout, unknown: true, .. })), "{late:?}");
    asked(&mut peer);
    peer.send(&answer(1, b"late", false), None).unwrap();
    peer.send(&FromStore::Chunk(Part::whole(b"later".to_vec())), None).unwrap();
    let peer = thread::spawn(move || {
        assert_eq!(asked(&mut peer).number, 2);
        peer.send(&answer(2, b"right", true), None).unwrap();
    });
    assert_eq!(store.ask(&Question::new(&get(), b"")).unwrap().body, b"right");
    peer.join().unwrap();
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
    let (mut store, peer) = store();
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
