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
    programs,
    setup::Setup,
    wait::{Over, eventually, millis, promised, seconds},
};
use tempfile::TempDir;

const LIMIT_MS: u64 = 600;

/// A farm whose every worker is an impostor.
pub(crate) fn farm(sandbox: &str) -> (Farm, TempDir) {
    farm_of(sandbox, 4)
}

pub(crate) fn farm_of(sandbox: &str, workers: usize) -> (Farm, TempDir) {
    let programs =
        programs::copied(&[("fazt-router", "fazt-router"), ("fazt-store", "fazt-store"), ("fazt-worker", "impostor")]);
    let limit = format!("{LIMIT_MS}ms");
    let setup = Setup::new(workers).programs(programs.path()).flag("--timeout", &limit).flag("--sandbox", sandbox);
    let farm = setup.start();
    for name in ["echo", "evil", "stillborn", "unready", "twice"] {
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
        // An app whose workers die before they answer is started more slowly, and yet started.
        let told = eventually(seconds(5), "the app is served", || {
            let told = farm.app("evil").send(&Request::new("GET", &format!("/api/{name}?from-{name}")));
            (told.code() != "overloaded").then_some(told)
        });
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
        // An app whose workers die before they answer is started more slowly, and yet started.
        let honest = eventually(seconds(5), "the app is served again", || {
            let honest = farm.app("evil").get(&format!("/api/honest?after-{name}"));
            (honest.code() != "overloaded").then_some(honest)
        });
        if honest.text() != format!("after-{name}") {
            wrong.push(format!("after {name}: {} {}", honest.status, honest.text()));
        }
    }
    watch.close();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
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
    let panic = farm.log.heard("worker panicked");
    let words = panic["last_words"].as_str().unwrap();
    assert!(words.contains("lies.rs") && words.ends_with("the end\nof it") && panic["worker"].is_number(), "{panic}");
}

/// A worker that ends before it said that a call had begun might have been idle: others are tried, and not for ever.
#[test]
fn a_call_that_nobody_begins_is_given_up() {
    let (farm, _programs) = farm("strict");
    let told = lie(&farm, "unseen");
    assert_eq!((told.status, told.code().as_str()), (502, "worker_crashed"), "{}", told.text());
    assert_eq!(farm.log.one_finished(&told.id())["app"], "evil");
    farm.settle();
}

/// A router that writes to a worker that does not read never waits for it past the clock.
#[test]
fn a_worker_that_does_not_read_is_killed_on_time() {
    let (farm, _programs) = farm("strict");
    let body = vec![b'x'; 8 << 20];
    let request = Request::new("POST", "/api/deaf").body("application/octet-stream", body);
    let told = farm.app("evil").send(&request);
    assert_eq!((told.status, told.code().as_str()), (504, "timeout"));
    assert!(told.took < seconds(2), "{:?}", told.took);
    farm.settle();
}

/// One whole answer was given: what comes after it is the liar's own affair, and ends it.
#[test]
fn what_follows_an_answer_is_nobodys() {
    let (farm, _programs) = farm("strict");
    let watch = Watch::over(&farm);
    for name in ["two-replies", "talkative", "done-wrong", "never-done"] {
        for _ in 0..5 {
            let told = lie(&farm, name);
            // Whether the breach is noticed before the answer is on its way is a matter of microseconds.
            let whole = told.status == 200 && told.text() == format!("from-{name}");
            assert!(whole || told.code() == "worker_crashed", "{name}: {} {}", told.status, told.text());
            assert!(farm.log.one_finished(&told.id())["worker"].is_number());
            let next = eventually(seconds(5), "the app is served again", || {
                let next = farm.app("evil").get("/api/honest?next");
                (next.code() != "overloaded").then_some(next)
            });
            assert_eq!((next.status, next.text().as_str()), (200, "next"), "after {name}");
        }
    }
    watch.close();
}

/// A thousand lies beside a thousand honest requests: no answer ever reaches another's client.
#[test]
fn no_answer_reaches_another_client() {
    let (farm, _programs) = farm("strict");
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
}

/// An app whose workers die before their first answer is throttled, and nobody else is.
#[test]
fn workers_that_die_at_birth_do_not_storm() {
    let (farm, _programs) = farm("strict");
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
}

#[test]
fn a_worker_that_does_not_load_is_given_up() {
    let (farm, _programs) = farm("strict");
    let watch = Watch::over(&farm);
    for name in ["unready", "twice"] {
        let told = farm.app(name).get("/api/honest?x");
        let early = name == "twice" && told.status == 200;
        assert!(early || [502, 503, 504].contains(&told.status), "{name}: {} {}", told.status, told.text());
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
    for (row, name, said) in [
        ("N-33 bytes that are no question", "op-garbage", "closed"),
        ("N-33 no leave", "op-bare", "UNAVAILABLE"),
        ("N-33 leave of its own making", "op-forged", "closed"),
        ("N-33 leave for another channel", "op-stolen", "closed"),
        ("N-33 another app's key", "op-neighbour", "nothing"),
        ("N-34 no time", "op-until-zero", "TIMEOUT"),
        ("N-34 a time that is over", "op-until-past", "TIMEOUT"),
        ("N-34 all the time in the world", "op-until-max", "nothing"),
        ("N-35 reads without an ear", "op-flood", "closed"),
        ("N-35 writes without an ear", "op-write-flood", "closed"),
    ] {
        // A machine under load may not let it come to the end of its question.
        let tries = || (0..3).map(|_| (lie(&farm, "exit"), lie(&farm, name)).1);
        let told = tries().find(|told| told.code() != "timeout").unwrap_or_else(|| lie(&farm, name));
        // A store that closes a channel may leave its worker writing, until its own clock.
        let in_time = said == "closed" && told.code() == "timeout";
        if !(in_time || told.status == 200 && told.text() == said) {
            wrong.push(format!("{row}: {} {}", told.status, told.text()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    watch.close();
    assert!(farm.child("fazt-store").resident_bytes() < 200 << 20);
}

/// Floods of log lines and of frames cost their sender its life, not the router its memory.
#[test]
fn floods_are_bounded() {
    let (farm, _programs) = farm("strict");
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
}
