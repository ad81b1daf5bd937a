//! Clients that take their time: each is given up by its clock and holds nothing meanwhile but its connection. And those that
//! stop listening, or only stop speaking.

use std::{
    thread::{self, JoinHandle},
    time::Instant,
};

use fazt_tests::{
    farm::Farm,
    http::Request,
    oracle::{Watch, census::Census},
    setup::Setup,
    wait::{PATIENCE, eventually, millis, promised, seconds},
    wire::{Heard, Wire},
};
use serde_json::Value;

use super::farm;

/// What a client sends at first, what it adds each second, and how it ends: the statuses heard and after how
/// many seconds.
type Row = (&'static str, String, &'static str, &'static str, u64);

const HEAD: &str = "POST /api/ HTTP/1.1\r\nHost: echo.localhost\r\n";

/// Each of these by as many clients.
const CLIENTS: usize = 12;

fn rows() -> Vec<Row> {
    let post = |lines: &str, after: &str| format!("{HEAD}{lines}\r\n{after}");
    vec![
        ("H-01 a header by the letter", format!("{HEAD}X-Slow: "), "x", "", 5),
        ("H-01 a header by the line", HEAD.to_owned(), "X-A: 1\r\n", "", 5),
        ("H-01 a first line by the letter", "G".to_owned(), "E", "", 5),
        ("H-01 a head that stops", HEAD.to_owned(), "", "", 5),
        ("H-02 nothing at all", String::new(), "", "", 15),
        ("H-02 empty lines", "\r\n".to_owned(), "", "", 15),
        ("H-02 the beginning of another protocol", "\u{16}".to_owned(), "", "400", 0),
        ("H-03 a body by the byte", post("Content-Length: 100\r\n", ""), "x", "408", 5),
        ("H-03 a body that stops half way", post("Content-Length: 100\r\n", &"x".repeat(50)), "", "408", 5),
        (
            "H-03 a body that came quickly and then stands still",
            post("Content-Length: 1000000\r\n", &"x".repeat(600_000)),
            "",
            "408",
            10,
        ),
        ("H-09 chunks of a byte", post("Transfer-Encoding: chunked\r\n", ""), "1\r\nx\r\n", "408", 5),
        ("H-09 a chunk of 2^60", post("Transfer-Encoding: chunked\r\n", "1000000000000000\r\n"), "x", "408", 5),
        ("H-09 a size without an end", post("Transfer-Encoding: chunked\r\n", ""), "0", "408|400", 5),
        ("H-09 trailers without an end", post("Transfer-Encoding: chunked\r\n", "0\r\n"), "X: 1\r\n", "408", 5),
        (
            "H-19 a body that waits to be asked for, and then does not come",
            post("Content-Length: 9\r\nExpect: 100-continue\r\n", ""),
            "",
            "100 408",
            5,
        ),
        (
            "H-31 nothing after an answer",
            "GET /healthz HTTP/1.1\r\nHost: echo.localhost\r\n\r\n".to_owned(),
            "",
            "200",
            15,
        ),
    ]
}

/// A client of a row, on its way.
struct Client<'a> {
    row: &'a Row,
    sending: Wire,
    hearing: JoinHandle<Heard>,
}

/// Many clients of each row, to their ends: all of them say a little more each second.
fn dawdle<'a>(farm: &Farm, rows: &'a [Row]) -> Vec<Client<'a>> {
    let begin = |row: &'a Row| {
        let mut sending = Wire::open(farm.address);
        sending.send(&row.1);
        let wire = sending.again();
        Client { row, sending, hearing: thread::spawn(|| wire.hear()) }
    };
    rows.iter().flat_map(|row| (0..CLIENTS).map(move |_| row)).map(begin).collect()
}

impl Client<'_> {
    fn is_over(&self) -> bool {
        self.hearing.is_finished()
    }

    /// What was wrong with how it ended.
    fn judge(self) -> Option<String> {
        let (what, _, _, wanted, after) = self.row;
        let heard = self.hearing.join().unwrap();
        // A clock needs no core to itself; being heard does.
        let late = seconds(*after) + promised(seconds(2));
        let in_time = heard.took >= seconds(*after).saturating_sub(millis(50)) && heard.took < late;
        let holds = wanted.split('|').any(|one| one == heard.statuses()) && in_time;
        (!holds).then(|| format!("- {what}: {}", super::tell(&heard)))
    }
}

