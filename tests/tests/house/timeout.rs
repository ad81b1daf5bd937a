//! Time: what runs past its limit is ended, its process is gone, and nobody else notices.

use std::{
    thread,
    time::{Duration, Instant},
};

use fazt_tests::{
    farm::Farm,
    http::{Answer, App, Request},
    oracle::{canary::Canary, census::Census},
    process,
    setup::Setup,
    wait::{PATIENCE, eventually, millis, promised, seconds},
};
use serde_json::{Value, json};

/// Scripts that the engine's own clock ends.
const SOFT: &[&str] = &[
    "for(;;){}",
    "while (true) { try { for (;;) {} } catch (e) { for (;;) {} } finally { for (;;) {} } }",
    "const f = () => { try { for (;;) {} } finally { f() } }; f()",
    "(async () => { for (;;) await 0 })()",
    "const again = () => Promise.resolve().then(again); again()",
    "new Promise(() => { for (;;) {} }).catch(() => { for (;;) {} })",
    "/(a+)+$/.test('a'.repeat(40) + '!')",
    "[1, 2, 3].sort(() => { for (;;) {} })",
    "JSON.stringify({ toJSON() { for (;;) {} } })",
    "respond({ get a() { for (;;) {} } })",
    "function* g() { for (;;) yield 1 } for (const x of g()) {}",
    "setInterval(() => {}, 1); new Promise(() => {})",
    "Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1)",
];

/// One native call each that no clock of the engine ends.
const HARD: &[&str] = &[
    "Array.prototype.join.call({ length: 2 ** 53 - 1 })",
    "Array.prototype.reverse.call({ length: 2 ** 53 - 1 })",
    "const a = 'a'.repeat(1e6); a.includes(a.slice(0, 5e5) + 'b')",
];

/// Asks and says in what the answer is not a timeout in time.
fn times_out(farm: &Farm, app: &App, within: Duration) -> Result<i32, String> {
    let answer = app.get("/api/");
    if answer.status != 504 || answer.code() != "timeout" {
        return Err(format!("{} {}", answer.status, answer.text()));
    }
    if answer.took > promised(within) {
        return Err(format!("took {:?}", answer.took));
    }
    let line = farm.log.one_finished(&answer.id());
    assert_eq!(line["outcome"], "timeout", "{line}");
    let pid = i32::try_from(line["worker"].as_i64().unwrap()).unwrap();
    eventually(promised(seconds(1)), "its process is gone", || !process::is_worker(pid));
    Ok(pid)
}

#[test]
fn an_endless_loop_costs_its_caller_a_second_and_nobody_else_anything() {
    // What the neighbour waits for is a worker, and not a disk.
    let farm = Setup::new(3).flag("--durability", "normal").start();
    let canary = Canary::release(&farm);
    let app = farm.script("evil", "for(;;){}");
    let census = Census::take(&farm);
    let first = times_out(&farm, &app, millis(1_200)).unwrap();
    eventually(promised(seconds(1)), "a successor is there", || {
        farm.workers().len() == 3 && !farm.workers().contains(&first)
    });
    let second = times_out(&farm, &app, millis(1_200)).unwrap();
    assert_ne!(first, second);
    canary.sings(10);
    let (failures, slowest) = canary.end();
    assert_eq!(failures, Vec::<String>::new());
    assert!(slowest < promised(millis(400)), "a neighbour waited {slowest:?}");
    census.holds(&farm);
    let runtime = farm.runtime();
    assert_eq!(
        runtime["timeouts"],
        json!(runtime["interrupted"].as_u64().unwrap() + runtime["killed"].as_u64().unwrap())
    );
    assert_eq!(runtime["timeouts"], 2, "{runtime}");
}

#[test]
fn whatever_the_loop_is_it_ends() {
    let runtime = all_end(SOFT, |runtime| &runtime["timeouts"]);
    // On a slow machine the hard clock may be first now and then.
    let interrupted = runtime["interrupted"].as_u64().unwrap();
    assert!(interrupted * 2 > SOFT.len() as u64, "{runtime}");
}

#[test]
fn what_only_a_kill_ends_is_killed() {
    all_end(HARD, |runtime| &runtime["killed"]);
}

