//! What native code in a captured worker could do to others without breaking a word of the protocol: die at the right moment,
//! hold what others need, talk too much. It costs its own app, and nobody else.

use std::{
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    thread,
};

use fazt_tests::{
    farm::Farm,
    http::{Answer, Request},
    oracle::Watch,
    setup::Setup,
    wait::{Over, PATIENCE, eventually, seconds},
    wire::Wire,
};
use rustix::process::Signal;
use serde_json::Value;

use crate::impostor::{farm, farm_of};

fn crashes(farm: &Farm) -> u64 {
    farm.runtime()["crashes"].as_u64().unwrap()
}

/// Asks until the app is started more slowly.
fn until_throttled(farm: &Farm, app: &str, target: &str) -> Answer {
    let app = farm.app(app);
    eventually(PATIENCE, &format!("{target}: the app is started more slowly"), || {
        let told = app.get(target);
        assert!([200, 502, 503, 504].contains(&told.status), "{target}: {} {}", told.status, told.text());
        (told.code() == "overloaded").then_some(told)
    })
}

/// Whoever is served by a worker that dies before it says that it began may have another one, once.
#[test]
fn a_call_that_its_worker_died_of_is_handed_on_once() {
    let (farm, _programs) = farm("strict");
    let watch = Watch::over(&farm);
    let before = crashes(&farm);
    let told = farm.app("evil").get("/api/unseen");
    assert_eq!((told.status, told.code().as_str()), (502, "worker_crashed"), "{}", told.text());
    assert!(farm.log.one_finished(&told.id())["worker"].is_number());
    eventually(PATIENCE, "both are counted", || crashes(&farm) >= before + 2);
    farm.settle();
    assert_eq!(crashes(&farm), before + 2, "workers that one request cost");
    watch.close();
}

#[test]
fn deaths_before_a_call_or_after_it_are_their_apps_own() {
    let (farm, _programs) = farm("strict");
    let watch = Watch::over(&farm);
    // In its first call, and without any: after an answer, which forgives nothing where it goes on like that.
    for target in ["/api/unseen", "/api/leave"] {
        let told = until_throttled(&farm, "evil", target);
        assert!(told.header("retry-after").is_some(), "{target}: {told:?}");
        let told = eventually(PATIENCE, "the app is started again", || {
            let told = farm.app("evil").get("/api/honest?well");
            (told.code() != "overloaded").then_some(told)
        });
        assert_eq!((told.status, told.text().as_str()), (200, "well"), "after {target}");
    }
    watch.close();
}

/// That the store was slow is an excuse for now and then.
#[test]
fn whoever_blames_the_store_for_every_birth_is_started_more_slowly() {
    let (farm, _programs) = farm("strict");
    let watch = Watch::over(&farm);
    let told = until_throttled(&farm, "excuse", "/api/");
    assert!(told.header("retry-after").is_some(), "{told:?}");
    watch.close();
}

/// The kernel says who ended a worker. What others do to it is not its app's fault, and nobody is told of it.
#[test]
fn a_worker_that_others_kill_before_it_began_costs_its_app_nothing() {
    let farm = Setup::new(3).start();
    let app = farm.script("app", "respond({ n: fazt.storage.kv.incr('n') })");
    let watch = Watch::over(&farm);
    for round in 1..=10 {
        assert_eq!(app.get("/api/").json()["n"], 2 * round - 1);
        let idle = farm.idle_worker("app");
        idle.signal(Signal::STOP);
        eventually(PATIENCE, "it stands still", || idle.is_stopped());
        let answer = thread::scope(|scope| {
            let asking = scope.spawn(|| app.get("/api/"));
            eventually(PATIENCE, "it has the request", || {
                let runtime = farm.runtime();
                runtime["workers"]
                    .as_array()?
                    .iter()
                    .find(|row| row["pid"] == idle.pid && row["state"] == "busy")
                    .cloned()
            });
            idle.kill();
            asking.join().unwrap()
        });
        assert_eq!((answer.status, answer.json()["n"].as_u64()), (200, Some(2 * round)), "{}", answer.text());
    }
    // With no worker that has it loaded, an app that wore out its workers would have to wait.
    let last = farm.idle_worker("app");
    last.kill();
    eventually(PATIENCE, "nobody has the app", || !farm.workers().contains(&last.pid));
    let answer = app.get("/api/");
    assert_eq!(answer.status, 200, "{}", answer.text());
    watch.close();
}

/// The apps that workers are busy for.
fn busy(farm: &Farm) -> Vec<String> {
    let runtime = farm.runtime();
    let busy = runtime["workers"].as_array().unwrap().iter().filter(|row| row["state"] == "busy");
    busy.filter_map(|row| row["app"].as_str().map(str::to_owned)).collect()
}

/// As many such apps as there are places, each asked by many: whoever else comes is served before its patience is over.
#[test]
fn apps_that_do_not_load_hold_a_place_each_and_not_for_long() {
    const PLACES: usize = 4;
    let (farm, _programs) = farm_of("strict", PLACES);
    let names: Vec<String> = (0..PLACES).map(|number| format!("unready-{number}")).collect();
    names.iter().for_each(|name| drop(farm.script(name, "")));
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let (farm, over) = (&farm, &over);
        for name in names.iter().flat_map(|name| [name; 3]) {
            scope.spawn(move || {
                eventually(seconds(60), "they need not ask any more", || {
                    let told = farm.app(name).get("/api/");
                    assert!([502, 503].contains(&told.status), "{name}: {} {}", told.status, told.text());
                    over.load(SeqCst)
                });
            });
        }
        let _over = Over::when_left(over);
        for round in 0..3 {
            eventually(seconds(20), "no place is left", || {
                let mut busy = busy(farm);
                let held = busy.len();
                busy.sort();
                busy.dedup();
                assert_eq!(busy.len(), held, "one holds two places: {:?}", farm.runtime());
                held == PLACES
            });
            let told = farm.app("echo").get("/api/?here");
            assert_eq!((told.status, told.text().as_str()), (200, "here"), "round {round} after {:?}", told.took);
        }
    });
}

