//! A builder that lies, as if what it unpacks had taken its process over. An upload that begins with `lie: ` names the lie; any
//! other is an honest archive, of which it gives the files as they are.

use std::{io::Read, str};

use fazt_protocol::{
    body::{Part, parts},
    builder::{Built, Encoding, File, FromBuilder, Manifest, ToBuilder},
    call::Ready,
    limit::{APP_FILES, CHUNK_BYTES, FILE_PATH_BYTES},
    pipe::Pipe,
    version::PROTOCOL,
};
use fazt_worker::zygote::Birth;

use crate::lies::wait;

/// More than half of what an app may have.
const HALF_BYTES: usize = 60 << 20;

struct Liar {
    router: Pipe<ToBuilder, FromBuilder>,
    ready: Ready,
}

/// One build.
pub(crate) fn live(birth: Birth) -> i32 {
    let ready = Ready { protocol: PROTOCOL, layers: birth.jailed.layers().bits() };
    let mut liar = Liar { router: Pipe::new(birth.call), ready };
    liar.say(&FromBuilder::Ready(liar.ready));
    let upload = liar.hear();
    match upload.strip_prefix(b"lie: ") {
        Some(lie) => liar.tell(str::from_utf8(lie).unwrap()),
        None => liar.build(&upload),
    }
    0
}

impl Liar {
    fn say(&mut self, message: &FromBuilder) {
        // A router that has hung up has heard enough.
        let _gone = self.router.send(message, None);
    }

    fn hear(&mut self) -> Vec<u8> {
        let (mut upload, mut is_whole) = (Vec::new(), false);
        while !is_whole {
            let Ok(ToBuilder::Begin { body: part, .. } | ToBuilder::Chunk(part)) = self.router.receive(None) else {
                break;
            };
            upload.extend(part.bytes);
            is_whole = part.last;
        }
        upload
    }

    fn build(&mut self, archive: &[u8]) {
        for entry in tar::Archive::new(archive).entries().unwrap() {
            let (mut entry, mut content) = (entry.unwrap(), Vec::new());
            entry.read_to_end(&mut content).unwrap();
            let path = entry.path().unwrap().to_str().unwrap().to_owned();
            self.give_bytes(&path, Encoding::Identity, &content);
        }
        self.end();
    }

    fn give_bytes(&mut self, path: &str, encoding: Encoding, content: &[u8]) {
        let (body, rest) = parts(content);
        self.say(&FromBuilder::File(File { path: path.to_owned(), encoding, body }));
        rest.for_each(|part| self.say(&FromBuilder::Chunk(part)));
    }

    /// So many bytes, which are nobody else's.
    fn give(&mut self, path: &str, encoding: Encoding, bytes: usize) {
        let byte = path.len().wrapping_add(encoding.word().len()) as u8;
        self.give_bytes(path, encoding, &vec![byte; bytes]);
    }

    fn end(&mut self) {
        self.say(&FromBuilder::Built(Box::new(Built { manifest: Manifest::default(), warnings: Vec::new() })));
    }

    fn tell(&mut self, lie: &str) {
        use Encoding::{Brotli, Gzip, Identity};
        match lie {
            "ready twice" => self.say(&FromBuilder::Ready(self.ready)),
            "a part of nothing" => self.say(&FromBuilder::Chunk(part(1, true))),
            "no file" => {}
            "silence" => wait(600),
            _ => self.give("a.txt", Identity, 100),
        }
        match lie {
            "an encoding as large" => self.give("a.txt", Gzip, 100),
            "an encoding that is larger" => self.give("a.txt", Brotli, 10 << 20),
            "an encoding of nothing" => self.give("b.txt", Gzip, 10),
            "an encoding twice" => [40, 50].into_iter().for_each(|bytes| self.give("a.txt", Gzip, bytes)),
            "a file twice" => self.give("a.txt", Identity, 100),
            "too long a path" => self.give(&"a".repeat(FILE_PATH_BYTES + 1), Identity, 1),
            "too many files" => (0..APP_FILES).for_each(|at| self.give(&format!("{at}.txt"), Identity, 1)),
            "too large a source" => self.give("api/large.js", Identity, 2 << 20),
            "too many bytes" => ["b", "bb"].into_iter().for_each(|path| self.give(path, Identity, HALF_BYTES)),
            "a file without an end" | "built within a file" => {
                let body = part(CHUNK_BYTES, false);
                self.say(&FromBuilder::File(File { path: "b".to_owned(), encoding: Identity, body }));
            }
            _ => {}
        }
        match lie {
            "a file without an end" => (0..500).for_each(|_| self.say(&FromBuilder::Chunk(part(CHUNK_BYTES, false)))),
            "garbage" => {
                let _gone = rustix::io::write(self.router.socket(), &[&[64, 0, 0, 0], [0xee; 64].as_slice()].concat());
            }
            "the end" => return,
            path if lie.starts_with("path ") => self.give(path.trim_start_matches("path "), Identity, 1),
            _ => {}
        }
        self.end();
    }
}

fn part(bytes: usize, last: bool) -> Part {
    Part { bytes: vec![b'x'; bytes], last }
}
