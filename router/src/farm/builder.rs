//! Deploys: a jailed builder unpacks and checks the archive, the store keeps what it gives.
//!
//! No archive of a stranger is parsed in this process. What the builder says is checked like a worker's words: its order, every
//! path, the number and size of what it gives; the store hashes the contents itself. A deploy that fails leaves nothing.

use std::{collections::HashMap, time::Duration};

use fazt_protocol::{
    body::{Assembly, parts},
    builder::{Encoding, File, FromBuilder, Manifest, Phase, ToBuilder},
    limit::{APP_BYTES, APP_FILES, FILE_PATH_BYTES},
    pipe::asynchronous::{Pipe, Reader, Writer},
    version,
};
use tokio::{task::JoinSet, time::timeout};

use super::{
    Farm, inspect,
    keeper::{READY_TIMEOUT, say_last_words},
};
use crate::{
    fault::{Code, Fault},
    store::{AskError, Store, upload::Upload},
};

/// Contents on their way to the store at once: its writer commits them together, and one flush serves them all.
const ON_THE_WAY: usize = 32;
/// How long a deploy's building may take.
const BUILD_TIMEOUT: Duration = Duration::from_secs(60);

/// A deploy whose contents the store has, and that waits to be made a version.
#[derive(Debug)]
pub struct Uploaded {
    /// What the store has of it.
    pub upload: Upload,
    /// What `manifest.json` says.
    pub manifest: Manifest,
    /// What was left out or looks wrong.
    pub warnings: Vec<String>,
    /// Files.
    pub files: usize,
    /// Their size in bytes.
    pub bytes: u64,
}

/// What a builder made of an archive.
#[derive(Debug)]
struct Built {
    manifest: Manifest,
    warnings: Vec<String>,
    files: usize,
    bytes: u64,
}

#[derive(Debug, Default)]
struct Tally {
    /// Each file's path and size.
    paths: HashMap<String, usize>,
    bytes: u64,
}

/// Builds one archive into an upload.
///
/// # Errors
/// `deploy_refused` with the file and the rule, or what kept the farm from building.
pub async fn build(farm: &Farm, store: &Store, archive: Vec<u8>) -> Result<Uploaded, Fault> {
    let upload = Upload::begin(store).await.map_err(unavailable)?;
    let built = timeout(BUILD_TIMEOUT, unpack(farm, store, upload.number(), archive)).await;
    let built = built.unwrap_or_else(|_late| {
        let limit = BUILD_TIMEOUT.as_secs();
        Err(Fault::new(Code::DeployRefused, format!("the archive took longer than {limit} s to unpack")))
    });
    match built {
        Ok(Built { manifest, warnings, files, bytes }) => Ok(Uploaded { upload, manifest, warnings, files, bytes }),
        Err(fault) => {
            upload.abort().await;
            Err(fault)
        }
    }
}

async fn unpack(farm: &Farm, store: &Store, upload: u64, archive: Vec<u8>) -> Result<Built, Fault> {
    let born = farm.builder().await;
    let (_life, newborn) = born.map_err(|error| Fault::new(Code::Overloaded, format!("failed to {error}")))?;
    let pipe = Pipe::<FromBuilder, ToBuilder>::plain(newborn.call).map_err(|error| crashed(&error))?;
    let (mut reader, writer) = pipe.split();
    let heard = match greet(&mut reader, newborn.pid, farm.0.jail.layers).await {
        Ok(phase) => {
            // Both directions at once: a builder that gives files while it still reads must not wait for us to finish.
            let sending = tokio::spawn(send(writer, archive));
            let heard = hear(&mut reader, phase, store, upload).await;
            sending.abort();
            heard
        }
        Err(fault) => Err(fault),
    };
    if heard.is_err() {
        say_last_words(newborn.pid, &newborn.board);
    }
    heard
}

/// No archive goes to a builder that is not where it says it is.
async fn greet(reader: &mut Reader<FromBuilder>, pid: i32, layers: u32) -> Result<Phase, Fault> {
    let said = timeout(READY_TIMEOUT, reader.receive()).await.map_err(|_late| crashed(&"it is not ready in time"))?;
    let said = said.map_err(|error| crashed(&error))?;
    let phase = Phase::Born.hear(&said).map_err(|breach| crashed(&breach))?;
    let FromBuilder::Ready(ready) = said else { return Err(crashed(&"it began before it was ready")) };
    version::check(ready.protocol).map_err(|mismatch| crashed(&mismatch))?;
    inspect::child(pid, ready.layers, layers).map_err(|shortfall| crashed(&shortfall))?;
    Ok(phase)
}

async fn send(mut writer: Writer<ToBuilder>, archive: Vec<u8>) {
    let (body, rest) = parts(&archive);
    let begin = ToBuilder::Begin { protocol: version::PROTOCOL, body };
    if writer.send(&begin).await.is_err() {
        return;
    }
    for part in rest {
        // A builder that is gone shows itself to the reader.
        if writer.send(&ToBuilder::Chunk(part)).await.is_err() {
            return;
        }
    }
}

/// Contents on their way to the store.
type Keeping = JoinSet<Result<(), AskError>>;

