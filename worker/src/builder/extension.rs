//! What a tar says about an entry ahead of it: a GNU long name, or a set of pax records.
//!
//! A pax record is `LENGTH KEY=VALUE\n`, its length in decimal and of the whole record. Values may hold any byte, line
//! ends too (extended attributes do), so records are cut by their lengths alone.

use super::refusal::{Refusal, Rule};

/// What matters of it; all else (times, owners, attributes) is nothing to an app.
#[derive(Debug, Default)]
pub(super) struct Extension {
    pub(super) name: Option<Vec<u8>>,
    /// In bytes, where it is given beside the header's.
    pub(super) size: Option<u64>,
    pub(super) is_sparse: bool,
    /// Something was said, even if it does not matter.
    is_given: bool,
}

impl Extension {
    /// Whether no entry is due.
    pub(super) fn is_empty(&self) -> bool {
        !self.is_given
    }

    /// A GNU long name: bytes up to the first zero.
    pub(super) fn set_long_name(&mut self, content: &[u8]) -> Result<(), Refusal> {
        let name = content.split(|&byte| byte == 0).next().unwrap_or_default();
        self.is_given = true;
        self.set_name(name)
    }

    /// The pax records of the next entry.
    pub(super) fn read_own(&mut self, content: &[u8]) -> Result<(), Refusal> {
        self.is_given = true;
        for record in Records(content) {
            match record? {
                (b"path", name) => self.set_name(name)?,
                (b"size", digits) => self.size = Some(decimal(digits).ok_or_else(damaged)?),
                (key, _) if key.starts_with(b"GNU.sparse.") => self.is_sparse = true,
                _ => {}
            }
        }
        Ok(())
    }

    /// The pax records of all entries that follow. git writes one with a comment; one that would rename or resize every
    /// entry has no honest use.
    pub(super) fn check_global(content: &[u8]) -> Result<(), Refusal> {
        for record in Records(content) {
            if let (b"path" | b"linkpath" | b"size", _) = record? {
                return Err(Rule::Damaged("a name or a size is given for all entries".to_owned()).by_archive());
            }
        }
        Ok(())
    }

    fn set_name(&mut self, name: &[u8]) -> Result<(), Refusal> {
        if self.name.is_some() {
            return Err(Rule::TwoNames.by(super::name::show(name)));
        }
        self.name = Some(name.to_vec());
        Ok(())
    }
}

/// The records that are left.
struct Records<'a>(&'a [u8]);

impl<'a> Iterator for Records<'a> {
    type Item = Result<(&'a [u8], &'a [u8]), Refusal>;

    fn next(&mut self) -> Option<Self::Item> {
        // Some writers fill up with zeros.
        if self.0.iter().all(|&byte| byte == 0) {
            return None;
        }
        let record = self.cut();
        if record.is_none() {
            self.0 = &[];
        }
        Some(record.ok_or_else(damaged))
    }
}

impl<'a> Records<'a> {
    fn cut(&mut self) -> Option<(&'a [u8], &'a [u8])> {
        let space = self.0.iter().position(|&byte| byte == b' ')?;
        let length = usize::try_from(decimal(self.0.get(..space)?)?).ok()?;
        let (record, rest) = self.0.split_at_checked(length)?;
        let said = record.strip_suffix(b"\n")?.get(space.checked_add(1)?..)?;
        let equals = said.iter().position(|&byte| byte == b'=')?;
        self.0 = rest;
        Some((said.get(..equals)?, said.get(equals.checked_add(1)?..)?))
    }
}

fn decimal(digits: &[u8]) -> Option<u64> {
    // parse would take a sign too.
    let digits = std::str::from_utf8(digits).ok().filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    digits.parse().ok()
}

fn damaged() -> Refusal {
    Rule::Damaged("a pax record does not read".to_owned()).by_archive()
}
