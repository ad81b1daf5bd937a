//! Workers that lie, born by the true zygote into the true jail: whatever one says, it costs its own request and its own
//! life. No other client ever sees a byte of it, and no process, descriptor or memory of the farm is lost to it.

use std::{
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    thread,
};

use fazt_tests::{
    farm::Farm,
    http::{Answer, Request},
    oracle::Watch,
    process::Process,
    programs,
    setup::Setup,
    wait::{Over, PATIENCE, eventually, millis, promised, seconds},
};
use tempfile::TempDir;

const LIMIT_MS: u64 = 600;

/// A farm whose every worker is an impostor.
pub(crate) fn farm(sandbox: &str) -> (Farm, TempDir) {
    farm_of(sandbox, 4)
}

pub(crate) fn farm_of(sandbox: &str, workers: usize) -> (Farm, TempDir) {
    let programs = programs::with_worker("impostor");
    let limit = format!("{LIMIT_MS}ms");
    let setup = Setup::new(workers).programs(programs.path()).flag("--timeout", &limit).flag("--sandbox", sandbox);
    // The limit is for lies: a neighbour's write that waits for a disk is none.
    let farm = setup.flag("--durability", "normal").start();
    for name in ["echo", "evil", "stillborn", "unready", "twice", "excuse"] {
        farm.script(name, "");
    }
    (farm, programs)
}

/// Tells a lie; the answer, and that the neighbour was answered with its own words and nobody else's all the while.
fn lie(farm: &Farm, name: &str) -> Answer {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let echo = farm.app("echo").keeping();
        let over = &over;
        let neighbour = scope.spawn(move || {
            let mut number = 0;
            while !over.load(SeqCst) || number < 5 {
                let marker = format!("neighbour-{number}");
                let answer = echo.get(&format!("/api/?{marker}"));
                assert_eq!((answer.status, answer.text()), (200, marker));
                number += 1;
            }
        });
        let over = Over::when_left(over);
        let told = farm.app("evil").once_started(&format!("/api/{name}?from-{name}"));
        drop(over);
        neighbour.join().unwrap();
        told
    })
}

/// Each lie, and what its caller is told: status and code, at once or by the clock.
fn check(farm: &Farm, rows: &[(&str, u16, &str)]) {
    let watch = Watch::over(farm);
    let mut wrong = Vec::new();
    for (name, status, code) in rows {
        let told = lie(farm, name);
        if (told.status, told.code().as_str()) != (*status, *code) {
            wrong.push(format!("{name}: wanted {status} {code}, got {} {}", told.status, told.text()));
        }
        if told.took > promised(millis(LIMIT_MS + 300)) {
            wrong.push(format!("{name}: told after {:?}", told.took));
        }
        let line = farm.log.one_finished(&told.id());
        if line["app"] != "evil" || !line["worker"].is_number() {
            wrong.push(format!("{name}: {line}"));
        }
        let honest = farm.app("evil").once_started(&format!("/api/honest?after-{name}"));
        if honest.text() != format!("after-{name}") {
            wrong.push(format!("after {name}: {} {}", honest.status, honest.text()));
        }
    }
    watch.conclude(&wrong);
}

#[test]
fn bytes_that_are_no_frame_end_the_worker() {
    let (farm, _programs) = farm("strict");
    check(
        &farm,
        &[
            ("garbage", 502, "worker_crashed"),
            ("empty", 502, "worker_crashed"),
            ("one", 502, "worker_crashed"),
            ("oversize", 502, "worker_crashed"),
            ("great", 502, "worker_crashed"),
            ("huge", 502, "worker_crashed"),
            ("bomb", 502, "worker_crashed"),
            ("trailing", 502, "worker_crashed"),
            ("cut", 502, "worker_crashed"),
            ("half-close", 502, "worker_crashed"),
            ("half", 504, "timeout"),
        ],
    );
}

#[test]
fn words_out_of_turn_end_the_worker() {
    let (farm, _programs) = farm("strict");
    check(
        &farm,
        &[
            ("wrong-number", 502, "worker_crashed"),
            ("old-number", 502, "worker_crashed"),
            ("done-first", 502, "worker_crashed"),
            ("ready-again", 502, "worker_crashed"),
            ("endless", 502, "worker_crashed"),
            ("empty-parts", 502, "worker_crashed"),
            ("short-parts", 502, "worker_crashed"),
            ("flood", 502, "worker_crashed"),
        ],
    );
}

#[test]
fn answers_that_are_none_reach_nobody() {
    let (farm, _programs) = farm("strict");
    check(
        &farm,
        &[
            ("bad-status", 502, "worker_crashed"),
            ("split", 500, "invalid_response"),
            ("bad-name", 500, "invalid_response"),
        ],
    );
    let told = lie(&farm, "split");
    assert_eq!(told.header("set-cookie"), None);
}

