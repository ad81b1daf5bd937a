//! Whom a request reaches: one host, in whatever spelling, is one app's; what is no host is nobody's; and what the farm keeps
//! for itself is on every host the farm's.

use fazt_tests::{
    farm::Farm,
    http::{App, Request},
    oracle::Watch,
    setup::Setup,
    wire::ask,
};

/// What is sent in place of `Host: …`, and who answers: an app's name, or a status.
pub(super) type Row = (&'static str, &'static [u8], &'static str);

pub(super) const ROWS: &[Row] = &[
    ("H-10 no host", b"", "400"),
    ("H-10 one host twice", b"Host: one.localhost\r\nHost: one.localhost\r\n", "400"),
    ("H-10 two hosts", b"Host: one.localhost\r\nHost: two.localhost\r\n", "400"),
    ("H-10 an empty host", b"Host:\r\n", "400"),
    ("H-10 another name of the header", b"X-Host: one.localhost\r\n", "400"),
    ("H-10 what is no host", b"Host: a/@b#?\r\n", "400"),
    ("H-10 a user", b"Host: one.localhost@two.localhost\r\n", "400"),
    ("H-10 a byte past ASCII", b"Host: one.localhost\x80\r\n", "400"),
    ("H-10 a wide full stop", "Host: one\u{3002}localhost\r\n".as_bytes(), "400"),
    ("H-10 a letter that looks like one of ours", "Host: \u{43e}ne.localhost\r\n".as_bytes(), "400"),
    ("H-10 a port past all ports", b"Host: one.localhost:99999\r\n", "400"),
    ("H-10 two ports", b"Host: one.localhost:80:80\r\n", "400"),
    ("H-10 a port that is a name", b"Host: one.localhost:two\r\n", "400"),
    ("H-10 two dots at the end", b"Host: one.localhost..\r\n", "400"),
    ("H-10 a dot in front", b"Host: .one.localhost\r\n", "400"),
    ("H-10 a space within", b"Host: one .localhost\r\n", "400"),
    ("H-10 a tab within", b"Host: one.localhost\ttwo.localhost\r\n", "400"),
    ("H-10 two in one", b"Host: one.localhost, two.localhost\r\n", "400"),
    ("H-10 an escape", b"Host: one%2elocalhost\r\n", "400"),
    ("H-10 an address of six without brackets", b"Host: ::1\r\n", "400"),
    ("H-10 an address of six", b"Host: [::1]\r\n", "404"),
    ("H-10 an address of four", b"Host: 127.0.0.1:80\r\n", "404"),
    ("H-10 punycode", b"Host: xn--one-0ta.localhost\r\n", "404"),
    ("H-10 a name that nobody has", b"Host: none.localhost\r\n", "404"),
    ("H-10 a label in front", b"Host: x.one.localhost\r\n", "404"),
    ("H-10 a label behind", b"Host: one.localhost.example\r\n", "404"),
    ("H-10 the beginning of a name", b"Host: on.localhost\r\n", "404"),
    ("H-10 more than a name", b"Host: one1.localhost\r\n", "404"),
    ("H-10 the base domain", b"Host: localhost\r\n", "404"),
    ("H-10 the admin's host", b"Host: admin.localhost\r\n", "404"),
    ("H-10 a name as it is", b"Host: one.localhost\r\n", "one"),
    ("H-10 with spaces around it", b"Host: \t one.localhost \t\r\n", "one"),
    ("H-10 in upper case", b"Host: TWO.LOCALHOST\r\n", "two"),
    ("H-10 with a dot at its end", b"Host: one.localhost.\r\n", "one"),
    ("H-10 with a port", b"Host: two.localhost:8080\r\n", "two"),
    ("H-10 with no port after a colon", b"Host: two.localhost:\r\n", "two"),
    (
        "H-10 with another one that a proxy would name",
        b"Host: one.localhost\r\nX-Forwarded-Host: two.localhost\r\n",
        "one",
    ),
    ("H-10 with another one in the newer form", b"Host: one.localhost\r\nForwarded: host=two.localhost\r\n", "one"),
    (
        "H-10 with another one that an override would name",
        b"Host: one.localhost\r\nX-HTTP-Host-Override: two.localhost\r\n",
        "one",
    ),
    (
        "H-10 with a target that a rewrite would name",
        b"Host: one.localhost\r\nX-Original-URL: /api/_admin/apps\r\n",
        "one",
    ),
];

fn two_apps(setup: &Setup) -> Farm {
    let farm = setup.start();
    for name in ["one", "two"] {
        farm.deploy(name, &[("api/main.js", "respond('ran ' + fazt.app.name)"), ("index.html", name)]);
    }
    farm
}

/// Who answered.
fn who(farm: &Farm, version: &str, host: &[u8]) -> String {
    let head = format!("GET /api/ HTTP/{version}\r\nConnection: close\r\n");
    let heard = ask(farm.address, [head.as_bytes(), host, b"\r\n"].concat());
    match heard.answers.as_slice() {
        [answer] if answer.status == 200 => answer.text().trim_start_matches("ran ").to_owned(),
        _ => heard.statuses(),
    }
}

fn differ(farm: &Farm, rows: &[Row]) -> Vec<String> {
    let asked = rows.iter().map(|(what, host, wanted)| (what, who(farm, "1.1", host), wanted));
    asked.filter(|(_, got, wanted)| got != *wanted).map(|row| format!("- {row:?}")).collect()
}

#[test]
fn every_spelling_of_a_host_is_one_apps_or_nobodys() {
    let farm = two_apps(&Setup::new(4));
    let watch = Watch::over(&farm);
    let mut wrong = differ(&farm, ROWS);
    let long = [b"Host: ", "a.".repeat(150).as_bytes(), b"localhost\r\n"].concat();
    if who(&farm, "1.1", &long) != "400" {
        wrong.push("- H-10 a host of 300 bytes".to_owned());
    }
    if who(&farm, "1.0", b"") != "404" {
        wrong.push("- H-10 no host, in the version that knew none".to_owned());
    }
    watch.conclude(&wrong);
}

/// With an app for hosts that name none, what is no host is still nobody's, and what names another app is not its.
#[test]
fn a_default_app_answers_for_no_other_and_for_nothing_odd() {
    let farm = two_apps(&Setup::new(4).flag("--default-app", "two"));
    let watch = Watch::over(&farm);
    let odd: Vec<Row> = ROWS.iter().copied().filter(|(_, _, wanted)| *wanted != "404").collect();
    let mut wrong = differ(&farm, &odd);
    wrong.extend(differ(
        &farm,
        &[
            ("H-10 the base domain", b"Host: localhost\r\n", "two"),
            ("H-10 an address", b"Host: 127.0.0.1\r\n", "two"),
            ("H-10 a name that nobody has", b"Host: none.localhost\r\n", "404"),
            ("H-10 a label in front", b"Host: x.one.localhost\r\n", "404"),
            ("H-10 the admin's host", b"Host: admin.localhost\r\n", "404"),
        ],
    ));
    watch.conclude(&wrong);
}

/// An app's page and code share an origin with nothing of the farm's: no cookie, no query and no other header is a token, and
/// what an app would say under the farm's paths is never asked.
#[test]
fn the_farms_own_pages_are_nobodys_else_on_any_host() {
    let farm = two_apps(&Setup::new(4).flag("--default-app", "one"));
    let watch = Watch::over(&farm);
    let token = &farm.token;
    let cookie = format!("token={token}; __Host-token={token}; Authorization=Bearer%20{token}");
    let mut wrong = Vec::new();
    for host in ["one.localhost", "localhost", "admin.localhost", "none.localhost", "127.0.0.1"] {
        for path in ["/api/_admin/apps", "/api/_debug/runtime", "/debug/runtime", "/api/%5fadmin/apps", "/api/_admin/"]
        {
            let plain = Request::new("GET", path);
            let tries = [
                ("H11 no token", plain.clone()),
                (
                    "H11 the token in the query",
                    Request::new("GET", &format!("{path}?token={token}&access_token={token}")),
                ),
                ("H11 the token in a cookie", plain.clone().header("Cookie", &cookie)),
                ("H11 the token in other headers", plain.header("X-Fazt-Token", token).header("X-Api-Key", token)),
            ];
            for (what, request) in tries {
                let answer = App::at(farm.address, host).send(&request);
                let says_much = answer.header("set-cookie").is_some() || answer.text().contains(token);
                if answer.status != 401 || says_much || answer.header("www-authenticate") != Some("Bearer") {
                    wrong.push(format!("- {what}: {host} {path}: {} {}", answer.status, answer.text()));
                }
            }
        }
    }
    watch.conclude(&wrong);
}

/// What one app's visitors get depends on its host and on nothing that another request said before.
#[test]
fn no_answer_is_kept_for_anybody_else() {
    let farm = two_apps(&Setup::new(4));
    let count = "respond(200, String(fazt.storage.kv.incr('n')), { 'Cache-Control': 'public, max-age=3600', ETag: '\"same\"', \
        Vary: 'Accept', 'Set-Cookie': 'a=1' })";
    farm.script("count", count);
    let watch = Watch::over(&farm);
    for number in 1..=3 {
        for (host, target) in [("count.localhost", "/api/?a=1&b=2"), ("COUNT.localhost:80", "/api/?b=2&a=1")] {
            let asked = Request::new("GET", target).header("X-Twice", "1").header("X-Twice", "2");
            let answer = App::at(farm.address, host).send(&asked.header("If-None-Match", "\"same\""));
            assert_eq!(
                answer.status,
                200,
                "H-12, H-27: an app's own answer is never taken from a cache: {}",
                answer.text()
            );
            assert!(answer.text().parse::<u32>().unwrap() >= number, "{}", answer.text());
        }
        for (host, page) in [("one.localhost", "one"), ("two.localhost", "two"), ("ONE.localhost", "one")] {
            let swayed =
                Request::new("GET", "/").header("X-Forwarded-Host", "two.localhost").header("X-Host", "two.localhost");
            let answer = App::at(farm.address, host).send(&swayed);
            assert_eq!((answer.status, answer.text().as_str()), (200, page), "H-27 {host}");
        }
    }
    assert_eq!(farm.app("count").get("/api/").text(), "7", "each request ran once");
    watch.close();
}
