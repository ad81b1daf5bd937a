//! How many connections there are and what one may bring: one client does not take all, all do not take what the farm needs
//! for itself, and no connection lasts for ever.

use std::time::Instant;

use fazt_tests::{
    farm::Farm,
    oracle::Watch,
    setup::Setup,
    wait::{eventually, millis, promised, seconds},
    wire::{Wire, ask},
};

use super::ECHO;

/// Descriptors that the router may have, and what follows of that: connections of all, of one address, and kept places.
const DESCRIPTORS: u64 = 256;
const ALL: usize = 112;
const EACH: usize = 56;
const KEPT: usize = 15;

const CROWDED: &str = "there are too many connections already";

fn small_farm() -> Farm {
    let farm = Setup::new(2).descriptors(DESCRIPTORS).start();
    farm.script("echo", ECHO);
    farm
}

fn get(path: &str, more: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: echo.localhost\r\n{more}\r\n")
}

/// How many were turned away until now.
fn turned_away(farm: &Farm) -> usize {
    farm.log.said("request").iter().filter(|line| line["status"] == 503).count()
}

/// One request from an address; its status and its text, where it was let in at all.
fn ask_from(last: u8, farm: &Farm, bytes: &str) -> (String, String) {
    let mut wire = Wire::open_from(last, farm.address);
    wire.send(bytes);
    let heard = wire.hear();
    (heard.statuses(), heard.answers.first().map(|answer| answer.text()).unwrap_or_default())
}

#[test]
fn one_address_takes_its_share_of_the_connections_and_no_more() {
    const CROWD: usize = 300;
    let farm = small_farm();
    let watch = Watch::over(&farm).unheard(CROWD);
    let before = farm.router().descriptors().unwrap();
    let crowd: Vec<Wire> = (0..CROWD).map(|_| Wire::open_from(2, farm.address)).collect();
    let over = CROWD - EACH - KEPT / 4;
    eventually(seconds(10), "H-25 who is one too many is turned away", || turned_away(&farm) >= over);
    // Whoever was turned away is told so before its descriptor is closed.
    let held = || farm.router().descriptors().unwrap().saturating_sub(before);
    eventually(seconds(10), "H-25 one address has so many descriptors and no more", || held() <= EACH + KEPT / 4 + 2);
    assert_eq!(ask_from(1, &farm, &get("/api/", "Connection: close\r\n")).0, "200", "H-25 another address is served");
    let refused: Vec<_> = crowd.into_iter().filter(Wire::is_heard).map(Wire::hear).collect();
    assert!(refused.len() >= over, "{} of {CROWD} hear something", refused.len());
    for heard in refused {
        let [answer] = heard.answers.as_slice() else { continue };
        assert_eq!((answer.status, answer.code().as_str()), (503, "overloaded"), "{answer:?}");
        assert!(answer.header("retry-after").is_some() && answer.text().contains(&answer.id()), "{answer:?}");
    }
    eventually(seconds(10), "H-25 its places are free again", || ask_from(2, &farm, &get("/healthz", "")).0 == "200");
    watch.close();
}

#[test]
fn a_full_house_hears_the_farms_keeper() {
    let farm = small_farm();
    let watch = Watch::over(&farm).unheard(4 * 70);
    let before = farm.router().descriptors().unwrap();
    let crowd: Vec<Wire> =
        (2..6).flat_map(|last| (0..70).map(move |_| last)).map(|last| Wire::open_from(last, farm.address)).collect();
    eventually(seconds(10), "all places are taken", || turned_away(&farm) >= crowd.len() - ALL - KEPT);
    let held = || farm.router().descriptors().unwrap().saturating_sub(before);
    eventually(seconds(10), "H-25 half of the descriptors are connections", || {
        (ALL - 5..(DESCRIPTORS / 2) as usize).contains(&held())
    });
    // Whose place is kept for the farm's own pages has one request, and is gone soon if there is none.
    let token = format!("Authorization: Bearer {}\r\n", farm.token);
    let is_heard = |path: &str, more: &str| ask_from(9, &farm, &get(path, more)).0 == "200";
    eventually(promised(seconds(4)), "H-25 health is told", || is_heard("/healthz", ""));
    eventually(promised(seconds(1)), "H-25 readiness is told", || is_heard("/readyz", ""));
    eventually(promised(seconds(1)), "H-25 the admin is heard", || is_heard("/api/_debug/runtime", &token));
    for path in ["/api/", "/", "/api/%5fadmin"] {
        eventually(promised(seconds(1)), "H-25 an app is not asked there", || {
            let (status, text) = ask_from(9, &farm, &get(path, ""));
            status == "503" && text.contains(CROWDED)
        });
    }
    // One that asks for nothing is not kept waiting, and is told nothing.
    let silent = Wire::open_from(8, farm.address).hear();
    assert_eq!(silent.statuses(), "", "H-25 {silent:?}");
    assert!(silent.took < promised(millis(3_500)), "H-25 a silent client keeps nobody out for long: {silent:?}");
    drop(crowd);
    eventually(seconds(10), "H-25 apps are served again", || is_heard("/api/", "Connection: close\r\n"));
    watch.close();
}

/// Accepting rests where no descriptor is left: it does not spin, and goes on once there is one.
#[test]
fn without_descriptors_accepting_rests_and_goes_on() {
    let farm = small_farm();
    let watch = Watch::over(&farm).unheard(200);
    let router = farm.router();
    router.limit_descriptors(router.descriptors().unwrap() as u64 + 4, DESCRIPTORS);
    let crowd: Vec<Wire> = (0..40).map(|_| Wire::open_from(7, farm.address)).collect();
    let said = || farm.log.said("a connection could not be accepted").len();
    eventually(seconds(10), "P-10 no descriptor is left", || said() > 0);
    let (lines, begun) = (said(), Instant::now());
    watch.canary().sings(20);
    eventually(seconds(10), "accepting is tried again, now and then", || said() >= lines + 20);
    assert!(begun.elapsed() > millis(200), "P-10 it spins: {:?} for twenty tries", begun.elapsed());
    router.limit_descriptors(DESCRIPTORS, DESCRIPTORS);
    drop(crowd);
    eventually(seconds(10), "P-10 it accepts again", || {
        ask(farm.address, get("/api/", "Connection: close\r\n")).statuses() == "200"
    });
    watch.close();
}

/// However well it behaves, a connection brings a thousand requests and then ends; so do those that come all at once.
#[test]
fn a_connection_brings_a_thousand_requests() {
    const MOST: usize = 1_000;
    let farm = super::farm();
    let watch = Watch::over(&farm);
    let mut wire = Wire::open(farm.address);
    for number in 1..=MOST {
        wire.send(get(if number % 10 == 0 { "/api/" } else { "/healthz" }, ""));
        let answer = wire.answer().unwrap();
        let is_last = answer.header("connection") == Some("close");
        assert_eq!((answer.status, is_last), (200, number == MOST), "H-31 request {number}");
    }
    assert!(wire.answer().is_none(), "H-31 the connection has ended");
    let heard = ask(farm.address, get("/healthz", "").repeat(MOST + 10));
    assert_eq!((heard.answers.len(), heard.rest.len()), (MOST, 0), "H-09 a thousand at once");
    assert!(heard.answers.iter().all(|answer| answer.text() == "ok\n"));
    watch.close();
}
