//! The example app as its user meets it: a real browser, on a desk and on a phone, before a real farm.
//!
//! It needs Chromium and its driver, which `scripts/setup tests` installs; without them it fails and says so.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]

use std::path::Path;

use fazt_tests::{
    browser::{Browser, Key, Screen},
    bundle::Bundle,
    farm::Farm,
    setup::Setup,
    wait::{PATIENCE, eventually, seconds},
};
use serde_json::{Value, json};

const TEXTS: &str = "#tasks .text";
const FIELD: &str = "#text";
const ADD: &str = "#add button";
const PROBLEM: &str = "#problem";
const EMPTY: &str = "#empty";

fn farm() -> Farm {
    // The page is tried here, not the limits: a flush may take its time.
    let farm = Setup::new(2).flag("--timeout", "5s").flag("--storage-timeout", "4s").start();
    deploy(&farm);
    farm
}

fn deploy(farm: &Farm) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("examples/momentum");
    let answer = farm.try_deploy("momentum", Bundle::of_folder(&folder).bytes());
    assert!(matches!(answer.status, 200 | 201), "{}", answer.text());
}

/// The page, once it shows that it has its list.
fn visit(farm: &Farm, screen: Screen) -> Browser {
    let browser = Browser::start(screen);
    browser.open(&link(farm, ""));
    browser.shows(EMPTY, &["Nothing here yet. Write down one thing."]);
    browser
}

/// The page, and what its link says of the list.
fn link(farm: &Farm, list: &str) -> String {
    format!("http://momentum.localhost:{}/{list}", farm.address.port())
}

/// Waits until the farm keeps these tasks of the browser's list, newest first: text, and whether it is done.
fn keeps(farm: &Farm, browser: &Browser, wanted: &[(&str, bool)]) {
    let session = browser.evaluate("return localStorage.getItem(arguments[0])", "momentum.session");
    let target = format!("/api/tasks?session={}", session.as_str().unwrap());
    let wanted: Value = wanted.iter().map(|(text, done)| json!([text, done])).collect();
    eventually(PATIENCE, &format!("the farm keeps {wanted}"), || {
        let tasks = farm.app("momentum").get(&target).json();
        let kept: Value = tasks.as_array().unwrap().iter().map(|task| json!([task["text"], task["done"]])).collect();
        kept == wanted
    });
}

/// Nothing of the page is beside the screen.
fn fits(browser: &Browser) {
    let body = "const page = document.documentElement; return page.scrollWidth - page.clientWidth";
    assert_eq!(browser.evaluate(body, ""), 0, "the page is wider than its screen");
}

#[test]
fn a_task_is_added_and_done_is_there_after_a_reload_and_goes() {
    let farm = farm();
    let browser = visit(&farm, Screen::Desktop);
    browser.write(FIELD, "Buy oat milk");
    browser.click(ADD);
    browser.shows(TEXTS, &["Buy oat milk"]);
    browser.shows("#count", &["1 open"]);
    browser.shows(EMPTY, &[""]);
    browser.holds(FIELD, "");
    browser.click("[role=checkbox][aria-label='Buy oat milk']");
    browser.counts("[role=checkbox][aria-checked=true]", 1);
    keeps(&farm, &browser, &[("Buy oat milk", true)]);

    browser.reload();
    browser.shows(TEXTS, &["Buy oat milk"]);
    browser.counts("[role=checkbox][aria-checked=true]", 1);
    browser.shows("#ring", &["100%"]);
    browser.click("[data-filter=open]");
    browser.shows(EMPTY, &["All done. Enjoy it."]);
    browser.click("[data-filter=done]");
    browser.shows(TEXTS, &["Buy oat milk"]);

    browser.click("[aria-label='Remove Buy oat milk']");
    browser.shows(TEXTS, &[]);
    keeps(&farm, &browser, &[]);
    browser.reload();
    browser.shows(EMPTY, &["Nothing here yet. Write down one thing."]);
    fits(&browser);
    assert_eq!(browser.complaints(), []);
}

#[test]
fn on_a_phone_all_of_it_fits_and_the_keys_are_enough() {
    let farm = farm();
    let browser = visit(&farm, Screen::Phone(320));
    browser.press('n');
    browser.focuses(FIELD);
    let long = "w".repeat(200);
    for text in ["Water the plants", &long] {
        browser.write(FIELD, text);
        browser.press(Key::Enter);
    }
    browser.shows(TEXTS, &[&long, "Water the plants"]);
    keeps(&farm, &browser, &[(&long, false), ("Water the plants", false)]);
    fits(&browser);

    browser.press(Key::Down);
    browser.press(Key::Down);
    browser.focuses("#tasks .task:nth-child(2)");
    browser.press(' ');
    keeps(&farm, &browser, &[(&long, false), ("Water the plants", true)]);
    browser.press('e');
    browser.focuses("[aria-label='New text']");
    browser.write("[aria-label='New text']", "Feed the cat");
    browser.press(Key::Enter);
    browser.shows(TEXTS, &[&long, "Feed the cat"]);
    keeps(&farm, &browser, &[(&long, false), ("Feed the cat", true)]);
    browser.focuses("#tasks .task:nth-child(2)");
    browser.press(Key::Delete);
    browser.focuses("#tasks .task:nth-child(1)");
    keeps(&farm, &browser, &[(&long, false)]);
    assert_eq!(browser.complaints(), []);
}

