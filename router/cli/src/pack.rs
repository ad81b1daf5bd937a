//! An app's folder as one archive: a tar within zstd, with the same bytes for the same files. Owners, modes and times
//! of this machine stay behind.

use std::{
    fs,
    io::{self, Read, Write},
};

use crate::{
    failure::Failure,
    tree::{File, Tree},
};

/// Fast, and already far smaller than the tar; what is served is compressed anew by the farm.
const LEVEL: i32 = 6;

/// Packs every file of an app.
pub(crate) fn pack(tree: &Tree) -> Result<Vec<u8>, Failure> {
    let encoder = zstd::Encoder::new(Vec::new(), LEVEL).map_err(memory)?;
    let mut archive = tar::Builder::new(encoder);
    for file in &tree.files {
        append(&mut archive, file)?;
    }
    archive.into_inner().and_then(zstd::Encoder::finish).map_err(memory)
}

fn append(archive: &mut tar::Builder<impl Write>, file: &File) -> Result<(), Failure> {
    let failed = |cause| Failure::File { path: file.source.clone(), cause };
    // One byte more than it had when it was measured: a file that grows under us must not break the archive.
    let mut content = Vec::new();
    let opened = fs::File::open(&file.source).map_err(failed)?;
    opened.take(file.bytes.saturating_add(1)).read_to_end(&mut content).map_err(failed)?;
    if content.len() as u64 != file.bytes {
        return Err(failed(io::Error::other("it changed while it was read; deploy again")));
    }
    let mut header = tar::Header::new_gnu();
    header.set_size(file.bytes);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    archive.append_data(&mut header, &file.path, content.as_slice()).map_err(failed)
}

/// The archive is in memory: only a bug or the lack of memory is left to fail.
fn memory(cause: io::Error) -> Failure {
    Failure::Rule { file: "the archive".to_owned(), rule: format!("it cannot be packed: {cause}") }
}
