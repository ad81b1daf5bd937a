//! The builder's end of the conversation: the archive as a stream of bytes, and files given out meanwhile.
//!
//! Both directions share one pipe, and files are given while the archive is still read, so the pipe is borrowed for each
//! message. There are no deadlines here: the socket blocks, a spare builder may wait for its archive for as long as it
//! lives, and the router ends a build that takes too long.

use std::{
    cell::RefCell,
    io::{self, BufRead, Read},
};

use fazt_protocol::{
    body::{Part, parts},
    builder::{Encoding, File, FromBuilder, ToBuilder},
    limit::ARCHIVE_BYTES,
    pipe::Pipe,
    version,
};

use super::refusal::BuildError;

/// The conversation.
#[derive(Debug)]
pub(super) struct Talk<'a> {
    pipe: RefCell<&'a mut Pipe<ToBuilder, FromBuilder>>,
}

/// The archive as it arrives. Its errors are [`BuildError`]s within an [`io::Error`], and `QuotaExceeded` for an
/// archive that is too large.
#[derive(Debug)]
pub(super) struct Upload<'a> {
    talk: &'a Talk<'a>,
    part: Vec<u8>,
    /// What has been read of the part.
    at: usize,
    last: bool,
    /// What the archive may still have.
    left: usize,
}

impl<'a> Talk<'a> {
    pub(super) fn new(pipe: &'a mut Pipe<ToBuilder, FromBuilder>) -> Self {
        Self { pipe: RefCell::new(pipe) }
    }

    pub(super) fn say(&self, message: &FromBuilder) -> Result<(), BuildError> {
        Ok(self.pipe.borrow_mut().send(message, None)?)
    }

    /// Gives one content of a file.
    pub(super) fn give(&self, path: &str, encoding: Encoding, content: &[u8]) -> Result<(), BuildError> {
        let (body, rest) = parts(content);
        self.say(&FromBuilder::File(File { path: path.to_owned(), encoding, body }))?;
        for part in rest {
            self.say(&FromBuilder::Chunk(part))?;
        }
        Ok(())
    }

    /// Waits for the archive's first bytes.
    pub(super) fn begin(&'a self) -> io::Result<Upload<'a>> {
        let ToBuilder::Begin { protocol, body } = self.hear()? else {
            return Err(BuildError::Breach("a part of no archive").into());
        };
        version::check(protocol).map_err(BuildError::from)?;
        let mut upload = Upload { talk: self, part: Vec::new(), at: 0, last: false, left: ARCHIVE_BYTES };
        upload.accept(body)?;
        Ok(upload)
    }

    fn hear(&self) -> Result<ToBuilder, BuildError> {
        Ok(self.pipe.borrow_mut().receive(None)?)
    }
}

impl Upload<'_> {
    /// At least that many bytes, or all that there are, without taking them.
    pub(super) fn peek(&mut self, count: usize) -> io::Result<&[u8]> {
        while self.part.len().saturating_sub(self.at) < count && !self.last {
            let mut first = self.part.split_off(self.at);
            self.next_part()?;
            first.append(&mut self.part);
            self.part = first;
        }
        Ok(self.rest())
    }

    fn rest(&self) -> &[u8] {
        self.part.get(self.at..).unwrap_or_default()
    }

    fn next_part(&mut self) -> io::Result<()> {
        match self.talk.hear()? {
            ToBuilder::Chunk(part) => self.accept(part),
            ToBuilder::Begin { .. } => Err(BuildError::Breach("a second archive").into()),
        }
    }

    fn accept(&mut self, part: Part) -> io::Result<()> {
        if part.bytes.is_empty() && !part.last {
            return Err(BuildError::Breach("an empty part that is not the last").into());
        }
        self.left = self.left.checked_sub(part.bytes.len()).ok_or(io::ErrorKind::QuotaExceeded)?;
        (self.part, self.at, self.last) = (part.bytes, 0, part.last);
        Ok(())
    }
}

impl Read for Upload<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut from = self.fill_buf()?;
        let count = from.read(into)?;
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Upload<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.rest().is_empty() && !self.last {
            self.next_part()?;
        }
        Ok(self.rest())
    }

    fn consume(&mut self, count: usize) {
        self.at = self.at.saturating_add(count);
    }
}
