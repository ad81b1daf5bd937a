//! What each group may have: the numbers, and the files that they are written to.

use std::{fs, io, path::Path};

use fazt_protocol::{limit, spawn::Role};

use crate::config::Config;

/// Shares of the processors where they are scarce; a group that says nothing has 100. The store holds up everybody, the
/// router everybody but the store; a worker holds up its own request.
const STORE_WEIGHT: u32 = 400;
const ROUTER_WEIGHT: u32 = 200;
const CHILD_WEIGHT: u32 = 50;
/// A child has one thread, and its jail lets it make none.
const CHILD_PIDS: u32 = 1;
/// What a child has beside all that is counted: the program's own pages, its stack, the kernel's tables and socket
/// buffers. Of a worker with a heap of 64 MiB that was filled while bodies of 10 MiB came and went, 14 MiB were
/// measured in all.
const BESIDE_BYTES: u64 = 32 << 20;

/// The bounds of a farm's children, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    worker_bytes: u64,
    builder_bytes: u64,
}

impl Bounds {
    /// Well above what an honest child can come to need: who meets it has gone round the engine's own limit.
    pub(super) fn of(config: &Config) -> Self {
        let sum = |parts: &[u64]| parts.iter().copied().fold(0, u64::saturating_add);
        let (heap, sources) = (config.farm.memory_bytes, limit::SOURCES_BYTES as u64);
        let bodies = config.edge.body_bytes.saturating_add(config.farm.answer_bytes) as u64;
        // One storage call's body on its way, read or written.
        let op = limit::OP_BODY_BYTES as u64;
        let (archive, app) = (limit::ARCHIVE_BYTES as u64, limit::APP_BYTES as u64);
        Self {
            // The sources twice: as they were read, and as the heap's image has what they were compiled to.
            worker_bytes: sum(&[heap, sources, sources, bodies, op, BESIDE_BYTES]),
            // The archive as it came, its files, and what is precompressed of them.
            builder_bytes: sum(&[archive, app, app, BESIDE_BYTES]),
        }
    }

    /// Writes what a child's group may have, as far as the controllers are there.
    pub(super) fn bind_child(self, folder: &Path, controllers: &[&str], role: Role) -> io::Result<()> {
        let bytes = match role {
            Role::Worker => self.worker_bytes,
            Role::Builder => self.builder_bytes,
        };
        for controller in controllers {
            match *controller {
                "memory" => {
                    fs::write(folder.join("memory.max"), bytes.to_string())?;
                    no_swap(folder)?;
                }
                "pids" => fs::write(folder.join("pids.max"), CHILD_PIDS.to_string())?,
                "cpu" => fs::write(folder.join("cpu.weight"), CHILD_WEIGHT.to_string())?,
                _ => {}
            }
        }
        Ok(())
    }
}

/// What goes out to swap would be beyond the bound, and come back slowly in the middle of somebody's request.
fn no_swap(folder: &Path) -> io::Result<()> {
    match fs::write(folder.join("memory.swap.max"), "0") {
        // A kernel that does not count swap has no such file.
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Gives the trusted ones their shares of the processors.
pub(super) fn weigh_trusted(router: &Path, store: &Path, controllers: &[&str]) -> io::Result<()> {
    if !controllers.contains(&"cpu") {
        return Ok(());
    }
    fs::write(router.join("cpu.weight"), ROUTER_WEIGHT.to_string())?;
    fs::write(store.join("cpu.weight"), STORE_WEIGHT.to_string())
}
