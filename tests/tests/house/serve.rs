//! The ordinary life: a deploy, answers, data that stays, hosts that lead to their own app and to no other.

use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
    thread,
};

use fazt_tests::{
    http::{App, Request},
    oracle::{canary::Canary, census::Census},
    setup::Setup,
    wait::{PATIENCE, eventually, millis, promised, seconds},
};
use serde_json::json;

#[test]
fn a_folder_becomes_an_app_whose_data_stays() {
    let setup = Setup::new(2);
    let mut farm = setup.start();
    let page = ("index.html", "<h1>hello");
    let main = ("api/main.js", "respond({ visits: fazt.storage.kv.incr('visits') })");
    let deployed = farm.deploy("hello", &[page, main]);
    assert_eq!((&deployed["app"], &deployed["version"], &deployed["files"]), (&json!("hello"), &json!(1), &json!(2)));
    let app = farm.app("hello");
    assert_eq!((app.get("/").text().as_str(), app.get("/api/").text().as_str()), ("<h1>hello", "{\"visits\":1}"));
    farm.kill(PATIENCE);
    let farm = setup.start();
    assert_eq!(farm.app("hello").get("/api/").text(), "{\"visits\":2}");
    assert_eq!(farm.app("hello").get("/").text(), "<h1>hello");
}

#[test]
fn two_apps_never_share_a_process_nor_a_state() {
    let farm = Setup::new(2).start();
    let source = "globalThis.n = (globalThis.n || 0) + 1; respond(200, globalThis.n)";
    let apps = [farm.script("one", source), farm.script("two", source)];
    let mut pids = [Vec::new(), Vec::new()];
    for _ in 0..30 {
        for (app, pids) in apps.iter().zip(&mut pids) {
            let answer = app.get("/api/");
            assert_eq!(answer.text(), "1");
            pids.push(farm.worker_of(&answer));
        }
    }
    assert!(pids[0].iter().all(|pid| !pids[1].contains(pid)), "a process served both: {pids:?}");
}

/// With two workers for five apps, a request ends another app's worker as a rule; it is slower, and never wrong.
#[test]
fn more_apps_than_workers_are_served_in_turn() {
    let farm = Setup::new(2).flag("--app-max-workers", "1").start();
    let names = ["a", "b", "c", "d", "e"];
    let apps: Vec<App> = names.iter().map(|name| farm.script(name, "respond(fazt.app.name)")).collect();
    let census = Census::take(&farm);
    for _ in 0..10 {
        for (name, app) in names.iter().zip(&apps) {
            let answer = app.get("/api/");
            assert_eq!((answer.status, answer.text().as_str()), (200, *name));
        }
    }
    census.holds(&farm);
}

#[test]
fn a_host_leads_to_its_app_and_to_no_other() {
    let farm = Setup::new(2).start();
    let say = "respond(fazt.app.name)";
    let at = |host: &str| App::at(farm.address, host).get("/api/");
    assert_eq!(at("none.localhost").code(), "app_not_found");
    farm.script("one", say);
    // The only app answers to hosts that name none.
    assert_eq!((at("localhost").text().as_str(), at("127.0.0.1").text().as_str()), ("one", "one"));
    assert_eq!(at("two.localhost").code(), "app_not_found", "a host that names another app is never the only app's");
    farm.script("two", say);
    let rows = [
        ("one.localhost", "one"),
        ("two.localhost", "two"),
        ("TWO.LOCALHOST", "two"),
        ("two.localhost.", "two"),
        ("two.localhost:80", "two"),
        ("two.127.0.0.1.nip.io", "two"),
        ("two.10.1.2.3.nip.io:8080", "two"),
    ];
    for (host, app) in rows {
        assert_eq!(at(host).text(), app, "{host}");
    }
    for host in ["localhost", "127.0.0.1", "example.com", "two.example.com", "x.two.localhost", "admin.localhost"] {
        let answer = at(host);
        assert_eq!((answer.status, answer.code().as_str()), (404, "app_not_found"), "{host}");
    }
}

#[test]
fn a_default_app_and_further_domains_are_configured() {
    let farm = Setup::new(2).flag("--default-app", "two").flag("--domain", "example.com").start();
    farm.script("one", "respond(fazt.app.name)");
    farm.script("two", "respond(fazt.app.name)");
    let at = |host: &str| App::at(farm.address, host).get("/api/");
    assert_eq!((at("one.example.com").text().as_str(), at("anything.test").text().as_str()), ("one", "two"));
    assert_eq!(at("three.example.com").code(), "app_not_found");
}

#[test]
fn health_needs_no_token_and_the_admin_interface_does() {
    let farm = Setup::new(2).start();
    let open = App::at(farm.address, "localhost");
    assert_eq!(open.get("/healthz").status, 200);
    assert_eq!(open.get("/readyz").status, 200);
    let app = farm.script("row", "respond('the app')");
    for path in
        ["/api/_debug/runtime", "/api/_debug/traces", "/api/_admin/apps", "/debug/runtime", "/api/_admin/nothing"]
    {
        for asking in [open.again(), app.again(), open.with_token("x"), app.with_token("")] {
            let answer = asking.get(path);
            // Ten wrong ones and the address waits; those without a token are none.
            assert!([401, 429].contains(&answer.status), "{path}: {} {}", answer.status, answer.text());
            assert!(!answer.text().contains("the app") && answer.json().get("workers").is_none());
        }
    }
}

