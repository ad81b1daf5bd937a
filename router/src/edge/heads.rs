//! Watches the heads of requests as they come in, for what the HTTP parser behind it lets pass.
//!
//! Two things: a line that ends in a bare LF, and a head with both `Content-Length` and `Transfer-Encoding`. On either, two
//! readers of the same bytes can disagree where a request ends. It parses nothing else, and it never lets pass what the
//! parser would refuse: a breach puts a NUL into the head, which the parser answers with 400. It parses a head that came in
//! pieces only when it has seen its end, so whoever reads on gives a broken one an end ([`END`]).

/// How much of a line is kept: the names and values that matter are shorter. A length that is not is refused, since what is cut
/// off is another number.
const LINE_BYTES: usize = 48;

/// What the parser takes for the end of a head.
pub(super) const END: &[u8] = b"\n\n";

/// Where in the stream of requests the bytes stand.
#[derive(Debug)]
pub(super) struct Heads {
    place: Place,
    line: Vec<u8>,
    length: usize,
    after_return: bool,
    head: Head,
    whole: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Within a head, or before one.
    Head,
    /// Within a body of which that much is to come.
    Body(u64),
    /// Within a chunked body, whose end is not looked for: nothing may follow it on this connection.
    Chunks,
    /// After a breach.
    Broken,
}

#[derive(Debug, Clone, Copy, Default)]
struct Head {
    lines: bool,
    length: Option<u64>,
    chunked: bool,
}

impl Heads {
    /// Before the first request.
    pub(super) fn new() -> Self {
        Self {
            place: Place::Head,
            line: Vec::with_capacity(LINE_BYTES),
            length: 0,
            after_return: false,
            head: Head::default(),
            whole: 0,
        }
    }

    /// Looks at what came in, and spoils a head that must not pass.
    pub(super) fn watch(&mut self, bytes: &mut [u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = match self.place {
                Place::Chunks => return,
                Place::Broken => {
                    rest.fill(0);
                    return;
                }
                Place::Body(left) => {
                    let taken = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
                    let left = left.saturating_sub(taken as u64);
                    self.place = if left == 0 { Place::Head } else { Place::Body(left) };
                    rest.split_at_mut(taken).1
                }
                Place::Head => {
                    let taken = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at.saturating_add(1));
                    let (line, after) = rest.split_at_mut(taken);
                    self.take_line(line);
                    after
                }
            };
        }
    }

    /// Whether a head has begun and is not whole.
    pub(super) fn is_partial(&self) -> bool {
        self.place == Place::Head && (self.head.lines || self.length > 0)
    }

    /// Whether a head was spoiled: nothing that comes after it is looked at.
    pub(super) fn is_broken(&self) -> bool {
        self.place == Place::Broken
    }

    /// Whether more is to come, or came, than was answered.
    pub(super) fn is_open(&self, answered: u32) -> bool {
        self.place != Place::Head || self.is_partial() || self.whole > answered
    }

    /// Whether a body is known to lack something. Of chunks that is not known.
    pub(super) fn is_in_body(&self) -> bool {
        matches!(self.place, Place::Body(_))
    }

    /// Whether more heads came whole than requests were begun.
    pub(super) fn is_ahead(&self, begun: u32) -> bool {
        self.whole > begun
    }

    /// The request with which this connection must end, counted from one, where that is known.
    pub(super) fn last(&self) -> Option<u32> {
        (self.place == Place::Chunks).then_some(self.whole)
    }

    fn take_line(&mut self, piece: &mut [u8]) {
        let room = LINE_BYTES.saturating_sub(self.line.len());
        self.line.extend_from_slice(piece.get(..piece.len().min(room)).unwrap_or_default());
        self.length = self.length.saturating_add(piece.len());
        let Some((end, before)) = piece.split_last_mut() else { return };
        if *end != b'\n' {
            self.after_return = *end == b'\r';
            return;
        }
        let returned = before.last().map_or(self.after_return, |byte| *byte == b'\r');
        let holds = returned && self.end_line();
        if !holds {
            *end = 0;
            self.place = Place::Broken;
        }
        self.line.clear();
        self.length = 0;
        self.after_return = false;
    }

    /// A line is whole. Says whether it may pass.
    fn end_line(&mut self) -> bool {
        if self.length > 2 {
            let holds = !self.head.lines || self.head.read(&self.line, self.length);
            self.head.lines = true;
            return holds;
        }
        // An empty line before a request is legal, and ignored as the parser ignores it.
        if !self.head.lines {
            return true;
        }
        let head = std::mem::take(&mut self.head);
        if head.chunked && head.length.is_some() {
            return false;
        }
        self.whole = self.whole.saturating_add(1);
        self.place = match head {
            Head { chunked: true, .. } => Place::Chunks,
            Head { length: Some(length), .. } if length > 0 => Place::Body(length),
            _ => Place::Head,
        };
        true
    }
}