/// Each counts as one end of that kind.
fn all_end(scripts: &[&str], counted: fn(&Value) -> &Value) -> Value {
    let farm = Setup::new(2).start();
    let canary = Canary::release(&farm);
    let mut wrong = Vec::new();
    for (number, script) in scripts.iter().enumerate() {
        farm.deploy("evil", &[("api/main.js", script), ("manifest.json", r#"{ "timeoutMs": 200 }"#)]);
        let app = farm.app("evil");
        // Both clocks and the grace between them, and what a machine under load takes for the rest.
        if let Err(what) = times_out(&farm, &app, millis(450)) {
            wrong.push(format!("- {script}\n    {what}"));
        }
        canary.sings(1);
        let runtime = farm.runtime();
        if wrong.is_empty() && *counted(&runtime) != number + 1 {
            wrong.push(format!("- {script}\n    ended otherwise: {runtime}"));
        }
    }
    canary.was_well();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    farm.runtime()
}

#[test]
fn a_timeout_says_where_it_stood() {
    let farm = Setup::new(2).flag("--timeout", "200ms").start();
    farm.script("evil", "function spin() {\n  for (;;) {}\n}\nconsole.log('before')\nspin()");
    let problem = farm.app("evil").with_token(&farm.token).get("/api/").json();
    assert!(problem["stack"].as_str().unwrap_or_default().contains("spin"), "{problem}");
    assert_eq!(problem["detail"], "api/main.js ran for more than 200 ms");
    assert!(problem["logs"].to_string().contains("before"), "what was said before is kept: {problem}");
}

#[test]
fn a_manifest_lowers_the_limit_and_cannot_raise_it() {
    let farm = Setup::new(2).flag("--timeout", "300ms").start();
    for (given, least, most) in [("100", 90, 260), ("5000", 290, 550)] {
        let manifest = format!(r#"{{ "timeoutMs": {given} }}"#);
        farm.deploy("evil", &[("api/main.js", "for(;;){}"), ("manifest.json", &manifest)]);
        let answer = farm.app("evil").get("/api/");
        assert_eq!(answer.status, 504);
        assert!((millis(least)..promised(millis(most))).contains(&answer.took), "{given}: {:?}", answer.took);
    }
}

#[test]
fn waiting_in_a_queue_is_not_running() {
    let farm = Setup::new(2)
        .flag("--app-max-workers", "1")
        .flag("--timeout", "800ms")
        .flag("--request-timeout", "20s")
        .flag("--queue-timeout", "20s")
        .start();
    let app = farm.script("slow", "const until = Date.now() + 150; while (Date.now() < until) {}\nrespond('done')");
    let started = Instant::now();
    thread::scope(|scope| {
        for _ in 0..8 {
            let app = app.again();
            scope.spawn(move || {
                let answer = app.get("/api/");
                assert_eq!(answer.status, 200, "{}", answer.text());
            });
        }
    });
    assert!(started.elapsed() > millis(1_150), "one worker served them one after the other");
}

#[test]
fn a_queue_has_an_end_and_a_patience() {
    let farm = Setup::new(2)
        .flag("--app-max-workers", "1")
        .flag("--queue-depth", "2")
        .flag("--queue-timeout", "2s")
        .flag("--timeout", "4s")
        .start();
    let app = farm.script("slow", "for(;;){}");
    let ask = || app.again().get("/api/");
    // Each comes once the one before is where it is to be.
    let answers = thread::scope(|scope| {
        let held = scope.spawn(ask);
        farm.busy_worker("slow");
        let waiting = [scope.spawn(ask), scope.spawn(ask)];
        eventually(PATIENCE, "two wait", || farm.runtime()["queued"] == 2);
        let refused = [ask(), ask(), ask()];
        let [first, second] = waiting.map(|waiting| waiting.join().unwrap());
        [vec![held.join().unwrap(), first, second], refused.into()].concat()
    });
    let codes: Vec<String> = answers.iter().map(Answer::code).collect();
    let wanted = ["timeout", "queue_timeout", "queue_timeout", "queue_full", "queue_full", "queue_full"];
    assert_eq!(codes, wanted, "{answers:?}");
    let refused = answers.iter().filter(|answer| answer.status == 503);
    assert!(refused.clone().all(|answer| answer.header("retry-after").is_some()));
    for answer in refused {
        let line = farm.log.one_finished(&answer.id());
        assert_eq!(line["outcome"], answer.code().as_str(), "{line}");
    }
}

/// While its only worker is held, an app's queue would keep whatever was sent to it.
#[test]
fn who_gives_up_waiting_leaves_no_body_behind() {
    const BODY_BYTES: usize = 8 << 20;
    let farm = Setup::new(2)
        .flag("--app-max-workers", "1")
        .flag("--timeout", "20s")
        .flag("--request-timeout", "20s")
        .flag("--queue-timeout", "50ms")
        .start();
    let app = farm.script("slow", "for(;;){}");
    thread::scope(|scope| {
        let held = scope.spawn(|| app.again().get("/api/").status);
        let worker = farm.busy_worker("slow");
        let post =
            || app.again().send(&Request::new("POST", "/api/").body("application/octet-stream", vec![1; BODY_BYTES]));
        assert_eq!(post().code(), "queue_timeout");
        let before = farm.router().resident_bytes();
        for _ in 0..20 {
            assert_eq!(post().code(), "queue_timeout");
        }
        let more = farm.router().resident_bytes().saturating_sub(before);
        assert!(more < 5 * BODY_BYTES as u64, "{more} bytes more than before");
        worker.kill();
        assert_eq!(held.join().unwrap(), 502);
    });
}

#[test]
fn memory_has_an_end() {
    let farm = Setup::new(2).flag("--memory", "16MiB").flag("--timeout", "5s").start();
    let canary = Canary::release(&farm);
    let rows = [
        "const all = []; for (;;) all.push({})",
        "const all = []; for (let s = 'x';; s += 'x') all.push(s.repeat(1000))",
        "const all = []; for (;;) all.push(new ArrayBuffer(1 << 20))",
        "const m = new Map(); for (let i = 0;; i++) m.set(i, [i])",
        "const all = []; for (;;) all.push(Symbol('x'.repeat(1000)))",
    ];
    let mut wrong = Vec::new();
    for script in rows {
        let app = farm.script("evil", script);
        let answer = app.get("/api/");
        if (answer.status, answer.code().as_str()) != (500, "memory_limit") {
            wrong.push(format!("- {script}\n    {} {}", answer.status, answer.text()));
        }
        let pid = farm.worker_of(&answer);
        eventually(promised(seconds(2)), "its process is gone", || !farm.workers().contains(&pid));
    }
    // A request that swallows it may answer; its process serves no more either way.
    let app = farm.script(
        "evil",
        "try { const all = []; for (;;) all.push(new Uint8Array(1 << 20)) } catch (e) {}\nrespond('swallowed')",
    );
    let answer = app.get("/api/");
    let pid = farm.worker_of(&answer);
    eventually(promised(seconds(2)), "its process is gone", || !farm.workers().contains(&pid));
    canary.was_well();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