#[test]
fn a_worker_may_die_as_it_likes() {
    let (farm, _programs) = farm("strict");
    check(
        &farm,
        &[
            ("exit", 502, "worker_crashed"),
            ("abort", 502, "worker_crashed"),
            ("panic", 502, "worker_crashed"),
            ("fork", 502, "worker_crashed"),
            ("silence", 504, "timeout"),
            ("late", 504, "timeout"),
        ],
    );
    let panic = farm.log.heard("worker's last words");
    let words = panic["last_words"].as_str().unwrap();
    assert!(words.contains("lies.rs") && words.ends_with("the end\nof it") && panic["worker"].is_number(), "{panic}");
}

/// A worker that ends before it said that a call had begun might have been idle: others are tried, and not for ever.
#[test]
fn a_call_that_nobody_begins_is_given_up() {
    let (farm, _programs) = farm("strict");
    let watch = Watch::over(&farm);
    let told = lie(&farm, "unseen");
    assert_eq!((told.status, told.code().as_str()), (502, "worker_crashed"), "{}", told.text());
    assert_eq!(farm.log.one_finished(&told.id())["app"], "evil");
    watch.close();
}

/// A router that writes to a worker that does not read never waits for it past the clock.
#[test]
fn a_worker_that_does_not_read_is_killed_on_time() {
    let (farm, _programs) = farm("strict");
    let watch = Watch::over(&farm);
    let body = vec![b'x'; 8 << 20];
    let request = Request::new("POST", "/api/deaf").body("application/octet-stream", body);
    let told = farm.app("evil").send(&request);
    assert_eq!((told.status, told.code().as_str()), (504, "timeout"));
    assert!(told.took < seconds(2), "{:?}", told.took);
    watch.close();
}

/// One whole answer was given: what comes after it is the liar's own affair, and ends it.
#[test]
fn what_follows_an_answer_is_nobodys() {
    // So many that none is retired for another app's sake.
    let (farm, _programs) = farm_of("strict", 8);
    let watch = Watch::over(&farm);
    for name in ["two-replies", "talkative", "done-wrong", "never-done"] {
        for _ in 0..5 {
            let told = lie(&farm, name);
            // Whether the breach is noticed before the answer is on its way is a matter of microseconds.
            let whole = told.status == 200 && told.text() == format!("from-{name}");
            assert!(whole || told.code() == "worker_crashed", "{name}: {} {}", told.status, told.text());
            let worker = farm.log.one_finished(&told.id())["worker"].as_i64().unwrap();
            let liar = Process::find(i32::try_from(worker).unwrap());
            eventually(PATIENCE, &format!("{name}: {liar:?} is ended"), || {
                liar.as_ref().is_none_or(|liar| !liar.is_alive())
            });
            let next = farm.app("evil").once_started("/api/honest?next");
            assert_eq!((next.status, next.text().as_str()), (200, "next"), "after {name}");
        }
    }
    watch.close();
}

/// Two hundred lies beside a thousand honest requests: no answer ever reaches another's client.
#[test]
fn no_answer_reaches_another_client() {
    let (farm, _programs) = farm("strict");
    let watch = Watch::over(&farm);
    let lies = ["two-replies", "talkative", "wrong-number", "done-wrong", "old-number"];
    thread::scope(|scope| {
        let evil = farm.app("evil");
        scope.spawn(move || {
            for round in 0..200 {
                let name = lies.get(round % lies.len()).copied().unwrap_or_default();
                let told = evil.get(&format!("/api/{name}?secret-{round}"));
                let refused = [502, 503].contains(&told.status);
                assert!(refused || told.text() == format!("secret-{round}"), "{} {}", told.status, told.text());
            }
        });
        for client in 0..2 {
            let app = farm.app(if client == 0 { "echo" } else { "evil" }).keeping();
            scope.spawn(move || {
                for round in 0..500 {
                    let marker = format!("client-{client}-{round}");
                    let answer = app.get(&format!("/api/honest?{marker}"));
                    // The liars' own app may be started more slowly, or lose a worker to a lie that came too late for the
                    // request before; nobody ever gets another's words.
                    let hurt = client == 1 && ["overloaded", "worker_crashed"].contains(&answer.code().as_str());
                    assert!(hurt || (answer.status, answer.text()) == (200, marker), "{}", answer.text());
                }
            });
        }
    });
    watch.close();
}

/// An app whose workers die before their first answer is throttled, and nobody else is.
#[test]
fn workers_that_die_at_birth_do_not_storm() {
    let (farm, _programs) = farm("strict");
    let watch = Watch::over(&farm);
    let before = farm.runtime()["respawns"].as_u64().unwrap();
    let echo = farm.app("echo").keeping();
    let until = std::time::Instant::now() + seconds(3);
    let tries = thread::scope(|scope| {
        let dying = scope.spawn(|| {
            let app = farm.app("stillborn");
            let mut tries = 0_u64;
            while std::time::Instant::now() < until {
                let told = app.get("/api/");
                assert!([502, 503].contains(&told.status), "{} {}", told.status, told.text());
                assert!(told.status != 503 || told.header("retry-after").is_some(), "{told:?}");
                tries += 1;
            }
            tries
        });
        while std::time::Instant::now() < until {
            assert_eq!(echo.get("/api/?x").text(), "x");
        }
        dying.join().unwrap()
    });
    let births = farm.runtime()["respawns"].as_u64().unwrap() - before;
    assert!(births < 150, "{births} births for {tries} requests of an app that dies at birth");
    watch.close();
}

