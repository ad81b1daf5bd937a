//! Whose turn it is: apps that take much time beside one that takes little.

use std::{
    sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst},
    thread,
    time::{Duration, Instant},
};

use fazt_protocol::op::{
    Code, Op,
    ds::{self, Verb},
    kv,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde_json::json;

use crate::harness::{Farm, Over, Worker, eventually};

/// That many thousand short documents.
fn fill(worker: &mut Worker, thousands: u32) {
    let documents = vec![json!({"n": 1, "text": "some text, a little longer"}).to_string(); 1_000].join(",");
    (0..thousands).for_each(|_| drop(worker.ds("c", Verb::InsertMany, &format!("[{documents}]")).unwrap()));
}

fn incr(worker: &mut Worker) -> f64 {
    match worker.ask(Op::Kv(kv::Op::Incr { key: "n".to_owned(), by: 1.0.into() }), b"").unwrap().0 {
        fazt_protocol::op::Found::Number(number) => number.get(),
        other => panic!("{other:?}"),
    }
}

/// A query that looks at each document for so long that a scan takes many times what a find in a small collection does.
fn endless() -> String {
    let branches: Vec<String> = (0..400).map(|at| format!(r#"{{"f{at}":1}}"#)).collect();
    format!(r#"{{"$or":[{}]}}"#, branches.join(","))
}

/// Whether a worker's answer is there.
fn is_answered(worker: &Worker) -> bool {
    let mut polled = [PollFd::from_borrowed_fd(worker.pipe.socket(), PollFlags::IN)];
    poll(&mut polled, Some(&Timespec::default())).unwrap() > 0
}

#[test]
fn a_find_waits_for_the_end_of_nobodys_scan() {
    let mut farm = Farm::start();
    let quiet = farm.app("quiet");
    let mut neighbour = farm.worker(&quiet);
    neighbour.insert("c", r#"{"id":"x","n":1}"#).unwrap();
    let scans: Vec<Worker> = (0..4)
        .map(|at| {
            let app = farm.app(&format!("a{at}"));
            let mut worker = farm.worker(&app);
            fill(&mut worker, 30);
            worker
        })
        .collect();
    let scans: Vec<Worker> = scans
        .into_iter()
        .map(|mut worker| {
            worker.send(ds("c", Verb::Count), endless().as_bytes()).unwrap();
            worker
        })
        .collect();
    for _ in 0..20 {
        assert_eq!(neighbour.find("c", r#"{"n":1}"#).unwrap().len(), 1);
    }
    let ended = scans.iter().filter(|scan| is_answered(scan)).count();
    assert_eq!(ended, 0, "of four scans so many ended before twenty finds");
}

/// Six write without a pause, each as so many apps in turn; returns, in order, how many of their writes ended while each of 41
/// small ones of another app waited.
fn waited(apps: usize, fill: impl Fn(&mut Worker), write: impl Fn(&mut Worker, u32) + Sync) -> Vec<u32> {
    let mut farm = Farm::start();
    let quiet = farm.app("quiet");
    let mut neighbour = farm.worker(&quiet);
    let mut hostile: Vec<Worker> = (0..6 * apps)
        .map(|at| {
            let app = farm.app(&format!("a{at}"));
            let mut worker = farm.worker(&app);
            fill(&mut worker);
            worker
        })
        .collect();
    let (over, ended) = (AtomicBool::new(false), AtomicU32::new(0));
    let mut waited: Vec<u32> = thread::scope(|scope| {
        let _over = Over(&over);
        for workers in hostile.chunks_mut(apps) {
            let (over, ended, write) = (&over, &ended, &write);
            scope.spawn(move || {
                for (round, at) in (0..).zip((0..workers.len()).cycle()) {
                    if over.load(SeqCst) {
                        break;
                    }
                    write(&mut workers[at], round);
                    ended.fetch_add(1, SeqCst);
                }
            });
        }
        eventually(|| (ended.load(SeqCst) > 12).then_some(()));
        let counted = |_| {
            let before = ended.load(SeqCst);
            incr(&mut neighbour);
            ended.load(SeqCst) - before
        };
        (0..41).map(counted).collect()
    });
    waited.sort_unstable();
    waited
}

#[test]
fn a_small_write_waits_for_one_of_many_documents_at_most() {
    let waited = waited(
        1,
        |worker| fill(worker, 10),
        // Refused or not: it had its turn.
        |worker, round| drop(worker.ds("c", Verb::Update, &update(round))),
    );
    assert!(waited[20] <= 2, "while a small write waited so many large ones ended: {waited:?}");
}

/// What one large document costs is known by what others have cost.
fn waited_beside_large_documents(apps: usize) -> Vec<u32> {
    let document = json!({"id": "x", "list": (0..60_000).collect::<Vec<_>>()}).to_string();
    waited(
        apps,
        |worker| drop(worker.insert("c", &document).unwrap()),
        |worker, round| {
            let update = format!(r#"{{"query":"x","changes":{{"n":{round}}}}}"#);
            assert_eq!(worker.number("c", Verb::Update, &update), Ok(1.0));
        },
    )
}

#[test]
fn a_small_write_waits_for_one_of_a_large_document_at_most() {
    let waited = waited_beside_large_documents(1);
    assert!(waited[20] <= 2, "while a small write waited so many of a large document ended: {waited:?}");
}

/// Who comes anew has used nothing: each of sixty apps would go before whoever has written a little.
#[test]
fn a_crowd_that_writes_in_turn_is_not_before_a_small_write() {
    let waited = waited_beside_large_documents(10);
    assert!(waited[40] <= 5, "while a small write waited so many of a crowd's ended: {waited:?}");
}

/// While nobody can write, only a reader can say what is wrong with a list.
#[test]
fn a_long_list_is_read_beside_the_writer() {
    let mut farm = Farm::start();
    let app = farm.app("a");
    let mut worker = farm.worker(&app);
    worker.insert("c", "{}").unwrap();
    let foreign = rusqlite::Connection::open(farm.database()).unwrap();
    foreign.execute_batch("BEGIN IMMEDIATE").unwrap();
    let documents = vec![json!({"text": "x".repeat(100)}).to_string(); 900].join(",");
    let refused = worker.ds("c", Verb::InsertMany, &format!("[{documents},7]")).unwrap_err();
    assert!(refused.code == Code::InvalidArgument && !refused.unknown, "{refused}");
    foreign.execute_batch("COMMIT").unwrap();
    let (_, ids) = worker.ds("c", Verb::InsertMany, &format!("[{documents},{{\"id\":\"last\"}}]")).unwrap();
    let ids: Vec<String> = serde_json::from_slice(&ids).unwrap();
    assert_eq!((ids.len(), ids[900].as_str()), (901, "last"));
    assert_eq!(worker.number("c", Verb::Count, r#"{"text":{"$exists":true}}"#), Ok(900.0));
    let again = worker.ds("c", Verb::InsertMany, &format!("[{documents},{{\"id\":\"last\"}}]")).unwrap_err();
    assert_eq!(again.code, Code::Conflict);
    assert_eq!(worker.number("c", Verb::Count, "{}"), Ok(902.0), "all or none");
}

/// A token's first answer is due whatever is asked now, also where a reader would refuse it.
#[test]
fn a_used_token_answers_for_a_long_list_that_is_wrong() {
    let mut farm = Farm::start();
    let app = farm.app("a");
    let mut worker = farm.worker(&app);
    let (_, first) = worker.once("t").ds("c", Verb::InsertMany, r#"[{"id":"a"}]"#).unwrap();
    let wrong = format!("[{},7]", vec![json!({"text": "x".repeat(100)}).to_string(); 100].join(","));
    let many = format!("[{}]", vec!["{\"a\":1}"; 1_001].join(","));
    for list in [wrong.as_str(), many.as_str()] {
        assert_eq!(worker.once("t").ds("c", Verb::InsertMany, list).unwrap().1, first);
        worker.once("u").ds("c", Verb::InsertMany, list).unwrap_err();
    }
    assert_eq!(worker.number("c", Verb::Count, "{}"), Ok(1.0));
}

/// The scans of one app are done one after the other, by whichever thread: none of the others is to wait for more when the
/// store closes.
#[test]
fn a_store_that_closes_ends_with_the_last_scan() {
    let mut farm = Farm::start();
    let app = farm.app("a");
    fill(&mut farm.worker(&app), 20);
    let scans: Vec<Worker> = (0..6)
        .map(|_| {
            let mut worker = farm.worker(&app);
            worker.send(ds("c", Verb::Count), br#"{"$or":[{"text":"x"},{"n":-1}]}"#).unwrap();
            worker
        })
        .collect();
    farm.close();
    drop(scans);
}

/// Threads that scan run behind those that everybody waits for.
#[test]
fn scans_have_a_lower_priority_than_writes() {
    let farm = Farm::start();
    // A thread names itself and steps back when it first runs.
    eventually(|| {
        let nice = priorities(farm.child.id());
        let of = |name: &str| nice.iter().filter(|(of, _)| of == name).map(|(_, nice)| *nice).collect::<Vec<_>>();
        let (scanners, quick) = (of("scanner"), [of("writer"), of("reader")].concat());
        let behind = quick.iter().max()?;
        let usual = *behind < 5 || of("fazt-store").contains(behind);
        let stand_back = scanners.iter().all(|nice| nice >= behind.max(&5));
        (quick.len() == 2 && scanners.len() == 16 && stand_back && usual).then_some(())
    });
}

/// The threads of a process, by name and by how far they stand back.
fn priorities(pid: u32) -> Vec<(String, i32)> {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let stats = threads.filter_map(|thread| std::fs::read_to_string(thread.unwrap().path().join("stat")).ok());
    stats
        .map(|stat| {
            let (name, rest) = stat.split_once('(').unwrap().1.rsplit_once(')').unwrap();
            (name.to_owned(), rest.split_whitespace().nth(16).unwrap().parse().unwrap())
        })
        .collect()
}

fn ds(collection: &str, verb: Verb) -> Op {
    Op::Ds(ds::Op { collection: collection.to_owned(), verb })
}

fn update(round: u32) -> String {
    format!(r#"{{"query":{{"n":{{"$gt":-1}}}},"changes":{{"n":{round}}}}}"#)
}

/// What an attacker does again and again.
#[derive(Debug, Clone, Copy)]
enum Attack {
    Scan,
    Update,
    InsertMany,
    /// Of one large document.
    Change,
}

impl Attack {
    fn strike(self, worker: &mut Worker, list: &str, round: u32) {
        let _refused_too = match self {
            Self::Scan => worker.ds("c", Verb::Count, r#"{"$or":[{"text":"x"},{"n":-1},{"a":1},{"b":1}]}"#),
            Self::Update => worker.ds("c", Verb::Update, &update(round)),
            Self::InsertMany => worker.ds("d", Verb::InsertMany, list),
            Self::Change => worker.ds("e", Verb::Update, &format!(r#"{{"query":"x","changes":{{"n":{round}}}}}"#)),
        };
    }

    fn prepare(self, worker: &mut Worker, apps: usize) {
        match self {
            Self::Scan => fill(worker, if apps > 1 { 20 } else { 100 }),
            Self::Update | Self::InsertMany => fill(worker, 20),
            Self::Change => {
                let document = json!({"id": "x", "list": (0..60_000).collect::<Vec<_>>()}).to_string();
                worker.insert("e", &document).unwrap();
            }
        }
    }
}

/// Not a test but a measurement, by hand and in a release build:
/// `cargo test --release -p fazt-store --test store -- --ignored --nocapture neighbours`.
#[test]
#[ignore = "a measurement"]
fn neighbours() {
    let wide = serde_json::Value::Object((0..1_300).map(|at| (format!("f{at}"), json!(at))).collect());
    let list = format!("[{}]", vec![wide.to_string(); 800].join(","));
    // So many at a time, each as so many apps in turn.
    for (attack, attackers, apps) in [
        (Attack::Scan, 0, 1),
        (Attack::Scan, 4, 1),
        (Attack::Scan, 12, 1),
        (Attack::Scan, 20, 3),
        (Attack::Update, 4, 1),
        (Attack::Update, 12, 1),
        (Attack::InsertMany, 4, 1),
        (Attack::Change, 6, 1),
        (Attack::Change, 6, 10),
    ] {
        let mut farm = Farm::start();
        let quiet = farm.app("quiet");
        let (mut find, mut write) = (farm.worker(&quiet), farm.worker(&quiet));
        fill(&mut find, 10);
        let mut hostile: Vec<Worker> = (0..attackers * apps)
            .map(|at| {
                let app = farm.app(&format!("hostile{at}"));
                attack.prepare(&mut farm.worker(&app), apps);
                farm.worker_within(&app, 500)
            })
            .collect();
        let over = AtomicBool::new(false);
        let list = list.as_str();
        thread::scope(|scope| {
            let _over = Over(&over);
            for workers in hostile.chunks_mut(apps) {
                let over = &over;
                scope.spawn(move || {
                    for (round, at) in (0..).zip((0..apps).cycle()) {
                        if over.load(SeqCst) {
                            return;
                        }
                        attack.strike(&mut workers[at], list, round);
                    }
                });
            }
            let finds = scope.spawn(move || times(|| drop(find.find("c", r#"{"text":"x"}"#).unwrap())));
            let writes = scope.spawn(move || times(|| assert!(incr(&mut write) > 0.0)));
            let (finds, writes) = (finds.join().unwrap(), writes.join().unwrap());
            println!("{attackers:2} × {attack:?} as {apps} apps: find {}, incr {}", shown(finds), shown(writes));
        });
    }
}

fn times(mut each: impl FnMut()) -> Vec<f64> {
    let began = Instant::now();
    let mut took = Vec::new();
    while began.elapsed() < Duration::from_secs(5) {
        let at = Instant::now();
        each();
        took.push(at.elapsed().as_secs_f64() * 1e3);
        // A neighbour that is not the load itself.
        thread::sleep(Duration::from_millis(5));
    }
    took.sort_by(f64::total_cmp);
    took
}

fn shown(took: Vec<f64>) -> String {
    let at = |share: usize| took[(took.len() * share / 100).min(took.len() - 1)];
    format!("p50 {:.1} p99 {:.1} ms ({})", at(50), at(99), took.len())
}