/// Many at a time; the pool is whole all the while, since no worker is taken before a request is whole.
#[test]
fn whoever_takes_too_long_is_given_up_and_holds_no_worker() {
    let farm = farm();
    let rows = rows();
    let watch = Watch::over(&farm).unheard(CLIENTS * rows.len());
    let mut clients = dawdle(&farm, &rows);
    let begun = Instant::now();
    for second in 1.. {
        eventually(seconds(60), "a second has passed", || begun.elapsed() > seconds(second));
        for client in &mut clients {
            client.sending.send(client.row.2);
        }
        let runtime = farm.runtime();
        let busy = |row: &Value| row["app"] == "echo" && row["state"] == "busy";
        assert!(!runtime["workers"].as_array().unwrap().iter().any(busy), "H-03 a worker was taken: {runtime}");
        watch.canary().sings(5);
        if clients.iter().all(Client::is_over) {
            break;
        }
    }
    let mut wrong: Vec<String> = clients.into_iter().filter_map(Client::judge).collect();
    // What fails for one client of a row fails for most.
    wrong.dedup_by_key(|wrong| wrong.split(':').next().map(str::to_owned));
    watch.conclude(&wrong);
    let ran = farm.app("echo").get("/api/?ran").json();
    assert_eq!(ran, serde_json::json!([]), "no app ran for any of them");
}

/// An answer that nobody takes is given up, with the memory that it holds.
#[test]
fn a_client_that_never_reads_is_given_up() {
    let farm = Setup::new(3).start();
    farm.script("large", "respond('0123456789abcdef'.repeat(512 * 1024))");
    let watch = Watch::over(&farm);
    let mut deaf: Vec<Wire> = (0..8).map(|_| Wire::open_deaf(farm.address)).collect();
    for wire in &mut deaf {
        wire.send("GET /api/ HTTP/1.1\r\nHost: large.localhost\r\n\r\n");
    }
    eventually(PATIENCE, "all were answered", || {
        farm.log.said("request").iter().filter(|line| line["app"] == "large").count() == 8
    });
    let begun = Instant::now();
    // A worker that is born meanwhile would bring descriptors of its own.
    farm.settle();
    let held = farm.router().descriptors().unwrap();
    eventually(seconds(30) + promised(seconds(3)), "H-05 their connections are given up", || {
        farm.router().descriptors().unwrap() + 8 <= held
    });
    assert!(begun.elapsed() > seconds(25), "H-05 an answer is no idle connection: {:?}", begun.elapsed());
    drop(deaf);
    watch.unheard(8).close();
}

/// What clients do not take stays in memory until they are given up: an app's answers fill no more than its share, and an app
/// that nobody is deaf to answers as ever.
#[test]
fn answers_that_nobody_takes_fill_no_more_than_their_apps_share() {
    const ANSWER: u64 = 8 << 20;
    const SHARE: u64 = 106 << 20;
    let farm = Setup::new(3).start();
    let source = "respond('0123456789abcdef'.repeat(512 * 1024))";
    let (large, other) = (farm.script("large", source), farm.script("other", source));
    let watch = Watch::over(&farm).unheard(40);
    let before = farm.router().resident_bytes();
    let mut deaf: Vec<Wire> = (0..40).map(|_| Wire::open_deaf(farm.address)).collect();
    for wire in &mut deaf {
        wire.send("GET /api/ HTTP/1.1\r\nHost: large.localhost\r\n\r\n");
    }
    let lines = || farm.log.said("request").into_iter().filter(|line| line["app"] == "large").collect::<Vec<_>>();
    eventually(seconds(20), "all were answered", || lines().len() == deaf.len());
    let held = lines().iter().filter(|line| line["status"] == 200).count() as u64;
    assert_eq!(held, SHARE / ANSWER, "H-05 answers that are held");
    let more = farm.router().resident_bytes().saturating_sub(before);
    assert!(more < SHARE * 3 / 2, "H-05 {more} bytes more");
    let refused = large.get("/api/");
    assert_eq!((refused.status, refused.code().as_str()), (503, "overloaded"));
    assert_eq!(other.get("/api/").body.len() as u64, ANSWER, "H-05 another app has its own share");
    drop(deaf);
    eventually(seconds(10), "H-05 its room is free again", || large.get("/api/").status == 200);
    watch.close();
}

