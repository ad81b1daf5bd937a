//! The builder driven over a socket pair, with a thread at the other end that checks it as the router does.

mod hostile;
mod refused;
mod whole;

use std::{collections::BTreeMap, io::Write, os::unix::net::UnixStream, thread};

use fazt_protocol::{
    body::{Assembly, parts},
    builder::{Built, Encoding, FromBuilder, Phase, ToBuilder},
    limit::{APP_BYTES, FILE_PATH_BYTES},
    pipe::{Pipe, PipeError},
    version::PROTOCOL,
};
use tar::{EntryType, Header};

use super::{BuildError, Outcome, build};

type FarEnd = Pipe<FromBuilder, ToBuilder>;
type Contents = BTreeMap<String, BTreeMap<Encoding, Vec<u8>>>;

/// What the router heard.
#[derive(Debug)]
struct Heard {
    contents: Contents,
    end: Result<Built, (String, String)>,
}

/// Gives an archive to a builder, and hears it to its end.
fn drive(archive: &[u8]) -> Heard {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut reader = FarEnd::new(ours.try_clone().unwrap().into());
    let writer = FarEnd::new(ours.into());
    thread::scope(|scope| {
        let builder = scope.spawn(move || build(&mut Pipe::new(theirs.into()), 5));
        // A builder that has refused reads no more, as the router knows.
        scope.spawn(move || drop(send(writer, archive)));
        let heard = hear(&mut reader);
        let expected = if heard.end.is_ok() { Outcome::Built } else { Outcome::Refused };
        assert_eq!(builder.join().unwrap().unwrap(), expected);
        // The socket's end is a reset where the builder has left some of the archive unread.
        let end = reader.receive(None);
        assert!(matches!(end, Err(PipeError::Closed(_) | PipeError::Socket { .. })), "{end:?}");
        heard
    })
}

fn send(mut writer: FarEnd, archive: &[u8]) -> Result<(), PipeError> {
    let (body, mut rest) = parts(archive);
    writer.send(&ToBuilder::Begin { protocol: PROTOCOL, body }, None)?;
    rest.try_for_each(|part| writer.send(&ToBuilder::Chunk(part), None))
}

fn hear(reader: &mut FarEnd) -> Heard {
    let (mut phase, mut contents) = (Phase::Born, Contents::new());
    loop {
        let said = reader.receive(None).unwrap();
        phase = phase.hear(&said).unwrap();
        match said {
            FromBuilder::Ready(ready) => assert_eq!((ready.protocol, ready.layers), (PROTOCOL, 5)),
            FromBuilder::File(file) => {
                assert!(file.path.split('/').all(|segment| !matches!(segment, "" | "." | "..")), "{}", file.path);
                assert!(!file.path.contains(['\\', '\0', '\n']) && file.path.len() <= FILE_PATH_BYTES);
                let is_new = !contents.contains_key(&file.path);
                assert_eq!(is_new, file.encoding == Encoding::Identity, "{}", file.path);
                let mut assembly = Assembly::begin(file.body, APP_BYTES).unwrap();
                while !assembly.is_whole() {
                    let FromBuilder::Chunk(part) = reader.receive(None).unwrap() else { panic!("no part") };
                    phase = phase.hear(&FromBuilder::Chunk(part.clone())).unwrap();
                    assembly.push(part).unwrap();
                }
                let encodings = contents.entry(file.path).or_default();
                assert!(encodings.insert(file.encoding, assembly.into_bytes()).is_none(), "an encoding twice");
            }
            FromBuilder::Chunk(_) => panic!("a part of no file"),
            FromBuilder::Built(built) => return Heard { contents, end: Ok(*built) },
            FromBuilder::Refused { file, rule } => return Heard { contents, end: Err((file, rule)) },
        }
    }
}

fn refusal(archive: &[u8]) -> (String, String) {
    drive(archive).end.unwrap_err()
}

/// A tar, block by block, so that it can be wrong in every way.
#[derive(Debug, Default, Clone)]
struct Tar(Vec<u8>);

impl Tar {
    fn file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        self.entry(EntryType::Regular, name.as_bytes(), content.as_ref())
    }

    fn folder(self, name: &str) -> Self {
        self.entry(EntryType::Directory, name.as_bytes(), b"")
    }

    fn entry(self, kind: EntryType, name: &[u8], content: &[u8]) -> Self {
        self.entry_that_claims(kind, name, content, content.len() as u64)
    }

    /// The name is written as it is, which the crate's own builder would not do.
    fn entry_that_claims(mut self, kind: EntryType, name: &[u8], content: &[u8], size: u64) -> Self {
        let mut header = Header::new_ustar();
        header.as_old_mut().name[..name.len()].copy_from_slice(name);
        header.set_entry_type(kind);
        header.set_size(size);
        header.set_mode(0o644);
        header.set_cksum();
        self.0.extend_from_slice(header.as_bytes());
        self.0.extend_from_slice(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    /// One pax record ahead of the next entry.
    fn pax(self, key: &str, value: &[u8]) -> Self {
        self.entry(EntryType::XHeader, b"PaxHeaders/x", &record(key, value))
    }

    fn end(mut self) -> Vec<u8> {
        self.0.resize(self.0.len() + 1024, 0);
        self.0
    }
}

fn record(key: &str, value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length += 1;
    }
    [format!("{length} {key}=").as_bytes(), value, b"\n"].concat()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}
