//! A request leaves a trace: found by its id everywhere, with parts that add up to its duration.

use fazt_tests::{
    farm::Farm,
    http::Request,
    setup::Setup,
    wait::{PATIENCE, eventually},
};
use serde_json::{Value, json};

const PARTS: [&str; 6] = ["queue", "bind", "parse", "inject", "execute", "respond"];

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

fn adds_up(trace: &Value) {
    let parts = &trace["breakdown"];
    let sum: f64 = PARTS.iter().map(|part| number(&parts[part])).sum();
    let duration = number(&trace["duration"]);
    assert!((sum - duration).abs() < 0.1, "the parts come to {sum}: {trace}");
    assert!(number(&parts["storage"]) <= number(&parts["execute"]) + 0.001, "{trace}");
    assert!(PARTS.iter().all(|part| number(&parts[part]) >= 0.0), "{trace}");
}

fn app_log(farm: &Farm, app: &str, id: &str) -> Vec<Value> {
    eventually(PATIENCE, &format!("a line of {app}'s log for {id}"), || {
        let lines =
            farm.admin().get(&format!("/api/_admin/apps/{app}/logs?request={id}")).json()["logs"].as_array()?.clone();
        (!lines.is_empty()).then_some(lines)
    })
}

#[test]
fn one_request_is_found_everywhere_and_its_parts_add_up() {
    let farm = Setup::new(2).start();
    let source = "const until = Date.now() + 60; while (Date.now() < until) {}
        fazt.storage.kv.set('a', 1); console.log('here'); respond('done')";
    let answer = farm.script("app", source).post("/api/x?y=1", &json!({ "some": "body" }));
    let id = answer.id();
    assert_eq!(answer.text(), "done");
    let trace = farm.trace(&id);
    assert!(number(&trace["breakdown"]["execute"]) >= 55.0, "{trace}");
    assert!(number(&trace["breakdown"]["storage"]) > 0.0, "{trace}");
    adds_up(&trace);
    assert!(number(&trace["cpuMs"]) > 0.0 && number(&trace["memoryPeak"]) > 0.0, "{trace}");
    assert_eq!(trace["storageOps"][0]["op"], "kv.set", "{trace}");
    assert_eq!((&trace["app"], &trace["method"], &trace["path"]), (&json!("app"), &json!("POST"), &json!("/api/x")));
    let line = farm.log.one_finished(&id);
    for (field, value) in [
        ("app", json!("app")),
        ("status", json!(200)),
        ("path", json!("/api/x")),
        ("worker", trace["workerPid"].clone()),
    ] {
        assert_eq!(line[field], value, "{field} of {line}");
    }
    assert!((number(&line["duration_ms"]) - number(&trace["duration"])).abs() < 0.1, "{line} {trace}");
    assert_eq!(app_log(&farm, "app", &id)[0]["message"], "here");
}

#[test]
fn the_parts_add_up_for_every_kind_of_end() {
    let farm = Setup::new(2).flag("--timeout", "100ms").start();
    let sources = [
        "respond(200, 1)",
        "throw 1",
        "for(;;){}",
        "Array.prototype.join.call({ length: 2 ** 53 - 1 })",
        "respond('x'.repeat(3e6))",
        "new Promise(() => {})",
    ];
    for source in sources {
        let answer = farm.script("app", source).get("/api/");
        adds_up(&farm.trace(&answer.id()));
    }
    farm.deploy("site", &[("index.html", "page")]);
    let page = farm.app("site").get("/");
    adds_up(&farm.trace(&page.id()));
    let cold = farm.app("none").get("/api/");
    adds_up(&farm.trace(&cold.id()));
}

#[test]
fn where_a_killed_request_was_is_known() {
    let farm = Setup::new(2).flag("--timeout", "100ms").start();
    let source = "fazt.storage.kv.get('k'); Array.prototype.join.call({ length: 2 ** 53 - 1 })";
    let answer = farm.script("app", source).get("/api/");
    assert_eq!(answer.status, 504);
    let trace = farm.trace(&answer.id());
    assert!(number(&trace["breakdown"]["execute"]) >= 80.0, "{trace}");
    assert!(number(&trace["breakdown"]["storage"]) > 0.0, "{trace}");
}

