//! All the room for bodies taken, to the last kibibyte, by answers that nobody takes or by requests that are in hand. Whoever
//! holds nothing is served all the same, and so is the operator; and what is small needs no room.

use fazt_tests::{
    bundle::Bundle,
    farm::Farm,
    http::{Answer, Request},
    setup::Setup,
    wait::{eventually, seconds},
    wire::Wire,
};

const MIB: usize = 1 << 20;
/// The largest body, of which so many apps are sure.
const LARGEST: usize = 10 * MIB;
const SURE: usize = 16;
/// What all share beside it: each has half of what the others left.
const COMMON: usize = 192 * MIB;
/// The largest body that needs no room.
const SMALL: usize = 16 * 1024;

/// Answers with so many bytes, or, after a while where that is asked for, with how many came.
const SOURCE: &str = "
module.exports = async ({ query, body }) => {
  if (query.bytes) return 'x'.repeat(Number(query.bytes))
  if (query.late) await new Promise((wake) => setTimeout(wake, 50000))
  return String(body.byteLength)
}";

/// What one app after the other can have, in bodies: together they are as much to a byte.
fn shares() -> Vec<Vec<usize>> {
    let mut left = COMMON;
    let share = |_| {
        let whole = LARGEST + left / 2;
        left -= left / 2;
        let count = whole.div_ceil(LARGEST);
        (0..count).map(|at| whole / count + usize::from(at < whole % count)).collect()
    };
    (0..SURE).map(share).collect()
}

/// What is tested is room and not time.
fn patient(setup: Setup) -> Setup {
    setup.flag("--request-timeout", "60s").flag("--timeout", "60s").flag("--queue-timeout", "60s")
}

fn name(number: usize) -> String {
    format!("app-{number}")
}

fn answer_of(farm: &Farm, app: &str, bytes: usize) -> Answer {
    farm.app(app).get(&format!("/api/?bytes={bytes}"))
}

fn body_of(farm: &Farm, app: &str, bytes: usize) -> Answer {
    farm.app(app).send(&Request::new("POST", "/api/").body("application/octet-stream", vec![b'x'; bytes]))
}

/// Waits until bodies of requests (`requestBytes`) or of answers (`answerBytes`) hold what those apps have that have their share:
/// the last byte of an answer is with its client a moment before its room is given back.
fn await_held(farm: &Farm, which: &str, apps: usize) {
    let bytes: usize = shares().iter().take(apps).flatten().sum();
    eventually(seconds(10), &format!("{bytes} {which} are held"), || farm.runtime()["bodies"][which] == bytes);
}

fn deploy(farm: &Farm) {
    let told = farm.try_deploy("operators", Bundle::of(&[("large.bin", &"x".repeat(40 * MIB))]).bytes());
    assert_eq!(told.status, 201, "{}", told.text());
}

/// Fills an app's share with answers that nobody takes.
fn hold_answers(farm: &Farm, app: &str, share: &[usize]) -> Vec<Wire> {
    let lines = || farm.log.said("request").into_iter().filter(|line| line["app"] == app);
    let before = lines().count();
    let hold = |bytes: &usize| {
        let mut wire = Wire::open_deaf(farm.address);
        wire.send(format!("GET /api/?bytes={bytes} HTTP/1.1\r\nHost: {app}.localhost\r\n\r\n"));
        wire
    };
    let wires: Vec<Wire> = share.iter().map(hold).collect();
    eventually(seconds(30), "all are answered", || lines().count() == before + wires.len());
    assert!(lines().all(|line| line["status"] == 200), "{app} has {share:?}");
    wires
}

/// Fills it with bodies whose answers take their time. `held` is how many there are already.
fn hold_bodies(farm: &Farm, app: &str, share: &[usize], held: usize) -> Vec<Wire> {
    let hold = |bytes: &usize| {
        let mut wire = Wire::open(farm.address);
        let head =
            format!("POST /api/?late=1 HTTP/1.1\r\nHost: {app}.localhost\r\nContent-Type: application/octet-stream");
        wire.send([format!("{head}\r\nContent-Length: {bytes}\r\n\r\n").into_bytes(), vec![b'x'; *bytes]].concat());
        wire
    };
    let wires: Vec<Wire> = share.iter().map(hold).collect();
    eventually(seconds(20), "all of them are in hand", || {
        let runtime = farm.runtime();
        let in_hand = runtime["inUse"].as_u64().unwrap() + runtime["queued"].as_u64().unwrap();
        in_hand == (held + wires.len()) as u64
    });
    assert_eq!(body_of(farm, app, SMALL + 1).code(), "overloaded", "{app} has its share");
    wires
}

/// The first fifteen have all that they can have; then the sixteenth as well.
#[test]
fn whoever_has_no_answer_on_its_way_has_room_for_one_whatever_others_hold() {
    let farm = patient(Setup::new(4)).start();
    (0..=SURE).for_each(|number| drop(farm.script(&name(number), SOURCE)));
    let mut wires = Vec::new();
    for (number, share) in shares().iter().enumerate() {
        let app = name(number);
        assert_eq!(answer_of(&farm, &app, LARGEST).body.len(), LARGEST, "{app}");
        await_held(&farm, "answerBytes", number);
        wires.extend(hold_answers(&farm, &app, share));
        assert_eq!(answer_of(&farm, &app, SMALL + 1).code(), "overloaded", "{app} has its share");
        assert_eq!(answer_of(&farm, &app, SMALL).body.len(), SMALL, "{app} answers what is small");
    }
    let seventeenth = name(SURE);
    assert_eq!(answer_of(&farm, &seventeenth, SMALL + 1).code(), "overloaded", "one more than promised");
    assert_eq!(answer_of(&farm, &seventeenth, SMALL).body.len(), SMALL);
    assert_eq!(farm.execute("app-0", "'x'.repeat(100000)")["result"].as_str().map(str::len), Some(100_000));
    drop(wires);
    eventually(seconds(10), "there is room again", || answer_of(&farm, &seventeenth, LARGEST).status == 200);
}

#[test]
fn whoever_has_no_body_in_hand_and_the_operator_have_room_for_one_whatever_others_hold() {
    let farm = patient(Setup::new(SURE + 4)).flag("--app-max-workers", "1").start();
    (0..=SURE).for_each(|number| drop(farm.script(&name(number), SOURCE)));
    let mut wires = Vec::new();
    for (number, share) in shares().iter().enumerate() {
        let app = name(number);
        assert_eq!(body_of(&farm, &app, LARGEST).text(), LARGEST.to_string(), "{app}");
        await_held(&farm, "requestBytes", number);
        wires.extend(hold_bodies(&farm, &app, share, wires.len()));
    }
    deploy(&farm);
    let seventeenth = name(SURE);
    let told = body_of(&farm, &seventeenth, SMALL + 1);
    assert_eq!((told.status, told.code().as_str()), (503, "overloaded"), "one more than promised");
    assert_eq!(body_of(&farm, &seventeenth, SMALL).text(), SMALL.to_string());
    wires.into_iter().for_each(Wire::reset);
    eventually(seconds(10), "there is room again", || body_of(&farm, &seventeenth, LARGEST).status == 200);
}
