//! Files compressed once, at deploy, in every encoding that browsers take.
//!
//! How hard is decided by sizes alone, so that the same app always gives the same bytes; only a build that is slow beyond
//! reason leaves encodings out, and the files are then served as they are. No threads: the jail knows none.

use std::{
    io::{self, Write},
    time::{Duration, Instant},
};

use brotli::{CompressorWriter, enc::BrotliEncoderParams};
use fazt_protocol::builder::Encoding;
use flate2::{Compression, GzBuilder};

use super::source::{extension, is_served};

/// Smaller files fit into one packet either way.
const LEAST_BYTES: usize = 256;
/// Files up to this size are compressed with care …
const SMALL_BYTES: usize = 1024 * 1024;
/// … until an app has had this much compressed; …
const CAREFUL_BYTES: usize = 16 * 1024 * 1024;
/// … and what comes after this much is done in haste.
const QUICK_BYTES: usize = 32 * 1024 * 1024;
/// When a build leaves off compressing: well before the router gives it up.
const PATIENCE: Duration = Duration::from_secs(20);
/// What a compressor is fed at a time.
const PIECE_BYTES: usize = 64 * 1024;
const ENCODINGS: [Encoding; 3] = [Encoding::Gzip, Encoding::Brotli, Encoding::Zstd];
/// Text, and the few binary formats that are not compressed in themselves.
const COMPRESSIBLE: [&str; 36] = [
    "html",
    "htm",
    "xhtml",
    "css",
    "js",
    "mjs",
    "cjs",
    "jsx",
    "ts",
    "tsx",
    "map",
    "json",
    "geojson",
    "jsonld",
    "webmanifest",
    "svg",
    "xml",
    "rss",
    "atom",
    "txt",
    "text",
    "md",
    "csv",
    "tsv",
    "yaml",
    "yml",
    "toml",
    "ics",
    "vtt",
    "wasm",
    "ttf",
    "otf",
    "eot",
    "glb",
    "gltf",
    "bmp",
];

/// How hard to try, as each format counts it.
#[derive(Debug, Clone, Copy)]
struct Effort {
    gzip: u32,
    brotli: i32,
    zstd: i32,
}

// Measured on source code in files of 4 KB to 16 MiB. Brotli at 9 takes 6 ms for the smallest file, ten times as long as
// at 7, and saves 1 % more; gzip beyond 6 and zstd beyond 9 save less than that. The three together do about 5 MB/s …
const CAREFUL: Effort = Effort { gzip: 6, brotli: 7, zstd: 9 };
/// … 8 MB/s …
const QUICK: Effort = Effort { gzip: 6, brotli: 5, zstd: 3 };
/// … and 12 MB/s, so that the largest app takes about ten seconds.
const HASTY: Effort = Effort { gzip: 4, brotli: 4, zstd: 3 };

/// Compresses the files of one app.
#[derive(Debug)]
pub(super) struct Compressor {
    until: Instant,
    /// What has been compressed so far, as it was before.
    compressed_bytes: usize,
}

impl Compressor {
    pub(super) fn new(now: Instant) -> Self {
        Self { until: now.checked_add(PATIENCE).unwrap_or(now), compressed_bytes: 0 }
    }

    /// The file in each encoding that is worth it, one after the other, so that only one is in memory at a time.
    pub(super) fn encodings<'c>(
        &mut self,
        path: &str,
        content: &'c [u8],
    ) -> impl Iterator<Item = (Encoding, Vec<u8>)> + use<'c> {
        let wanted = if is_worth_trying(path, content) { &ENCODINGS[..] } else { &[] };
        let (effort, until) = (self.effort(content.len()), self.until);
        if !wanted.is_empty() {
            self.compressed_bytes = self.compressed_bytes.saturating_add(content.len());
        }
        wanted.iter().filter_map(move |&encoding| Some((encoding, compress(content, encoding, effort, until)?)))
    }

    fn effort(&self, bytes: usize) -> Effort {
        match self.compressed_bytes.saturating_add(bytes) {
            sum if sum <= CAREFUL_BYTES && bytes <= SMALL_BYTES => CAREFUL,
            sum if sum <= QUICK_BYTES => QUICK,
            _ => HASTY,
        }
    }
}

fn is_worth_trying(path: &str, content: &[u8]) -> bool {
    let extension = extension(path).to_ascii_lowercase();
    content.len() >= LEAST_BYTES && is_served(path) && COMPRESSIBLE.contains(&extension.as_str())
}

/// What a compressor writes to: keeps at most so much and forgets all beyond, which ends the attempt.
#[derive(Debug)]
struct Bounded {
    bytes: Vec<u8>,
    most: usize,
}