#[test]
fn traces_are_listed_newest_first_and_filtered() {
    let farm = Setup::new(2).start();
    let fast = farm.script("fast", "respond(200, 1)");
    let slow = farm.script("slow", "const until = Date.now() + 40; while (Date.now() < until) {}\nrespond(202, 1)");
    for _ in 0..5 {
        assert_eq!((fast.get("/api/").status, slow.get("/api/").status), (200, 202));
    }
    let list = |query: &str| {
        let answer = farm.admin().get(&format!("/api/_debug/traces?{query}"));
        answer.json().as_array().unwrap_or_else(|| panic!("{}", answer.text())).clone()
    };
    eventually(PATIENCE, "all are traced", || list("app=slow").len() == 5 && list("app=fast").len() == 5);
    let all = list("limit=4");
    let starts: Vec<u64> = all.iter().map(|trace| trace["startedAt"].as_u64().unwrap()).collect();
    assert!(all.len() == 4 && starts.is_sorted_by(|newer, older| newer >= older), "{starts:?}");
    // Whatever a busy machine made of the fast ones: what took so long is in the list, and nothing else.
    let of_apps = |query: &str| {
        let ours = list(query).into_iter().filter(|trace| ["fast", "slow"].iter().any(|app| trace["app"] == *app));
        ours.map(|trace| (trace["id"].to_string(), number(&trace["duration"]))).collect::<Vec<_>>()
    };
    let mut long = of_apps("limit=1000");
    long.retain(|(_, took)| *took >= 30.0);
    assert!(long.len() >= 5, "{long:?}");
    assert_eq!(of_apps("minMs=30&limit=1000"), long);
    assert_eq!(list("status=202").len(), 5);
    assert_eq!(farm.admin().get("/api/_debug/traces?limit=x").status, 400);
    assert_eq!(farm.admin().get("/api/_debug/traces/req_none1234").status, 404);
}

/// Of two requests with one name the newest is found, and the ring has an end.
#[test]
fn names_are_names_and_the_ring_is_bounded() {
    let farm = Setup::new(2).start();
    let app = farm.script("app", "respond(Number(request.query.status), 1)").keeping();
    for status in [200, 201] {
        let target = format!("/api/?status={status}");
        assert_eq!(app.send(&Request::new("GET", &target).header("X-Request-Id", "same-name-1")).status, status);
    }
    eventually(PATIENCE, "the newest of one name", || farm.trace("same-name-1")["status"] == 201);
    for _ in 0..1_005 {
        assert_eq!(app.get("/none").status, 404);
    }
    let listed = farm.admin().get("/api/_debug/traces?limit=5000").json();
    assert_eq!(listed.as_array().unwrap().len(), 1_000);
    assert_eq!(farm.admin().get("/api/_debug/traces/same-name-1").status, 404);
}

#[test]
fn code_is_executed_in_an_apps_context() {
    let farm = Setup::new(2).start();
    farm.script("app", "fazt.storage.ds.insert('tasks', { text: 'one' }); respond(200, 1)").get("/api/");
    let found = farm.execute("app", "console.log('looking'); fazt.storage.ds.find('tasks', {}).map((t) => t.text)");
    assert_eq!(found["result"], json!(["one"]), "{found}");
    let metrics = &found["metrics"];
    for figure in ["parseMs", "injectMs", "executeMs", "storageMs", "cpuMs", "totalMs"] {
        assert!(metrics[figure].is_number(), "{figure} in {found}");
    }
    assert!(number(&metrics["storageMs"]) > 0.0 && metrics["requestId"].is_string(), "{found}");
    assert_eq!(found["logs"][0]["message"], "looking", "{found}");
    assert_eq!(farm.execute("app", "(async () => 1 + 1)()")["result"], 2);
    let thrown = farm.execute("app", "\nthrow new TypeError('mine')");
    assert_eq!(
        (&thrown["result"], &thrown["error"]["code"], &thrown["error"]["line"]),
        (&Value::Null, &json!("script_error"), &json!(2)),
        "{thrown}"
    );
    let body = json!({ "app": "app", "code": "for(;;){}", "timeout": 100 });
    let cut = farm.admin().post("/api/_debug/execute", &body);
    assert_eq!((cut.status, &cut.json()["error"]["code"]), (200, &json!("timeout")), "{}", cut.text());
    let none = farm.admin().post("/api/_debug/execute", &json!({ "app": "none", "code": "1" }));
    assert_eq!(none.status, 404, "{}", none.text());
}

/// What an app threw and did not catch is a line of its own log, with its request.
#[test]
fn what_nobody_caught_is_in_the_apps_log() {
    let farm = Setup::new(2).start();
    let answer = farm.script("app", "throw new Error('for the log')").get("/api/");
    let lines = app_log(&farm, "app", &answer.id());
    let line = lines.iter().find(|line| line["level"] == "error").unwrap_or_else(|| panic!("{lines:?}"));
    assert!(line["message"].as_str().unwrap().contains("for the log"), "{line}");
}

/// Tokens, cookies and query strings are nobody's business who reads the log.
#[test]
fn secrets_are_not_in_the_log() {
    let farm = Setup::new(2).variable("FAZT_RUNTIME_DEBUG", "1").start();
    let app = farm.script("app", "respond(200, 1)");
    let request = Request::new("GET", "/api/?token=SECRET1")
        .header("Cookie", "a=SECRET2")
        .header("Authorization", "Bearer SECRET3");
    let id = app.send(&request).id();
    let put = Request::new("PUT", "/api/_admin/apps/app/env").body("application/json", r#"{"set":{"K":"SECRET4"}}"#);
    let put = farm.admin().send(&put);
    assert_eq!(put.status, 200);
    assert_eq!(farm.log.one_finished(&id)["path"], "/api/");
    assert_eq!(farm.log.one_finished(&put.id())["path"], "/api/_admin/apps/app/env");
    assert!(!farm.log.text().contains("SECRET") && !farm.log.text().contains(&farm.token), "{}", farm.log.text());
}
