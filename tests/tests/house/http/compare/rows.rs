//! The requests: the tables of the other tests, and what only a comparison asks for. Each goes over a connection of its own.

use super::{
    super::{Row, framing, hosts, paths, ranges},
    observe::Server,
};

/// A request, or several.
pub(super) struct Odd {
    /// What is odd about it.
    pub(super) what: String,
    /// Its bytes. Before each piece but the first, an answer is waited for.
    pub(super) pieces: Vec<Vec<u8>>,
}

/// All of them, as one server is asked: what a client has of a file is that server's.
pub(super) fn all(server: &Server) -> Vec<Odd> {
    let framing = [framing::lengths(), framing::chunks(), framing::heads(), framing::targets(), framing::spoiled()];
    let mut all: Vec<Odd> = framing.into_iter().flatten().map(open_ended).collect();
    all.extend(
        hosts::ROWS.iter().map(|(what, host, _)| odd(what, [b"GET /api/ HTTP/1.1\r\n", *host, b"\r\n"].concat())),
    );
    all.extend(paths::PATHS.iter().chain(paths::CODE).map(|(what, path)| {
        odd(what, format!("GET {} HTTP/1.1\r\nHost: app1.localhost\r\n\r\n", path.replace("OTHER", "app10")))
    }));
    all.extend(ranges::RANGES.iter().map(|(what, range, ..)| {
        let range = range.replace("MANY", &["0-18"; 1000].join(",")).replace("LONG", &"9".repeat(4096));
        file(what, &format!("Range: {range}\r\n"))
    }));
    all.extend(ranges::CONDITIONS.iter().map(|(what, name, value, _)| {
        let list = (0..1_000).map(|number| format!("\"{number:06}\", ")).collect::<String>();
        let value = value.replace("LIST", &list).replace("SPACES", &" ".repeat(10_000));
        file(what, &format!("{name}: {value}\r\n"))
    }));
    all.extend(CONDITIONS.iter().map(|(what, lines)| file(what, lines)));
    all.extend(
        TARGETS
            .iter()
            .map(|(what, target)| odd(what, format!("GET {target} HTTP/1.1\r\nHost: site.localhost\r\n\r\n"))),
    );
    all.extend(STREAMS.iter().map(|(what, bytes)| odd(what, spelt(bytes))));
    all.extend(pieces());
    for odd in &mut all {
        odd.pieces.iter_mut().for_each(|piece| *piece = server.fill(piece));
    }
    all
}

/// What a client says that it has of `a.txt`, and what it wants.
const CONDITIONS: &[(&str, &str)] = &[
    ("C a date that is the file's", "If-Modified-Since: DATE\r\n"),
    ("C the date in the form of RFC 850", "If-Modified-Since: Friday, 31-Dec-99 23:59:59 GMT\r\n"),
    ("C the date in the form of asctime", "If-Modified-Since: Fri Dec 31 23:59:59 2049\r\n"),
    ("C another tag, but the date", "If-None-Match: \"x\"\r\nIf-Modified-Since: DATE\r\n"),
    ("C the tag, but an old date", "If-None-Match: TAG\r\nIf-Modified-Since: Mon, 01 Jan 1990 00:00:00 GMT\r\n"),
    ("C tags on two lines", "If-None-Match: \"x\"\r\nIf-None-Match: TAG\r\n"),
    ("C the tag, and a range", "If-None-Match: TAG\r\nRange: bytes=0-1\r\n"),
    ("C the tag must be", "If-Match: TAG\r\n"),
    ("C another tag must be, and a range", "If-Match: \"x\"\r\nRange: bytes=0-1\r\n"),
    ("C not changed since its date", "If-Unmodified-Since: DATE\r\n"),
    ("C the tag must be, whatever the date", "If-Match: TAG\r\nIf-Unmodified-Since: Mon, 01 Jan 1990 00:00:00 GMT\r\n"),
    ("C a part of what it has", "If-Range: TAG\r\nRange: bytes=2-4\r\n"),
    ("C a part of what has a weak tag", "If-Range: W/TAG\r\nRange: bytes=2-4\r\n"),
    ("C a part of something else", "If-Range: \"x\"\r\nRange: bytes=2-4\r\n"),
    ("C a part of what is of that date", "If-Range: DATE\r\nRange: bytes=2-4\r\n"),
    ("C a part of what is of another date", "If-Range: Mon, 01 Jan 1990 00:00:00 GMT\r\nRange: bytes=2-4\r\n"),
    ("C a part of what is of a later date", "If-Range: Fri, 31 Dec 2049 23:59:59 GMT\r\nRange: bytes=2-4\r\n"),
    ("C a part of nothing that is named", "If-Range: yesterday\r\nRange: bytes=2-4\r\n"),
    ("R spaces within", "Range: bytes = 2 - 4\r\n"),
    ("R upper case", "Range: BYTES=2-4\r\n"),
    ("R two on two lines", "Range: bytes=0-1\r\nRange: bytes=3-4\r\n"),
    ("R two that lie apart", "Range: bytes=0-1,4-5\r\n"),
    ("R one and a comma", "Range: bytes=2-4,\r\n"),
    ("R one of two lies beyond", "Range: bytes=2-4,100-200\r\n"),
    ("R all", "Range: bytes=0-\r\n"),
    ("R zeros in front", "Range: bytes=0002-0004\r\n"),
    ("R a dash", "Range: bytes=-\r\n"),
];