impl Bounded {
    fn is_full(&self) -> bool {
        self.bytes.len() > self.most
    }
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.is_full() {
            self.bytes.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One encoding; nothing where it does not save a tenth, or there is no time left.
fn compress(content: &[u8], encoding: Encoding, effort: Effort, until: Instant) -> Option<Vec<u8>> {
    let most = content.len().saturating_sub(content.len().div_ceil(10));
    let out = Bounded { bytes: Vec::new(), most };
    let written = match encoding {
        Encoding::Identity => return None,
        Encoding::Gzip => {
            // Without time and name, so that the same content gives the same bytes.
            let mut writer = GzBuilder::new().write(out, Compression::new(effort.gzip));
            feed(content, &mut writer, |writer| writer.get_ref().is_full(), until)?;
            writer.finish().ok()?
        }
        Encoding::Brotli => {
            let mut writer = CompressorWriter::with_params(out, PIECE_BYTES, &brotli_params(content.len(), effort));
            feed(content, &mut writer, |writer| writer.get_ref().is_full(), until)?;
            writer.into_inner()
        }
        Encoding::Zstd => {
            let mut writer = zstd::Encoder::new(out, effort.zstd).ok()?;
            writer.set_pledged_src_size(Some(content.len() as u64)).ok()?;
            feed(content, &mut writer, |writer| writer.get_ref().is_full(), until)?;
            writer.finish().ok()?
        }
    };
    if written.is_full() { None } else { Some(written.bytes) }
}

fn brotli_params(bytes: usize, effort: Effort) -> BrotliEncoderParams {
    BrotliEncoderParams { quality: effort.brotli, lgwin: 22, size_hint: bytes, ..BrotliEncoderParams::default() }
}

fn feed<W: Write>(content: &[u8], writer: &mut W, is_full: impl Fn(&W) -> bool, until: Instant) -> Option<()> {
    for piece in content.chunks(PIECE_BYTES) {
        if is_full(writer) || Instant::now() > until {
            return None;
        }
        writer.write_all(piece).ok()?;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(3600)
    }

    fn made(path: &str, content: &[u8]) -> Vec<Encoding> {
        Compressor::new(Instant::now()).encodings(path, content).map(|(encoding, _)| encoding).collect()
    }

    #[test]
    fn only_what_is_served_and_shrinks_is_compressed() {
        let text = b"all work and no play ".repeat(100);
        assert_eq!(made("index.html", &text), ENCODINGS);
        assert_eq!(made("a/b.MIN.CSS", &text), ENCODINGS);
        for path in ["photo.jpg", "font.woff2", "api/main.js", "private/a.txt", "manifest.json", "README"] {
            assert_eq!(made(path, &text), [], "{path}");
        }
        assert_eq!(made("a.txt", &text[..LEAST_BYTES - 1]), []);
        // Half of its bytes say something, in an order that repeats nothing.
        let hex: String = (0..2_000u32).map(|number| format!("{:08x}", number.wrapping_mul(2_654_435_761))).collect();
        assert_eq!(made("a.txt", hex.as_bytes()).len(), 3);
        let random: Vec<u8> = (0..8_000u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 16) as u8).collect();
        let kept = compress(&random, Encoding::Gzip, QUICK, soon());
        assert!(kept.is_none_or(|bytes| bytes.len() * 10 <= random.len() * 9));
    }

    #[test]
    fn large_apps_are_compressed_in_haste_and_slow_builds_not_at_all() {
        let mut compressor = Compressor::new(Instant::now());
        assert_eq!(compressor.effort(SMALL_BYTES).brotli, CAREFUL.brotli);
        assert_eq!(compressor.effort(SMALL_BYTES + 1).brotli, QUICK.brotli);
        compressor.compressed_bytes = CAREFUL_BYTES;
        assert_eq!(compressor.effort(1).brotli, QUICK.brotli);
        compressor.compressed_bytes = QUICK_BYTES;
        assert_eq!(compressor.effort(1).brotli, HASTY.brotli);
        let text = b"all work and no play ".repeat(100);
        let past = Instant::now();
        for encoding in ENCODINGS {
            assert_eq!(compress(&text, encoding, QUICK, past), None);
            assert!(compress(&text, encoding, QUICK, soon()).is_some());
        }
    }

    #[test]
    fn the_same_content_gives_the_same_bytes() {
        let text = b"all work and no play ".repeat(100);
        for encoding in ENCODINGS {
            assert_eq!(compress(&text, encoding, CAREFUL, soon()), compress(&text, encoding, CAREFUL, soon()));
        }
    }
}
