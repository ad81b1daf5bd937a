//! Timeouts race with completion and lose nothing: handlers that take about as long as they may, many at a time.

use std::{
    collections::BTreeMap,
    sync::Mutex,
    thread,
    time::{Duration, UNIX_EPOCH},
};

use fazt_tests::{
    farm::Farm,
    http::{App, Request},
    oracle::census::Census,
    setup::Setup,
    wait::{PATIENCE, eventually},
};

const AT_A_TIME: usize = 100;
const REQUESTS_EACH: usize = 25;

/// When whole answers began to run, in milliseconds, by the requests' names.
type Begun = BTreeMap<String, u128>;

/// Asks as often as it should. Each answer is whole and its own, or a timeout; gives when each whole one began.
fn ask(app: &App, client: usize, begun: &Mutex<Begun>) {
    for number in 0..REQUESTS_EACH {
        let name = format!("race-{client:03}-{number:05}");
        let request = Request::new("GET", &format!("/api/?name={name}")).header("X-Request-Id", &name);
        let answer = app.send(&request);
        assert_eq!(answer.id(), name, "somebody else's answer");
        match answer.status {
            200 => {
                let text = answer.text();
                let words: Vec<&str> = text.split(' ').collect();
                assert_eq!(words.get(..2), Some(&[name.as_str(), "1"][..]), "{text}");
                begun.lock().unwrap().insert(name, words[2].parse().unwrap());
            }
            504 => assert_eq!(answer.code(), "timeout", "{}", answer.text()),
            other => panic!("{other} {}", answer.text()),
        }
    }
}

/// A worker's first timeout is its end: nothing that it answered began after that was in the log. Gives how many were cut
/// off.
fn nobody_served_after_its_timeout(farm: &Farm, begun: &Begun) -> usize {
    let finished = || farm.log.said("request").into_iter().filter(|event| event["app"] == "app").collect::<Vec<_>>();
    let finished = eventually(PATIENCE, "a line for each request", || {
        Some(finished()).filter(|finished| finished.len() >= AT_A_TIME * REQUESTS_EACH)
    });
    assert_eq!(finished.len(), AT_A_TIME * REQUESTS_EACH, "one line a request");
    let mut cut = BTreeMap::new();
    for event in finished.iter().filter(|event| event["outcome"] == "timeout") {
        let at = humantime::parse_rfc3339(event["timestamp"].as_str().unwrap()).unwrap();
        let at: Duration = at.duration_since(UNIX_EPOCH).unwrap();
        if let Some(pid) = event["worker"].as_i64() {
            let other = cut.insert(pid, at.as_millis());
            assert_eq!(other, None, "worker {pid} was cut off twice");
        }
    }
    for event in finished.iter().filter(|event| event["outcome"] == "ok") {
        let (pid, id) = (event["worker"].as_i64().unwrap(), event["request_id"].as_str().unwrap());
        let late = cut.get(&pid).is_some_and(|end| begun[id] > *end);
        assert!(!late, "worker {pid} began {id} after its timeout");
    }
    cut.len()
}

/// For one run limit, handlers that take from less than half of it to more than all.
fn race(limit_ms: u64) {
    let farm = Setup::new(4)
        .flag("--timeout", &format!("{limit_ms}ms"))
        .flag("--request-timeout", "60s")
        .flag("--queue-timeout", "60s")
        .flag("--app-max-workers", "4")
        .start();
    let source = format!(
        "globalThis.n = (globalThis.n || 0) + 1
        const began = Date.now(), until = began + {limit_ms} * (0.4 + 0.8 * Math.random())
        while (Date.now() < until) {{}}
        respond(request.query.name + ' ' + globalThis.n + ' ' + began)"
    );
    let app = farm.script("app", &source);
    let census = Census::take(&farm);
    let begun = Mutex::new(Begun::new());
    thread::scope(|scope| {
        for client in 0..AT_A_TIME {
            let (app, begun) = (app.keeping(), &begun);
            scope.spawn(move || ask(&app, client, begun));
        }
    });
    census.holds(&farm);
    let begun = begun.into_inner().unwrap();
    let cut = nobody_served_after_its_timeout(&farm, &begun);
    assert!(cut > 0, "nobody was cut off");
    // In one millisecond a slow machine may come to no end at all.
    assert!(limit_ms == 1 || !begun.is_empty(), "nothing came to its end: {cut} were cut off");
}

#[test]
fn a_limit_of_one_millisecond() {
    race(1);
}

#[test]
fn a_limit_of_two_milliseconds() {
    race(2);
}

#[test]
fn a_limit_of_five_milliseconds() {
    race(5);
}

#[test]
fn a_limit_of_ten_milliseconds() {
    race(10);
}