impl Head {
    /// Reads what was kept of a line of that many bytes. Says whether it may pass.
    fn read(&mut self, line: &[u8], bytes: usize) -> bool {
        let Some(colon) = memchr::memchr(b':', line) else { return true };
        let (name, value) = line.split_at(colon);
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.chunked = true;
        } else if name.eq_ignore_ascii_case(b"content-length") {
            let digits = std::str::from_utf8(value.get(1..).unwrap_or_default()).unwrap_or_default().trim();
            // What is no number here is none to the parser either, which then refuses the head.
            self.length = Some(digits.parse().unwrap_or(0));
            return bytes <= LINE_BYTES;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(stream: &str) -> bool {
        let whole = {
            let mut bytes = stream.as_bytes().to_vec();
            Heads::new().watch(&mut bytes);
            bytes == stream.as_bytes()
        };
        let mut heads = Heads::new();
        let apart = stream.bytes().all(|byte| {
            let mut one = [byte];
            heads.watch(&mut one);
            one == [byte]
        });
        assert_eq!(whole, apart, "the same whatever the pieces: {stream:?}");
        whole
    }

    #[test]
    fn plain_requests_pass() {
        assert!(passes("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert!(passes("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert!(passes("POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\n\n\n\n\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert!(passes("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n\na\n\r\n0\r\n\r\n"));
    }

    #[test]
    fn a_bare_line_feed_in_a_head_does_not_pass() {
        for stream in [
            "GET / HTTP/1.1\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n\n",
            "\nGET / HTTP/1.1\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n\n\nGET / HTTP/1.1\n",
            "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /smug HTTP/1.1\nHost: a\n\n",
        ] {
            assert!(!passes(stream), "{stream:?}");
        }
    }

    #[test]
    fn two_lengths_of_one_body_do_not_pass() {
        for (one, other) in [
            ("Content-Length: 4", "Transfer-Encoding: chunked"),
            ("transfer-encoding: chunked", "CONTENT-LENGTH:4"),
            ("Transfer-Encoding: identity", "Content-Length: x"),
        ] {
            assert!(!passes(&format!("POST / HTTP/1.1\r\n{one}\r\n{other}\r\n\r\n")), "{one} {other}");
        }
    }

    #[test]
    fn a_length_is_read_whole_or_does_not_pass() {
        let body = format!("{:0>40}", 2);
        assert!(!passes(&format!("POST / HTTP/1.1\r\nContent-Length: {body}\r\n\r\nab")));
        assert!(passes("POST / HTTP/1.1\r\nContent-Length: 0000000000000000002\r\n\r\n\n\n"));
        assert!(passes(&format!("POST / HTTP/1.1\r\nX-Length: {body}\r\n\r\n")));
    }

    #[test]
    fn knows_what_is_open() {
        let mut heads = Heads::new();
        assert!(!heads.is_open(0));
        heads.watch(&mut b"GET / HT".to_vec());
        assert!(heads.is_partial() && heads.is_open(0));
        heads.watch(&mut b"TP/1.1\r\n\r\n".to_vec());
        assert!(!heads.is_partial() && heads.is_open(0) && !heads.is_open(1));
        heads.watch(&mut b"PUT / HTTP/1.1\r\nContent-Length: 3\r\n\r\nab".to_vec());
        assert!(heads.is_open(2));
        heads.watch(&mut b"c".to_vec());
        assert!(!heads.is_open(2) && heads.last().is_none());
        heads.watch(
            &mut b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n".to_vec(),
        );
        assert_eq!(heads.last(), Some(3), "the two before it are not the last ones");
    }
}
