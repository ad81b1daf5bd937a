//! Parts of a file and what a client has already: one part, or the whole, or nothing; never more bytes than the file has.

use fazt_tests::{farm::Farm, http::Request, oracle::Watch, setup::Setup};

pub(super) const FILE: &str = "0123456789abcdefghi";
const SIZE: usize = FILE.len();

/// A range, and what comes of it: the status and the bytes.
pub(super) const RANGES: &[(&str, &str, u16, &str)] = &[
    ("H-21 the first", "bytes=0-0", 206, "0"),
    ("H-21 the last", "bytes=-1", 206, "i"),
    ("H-21 more than there is, from the end", "bytes=-99999999999", 206, FILE),
    ("H-21 nothing, from the end", "bytes=-0", 416, ""),
    ("H-21 to beyond", "bytes=17-18446744073709551616", 206, "hi"),
    ("H-21 from beyond", "bytes=19-", 416, ""),
    ("H-21 from beyond all numbers", "bytes=18446744073709551616-", 416, ""),
    ("H-21 a number of 4 KB", "bytes=LONG-", 416, ""),
    ("H-21 backwards", "bytes=5-2", 200, FILE),
    ("H-21 two that overlap", "bytes=0-9,5-14", 200, FILE),
    ("H-21 a thousand of the same", "bytes=MANY", 200, FILE),
    ("H-21 a thousand of nothing", "bytes=,,,,MANY", 200, FILE),
    ("H-21 below nothing", "bytes=--1", 200, FILE),
    ("H-21 a sign", "bytes=+1-2", 200, FILE),
    ("H-21 hexadecimal", "bytes=0x1-0x2", 200, FILE),
    ("H-21 a fraction", "bytes=0.5-1", 200, FILE),
    ("H-21 another unit", "lines=0-1", 200, FILE),
    ("H-21 no unit", "0-1", 200, FILE),
    ("H-21 nothing", "", 200, FILE),
];

/// What a client says that it has or that must be, and whether it gets the file, is told that nothing is new, or that it is not
/// so. `TAG` is the file's, `LIST` 10 KB of others.
pub(super) const CONDITIONS: &[(&str, &str, &str, u16)] = &[
    ("H-22 its tag", "If-None-Match", "TAG", 304),
    ("H-22 its tag as a weak one", "If-None-Match", "W/TAG", 304),
    ("H-22 its tag after 10 KB of others", "If-None-Match", "LISTTAG", 304),
    ("H-22 10 KB of others", "If-None-Match", "LIST\"x\"", 200),
    ("H-22 anything", "If-None-Match", "*", 304),
    ("H-22 its tag without quotes", "If-None-Match", "BARE", 200),
    ("H-22 half a tag", "If-None-Match", "\"", 200),
    ("H-22 commas", "If-None-Match", ",,,,,,", 200),
    ("H-22 a date in 1601", "If-Modified-Since", "Mon, 01 Jan 1601 00:00:00 GMT", 200),
    ("H-22 a date in 9999", "If-Modified-Since", "Fri, 31 Dec 9999 23:59:59 GMT", 304),
    ("H-22 a date in the year 0", "If-Modified-Since", "Sat, 01 Jan 0000 00:00:00 GMT", 200),
    ("H-22 a day that is none", "If-Modified-Since", "Tue, 30 Feb 2038 00:00:00 GMT", 200),
    ("H-22 a date with 10 KB of spaces", "If-Modified-Since", "Thu, 01 Jan 1970SPACES00:00:00 GMT", 200),
    ("H-22 yesterday", "If-Modified-Since", "yesterday", 200),
    ("H-22 a number", "If-Modified-Since", "18446744073709551616", 200),
    ("H-22 one of several tags must be", "If-Match", "\"x\", TAG", 200),
    ("H-22 any tag must be", "If-Match", "*", 200),
    ("H-22 another tag must be", "If-Match", "\"x\"", 412),
    ("H-22 its tag must be, as a weak one", "If-Match", "W/TAG", 412),
    ("H-22 no tag that there is must be", "If-Match", "", 412),
    ("H-22 not changed since 9999", "If-Unmodified-Since", "Fri, 31 Dec 9999 23:59:59 GMT", 200),
    ("H-22 not changed since 1990", "If-Unmodified-Since", "Mon, 01 Jan 1990 00:00:00 GMT", 412),
    ("H-22 not changed since yesterday", "If-Unmodified-Since", "yesterday", 200),
];

fn site() -> Farm {
    let farm = Setup::new(2).start();
    farm.deploy("site", &[("a.txt", FILE)]);
    farm
}

#[test]
fn a_range_is_one_part_or_the_whole_and_never_more() {
    let farm = site();
    let watch = Watch::over(&farm);
    let app = farm.app("site").keeping();
    let mut wrong = Vec::new();
    for (what, range, status, body) in RANGES {
        let range = range.replace("MANY", &["0-18"; 1000].join(",")).replace("LONG", &"9".repeat(4096));
        let answer = app.send(&Request::new("GET", "/a.txt").header("Range", &range));
        let place = answer.header("content-range").is_some();
        // A cache that kept a refusal could give it to somebody who asks for the whole.
        let is_kept = answer.header("cache-control") != Some("no-store");
        if (answer.status, answer.text().as_str(), place) != (*status, *body, *status != 200)
            || answer.body.len() > SIZE
            || is_kept == (*status == 416)
        {
            wrong.push(format!("- {what}: {} {:?} {:?}", answer.status, answer.text(), answer.header("content-range")));
        }
    }
    let head = app.send(&Request::new("HEAD", "/a.txt").header("Range", "bytes=0-0"));
    let length = head.header("content-length").unwrap_or_default();
    if (head.status, length, head.header("content-range")) != (200, &SIZE.to_string(), None) {
        wrong.push(format!("- H-21 of what is not sent there are no parts: {head:?}"));
    }
    watch.conclude(&wrong);
}

#[test]
fn what_a_client_has_is_compared_and_never_guessed() {
    let farm = site();
    let watch = Watch::over(&farm);
    let app = farm.app("site").keeping();
    let tag = app.get("/a.txt").header("etag").unwrap().to_owned();
    let list = (0..1_000).map(|number| format!("\"{number:06}\", ")).collect::<String>();
    let mut wrong = Vec::new();
    for (what, name, value, status) in CONDITIONS {
        let value = value.replace("TAG", &tag).replace("LIST", &list).replace("BARE", tag.trim_matches('"'));
        let answer =
            app.send(&Request::new("GET", "/a.txt").header(name, &value.replace("SPACES", &" ".repeat(10_000))));
        let body = if *status == 200 { FILE } else { "" };
        let is_kept = answer.header("cache-control") != Some("no-store");
        if (answer.status, answer.text().as_str(), is_kept) != (*status, body, *status != 412)
            || answer.header("etag") != Some(&tag)
        {
            wrong.push(format!("- {what}: {} {:?}", answer.status, answer.text()));
        }
    }
    watch.conclude(&wrong);
}
