//! The archive as plain bytes: what it is compressed with is told by its first bytes, and what comes out is counted.
//!
//! Nothing is kept but the decompressors' windows. Bytes that are no archive, end too early or unpack to too much are a
//! [`Stop`].

use std::io::{self, Read};

use flate2::bufread::MultiGzDecoder;
use zstd::stream::read::Decoder as ZstdDecoder;

use super::{
    limit::{UNPACKED_BYTES, ZSTD_WINDOW_LOG},
    refusal::{Refusal, Rule, Stop},
    talk::Upload,
};

/// What is read and thrown away at a time.
const SKIP_BYTES: usize = 16 * 1024;
/// What fills up an archive behind its end.
const ZEROS: [u8; SKIP_BYTES] = [0; SKIP_BYTES];
/// Formats that people send in place of a tar, by their first bytes.
const FOREIGN: [(&[u8], &str); 6] = [
    (b"PK\x03\x04", "a zip file"),
    (b"PK\x05\x06", "a zip file"),
    (b"BZh", "compressed with bzip2"),
    (b"\xfd7zXZ", "compressed with xz"),
    (b"7z\xbc\xaf", "a 7z file"),
    (b"Rar!", "a rar file"),
];
/// The longest of these first bytes.
const MAGIC_BYTES: usize = 5;

/// The unpacked archive.
pub(super) struct Archive<'a> {
    bytes: Box<dyn Read + 'a>,
    /// What it may still unpack to.
    left: u64,
}

impl<'a> Archive<'a> {
    pub(super) fn open(mut upload: Upload<'a>) -> Result<Self, Stop> {
        let magic = upload.peek(MAGIC_BYTES)?;
        if magic.is_empty() {
            return Err(Rule::Empty.by_archive().into());
        }
        if let Some((_, what)) = FOREIGN.iter().find(|(first, _)| magic.starts_with(first)) {
            return Err(Rule::Foreign(what).by_archive().into());
        }
        let bytes: Box<dyn Read + 'a> = if magic.starts_with(b"\x1f\x8b") {
            Box::new(MultiGzDecoder::new(upload))
        } else if magic.starts_with(b"\x28\xb5\x2f\xfd") {
            Box::new(unpack_zstd(upload)?)
        } else {
            Box::new(upload)
        };
        Ok(Self { bytes, left: UNPACKED_BYTES })
    }

    /// Reads as much as there is, up to the whole buffer.
    pub(super) fn fill(&mut self, into: &mut [u8]) -> Result<usize, Stop> {
        self.spend(into.len() as u64)?;
        let mut filled = 0;
        while let Some(rest) = into.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.bytes.read(rest) {
                Ok(0) => break,
                Ok(count) => filled = filled.saturating_add(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(filled)
    }

    /// Reads that many bytes. The caller has checked that they are not too many.
    pub(super) fn read(&mut self, size: u64) -> Result<Vec<u8>, Stop> {
        self.spend(size)?;
        let room = usize::try_from(size).unwrap_or(usize::MAX);
        let mut content = Vec::new();
        // Exactly, since growing would take twice as much. The kernel gives pages only for what arrives.
        let reserved = content.try_reserve_exact(room);
        reserved.map_err(|_| Rule::Damaged("there is no memory for it".to_owned()).by_archive())?;
        self.bytes.by_ref().take(size).read_to_end(&mut content)?;
        if content.len() < room { Err(Rule::CutOff.by_archive().into()) } else { Ok(content) }
    }

    /// Reads past that many bytes.
    pub(super) fn skip(&mut self, size: u64) -> Result<(), Stop> {
        if size > self.left {
            return Err(Rule::UnpackedBytes.by_archive().into());
        }
        let (mut buffer, mut left) = ([0; SKIP_BYTES], size);
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(SKIP_BYTES).min(SKIP_BYTES);
            let filled = self.fill(buffer.get_mut(..most).unwrap_or_default())?;
            if filled < most {
                return Err(Rule::CutOff.by_archive().into());
            }
            left = left.saturating_sub(most as u64);
        }
        Ok(())
    }

    /// Reads what follows the last entry: zeros, and then the checksum of what was compressed.
    pub(super) fn finish(mut self) -> Result<(), Stop> {
        let mut buffer = [0; SKIP_BYTES];
        loop {
            let filled = self.fill(&mut buffer)?;
            let read = buffer.get(..filled).unwrap_or_default();
            if !ZEROS.starts_with(read) {
                return Err(Rule::AfterEnd.by_archive().into());
            }
            if filled < SKIP_BYTES {
                return Ok(());
            }
        }
    }

    fn spend(&mut self, size: u64) -> Result<(), Refusal> {
        self.left = self.left.checked_sub(size).ok_or_else(|| Rule::UnpackedBytes.by_archive())?;
        Ok(())
    }
}

fn unpack_zstd(upload: Upload<'_>) -> io::Result<ZstdDecoder<'_, Upload<'_>>> {
    let mut decoder = ZstdDecoder::with_buffer(upload)?;
    decoder.window_log_max(ZSTD_WINDOW_LOG)?;
    Ok(decoder)
}