/// What is asked of `site.localhost`.
const TARGETS: &[(&str, &str)] = &[
    ("T the entry page", "/"),
    ("T the entry page with a query", "/?a=/../b"),
    ("T a page without its ending", "/about"),
    ("T a folder", "/docs"),
    ("T a folder with its slash", "/docs/"),
    ("T a file with a slash", "/a.txt/"),
    ("T two slashes in front", "//a.txt"),
    ("T two slashes within", "/docs//index.html"),
    ("T a letter escaped", "/%61.txt"),
    ("T a dot escaped", "/a%2Etxt"),
    ("T a space escaped", "/b%20c.txt"),
    ("T a plus", "/b+c.txt"),
    ("T a bare space", "/b c.txt"),
    ("T a tab", "/b\tc.txt"),
    ("T a query mark escaped", "/a.txt%3Fx"),
    ("T up to the root", "/docs/../a.txt"),
    ("T this folder", "/./a.txt"),
    ("T up above the root", "/../a.txt"),
    ("T a fragment", "/a.txt#x"),
    ("T a parameter", "/a.txt;x"),
    ("T upper case", "/A.TXT"),
    ("T a percent sign alone", "/%"),
    ("T a zero byte", "/a.txt%00"),
    ("T an empty file", "/empty.txt"),
    ("T a query alone", "?x"),
    ("T a URL in upper case", "HTTP://SITE.LOCALHOST/a.txt"),
    ("T a URL without a path", "http://site.localhost"),
    ("T a URL of another scheme", "ftp://site.localhost/a.txt"),
    ("T a URL of a secure page", "https://site.localhost/a.txt"),
];

/// Words of the tables below, and what they stand for.
const WORDS: &[(&str, &str)] = &[
    ("{GET}", "GET /api/ HTTP/1.1\r\nHost: echo.localhost\r\n"),
    ("{POST}", "POST /api/ HTTP/1.1\r\nHost: echo.localhost\r\n"),
    ("{FILE}", "GET /a.txt HTTP/1.1\r\nHost: site.localhost\r\n"),
    ("{CHUNKS}", "Transfer-Encoding: chunked\r\n"),
    // Another request, behind what is tried.
    ("{NEXT}", "GET /api/next HTTP/1.1\r\nHost: echo.localhost\r\n\r\n"),
];

