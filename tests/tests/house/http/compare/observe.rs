//! What is seen of a server: the answers to a request and to the one behind it, in words that two servers can share.

use std::net::SocketAddr;

use fazt_tests::{
    http::{Answer, App},
    wire::Wire,
};

use super::rows::Odd;

/// An ordinary request, sent behind each odd one: whether it is answered tells whether the connection lives, and whether both
/// know where the one before it ends.
const PROBE: &str = "GET /probe.txt HTTP/1.1\r\nHost: echo.localhost\r\nConnection: close\r\n\r\n";

/// Characters of a body that are told.
const TEXT: usize = 60;

/// One of the two.
pub(super) struct Server {
    address: SocketAddr,
    /// What it calls its file `a.txt`, and since when it has it.
    tag: String,
    date: String,
}

impl Server {
    pub(super) fn at(address: SocketAddr) -> Self {
        let answer = App::at(address, "site.localhost").get("/a.txt");
        let header = |name| answer.header(name).unwrap().to_owned();
        Self { address, tag: header("etag"), date: header("last-modified") }
    }

    /// The bytes with its own tag and date in them.
    pub(super) fn fill(&self, bytes: &[u8]) -> Vec<u8> {
        let Ok(text) = std::str::from_utf8(bytes) else { return bytes.to_vec() };
        let bare = self.tag.trim_matches('"');
        text.replace("TAG", &self.tag).replace("BARE", bare).replace("DATE", &self.date).into_bytes()
    }

    /// Sends a request and the probe, and tells all that came of it: the statuses, with the bytes of what was found, and
    /// `probe` or, where that was not answered, `end`.
    pub(super) fn observe(&self, odd: &Odd) -> String {
        let mut wire = Wire::open(self.address);
        let mut seen = Vec::new();
        let last = odd.pieces.len() - 1;
        for (at, piece) in odd.pieces.iter().enumerate() {
            // It may be closed before all is taken.
            wire.send(piece);
            if at == last {
                wire.send(PROBE);
                break;
            }
            seen.extend(wire.answer().map(|answer| tell(&answer, false)));
        }
        if odd.pieces[0].starts_with(b"HEAD ") {
            seen.extend(wire.answer_to_head().map(|answer| tell(&answer, true)));
        }
        let heard = wire.hear();
        seen.extend(heard.answers.iter().map(|answer| tell(answer, false)));
        if !heard.rest.is_empty() {
            seen.push("?".to_owned());
        }
        if seen.last().is_none_or(|last| last != "probe") {
            seen.push("end".to_owned());
        }
        seen.join(", ")
    }
}

/// The status, and what two servers must agree about: the bytes of what was found, their place, or a tag.
fn tell(answer: &Answer, to_head: bool) -> String {
    let header = |name| answer.header(name).unwrap_or("none");
    let text = answer.text();
    let text = text.char_indices().nth(TEXT).map_or(text.clone(), |(at, _)| format!("{}...", &text[..at]));
    match answer.status {
        200 if to_head => format!("200 of {}", header("content-length")),
        200 if text == "probe" => text,
        200 => format!("200 ({text})"),
        206 if header("content-type").starts_with("multipart/") => "206 in parts".to_owned(),
        206 => format!("206 {} ({text})", header("content-range")),
        304 if answer.header("etag").is_none() => "304 without a tag".to_owned(),
        416 => format!("416 {}", header("content-range")),
        status => status.to_string(),
    }
}