#[test]
fn a_text_that_cannot_be_sent_stays_in_its_field_with_the_reason() {
    let farm = farm();
    let browser = visit(&farm, Screen::Phone(375));
    browser.write(FIELD, "   ");
    browser.click(ADD);
    browser.shows(PROBLEM, &["Write something first."]);
    browser.write(FIELD, "x");
    browser.shows(PROBLEM, &[""]);

    let long = "x".repeat(501);
    browser.write(FIELD, &long[1..]);
    browser.click(ADD);
    browser.shows(PROBLEM, &["A task has at most 500 characters, this one has 501."]);
    browser.holds(FIELD, &format!("   {long}"));
    browser.counts("#text[aria-invalid=true]", 1);
    browser.focuses(FIELD);
    browser.press(Key::Backspace);
    browser.press(Key::Enter);
    browser.shows(TEXTS, &[&long[1..]]);
    browser.shows(PROBLEM, &[""]);
    keeps(&farm, &browser, &[(&long[1..], false)]);
    assert_eq!(browser.complaints(), []);
}

#[test]
fn what_the_server_refuses_is_said_and_what_was_typed_is_kept() {
    let mut farm = farm();
    let browser = visit(&farm, Screen::Desktop);
    browser.write(FIELD, "Call Ada");
    browser.click(ADD);
    keeps(&farm, &browser, &[("Call Ada", false)]);

    farm.deploy("momentum", &[("api/main.js", "throw new Error('out of order')")]);
    browser.write(FIELD, "Buy bread");
    browser.click(ADD);
    browser.shows(PROBLEM, &["“Buy bread” is not saved. The app failed."]);
    browser.shows(TEXTS, &["Buy bread", "Call Ada"]);
    browser.click("[aria-label='Rename Call Ada']");
    browser.write("[aria-label='New text']", "Call Grace");
    browser.press(Key::Enter);
    browser.shows(PROBLEM, &["“Call Ada” is not changed. The app failed."]);
    browser.holds("[aria-label='New text']", "Call Grace");

    deploy(&farm);
    browser.press(Key::Enter);
    browser.shows(PROBLEM, &[""]);
    browser.click("[aria-label='Try again to save Buy bread']");
    keeps(&farm, &browser, &[("Buy bread", false), ("Call Grace", false)]);
    browser.counts(".unsaved", 0);

    farm.kill(seconds(5));
    browser.write(FIELD, "Sleep");
    browser.click(ADD);
    browser.shows(PROBLEM, &["“Sleep” is not saved. The server cannot be reached."]);
    browser.shows(TEXTS, &["Sleep", "Buy bread", "Call Grace"]);
    // That the network failed is the browser's to say; nothing in the page did.
    let own: Vec<_> = browser.complaints().into_iter().filter(|line| line.source != "network").collect();
    assert_eq!(own, []);
}

#[test]
fn a_task_that_is_not_saved_waits_for_its_own_list() {
    let farm = farm();
    let browser = visit(&farm, Screen::Desktop);
    farm.deploy("momentum", &[("api/main.js", "throw new Error('out of order')")]);
    browser.write(FIELD, "Buy bread");
    browser.click(ADD);
    browser.shows(PROBLEM, &["“Buy bread” is not saved. The app failed."]);
    deploy(&farm);

    browser.open(&link(&farm, "#errands"));
    browser.shows(EMPTY, &["Nothing here yet. Write down one thing."]);
    browser.shows("#count", &["0 open"]);
    browser.write(FIELD, "Fetch the parcel");
    browser.click(ADD);
    browser.shows("#stats", &["1 task added so far"]);
    browser.shows(TEXTS, &["Fetch the parcel"]);

    browser.open(&link(&farm, "#"));
    browser.shows(TEXTS, &["Buy bread"]);
    browser.click("[aria-label='Try again to save Buy bread']");
    keeps(&farm, &browser, &[("Buy bread", false)]);
    browser.shows("#stats", &["1 task added so far"]);
    let own: Vec<_> = browser.complaints().into_iter().filter(|line| line.source != "network").collect();
    assert_eq!(own, []);
}

#[test]
fn a_rename_that_is_refused_lets_its_user_go_on() {
    const EDIT: &str = "[aria-label='New text']";
    const RENAME: &str = "[aria-label='Rename Call Ada']";
    let farm = farm();
    let browser = visit(&farm, Screen::Desktop);
    browser.write(FIELD, "Call Ada");
    browser.click(ADD);
    keeps(&farm, &browser, &[("Call Ada", false)]);

    browser.click(RENAME);
    let long = "x".repeat(501);
    browser.write(EDIT, &long);
    browser.press(Key::Tab);
    browser.shows(PROBLEM, &["A task has at most 500 characters, this one has 501."]);
    browser.focuses(RENAME);
    browser.holds(EDIT, &long);

    browser.press('e');
    browser.focuses(EDIT);
    browser.click("h1");
    browser.focuses("body");
    browser.holds(EDIT, &long);

    browser.click(RENAME);
    browser.focuses(EDIT);
    browser.press(Key::Backspace);
    browser.press(Key::Enter);
    browser.shows(TEXTS, &[&long[1..]]);
    keeps(&farm, &browser, &[(&long[1..], false)]);
    assert_eq!(browser.complaints(), []);
}