/// Who comes while a farm starts waits for it, and never hears that it is not ready.
#[test]
fn a_farm_is_ready_from_its_first_answer_on() {
    let setup = Setup::new(2);
    let socket = setup.data().above().join("farm.sock");
    let setup = setup.flag(&format!("--listen=unix:{}", socket.display()), "");
    let first = thread::spawn(move || {
        let mut farm = eventually(seconds(20), "a socket", || UnixStream::connect(&socket).ok());
        farm.write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        farm.read_to_string(&mut answer).unwrap();
        answer
    });
    let farm = setup.start();
    assert_eq!(App::at(farm.address, "localhost").get("/readyz").status, 200);
    let answer = first.join().unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("ok\n"), "{answer}");
}

#[test]
fn wrong_tokens_are_slowed_and_keep_nobody_out() {
    let farm = Setup::new(2).start();
    let open = App::at(farm.address, "localhost");
    let deploy =
        |app: &App| app.send(&Request::new("POST", "/api/_admin/apps/x/deploy").body("application/x-tar", "x"));
    assert_eq!(deploy(&open).status, 401);
    for _ in 0..10 {
        assert_eq!(open.with_token("wrong").get("/api/_admin/apps").status, 401);
    }
    let waiting = open.with_token("wrong").get("/api/_admin/apps");
    assert!(waiting.status == 429 && waiting.header("retry-after").is_some(), "{}", waiting.status);
    // A thousand more are no more looked at than ten a minute, and the operator's own does not wait with them.
    let wrong = open.with_token("wrong");
    let statuses: Vec<u16> = (0..1_000).map(|_| wrong.get("/api/_admin/apps").status).collect();
    let looked_at = statuses.iter().filter(|status| **status == 401).count();
    assert!(
        statuses.iter().all(|status| [401, 429].contains(status)) && looked_at <= 10,
        "{looked_at} of {statuses:?}"
    );
    assert_eq!(farm.admin().get("/api/_admin/apps").status, 200);
    assert_eq!(open.get("/healthz").status, 200);
}

#[test]
fn the_token_reaches_no_app_however_it_was_written() {
    let farm = Setup::new(2).start();
    let app = farm.script("row", "respond(JSON.stringify(request.headers))");
    let token = &farm.token;
    for (name, value) in [
        ("Authorization", format!("Bearer  {token}")),
        ("Authorization", format!("Token {token}")),
        ("Authorization", format!("Bearer x, Bearer {token}")),
        ("X-Api-Key", token.clone()),
        ("Cookie", format!("token={token}; a=b")),
    ] {
        let told = app.send(&Request::new("GET", "/api/").header(name, &value));
        assert!(told.status == 200 && !told.text().contains(token.as_str()), "{name}: {value}");
    }
}

#[test]
fn the_pool_is_shown_as_it_is() {
    let farm = Setup::new(3).start();
    farm.settle();
    let canary = Canary::release(&farm);
    canary.sings(20);
    canary.was_well();
    farm.settle();
    let runtime = farm.runtime();
    let workers = runtime["workers"].as_array().unwrap();
    assert_eq!((&runtime["poolSize"], workers.len(), &runtime["spares"]), (&json!(3), 3, &json!(1)), "{runtime}");
    let sum = runtime["available"].as_u64().unwrap() + runtime["inUse"].as_u64().unwrap();
    assert_eq!(sum, 3);
    assert!(runtime["totalExecutions"].as_u64() >= Some(20) && runtime["uptimeMs"].is_number(), "{runtime}");
    let bound: Vec<_> = workers.iter().filter(|row| row["app"] == "victim").collect();
    assert!(!bound.is_empty() && bound.iter().all(|row| row["rssBytes"].as_u64() > Some(1 << 20)), "{runtime}");
    let store = &runtime["store"];
    assert_eq!(
        (&store["journalMode"], store["pid"].as_i64()),
        (&json!("wal"), Some(farm.child("fazt-store").pid.into()))
    );
    let same = App::at(farm.address, "localhost").with_token(&farm.token).get("/debug/runtime").json();
    assert_eq!(same["poolSize"], runtime["poolSize"]);
}

#[test]
fn one_app_never_holds_all_workers() {
    let farm = Setup::new(2).start();
    let victim = farm.script("victim", "respond('here')");
    let greedy = farm.script("greedy", "for(;;){}");
    thread::scope(|scope| {
        for _ in 0..6 {
            let greedy = greedy.again();
            scope.spawn(move || greedy.get("/api/").status);
        }
        farm.busy_worker("greedy");
        for _ in 0..20 {
            let answer = victim.get("/api/");
            assert_eq!(answer.status, 200);
            assert!(answer.took < promised(millis(500)), "waited {:?} for another app's loop", answer.took);
        }
    });
}

#[test]
fn a_removed_app_is_gone_with_its_data() {
    let farm = Setup::new(2).start();
    let app = farm.script("gone", "respond(200, fazt.storage.kv.incr('n'))");
    farm.script("other", "respond(200, 1)");
    assert_eq!(app.get("/api/").text(), "1");
    assert!([200, 204].contains(&farm.admin().send(&Request::new("DELETE", "/api/_admin/apps/gone")).status));
    assert_eq!(app.get("/api/").code(), "app_not_found");
    farm.script("gone", "respond(200, fazt.storage.kv.incr('n'))");
    eventually(PATIENCE, "the new app serves", || app.get("/api/").status == 200);
    assert_eq!(app.get("/api/").text(), "2", "it began with nothing");
}