/// Lines of an app's log that are there.
fn lines(farm: &Farm, app: &str) -> Vec<Value> {
    let page = farm.admin().get(&format!("/api/_admin/apps/{app}/logs?limit=250")).json();
    page["logs"].as_array().cloned().unwrap_or_default()
}

/// While the store stands still, one app talks without end and another says a word.
#[test]
fn an_app_that_talks_without_end_takes_no_others_place_in_the_log() {
    // A worker each, which is there before the store stands still.
    let farm = Setup::new(3).flag("--app-max-workers", "1").flag("--timeout", "4s").start();
    let noisy = farm.script("noisy", "for (let i = 0; i < 250; i++) console.log('noise', i)\nrespond('said')");
    let quiet = farm.script("quiet", "console.log('a word')\nrespond('said')");
    assert_eq!((noisy.get("/api/").text(), quiet.get("/api/").text()), ("said".to_owned(), "said".to_owned()));
    eventually(PATIENCE, "the first word is kept", || lines(&farm, "quiet").len() == 1);
    // A neighbour that needs the store would be refused like everybody.
    let watch = Watch::without_neighbour(&farm);
    let store = farm.child("fazt-store");
    store.signal(Signal::STOP);
    for _ in 0..40 {
        assert_eq!(noisy.get("/api/").text(), "said");
    }
    assert_eq!(quiet.get("/api/").text(), "said");
    store.signal(Signal::CONT);
    eventually(PATIENCE, "the other's word is kept", || lines(&farm, "quiet").len() == 2);
    let lost = farm.log.heard("log lines of an app were dropped: it says more than the store takes");
    assert_eq!(lost["app"], "noisy", "{lost}");
    assert!(lost["lost"].as_u64() > Some(0), "{lost}");
    assert!(farm.runtime()["lostLogs"].as_u64() > Some(0));
    watch.close();
}

/// Bodies that stop half way stay in memory until they are given up: one app's fill no more than its share.
/// A request whose body lacks its last byte.
fn unended(farm: &Farm, app: &str, bytes: usize) -> Wire {
    let mut wire = Wire::open(farm.address);
    let head = format!("POST /api/ HTTP/1.1\r\nHost: {app}.localhost\r\nContent-Type: application/octet-stream\r\n");
    // Whoever finds no room is told so before it has sent all.
    wire.send([format!("{head}Content-Length: {bytes}\r\n\r\n").into_bytes(), vec![b'x'; bytes - 1]].concat());
    wire
}

#[test]
fn bodies_that_never_end_fill_no_more_than_their_apps_share() {
    const BODY: usize = 8 << 20;
    const SHARE: usize = 106 << 20;
    let farm = Setup::new(3).flag("--timeout", "4s").start();
    let source = "respond(String(request.body.byteLength))";
    let (large, other) = (farm.script("large", source), farm.script("other", source));
    let upload = Request::new("POST", "/api/").body("application/octet-stream", vec![b'x'; BODY]);
    assert_eq!((large.send(&upload).status, other.send(&upload).status), (200, 200));
    let watch = Watch::over(&farm).unheard(40);
    let wires: Vec<Wire> = (0..40).map(|_| unended(&farm, "large", BODY)).collect();
    let lines = || farm.log.said("request").into_iter().filter(|line| line["app"] == "large").collect::<Vec<_>>();
    let refused = wires.len() - SHARE / BODY;
    eventually(seconds(30), "who finds no room is told so", || lines().len() > refused);
    assert!(
        lines().iter().skip(1).all(|line| line["status"] == 503 && line["outcome"] == "overloaded"),
        "{:?}",
        lines()
    );
    let told = other.send(&upload);
    assert_eq!((told.status, told.text()), (200, BODY.to_string()), "another app has its own share");
    drop(wires);
    eventually(seconds(10), "its room is free again", || large.send(&upload).status == 200);
    watch.close();
}

/// Four quarters would be all: so an app's share is a quarter of what the others left.
#[test]
fn apps_that_fill_their_shares_together_leave_room_for_the_next_one() {
    const BODY: usize = 8 << 20;
    let farm = Setup::new(3).start();
    let source = "respond(String(request.body.byteLength))";
    let greedy = ["first", "second", "third", "fourth"];
    greedy.iter().for_each(|app| drop(farm.script(app, source)));
    let modest = farm.script("modest", source);
    let watch = Watch::over(&farm).unheard(40);
    let mut wires = Vec::new();
    for app in greedy {
        let is_refused = || farm.log.said("request").iter().any(|line| line["app"] == app);
        eventually(seconds(20), "it has its share", || {
            wires.push(unended(&farm, app, BODY));
            is_refused()
        });
    }
    let told = modest.send(&Request::new("POST", "/api/").body("application/octet-stream", vec![b'x'; BODY]));
    assert_eq!((told.status, told.text()), (200, BODY.to_string()));
    drop(wires);
    watch.close();
}
