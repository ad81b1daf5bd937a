//! The entries of a tar, one after the other: headers, long names and the content behind each.
//!
//! The fields of a header are read by the `tar` crate. Its iterator is not used: it keeps a long name whole in memory
//! however long it claims to be, and takes an archive that was cut off between two entries for a whole one. Where
//! readers of tars are known to disagree (a size given twice, a folder with content), the archive is refused.

use tar::{EntryType, Header};

use super::{
    archive::Archive,
    extension::Extension,
    limit::{ENTRIES, EXTENSION_BYTES},
    name,
    refusal::{Refusal, Rule, Stop},
};

const BLOCK_BYTES: u64 = 512;

/// One file, folder or whatever else there is in a tar.
#[derive(Debug)]
pub(super) struct Entry {
    /// As it stands in the archive.
    pub(super) name: Vec<u8>,
    pub(super) kind: Kind,
    /// The size of its content in bytes.
    pub(super) size: u64,
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Folder,
    /// Anything else, in words.
    Other(&'static str),
}

/// The archive, entry by entry.
pub(super) struct Entries<'a> {
    archive: Archive<'a>,
    /// Content of the last entry that nobody has read, and what fills up its last block.
    unread: u64,
    headers: usize,
    /// The last entry's name, to say where the archive is damaged.
    last: String,
}

impl<'a> Entries<'a> {
    pub(super) fn new(archive: Archive<'a>) -> Self {
        Self { archive, unread: 0, headers: 0, last: String::new() }
    }

    /// The next entry; at the archive's end, nothing.
    pub(super) fn next(&mut self) -> Result<Option<Entry>, Stop> {
        let mut extension = Extension::default();
        loop {
            let Some(header) = self.header()? else {
                return if extension.is_empty() { Ok(None) } else { Err(Rule::CutOff.by_archive().into()) };
            };
            let size = header.entry_size().map_err(|_| self.damaged())?;
            match header.entry_type() {
                EntryType::GNULongName => extension.set_long_name(&self.extension_content(size)?)?,
                // Where a link leads does not matter, since links are refused.
                EntryType::GNULongLink => drop(self.extension_content(size)?),
                EntryType::XHeader => extension.read_own(&self.extension_content(size)?)?,
                EntryType::XGlobalHeader => Extension::check_global(&self.extension_content(size)?)?,
                kind => return self.entry(&header, kind, size, extension).map(Some),
            }
        }
    }

    /// The content of the entry that [`Self::next`] has just given.
    pub(super) fn content(&mut self, entry: &Entry) -> Result<Vec<u8>, Stop> {
        let content = self.archive.read(entry.size).map_err(|stop| stop.within(&self.last))?;
        self.unread = self.unread.saturating_sub(entry.size);
        Ok(content)
    }

    /// Checks what follows the last entry.
    pub(super) fn finish(self) -> Result<(), Stop> {
        self.archive.finish()
    }

    fn entry(&mut self, header: &Header, kind: EntryType, size: u64, extension: Extension) -> Result<Entry, Stop> {
        let stated = extension.size;
        let name = extension.name.unwrap_or_else(|| header.path_bytes().into_owned());
        let kind = Kind::of(kind, &name);
        self.last = name::show(&name);
        if stated.is_some_and(|stated| stated != size) {
            return Err(Rule::TwoSizes.by(&self.last).into());
        }
        if extension.is_sparse {
            return Err(Rule::Kind("a sparse file").by(&self.last).into());
        }
        if size > 0 && kind != Kind::File {
            return Err(Rule::Content.by(&self.last).into());
        }
        self.unread = in_blocks(size);
        Ok(Entry { name, kind, size })
    }

    /// The next block that is a header, or nothing where the blocks of zeros begin.
    fn header(&mut self) -> Result<Option<Header>, Stop> {
        self.archive.skip(self.unread)?;
        self.unread = 0;
        let mut header = Header::new_old();
        let filled = self.archive.fill(header.as_mut_bytes())?;
        if filled < header.as_bytes().len() {
            let rule = match (self.headers, filled) {
                (0, 0) => Rule::Empty,
                (0, _) => Rule::NotTar,
                _ => Rule::CutOff,
            };
            return Err(rule.by_archive().into());
        }
        if header.as_bytes().iter().all(|&byte| byte == 0) {
            return Ok(None);
        }
        if !is_intact(&header) {
            return Err(self.damaged().into());
        }
        self.headers = self.headers.saturating_add(1);
        if self.headers > ENTRIES { Err(Rule::Entries.by_archive().into()) } else { Ok(Some(header)) }
    }

    fn damaged(&self) -> Refusal {
        if self.headers == 0 { Rule::NotTar.by_archive() } else { Rule::HeaderAfter.by(&self.last) }
    }

    fn extension_content(&mut self, size: u64) -> Result<Vec<u8>, Stop> {
        if size > EXTENSION_BYTES {
            return Err(Rule::ExtensionBytes.by_archive().into());
        }
        let content = self.archive.read(size)?;
        self.unread = in_blocks(size).saturating_sub(size);
        Ok(content)
    }
}

impl Kind {
    fn of(kind: EntryType, name: &[u8]) -> Self {
        match kind {
            // The oldest tars have no kind for folders, only a name that ends so.
            EntryType::Regular if name.ends_with(b"/") => Self::Folder,
            EntryType::Regular | EntryType::Continuous => Self::File,
            EntryType::Directory => Self::Folder,
            EntryType::Link => Self::Other("a hard link"),
            EntryType::Symlink => Self::Other("a symbolic link"),
            EntryType::Char | EntryType::Block => Self::Other("a device"),
            EntryType::Fifo => Self::Other("a fifo"),
            EntryType::GNUSparse => Self::Other("a sparse file"),
            _ => Self::Other("of a kind that is not known here"),
        }
    }
}

/// A size filled up to whole blocks.
fn in_blocks(size: u64) -> u64 {
    size.div_ceil(BLOCK_BYTES).saturating_mul(BLOCK_BYTES)
}

/// Whether the checksum holds: the sum of all bytes, with spaces in place of the checksum itself.
fn is_intact(header: &Header) -> bool {
    let bytes: u32 = header.as_bytes().iter().map(|&byte| u32::from(byte)).sum();
    let own: u32 = header.as_old().cksum.iter().map(|&byte| u32::from(byte)).sum();
    let spaces = u32::from(b' ') * 8;
    header.cksum().is_ok_and(|stated| stated == bytes.saturating_sub(own).saturating_add(spaces))
}