#[test]
fn a_worker_that_does_not_load_is_given_up() {
    let (farm, _programs) = farm("strict");
    let watch = Watch::over(&farm);
    for name in ["unready", "twice"] {
        let told = farm.app(name).get("/api/honest?x");
        let early = name == "twice" && told.status == 200;
        assert!(early || [502, 503, 504].contains(&told.status), "{name}: {} {}", told.status, told.text());
        if name == "unready" {
            // It has used no CPU time: as far as the router knows others had it all.
            assert_eq!(told.code(), "overloaded", "{}", told.text());
            assert!(told.header("retry-after").is_some());
        }
        assert_eq!(farm.app("echo").get("/api/?here").text(), "here");
    }
    watch.close();
}

/// The jail lets nothing be sent that way, or the router keeps nothing of it: with the jail and without.
#[test]
fn descriptors_from_a_worker_are_dropped() {
    for sandbox in ["strict", "off"] {
        let (farm, _programs) = farm(sandbox);
        let watch = Watch::over(&farm);
        for name in ["gifts", "op-gifts"] {
            let told = lie(&farm, name);
            // What came beside the gifts was no frame.
            let known = told.text() == "given" || [502, 504].contains(&told.status);
            assert!(known, "{sandbox} {name}: {} {}", told.status, told.text());
        }
        for _ in 0..5 {
            let told = lie(&farm, "descriptors");
            // Nobody owes an answer to who sends gifts; what counts is that none of them is kept.
            let known = told.text() == "with gifts" || [502, 504].contains(&told.status);
            assert!(known, "{sandbox}: {} {}", told.status, told.text());
        }
        watch.close();
    }
}

/// Each by a worker of its own: a channel that was misused once is closed for good.
#[test]
fn the_store_believes_no_worker() {
    let (farm, _programs) = farm("strict");
    let watch = Watch::over(&farm);
    // What the neighbour has written, its own key, exists; the liars are told of their own app's alone.
    watch.canary().sings(5);
    let mut wrong = Vec::new();
    let by_a_new_worker = |name: &str| {
        lie(&farm, "exit");
        lie(&farm, name)
    };
    // What the store says, and whether the liar's own clock may be first: a flood may still be writing then.
    for (row, name, said, may_be_cut_off) in [
        ("N-33 bytes that are no question", "op-garbage", "closed", false),
        ("N-33 no leave", "op-bare", "UNAVAILABLE", false),
        ("N-33 leave of its own making", "op-forged", "closed", false),
        ("N-33 leave for another channel", "op-stolen", "closed", false),
        ("N-33 another app's key", "op-neighbour", "nothing", false),
        ("N-34 no time", "op-until-zero", "TIMEOUT", false),
        ("N-34 a time that is over", "op-until-past", "TIMEOUT", false),
        ("N-34 all the time in the world", "op-until-max", "nothing", false),
        ("N-35 reads without an ear", "op-flood", "closed", true),
        ("N-35 writes without an ear", "op-write-flood", "closed", true),
    ] {
        let mut told = by_a_new_worker(name);
        for _again in 0..3 {
            // A machine under load may not let it come to the end of its question.
            if told.code() == "timeout" && !may_be_cut_off {
                told = by_a_new_worker(name);
            }
        }
        let is_cut_off = may_be_cut_off && told.code() == "timeout";
        if !is_cut_off && (told.status, told.text().as_str()) != (200, said) {
            wrong.push(format!("{row}: {} {}", told.status, told.text()));
        }
    }
    watch.conclude(&wrong);
    assert!(farm.child("fazt-store").resident_bytes() < 200 << 20);
}

/// More CPU time than there was time, more memory than it may have.
#[test]
fn what_a_worker_says_of_itself_is_shown_within_what_can_be() {
    let (farm, _programs) = farm("strict");
    let watch = Watch::over(&farm);
    let told = lie(&farm, "boast");
    assert_eq!(told.text(), "from-boast");
    let trace = farm.trace(&told.id());
    let (cpu, whole) = (trace["cpuMs"].as_f64().unwrap(), trace["duration"].as_f64().unwrap());
    // Its last word may come after the answer.
    assert!(cpu <= whole + 5_000.0, "{trace}");
    assert!(trace["memoryPeak"].as_u64().unwrap() <= 64 << 20, "{trace}");
    watch.close();
}

/// Floods of log lines and of frames cost their sender its life, not the router its memory.
#[test]
fn floods_are_bounded() {
    let (farm, _programs) = farm("strict");
    let watch = Watch::over(&farm);
    let router = farm.router();
    lie(&farm, "honest");
    let before = router.resident_bytes();
    for _ in 0..10 {
        lie(&farm, "flood");
        lie(&farm, "endless");
    }
    farm.settle();
    let after = router.resident_bytes();
    assert!(after < before + (64 << 20), "the router grew from {before} to {after} bytes");
    watch.close();
}