/// Whole connections.
const STREAMS: &[(&str, &str)] = &[
    ("S one after the other", "{NEXT}{NEXT}{NEXT}"),
    ("S a file, then code", "{FILE}\r\n{NEXT}"),
    ("S code, then another app's file", "{NEXT}{FILE}\r\n"),
    ("S a file to HEAD, then another", "HEAD /a.txt HTTP/1.1\r\nHost: site.localhost\r\n\r\n{NEXT}"),
    ("S a part to HEAD", "HEAD /a.txt HTTP/1.1\r\nHost: site.localhost\r\nRange: bytes=2-4\r\n\r\n{NEXT}"),
    ("S nothing to HEAD", "HEAD /none HTTP/1.1\r\nHost: site.localhost\r\n\r\n{NEXT}"),
    ("S code to HEAD", "HEAD /api/ HTTP/1.1\r\nHost: echo.localhost\r\n\r\n{NEXT}"),
    ("S empty lines in front", "\r\n\r\n{NEXT}"),
    ("S an empty line after a body", "{POST}Content-Length: 2\r\n\r\nab\r\n{NEXT}"),
    ("S a body with its file", "{FILE}Content-Length: 2\r\n\r\nab{NEXT}"),
    ("S a request as a file's body", "{FILE}Content-Length: 48\r\n\r\n{NEXT}"),
    ("S chunks with a file", "{FILE}{CHUNKS}\r\n2\r\nab\r\n0\r\n\r\n{NEXT}"),
    ("S bad chunks with a file", "{FILE}{CHUNKS}\r\nzz\r\n\r\n{NEXT}"),
    ("S chunks in upper case", "{POST}Transfer-Encoding: CHUNKED\r\n\r\n2\r\nab\r\n0\r\n\r\n{NEXT}"),
    ("S a chunk's size with zeros", "{POST}{CHUNKS}\r\n0002\r\nab\r\n000\r\n\r\n{NEXT}"),
    ("S a space after a chunk's size", "{POST}{CHUNKS}\r\n2 \r\nab\r\n0\r\n\r\n{NEXT}"),
    ("S a trailer", "{POST}{CHUNKS}\r\n2\r\nab\r\n0\r\nX-A: 1\r\n\r\n{NEXT}"),
    ("S a body for nobody", "POST /api/ HTTP/1.1\r\nHost: none.localhost\r\nContent-Length: 2\r\n\r\nab{NEXT}"),
    ("S nothing that is there", "GET /none HTTP/1.1\r\nHost: site.localhost\r\n\r\n{NEXT}"),
    ("S a path that is refused", "GET /%00 HTTP/1.1\r\nHost: site.localhost\r\n\r\n{NEXT}"),
    ("S the end was asked for", "{GET}Connection: close\r\n\r\n{NEXT}"),
    ("S the end, in upper case", "{GET}Connection: CLOSE\r\n\r\n{NEXT}"),
    ("S the end, among other wishes", "{GET}Connection: x, close\r\n\r\n{NEXT}"),
    ("S the end, and the contrary", "{GET}Connection: close, keep-alive\r\n\r\n{NEXT}"),
    ("S the old version ends", "GET /api/ HTTP/1.0\r\nHost: echo.localhost\r\n\r\n{NEXT}"),
    (
        "S the old version, to be kept",
        "GET /api/ HTTP/1.0\r\nHost: echo.localhost\r\nConnection: keep-alive\r\n\r\n{NEXT}",
    ),
    (
        "S the old version with a body",
        "POST /api/ HTTP/1.0\r\nHost: echo.localhost\r\nContent-Length: 2\r\n\r\nab{NEXT}",
    ),
    ("S a promise, and the body at once", "{POST}Expect: 100-continue\r\nContent-Length: 2\r\n\r\nab{NEXT}"),
    ("S a promise without a body", "{GET}Expect: 100-continue\r\n\r\n{NEXT}"),
    ("S a body that is not whole", "{POST}Content-Length: 9999\r\n\r\nab"),
    ("S a head within a head", "{GET}X-A: "),
    ("S one that is asked to be deleted", "DELETE /a.txt HTTP/1.1\r\nHost: site.localhost\r\n\r\n{NEXT}"),
    (
        "S one that is asked to be put",
        "PUT /a.txt HTTP/1.1\r\nHost: site.localhost\r\nContent-Length: 2\r\n\r\nab{NEXT}",
    ),
    ("S one that is sent to", "POST /a.txt HTTP/1.1\r\nHost: site.localhost\r\nContent-Length: 2\r\n\r\nab{NEXT}"),
    ("S one that is sent to, without a length", "POST /a.txt HTTP/1.1\r\nHost: site.localhost\r\n\r\n{NEXT}"),
    ("S one whose ways are asked for", "OPTIONS /a.txt HTTP/1.1\r\nHost: site.localhost\r\n\r\n{NEXT}"),
    ("S code whose ways are asked for", "OPTIONS /api/ HTTP/1.1\r\nHost: echo.localhost\r\n\r\n{NEXT}"),
    ("S code, without a length", "{POST}\r\n{NEXT}"),
    (
        "S code that is asked to patch",
        "PATCH /api/ HTTP/1.1\r\nHost: echo.localhost\r\nContent-Length: 2\r\n\r\nab{NEXT}",
    ),
    ("S a header without a value", "{GET}X-A:\r\n\r\n{NEXT}"),
    ("S a header past ASCII", "{GET}X-A: \u{fc}\r\n\r\n{NEXT}"),
    ("S a tab in a value", "{GET}X-A: 1\t2\r\n\r\n{NEXT}"),
    ("S a delete byte in a value", "{GET}X-A: \u{7f}\r\n\r\n{NEXT}"),
    ("S a control byte in a value", "{GET}X-A: \u{1}\r\n\r\n{NEXT}"),
];