/// Who has said all may close that side and still be answered; who goes away costs no more than the run of the request.
#[test]
fn a_half_closed_connection_is_answered() {
    let farm = farm();
    farm.script("slow", "const until = Date.now() + 150; while (Date.now() < until) {}\nrespond('done')");
    let watch = Watch::over(&farm);
    for (what, bytes, text) in [
        ("H-18 a request", "GET /api/ HTTP/1.1\r\nHost: slow.localhost\r\n\r\n", "done"),
        ("H-18 a body", "POST /api/ HTTP/1.1\r\nHost: slow.localhost\r\nContent-Length: 3\r\n\r\nabc", "done"),
        (
            "H-18 chunks",
            "POST /api/ HTTP/1.1\r\nHost: slow.localhost\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
            "done",
        ),
        ("H-18 a page", "GET /healthz HTTP/1.1\r\nHost: slow.localhost\r\n\r\n", "ok\n"),
    ] {
        let mut wire = Wire::open(farm.address);
        wire.send(bytes);
        wire.close_sending();
        let heard = wire.hear();
        let [answer] = heard.answers.as_slice() else { panic!("{what}: {heard:?}") };
        assert_eq!((answer.status, answer.text().as_str()), (200, text), "{what}");
    }
    let mut half = Wire::open(farm.address);
    half.send("POST /api/ HTTP/1.1\r\nHost: slow.localhost\r\nContent-Length: 9\r\n\r\nabc");
    half.close_sending();
    let heard = half.hear();
    assert!(
        ["", "400"].contains(&heard.statuses().as_str()) && heard.took < promised(seconds(2)),
        "H-18 half a body: {heard:?}"
    );
    watch.unheard(1).close();
}

/// What it wrote is there once or not at all, its worker serves on, and the log says that nobody waited.
#[test]
fn five_hundred_clients_that_go_away_leave_nothing_behind() {
    const GONE: usize = 500;
    let farm = Setup::new(3).start();
    let app = farm.script(
        "count",
        "fazt.storage.kv.incr('total'); const until = Date.now() + 2; while (Date.now() < until) {}\nrespond('done')",
    );
    assert_eq!(app.get("/api/").text(), "done");
    let census = Census::take(&farm);
    let watch = Watch::over(&farm).unheard(GONE);
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: count.localhost\r\n\r\n");
    for number in 0..GONE {
        let mut wire = Wire::open(farm.address);
        // The second request came with the first, which is answered: the farm has it.
        wire.send([get("/healthz"), get("/api/")].concat());
        assert_eq!(wire.answer().unwrap().text(), "ok\n");
        if number % 2 == 0 {
            wire.reset();
        }
        if number % 10 == 0 {
            watch.canary().sings(2);
        }
    }
    let lines = || farm.log.said("request").into_iter().filter(|line| line["app"] == "count").collect::<Vec<_>>();
    eventually(seconds(30), "H-17 each has its line", || lines().len() > GONE);
    let gone = lines().iter().filter(|line| line["outcome"] == "client_gone").count();
    assert!(gone > GONE / 4 && lines().len() == GONE + 1, "H-17 the log says who did not wait: {gone}");
    census.holds(&farm);
    let total = farm.execute("count", "fazt.storage.kv.get('total')")["result"].as_u64().unwrap();
    assert!((1..=GONE as u64 + 1).contains(&total), "{total} runs");
    assert_eq!(app.send(&Request::new("GET", "/api/")).status, 200);
    watch.close();
}
