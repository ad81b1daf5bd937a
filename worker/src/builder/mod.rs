//! The builder: reads the archive of a deploy within the jail, checks it whole, and gives its files out one by one.
//!
//! An archive is refused by the first rule that it breaks, with the entry's name; what an app does not need is left out
//! with a warning. It is read as a stream, so what is in memory at once is one file and one encoding of it. Nothing here
//! is believed by the router, which checks paths, counts and sizes again.
//!
//! [`run`] is the life of a jailed child, [`build`] the same over any pipe. Refusing is success; only a broken
//! conversation is an error.

mod archive;
mod compress;
mod entries;
mod extension;
mod limit;
mod manifest;
mod name;
mod refusal;
mod source;
mod talk;
#[cfg(test)]
mod tests;
mod tree;
mod warnings;

use std::time::Instant;

use fazt_protocol::{
    builder::{Built, Encoding, FromBuilder, Manifest, ToBuilder},
    call::Ready,
    pipe::Pipe,
    version::PROTOCOL,
};

pub use self::refusal::BuildError;
use self::{
    archive::Archive,
    compress::Compressor,
    entries::{Entries, Entry, Kind},
    name::Name,
    refusal::{Refusal, Rule, Stop},
    talk::Talk,
    tree::Tree,
    warnings::Warnings,
};
use crate::zygote::Birth;

/// How a build ended that the router has heard the end of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The files were given, and what the manifest says.
    Built,
    /// The archive breaks a rule.
    Refused,
}

/// The life of a builder: one archive. Returns the exit status: 0 where the router has heard the end of it, else 1.
#[must_use]
pub fn run(birth: Birth) -> i32 {
    let Birth { jailed, call, .. } = birth;
    let mut pipe = Pipe::new(call);
    // A child has no standard error, and whoever should hear of the error is the one who is gone.
    build(&mut pipe, jailed.layers().bits()).map_or(1, |_outcome| 0)
}

/// Says that it is ready, with the `layers` of its jail; then reads one archive and gives its files, or refuses it.
///
/// # Errors
/// [`BuildError`] where the router is gone or breaks the conversation; there is nobody left to tell.
pub fn build(pipe: &mut Pipe<ToBuilder, FromBuilder>, layers: u32) -> Result<Outcome, BuildError> {
    let talk = Talk::new(pipe);
    talk.say(&FromBuilder::Ready(Ready { protocol: PROTOCOL, layers }))?;
    match App::read(&talk) {
        Ok(built) => talk.say(&FromBuilder::Built(Box::new(built))).map(|()| Outcome::Built),
        Err(Stop::Refused(Refusal { file, rule })) => {
            talk.say(&FromBuilder::Refused { file, rule: rule.to_string() }).map(|()| Outcome::Refused)
        }
        Err(Stop::Lost(error)) => Err(error),
    }
}

/// The app as far as it has been read.
struct App<'a> {
    talk: &'a Talk<'a>,
    tree: Tree,
    warnings: Warnings,
    manifest: Manifest,
    compressor: Compressor,
}

impl<'a> App<'a> {
    fn read(talk: &'a Talk<'a>) -> Result<Built, Stop> {
        let mut entries = Entries::new(Archive::open(talk.begin()?)?);
        let mut app = Self {
            talk,
            tree: Tree::default(),
            warnings: Warnings::default(),
            manifest: Manifest::default(),
            // From here, since a spare builder may have waited for hours.
            compressor: Compressor::new(Instant::now()),
        };
        while let Some(entry) = entries.next()? {
            app.enter(&mut entries, &entry)?;
        }
        entries.finish()?;
        app.finish()
    }

    fn enter(&mut self, entries: &mut Entries<'_>, entry: &Entry) -> Result<(), Stop> {
        let by_entry = |rule: Rule| rule.by(name::show(&entry.name));
        match (name::read(&entry.name, entry.kind == Kind::Folder).map_err(by_entry)?, entry.kind) {
            // Before its kind is looked at: node_modules is full of links.
            (Name::LeftOut(top), _) => self.warnings.leave_out(top),
            (_, Kind::Other(what)) => return Err(by_entry(Rule::Kind(what)).into()),
            (Name::Path(path), Kind::File) => self.add_file(entries, entry, path)?,
            (Name::Path(path), Kind::Folder) => self.tree.add_folder(path).map_err(by_entry)?,
            (Name::Top, _) => {}
        }
        Ok(())
    }

    fn add_file(&mut self, entries: &mut Entries<'_>, entry: &Entry, path: &str) -> Result<(), Stop> {
        let by_file = |rule: Rule| rule.by(path);
        source::check_path(path).map_err(by_file)?;
        if path == manifest::FILE {
            manifest::check_size(entry.size).map_err(by_file)?;
        }
        self.tree.add_file(path, entry.size).map_err(by_file)?;
        let content = entries.content(entry)?;
        if let Some(warning) = source::check_content(path, &content).map_err(by_file)? {
            self.warnings.add(warning);
        }
        if path == manifest::FILE {
            self.manifest = manifest::read(&content, &mut self.warnings).map_err(by_file)?;
        }
        self.talk.give(path, Encoding::Identity, &content)?;
        for (encoding, bytes) in self.compressor.encodings(path, &content) {
            self.talk.give(path, encoding, &bytes)?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Built, Stop> {
        if self.tree.files() == 0 {
            return Err(Rule::NoFile.by_archive().into());
        }
        let sources = self.tree.source_bytes();
        if sources > 0 && !self.tree.has_file(source::HANDLER) {
            self.warnings.add(format!("there is no {}: requests under /api/ find no handler", source::HANDLER));
        }
        if sources > limit::SOURCES_AT_EASE_BYTES {
            let mib = sources / (1024 * 1024);
            self.warnings.add(format!(
                "the sources under api/ have {mib} MiB, which every worker loads before its first answer: leave out \
                 what no handler requires, and keep data in storage"
            ));
        }
        Ok(Built { manifest: self.manifest, warnings: self.warnings.finish() })
    }
}
