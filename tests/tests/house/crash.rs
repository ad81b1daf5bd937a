//! Sudden death: any process may be killed with -9 at any time, and the farm puts itself right.

use std::{
    sync::atomic::{
        AtomicBool, AtomicUsize,
        Ordering::{Relaxed, SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use fazt_tests::{
    farm::Farm,
    http::{Answer, App, Request},
    oracle::{
        Watch,
        canary::{self, Canary},
    },
    process::Process,
    setup::Setup,
    wait::{Over, PATIENCE, eventually, millis, promised, seconds},
};
use rustix::process::Signal;
use serde_json::Value;

/// How long the pool may be without a worker that was killed.
const REPLACED: Duration = millis(50);

/// How long a farm that is started again on its data may be before it serves.
const LISTENS: Duration = millis(500);

/// Counts a token up, and is busy for a while after it; or tells of all.
const COUNTING: &str = "
const { kv } = fazt.storage
if (request.query.add) {
  kv.incr('done:' + request.query.add)
  const until = Date.now() + 5
  while (Date.now() < until) {}
  respond('done')
} else {
  const all = {}
  let page = kv.list('done:')
  while (page.length > 0) {
    for (const { key, value } of page) all[key.slice(5)] = value
    page = kv.list('done:', { after: page[page.length - 1].key })
  }
  respond(all)
}";

/// An app that answers, or with `?spin` never does, after it has written how often it was to. It has answered once: its worker
/// is loaded, and not held to be one that dies before it answers.
fn spinner(farm: &Farm, name: &str) -> App {
    let source = "if (request.query.spin) { fazt.storage.kv.incr('begun'); for (;;) {} }
        respond(200, fazt.storage.kv.get('begun') ?? 0)";
    let app = farm.script(name, source);
    assert_eq!(app.get("/api/").status, 200);
    app
}

/// What it has written is written once: what may have had an effect is not done again.
#[test]
fn a_busy_worker_takes_its_request_along_and_nothing_else() {
    // So long that its death is what is told, and not the end of its time.
    let farm = Setup::new(4).flag("--timeout", "5s").start();
    let app = spinner(&farm, "app");
    let watch = Watch::over(&farm);
    for round in 1..=5 {
        let (answer, told) = thread::scope(|scope| {
            let asking = scope.spawn(|| app.again().get("/api/?spin=1"));
            let worker = farm.busy_worker("app");
            eventually(seconds(4), "it has written", || app.get("/api/").text() == round.to_string());
            worker.signal(Signal::KILL);
            let killed = Instant::now();
            (asking.join().unwrap(), killed.elapsed())
        });
        assert_eq!((answer.status, answer.code().as_str()), (502, "worker_crashed"), "{}", answer.text());
        assert!(told < promised(millis(900)), "not told at once: {told:?}");
        let line = farm.log.one_finished(&answer.id());
        assert_eq!((&line["outcome"], &line["app"]), (&"worker_crashed".into(), &"app".into()), "{line}");
        assert!(line["worker"].is_number(), "{line}");
        assert_eq!(app.get("/api/").text(), round.to_string(), "it was done again");
    }
    watch.close();
    assert_eq!(farm.runtime()["crashes"], 5);
}

#[test]
fn nobody_notices_an_idle_worker() {
    let farm = Setup::new(3).start();
    let app = farm.script("app", "respond('here')");
    let watch = Watch::over(&farm);
    for _ in 0..30 {
        assert_eq!(app.get("/api/").text(), "here");
        let idle = farm.idle_worker("app");
        let (killed, within) = (Instant::now(), promised(REPLACED));
        idle.kill();
        let workers = || (farm.workers().contains(&idle.pid), farm.workers().len());
        eventually(PATIENCE, "the pool is whole again", || workers() == (false, 3));
        assert!(killed.elapsed() < within, "replaced after {:?}", killed.elapsed());
        assert_eq!((app.get("/api/").status, app.get("/api/").status), (200, 200));
    }
    watch.close();
}

/// A worker with a request of the app's that has answered one before.
fn known_busy(farm: &Farm) -> Option<Process> {
    let runtime = farm.runtime();
    let mut workers = runtime["workers"].as_array()?.iter();
    let is_known = |worker: &&Value| worker["state"] == "busy" && worker["served"].as_u64() > Some(0);
    let busy = workers.find(|worker| worker["app"] == "app" && is_known(worker))?;
    Process::find(i32::try_from(busy["pid"].as_i64()?).ok()?)
}

/// Asks for one token after the other until it is over.
fn ask_by_tokens(app: &App, client: usize, asked: &AtomicUsize, over: &AtomicBool) -> Vec<(String, Answer)> {
    let (app, mut answers) = (app.keeping(), Vec::new());
    while !over.load(SeqCst) {
        let token = format!("{client}-{}", answers.len());
        let answer = app.get(&format!("/api/?add={token}"));
        answers.push((token, answer));
        asked.fetch_add(1, SeqCst);
    }
    answers
}

/// Of random workers, whatever they do: every request is answered, only a killed one's fails, and none is done twice.
#[test]
fn random_kills_cost_one_request_each() {
    let farm = Setup::new(5).start();
    let app = farm.script("app", COUNTING);
    assert_eq!(app.get("/api/").status, 200);
    let watch = Watch::over(&farm);
    let (over, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    let kills = 30;
    let answers = thread::scope(|scope| {
        let (app, asked, over) = (&app, &asked, &over);
        let asking: Vec<_> =
            (0..3).map(|client| scope.spawn(move || ask_by_tokens(app, client, asked, over))).collect();
        let over = Over::when_left(over);
        for _ in 0..kills {
            let until = asked.load(SeqCst) + 12;
            eventually(PATIENCE, "requests are answered", || asked.load(SeqCst) >= until);
            // One that has answered: an early death would be held against the app.
            eventually(PATIENCE, "a busy worker that has answered", || known_busy(&farm)).kill();
        }
        drop(over);
        asking.into_iter().flat_map(|asking| asking.join().unwrap()).collect::<Vec<_>>()
    });
    let failed: Vec<_> = answers.iter().filter(|(_, answer)| answer.status != 200).collect();
    let codes: Vec<String> = failed.iter().map(|(_, answer)| answer.code()).collect();
    assert!(codes.iter().all(|code| code == "worker_crashed"), "{codes:?}");
    assert!((1..=kills).contains(&failed.len()), "{} failed of {kills} kills", failed.len());
    let done = app.get("/api/").json();
    let count = |token: &str| done[token].as_u64().unwrap_or_default();
    for (token, answer) in &answers {
        let due = if answer.status == 200 { count(token) == 1 } else { count(token) <= 1 };
        assert!(due, "{token} was done {} times: {}", count(token), answer.text());
    }
    watch.close();
}

/// It was born and jailed before: while the zygote is stopped, nobody can be.
#[test]
fn the_successor_of_a_killed_worker_is_there_before_it_is_gone() {
    let farm = Setup::new(1).flag("--queue-timeout", "1s").start();
    let app = spinner(&farm, "evil");
    farm.settle();
    assert_eq!(farm.runtime()["spares"], 1);
    let watch = Watch::without_neighbour(&farm);
    let zygote = farm.child("fazt-zygote");
    zygote.signal(Signal::STOP);
    thread::scope(|scope| {
        let asking = scope.spawn(|| app.get("/api/?spin=1"));
        farm.busy_worker("evil").kill();
        assert_eq!(asking.join().unwrap().status, 502);
    });
    assert_eq!(app.get("/api/").text(), "1");
    zygote.signal(Signal::CONT);
    farm.settle();
    assert_eq!(farm.runtime()["spares"], 1, "and there is another one");
    watch.close();
}

#[test]
fn a_killed_zygote_is_replaced_within_a_second() {
    let farm = Setup::new(3).start();
    let watch = Watch::over(&farm);
    for _ in 0..3 {
        let zygote = farm.child("fazt-zygote");
        let workers = farm.workers();
        zygote.kill();
        eventually(promised(seconds(1)), "a new zygote", || {
            farm.children("fazt-zygote").first().is_some_and(|new| new.pid != zygote.pid)
        });
        assert!(workers.iter().any(|pid| farm.workers().contains(pid)), "workers outlive their zygote");
        // New workers are born of the new one.
        let app = spinner(&farm, "evil");
        thread::scope(|scope| {
            let asking = scope.spawn(|| app.get("/api/?spin=1"));
            farm.busy_worker("evil").kill();
            assert_eq!(asking.join().unwrap().status, 502);
        });
        farm.settle();
    }
    watch.close();
}

/// Children of one zygote share the addresses of all that it had mapped, so none is anybody's mother for ever.
#[test]
fn a_zygote_is_replaced_after_a_thousand_births() {
    let farm = Setup::new(4).flag("--max-requests-per-worker", "1").flag("--app-max-workers", "4").start();
    let app = farm.script("app", "respond('here')");
    let watch = Watch::without_neighbour(&farm);
    let first = farm.child("fazt-zygote");
    let code = |zygote: &Process| std::fs::read_to_string(format!("/proc/{}/maps", zygote.pid)).unwrap_or_default();
    let layout = code(&first);
    thread::scope(|scope| {
        for _client in 0..4 {
            scope.spawn(|| {
                let app = app.again();
                // A worker each: four clients use up a thousand long before this ends.
                for _ in 0..1_000 {
                    if !first.is_alive() {
                        return;
                    }
                    assert_eq!(app.get("/api/").text(), "here");
                }
                panic!("it is there after so many births");
            });
        }
    });
    eventually(PATIENCE, "the log says so", || farm.log.text().contains("zygote replaced"));
    let next = farm.child("fazt-zygote");
    assert_ne!(layout.lines().next(), code(&next).lines().next(), "the next one is laid out anew");
    assert_eq!(app.get("/api/").text(), "here");
    watch.close();
}

#[test]
fn a_killed_store_is_back_within_a_second_with_all_that_it_acknowledged() {
    let farm = Setup::new(3).start();
    farm.script("reader", "respond(fazt.storage.kv.get('none') === undefined)");
    let victim = canary::deploy(&farm);
    let watch = Watch::without_neighbour(&farm);
    // Not the watch's own: what was on its way to the store fails.
    let canary = Canary::ask(victim);
    canary.sings(20);
    let rounds = 20;
    for _ in 0..rounds {
        let store = farm.child("fazt-store");
        store.kill();
        let reader = farm.app("reader");
        eventually(promised(seconds(1)), "the store answers again", || reader.get("/api/").status == 200);
        assert_ne!(farm.child("fazt-store").pid, store.pid);
        canary.sings(20);
    }
    store_failures(canary, rounds);
    farm.log.heard("the file is whole after an unclean stop");
    watch.close();
    integrity(&farm);
}

/// A client that repeats what failed loses nothing and has nothing counted twice.
#[test]
fn with_a_token_a_killed_store_is_no_reason_to_lose_or_double_a_write() {
    let farm = Setup::new(3).start();
    let app = farm.script("app", "respond({ n: fazt.storage.kv.incr('n', { once: request.query.token }) })");
    let (clients, writes) = (3, 60);
    let done = AtomicUsize::new(0);
    thread::scope(|scope| {
        for client in 0..clients {
            let (app, done) = (app.keeping(), &done);
            scope.spawn(move || {
                for write in 0..writes {
                    let target = format!("/api/?token={client}:{write}");
                    eventually(promised(seconds(10)), "the write is done", || app.get(&target).status == 200);
                    done.fetch_add(1, Relaxed);
                }
            });
        }
        for round in 1..=5 {
            let enough = || done.load(Relaxed) >= round * clients * writes / 6;
            eventually(promised(seconds(20)), "writes between two ends of the store", enough);
            farm.child("fazt-store").kill();
        }
    });
    assert_eq!(
        farm.script("app", "respond(String(fazt.storage.kv.get('n')))").get("/api/").text(),
        (clients * writes).to_string()
    );
    integrity(&farm);
}

/// A request under way may fail with what the store's end means to it, and with nothing else.
fn store_failures(canary: Canary, kills: usize) {
    let (failures, _) = canary.end();
    let known = ["503 ", "504 ", "500 "];
    assert!(failures.len() <= kills * 3, "{} failures of {kills} kills: {failures:#?}", failures.len());
    for failure in failures {
        let (_, told) = failure.split_once(": ").unwrap();
        assert!(known.iter().any(|status| told.starts_with(status)), "{failure}");
        assert!(told.contains("store_unavailable") || told.contains("storage_timeout"), "{failure}");
    }
}

fn integrity(farm: &Farm) {
    let file = rusqlite::Connection::open(farm.data().database()).unwrap();
    let found: String = file.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(found, "ok");
}

/// Nothing of the farm outlives its router, and the next one finds the same data.
#[test]
fn a_killed_router_takes_everything_along() {
    let setup = Setup::new(3);
    let mut farm = setup.start();
    let victim = farm.script("victim", canary::SOURCE);
    let acknowledged: Vec<String> = (0..40).map(|number| format!("t{number}")).collect();
    for token in &acknowledged {
        assert_eq!(victim.get(&format!("/api/?add={token}")).json()["count"], 1);
    }
    let app = farm.script("evil", "for(;;){}");
    let asking = thread::spawn(move || app.try_send(&Request::new("GET", "/api/")).is_ok());
    farm.busy_worker("evil");
    farm.kill(seconds(1));
    assert!(!asking.join().unwrap(), "nobody is left to answer");
    let (restarted, within) = (Instant::now(), promised(LISTENS));
    let farm = setup.start();
    assert!(restarted.elapsed() < within, "it listens again after {:?}", restarted.elapsed());
    let kept = farm.app("victim").get("/api/").json();
    for token in &acknowledged {
        assert_eq!(kept[token], 1, "{token} was acknowledged before the end");
    }
    integrity(&farm);
}

#[test]
fn a_stopped_worker_is_killed_on_time() {
    let farm = Setup::new(3).flag("--timeout", "300ms").start();
    let app = spinner(&farm, "app");
    let watch = Watch::over(&farm);
    let answer = thread::scope(|scope| {
        let asking = scope.spawn(|| app.get("/api/?spin=1"));
        farm.busy_worker("app").signal(Signal::STOP);
        asking.join().unwrap()
    });
    assert_eq!((answer.status, answer.code().as_str()), (504, "timeout"));
    assert!(answer.took < promised(millis(600)), "{:?}", answer.took);
    watch.close();
}

/// What needs it fails at its own deadline, what does not goes on, and afterwards nothing stale is done.
#[test]
fn a_stopped_store_holds_up_nobody_who_does_not_need_it() {
    let farm = Setup::new(3).flag("--storage-timeout", "300ms").start();
    let plain = farm.script("plain", "respond('here')");
    farm.deploy("site", &[("index.html", "page")]);
    let writer = farm.script("writer", "fazt.storage.kv.incr('n', { once: request.query.once }); respond('written')");
    let write = |once: &str| writer.get(&format!("/api/?once={once}"));
    // A slow disk may keep it waiting too long: asked again, it is done once.
    let written = |once: &str| eventually(PATIENCE, "it is written", || write(once).text() == "written");
    written("before");
    assert_eq!(plain.get("/api/").status, 200);
    assert_eq!(farm.app("site").get("/").text(), "page");
    let watch = Watch::without_neighbour(&farm);
    let store: Process = farm.child("fazt-store");
    store.signal(Signal::STOP);
    let failed = write("meanwhile");
    assert_eq!((failed.status, failed.code().as_str()), (504, "storage_timeout"), "{}", failed.text());
    assert!(failed.took < promised(millis(800)), "{:?}", failed.took);
    assert_eq!((plain.get("/api/").text().as_str(), farm.app("site").get("/").text().as_str()), ("here", "page"));
    store.signal(Signal::CONT);
    written("afterwards");
    let count = farm.script("writer", "respond(200, fazt.storage.kv.get('n'))").get("/api/").text();
    assert_eq!(count, "2", "the op that timed out was not done afterwards");
    watch.close();
}

/// Nothing of it was done, so another worker has it: a late answer in place of none.
#[test]
fn what_a_stopped_worker_never_began_another_one_does() {
    // The time is a worker's, and not a disk's.
    let farm = Setup::new(3).flag("--timeout", "300ms").flag("--durability", "normal").start();
    let app = farm.script("app", "respond({ n: fazt.storage.kv.incr('n') })");
    let watch = Watch::over(&farm);
    for round in 1..=5 {
        assert_eq!(app.get("/api/").json()["n"], 2 * round - 1);
        let idle = farm.idle_worker("app");
        idle.signal(Signal::STOP);
        eventually(PATIENCE, "it stands still", || idle.is_stopped());
        let answer = app.get("/api/");
        assert_eq!((answer.status, answer.json()["n"].as_u64()), (200, Some(2 * round)), "{}", answer.text());
        assert!(answer.took < promised(millis(1_200)), "{:?}", answer.took);
        assert_ne!(farm.worker_of(&answer), idle.pid);
        eventually(PATIENCE, "it is gone", || !idle.is_alive());
    }
    watch.close();
}