async fn hear(reader: &mut Reader<FromBuilder>, phase: Phase, store: &Store, upload: u64) -> Result<Built, Fault> {
    let mut keeping = Keeping::new();
    let heard = take(reader, phase, store, upload, &mut keeping).await;
    // What was half way there when its upload is dropped would lie in the file for an hour.
    while keeping.join_next().await.is_some() {}
    heard
}

async fn take(
    reader: &mut Reader<FromBuilder>,
    mut phase: Phase,
    store: &Store,
    upload: u64,
    keeping: &mut Keeping,
) -> Result<Built, Fault> {
    let mut tally = Tally::default();
    loop {
        let said = reader.receive().await.map_err(|error| crashed(&error))?;
        phase = phase.hear(&said).map_err(|breach| crashed(&breach))?;
        match said {
            FromBuilder::File(file) => {
                let (path, encoding) = (file.path.clone(), file.encoding);
                tally.admit(&file)?;
                let content = content(reader, &mut phase, file).await?;
                tally.weigh(path.clone(), encoding, content.len())?;
                // An encoding belongs to a content that is there.
                let most = if encoding == Encoding::Identity { ON_THE_WAY } else { 1 };
                keep_fewer_than(most, keeping).await?;
                let store = store.clone();
                keeping.spawn(async move { store.file(upload, path, encoding, &content).await });
            }
            FromBuilder::Built(_) if tally.paths.is_empty() => return Err(crashed(&"an app without a file")),
            FromBuilder::Built(built) => {
                keep_fewer_than(1, keeping).await?;
                let (files, bytes) = (tally.paths.len(), tally.bytes);
                return Ok(Built { manifest: built.manifest, warnings: built.warnings, files, bytes });
            }
            FromBuilder::Refused { file, rule } => return Err(refused(&file, &rule)),
            FromBuilder::Ready(_) => return Err(crashed(&"it was ready twice")),
            FromBuilder::Chunk(_) => return Err(crashed(&"a part of no file")),
        }
    }
}

/// Waits until fewer than so many contents are on their way to the store.
async fn keep_fewer_than(most: usize, keeping: &mut Keeping) -> Result<(), Fault> {
    while keeping.len() >= most {
        match keeping.join_next().await {
            Some(kept) => kept.map_err(|panic| crashed(&panic))?.map_err(unavailable)?,
            None => return Ok(()),
        }
    }
    Ok(())
}

async fn content(reader: &mut Reader<FromBuilder>, phase: &mut Phase, file: File) -> Result<Vec<u8>, Fault> {
    let mut assembly = Assembly::begin(file.body, APP_BYTES).map_err(|error| crashed(&error))?;
    while !assembly.is_whole() {
        let said = reader.receive().await.map_err(|error| crashed(&error))?;
        *phase = phase.hear(&said).map_err(|breach| crashed(&breach))?;
        let FromBuilder::Chunk(part) = said else { return Err(crashed(&"no part where one was due")) };
        assembly.push(part).map_err(|error| crashed(&error))?;
    }
    Ok(assembly.into_bytes())
}

impl Tally {
    /// The builder has checked all this; it may have been captured by what it unpacked.
    fn admit(&mut self, file: &File) -> Result<(), Fault> {
        let segments_hold = file.path.split('/').all(|segment| !matches!(segment, "" | "." | ".."));
        let bytes_hold = !file.path.bytes().any(|byte| byte.is_ascii_control() || byte == b'\\');
        if !segments_hold || !bytes_hold || file.path.len() > FILE_PATH_BYTES {
            return Err(crashed(&"a path that is not one"));
        }
        let is_new = !self.paths.contains_key(&file.path);
        if is_new != (file.encoding == Encoding::Identity) {
            return Err(crashed(&"a file twice, or an encoding of none"));
        }
        if is_new && self.paths.len() == APP_FILES {
            return Err(refused(&file.path, &format!("an app has at most {APP_FILES} files")));
        }
        Ok(())
    }

    fn weigh(&mut self, path: String, encoding: Encoding, bytes: usize) -> Result<(), Fault> {
        if encoding == Encoding::Identity {
            self.bytes = self.bytes.saturating_add(bytes as u64);
        } else if self.paths.get(&path).is_none_or(|whole| bytes >= *whole) {
            // Only what saves bytes is worth keeping; a larger one would be weighed by nobody.
            return Err(crashed(&"an encoding that is not smaller than its file"));
        }
        if self.bytes > APP_BYTES as u64 {
            return Err(refused(&path, &format!("an app has at most {} MiB", APP_BYTES / (1024 * 1024))));
        }
        if encoding == Encoding::Identity {
            self.paths.insert(path, bytes);
        }
        Ok(())
    }
}

fn refused(file: &str, rule: &str) -> Fault {
    let detail = if file.is_empty() { rule.to_owned() } else { format!("{file}: {rule}") };
    Fault::new(Code::DeployRefused, detail)
}

fn crashed(error: &dyn std::fmt::Display) -> Fault {
    tracing::warn!("builder lost: {error}");
    Fault::new(Code::DeployRefused, "the archive could not be unpacked: the process that unpacks it ended")
}

fn unavailable(error: AskError) -> Fault {
    match error {
        AskError::Refused(refusal) => Fault::new(Code::DeployRefused, refusal.message),
        other => Fault::new(Code::StoreUnavailable, format!("failed to {other}")),
    }
}