/// Where a request that comes in two pieces is cut, each time behind a whole one that was answered.
const CUTS: &[(&str, &str, &str)] = &[
    ("P within the method", "GE", "T /api/ HTTP/1.1\r\nHost: echo.localhost\r\n\r\n"),
    ("P within the version", "GET /api/ HTTP/1", ".1\r\nHost: echo.localhost\r\n\r\n"),
    ("P within a line's end", "GET /api/ HTTP/1.1\r", "\nHost: echo.localhost\r\n\r\n"),
    ("P within a name", "GET /api/ HTTP/1.1\r\nHo", "st: echo.localhost\r\n\r\n"),
    ("P within a host", "GET /api/ HTTP/1.1\r\nHost: echo.", "localhost\r\n\r\n"),
    ("P within the head's end", "{GET}\r", "\n"),
    ("P before the body", "{POST}Content-Length: 2\r\n\r\n", "ab"),
    ("P within the body", "{POST}Content-Length: 2\r\n\r\na", "b"),
    ("P within a chunk's size", "{POST}{CHUNKS}\r\n0", "2\r\nab\r\n0\r\n\r\n"),
    ("P within a chunk", "{POST}{CHUNKS}\r\n2\r\na", "b\r\n0\r\n\r\n"),
    ("P within the last chunk", "{POST}{CHUNKS}\r\n2\r\nab\r\n0\r\n", "\r\n"),
    ("P a line that begins with a space", "{GET}X-A: 1\r\n", " 2\r\n\r\n"),
];

fn pieces() -> impl Iterator<Item = Odd> {
    CUTS.iter().map(|(what, first, second)| {
        let pieces = vec![spelt(&format!("{{NEXT}}{first}")), spelt(second)];
        Odd { what: (*what).to_owned(), pieces }
    })
}

/// A row of these tables in full.
fn spelt(row: &str) -> Vec<u8> {
    WORDS.iter().fold(row.to_owned(), |row, (word, full)| row.replace(word, full)).into_bytes()
}

fn odd(what: &str, bytes: impl Into<Vec<u8>>) -> Odd {
    Odd { what: what.to_owned(), pieces: vec![bytes.into()] }
}

fn file(what: &str, lines: &str) -> Odd {
    odd(what, spelt(&format!("{{FILE}}{lines}\r\n")))
}

/// A row of another table without its wish that the connection end: whether it does is compared.
fn open_ended((what, bytes, _): Row<'_>) -> Odd {
    let head = bytes.split("\r\n\r\n").next().unwrap_or_default();
    odd(what, bytes.replacen(head, &head.replace("\r\nConnection: close", ""), 1))
}
