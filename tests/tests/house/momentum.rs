//! The example app, as a user meets it: and the failure that this farm was built to end, two hundred times over.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
        mpsc,
    },
    thread,
};

use fazt_tests::{
    bundle::Bundle,
    farm::Farm,
    http::Request,
    setup::Setup,
    wait::{millis, promised, seconds},
};
use rusqlite::Connection;
use serde_json::json;

const CLIENTS: usize = 8;
const POSTS: usize = 200;

/// With the defaults of every limit, on a machine that is free.
fn farm() -> Farm {
    Setup::new(4).flag("--timeout", &format!("{}ms", promised(seconds(1)).as_millis().min(5_000))).start()
}

fn deploy(farm: &Farm) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("examples/momentum");
    let answer = farm.try_deploy("momentum", Bundle::of_folder(&folder).bytes());
    assert_eq!(answer.status, 201, "{}", answer.text());
}

/// Two hundred posts from eight clients at once: all 201, all stored.
fn round(farm: &Farm, session: &str) {
    let app = farm.app("momentum");
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let app = app.keeping();
            scope.spawn(move || {
                for number in (client..POSTS).step_by(CLIENTS) {
                    let answer =
                        app.post("/api/tasks", &json!({ "session": session, "text": format!("Task {number}") }));
                    assert_eq!(answer.status, 201, "post {number}: {}", answer.text());
                }
            });
        }
    });
    let kept = app.get(&format!("/api/tasks?session={session}")).json();
    let mut texts: Vec<String> =
        kept.as_array().unwrap().iter().map(|task| task["text"].as_str().unwrap().to_owned()).collect();
    texts.sort();
    let mut wanted: Vec<String> = (0..POSTS).map(|number| format!("Task {number}")).collect();
    wanted.sort();
    assert_eq!(texts, wanted);
}

#[test]
fn a_task_lives_from_its_post_to_its_delete() {
    let farm = Setup::new(2).start();
    deploy(&farm);
    let app = farm.app("momentum");
    let page = app.get("/");
    assert!(page.status == 200 && page.text().contains("Momentum"), "{}", page.status);
    let made = app.post("/api/tasks", &json!({ "session": "test", "text": " Task 1 " }));
    assert_eq!((made.status, &made.json()["text"], &made.json()["done"]), (201, &json!("Task 1"), &json!(false)));
    let at = format!("/api/tasks/{}", made.json()["id"].as_str().unwrap());
    let patch = Request::new("PATCH", &at).body("application/json", json!({ "done": true }).to_string());
    assert_eq!(app.send(&patch).json()["done"], true);
    let stats = app.get("/api/stats?session=test").json();
    assert_eq!(stats, json!({ "session": "test", "added": 1, "open": 0, "done": 1 }));
    assert_eq!(app.send(&Request::new("DELETE", &at)).status, 200);
    assert_eq!(app.get(&at).status, 404);
    assert_eq!(app.post("/api/tasks", &json!({ "session": "test", "text": "" })).status, 400);
    let wrong = app.send(&Request::new("PUT", "/api/tasks"));
    assert_eq!((wrong.status, wrong.header("allow")), (405, Some("GET, POST")));
}

#[test]
fn two_hundred_posts_from_eight_clients_are_all_kept_twenty_times() {
    let farm = farm();
    deploy(&farm);
    for run in 0..20 {
        round(&farm, &format!("run{run}"));
    }
    let outcomes = farm.runtime();
    assert_eq!((&outcomes["timeouts"], &outcomes["crashes"]), (&json!(0), &json!(0)), "{outcomes}");
}

/// As the farm's predecessor was met: somebody else holds the database's lock, again and again.
#[test]
fn posts_are_kept_while_another_process_locks_the_database() {
    let farm = farm();
    deploy(&farm);
    let database = farm.data().database();
    let times = Arc::new(AtomicUsize::new(0));
    let (stop, stopped) = mpsc::channel::<()>();
    let count = Arc::clone(&times);
    let locker = thread::spawn(move || {
        let foreign = Connection::open(database).unwrap();
        foreign.busy_timeout(seconds(5)).unwrap();
        let is_over = |ms| stopped.recv_timeout(millis(ms)).is_ok();
        loop {
            foreign.execute_batch("BEGIN EXCLUSIVE").unwrap();
            count.fetch_add(1, SeqCst);
            let over = is_over(300);
            foreign.execute_batch("COMMIT").unwrap();
            if over || is_over(700) {
                return;
            }
        }
    });
    let mut rounds = 0;
    while times.load(SeqCst) < 5 {
        round(&farm, &format!("locked{rounds}"));
        rounds += 1;
    }
    stop.send(()).unwrap();
    locker.join().unwrap();
    let outcomes = farm.runtime();
    assert_eq!(outcomes["timeouts"], 0, "{outcomes}");
}
