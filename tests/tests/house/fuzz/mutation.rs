//! Changes requests at random, in ways that those who read them trip over.

use super::corpus::Corpus;

/// The largest input.
const LARGEST: usize = 96 * 1024;

/// Requests as they should be, and some that should not.
const SEEDS: [&str; 14] = [
    "GET /api/a?b=c&d=%20 HTTP/1.1\r\nHost: echo.localhost\r\nAccept: */*\r\n\r\n",
    "POST /api/ HTTP/1.1\r\nHost: echo.localhost\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n{\"a\":[1,2,3]}",
    "POST /api/ HTTP/1.1\r\nHost: echo.localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nTrailer: 1\r\n\r\n",
    "GET /api/1 HTTP/1.1\r\nHost: echo.localhost\r\n\r\nGET /api/2 HTTP/1.1\r\nHost: echo.localhost\r\nConnection: close\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: site.localhost\r\nRange: bytes=1-3\r\nIf-None-Match: \"a\", W/\"b\"\r\nAccept-Encoding: br, gzip;q=0\r\n\r\n",
    "GET /../../etc/passwd HTTP/1.1\r\nHost: site.localhost\r\n\r\n",
    "GET http://echo.localhost/api/ HTTP/1.1\r\nHost: echo.localhost\r\n\r\n",
    "OPTIONS /api/ HTTP/1.1\r\nHost: echo.localhost\r\nOrigin: http://a.example\r\nAccess-Control-Request-Method: PUT\r\n\r\n",
    "POST /api/ HTTP/1.1\r\nHost: echo.localhost\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n{}",
    "POST /api/ HTTP/1.1\r\nHost: echo.localhost\r\nContent-Length: 45\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /api/x HTTP/1.1\r\nHost: echo.localhost\r\n\r\n",
    "GET /api/ HTTP/1.0\r\nHost: echo.localhost\r\nConnection: keep-alive\r\n\r\n",
    "GET /api/_debug/runtime HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer nonsense\r\n\r\n",
    "PUT /api/_admin/apps/echo/deploy HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\n\x1f\u{8}\0\0",
    "GET /api/ HTTP/1.1\r\nHost: echo.localhost\r\nCookie: a=b; c=\"d\"; a=e\r\nX-Forwarded-For: 1.2.3.4\r\nX-Fazt-Ip: 9.9.9.9\r\n\r\n",
];

/// What requests trip over.
const TELLING: [&str; 52] = [
    "\r\n",
    "\n",
    "\r",
    "\0",
    " ",
    "\t",
    ":",
    ": ",
    ",",
    ";",
    "\"",
    "%00",
    "%2f",
    "%2e%2e",
    "%c0%ae",
    "..",
    "//",
    "\\",
    "#",
    "?",
    "Host: other.localhost\r\n",
    "Host: \r\n",
    "Content-Length: 0\r\n",
    "Content-Length: 5\r\n",
    "Content-Length: +5\r\n",
    "Content-Length: 18446744073709551616\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: identity, chunked\r\n",
    "Transfer-Encoding : chunked\r\n",
    " folded\r\n",
    "Connection: close\r\n",
    "Connection: upgrade\r\nUpgrade: h2c\r\n",
    "ffffffffffffffff\r\n",
    "0\r\n\r\n",
    "HTTP/1.1",
    "HTTP/9.9",
    "@",
    "[::1]",
    "\u{e9}",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "OPTIONS ",
    "DELETE ",
    "TRACE ",
    "Host: site.localhost\r\n",
    "Accept: text/html\r\n",
    "Range: bytes=0-\r\n",
    "Range: bytes=9-\r\n",
    "If-None-Match: *\r\n",
    "Origin: http://a.example\r\n",
    "Access-Control-Request-Method: PUT\r\n",
    "Expect: 100-continue\r\n",
    "Connection: keep-alive\r\n",
];

/// A source of inputs; the same seed and the same corpus give the same ones.
pub(super) struct Mutator(pub(super) u64);

impl Mutator {
    /// SplitMix64, by Sebastiano Vigna: <https://prng.di.unimi.it/splitmix64.c>.
    fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.number() % u64::try_from(end.max(1)).unwrap()).unwrap()
    }

    fn one_of<'a>(&mut self, texts: &[&'a str]) -> &'a [u8] {
        texts[self.below(texts.len())].as_bytes()
    }

    /// The next input.
    pub(super) fn input(&mut self, corpus: &Corpus) -> Vec<u8> {
        let mut input = self.seed(corpus).to_vec();
        for _ in 0..=self.below(4) {
            self.change(&mut input, corpus);
        }
        input.truncate(LARGEST);
        input
    }

    fn seed<'a>(&mut self, corpus: &'a Corpus) -> &'a [u8] {
        let at = self.below(SEEDS.len() + corpus.len());
        SEEDS.get(at).map(|seed| seed.as_bytes()).or_else(|| corpus.get(at - SEEDS.len())).unwrap()
    }

    fn change(&mut self, input: &mut Vec<u8>, corpus: &Corpus) {
        let at = self.below(input.len() + 1);
        let end = (at + 1 + self.below(24)).min(input.len());
        match self.below(9) {
            0 => input.truncate(at),
            1 => drop(input.drain(at.min(end)..end)),
            2 | 3 => drop(input.splice(at..at, self.one_of(&TELLING).iter().copied())),
            4 => {
                let bit = 1 << self.below(8);
                input.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= bit);
            }
            5 => {
                let again = input[at.min(end)..end].repeat(1 + self.below(2_000));
                drop(input.splice(at..at, again));
            }
            6 => input.extend_from_slice(self.seed(corpus)),
            7 => {
                let other = self.seed(corpus);
                input.truncate(at);
                input.extend_from_slice(&other[self.below(other.len() + 1)..]);
            }
            _ => {
                let noise: Vec<u8> = (0..self.below(32)).map(|_| self.number() as u8).collect();
                drop(input.splice(at..at, noise));
            }
        }
    }
}

/// Where an input is cut into two writes: always at the same place, so that what it showed it shows again.
pub(super) fn cut(input: &[u8]) -> usize {
    let mut own = Mutator(input.iter().fold(0, |sum: u64, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte))));
    if own.below(2) == 0 { input.len() } else { own.below(input.len() + 1) }
}
