//! Opening the data folder: one owner, a file that is ours and whole, all connections made before the process is confined.
//!
//! Every refusal is one line that says what to do. A file that is no database any more is set aside under another name and
//! never overwritten: the store does not start anew beside it by itself.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
};

use rusqlite::ErrorCode;

use crate::{
    apps::removal,
    chunks,
    config::Config,
    connection::{Connection, Keeps},
    leash::Leash,
    refusal::OpError,
    schema::{self, SchemaError},
    store::{SCANNERS, unix_ms},
};

/// Of a thread for what is quick: few statements, always the same.
const READER: Keeps = Keeps { pages_kib: 8 * 1024, statements: 128 };
/// Of one of many that scan. A scan passes by pages once, and the kernel has them too; of queries there are as many as apps like.
const SCANNER: Keeps = Keeps { pages_kib: 2 * 1024, statements: 32 };
/// How often the check of the file is begun.
const CHECKS: usize = 5;

/// Everything that is open.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) locks: Vec<File>,
    pub(crate) writer: Connection,
    pub(crate) point: Connection,
    /// For what is quick.
    pub(crate) reader: Connection,
    pub(crate) scanners: Vec<Connection>,
    /// For deployed files.
    pub(crate) loads: Connection,
    /// Where the last owner did not close the file: one more, to check it with.
    pub(crate) check: Option<Connection>,
}

/// Why the store does not start, in one line.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Refused(pub(crate) String);

/// Opens the folder and the file.
pub(crate) fn open(config: &Config) -> Result<Opened, Refused> {
    let folder = config.data_dir.as_path();
    let mut locks = vec![own(folder, &folder.join("fazt.lock"))?];
    let path = config.database();
    if let Some(elsewhere) = path.parent().filter(|parent| *parent != folder) {
        // Two data folders may name one file.
        locks.push(own(elsewhere, &beside(&path, ".lock"))?);
    }
    refuse_beside_a_corrupt_file(&path)?;
    let unclean = fs::metadata(beside(&path, "-wal")).is_ok_and(|log| log.len() > 0);
    let opened = connect(&path, config, unclean).map_err(|error| refused(&path, error));
    let Connections { writer, point, reader, scanners, loads, check } = opened?;
    Ok(Opened { locks, writer, point, reader, scanners, loads, check })
}

/// Makes the folder and locks it. The lock is the kernel's: it goes with the process, however that ends.
fn own(folder: &Path, path: &Path) -> Result<File, Refused> {
    let unwritable = |error: io::Error| {
        let folder = folder.display();
        Refused(format!(
            "failed to write in {folder}: {error}; make it writable for this user, or choose another --data-dir"
        ))
    };
    fs::create_dir_all(folder).map_err(unwritable)?;
    let mut lock =
        File::options().read(true).write(true).create(true).truncate(false).open(path).map_err(unwritable)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut owner = String::new();
            let _unread = lock.read_to_string(&mut owner);
            let (owner, folder) = (owner.trim(), folder.display());
            return Err(Refused(format!(
                "another fazt-store, pid {owner}, owns {folder}: stop it, or choose another --data-dir"
            )));
        }
        Err(TryLockError::Error(error)) => return Err(unwritable(error)),
    }
    let write = |lock: &mut File| {
        lock.set_len(0)?;
        lock.rewind()?;
        writeln!(lock, "{}", std::process::id())
    };
    write(&mut lock).map_err(unwritable)?;
    Ok(lock)
}

struct Connections {
    writer: Connection,
    point: Connection,
    reader: Connection,
    scanners: Vec<Connection>,
    loads: Connection,
    check: Option<Connection>,
}

fn connect(path: &Path, config: &Config, unclean: bool) -> Result<Connections, SchemaError> {
    let writer = Connection::writer(path, config)?;
    schema::migrate(&writer.sql)?;
    // What was being written when the last owner ended; nobody will finish it.
    chunks::discard_unfinished(&writer.sql, unix_ms().saturating_add(1))?;
    removal::discard_unfinished(&writer.sql)?;
    let reader = |keeps| Connection::reader(path, config, &writer, keeps);
    let scanners = (0..SCANNERS).map(|_| reader(SCANNER)).collect::<Result<_, _>>()?;
    let check = unclean.then(|| reader(SCANNER)).transpose()?;
    let (point, loads, reader) = (reader(READER)?, reader(SCANNER)?, reader(READER)?);
    Ok(Connections { writer, point, reader, scanners, loads, check })
}

fn refused(path: &Path, error: SchemaError) -> Refused {
    let shown = path.display();
    let SchemaError::Sql(sql) = &error else {
        return Refused(format!("failed to open {shown}: {error}"));
    };
    match sql.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => set_aside(path, sql),
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            Refused(format!("failed to write to {shown}: {sql}; make it and its folder writable for this user"))
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            Refused(format!("failed to open {shown}: another program holds its lock; end that program and start again"))
        }
        Some(ErrorCode::DiskFull) => {
            Refused(format!("failed to open {shown}: the disk is full; make room and start again"))
        }
        _ => Refused(format!("failed to open {shown}: {sql}")),
    }
}

/// Gives a corrupt file, and its log, another name. Whoever starts next finds no database, and is refused too.
fn set_aside(path: &Path, error: &rusqlite::Error) -> Refused {
    let aside = beside(path, &format!(".corrupt-{}", unix_ms()));
    let (shown, kept) = (path.display(), aside.display());
    for end in ["", "-wal", "-shm"] {
        let from = beside(path, end);
        if from.exists()
            && let Err(failed) = fs::rename(&from, beside(&aside, end))
        {
            return Refused(format!("{shown} is corrupt ({error}) and failed to be set aside: {failed}; move it away"));
        }
    }
    tracing::error!("{shown} is corrupt ({error}) and was set aside as {kept}");
    Refused(format!(
        "{shown} is corrupt ({error}); it was set aside as {kept}: restore a backup to {shown}, or move the corrupt file elsewhere to begin anew"
    ))
}

fn refuse_beside_a_corrupt_file(path: &Path) -> Result<(), Refused> {
    if path.exists() {
        return Ok(());
    }
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Ok(()) };
    let begin = format!("{}.corrupt-", name.to_string_lossy());
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    match names.find(|name| name.starts_with(&begin)) {
        Some(aside) => Err(Refused(format!(
            "there is a corrupt database {aside} in {folder} and no {path}: restore a backup to {path}, or move the corrupt file elsewhere to begin anew",
            folder = folder.display(),
            path = path.display()
        ))),
        None => Ok(()),
    }
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

/// Looks through the whole file, which takes a while for a large one: in a thread of its own, while others are served. It begins
/// anew where it was in the writer's way, a few times.
pub(crate) fn check(connection: &Connection) {
    let began = std::time::Instant::now();
    match checked(connection) {
        Some(Ok(word)) if word == "ok" => {
            tracing::info!(ms = began.elapsed().as_millis(), "the file is whole after an unclean stop")
        }
        Some(Ok(fault)) => {
            tracing::error!("the database is damaged: {fault}; back up its folder, then restore a backup")
        }
        Some(Err(error)) => tracing::error!("failed to check the database: {error}"),
        None => tracing::warn!("the file was not checked after an unclean stop: too much was written meanwhile"),
    }
}

/// What SQLite says of the file; nothing where it was in the writer's way each time. It may take as long as it takes.
fn checked(connection: &Connection) -> Option<Result<String, OpError>> {
    let leash = Leash::until(u64::MAX);
    let look = |sql: &rusqlite::Connection| sql.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
    let mut looks = std::iter::repeat_with(|| connection.within(&leash, look).map_err(OpError::from)).take(CHECKS);
    looks.find(|checked| !checked.as_ref().is_err_and(OpError::is_interrupt))
}

#[cfg(test)]
impl Opened {
    /// A new file in a folder, for the tests of the parts.
    pub(crate) fn anew(folder: &Path) -> (Config, Self) {
        let arguments = ["fazt-store", "--registry-fd=0", "--parent=1", "--data-dir"].map(std::ffi::OsStr::new);
        let config = <Config as clap::Parser>::parse_from(arguments.into_iter().chain([folder.as_os_str()]));
        let opened = open(&config).unwrap();
        (config, opened)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    };

    use rusqlite::hooks::{AuthAction, AuthContext, Authorization};

    use super::*;

    /// A file of many rows, and a connection that reads it.
    fn filled(folder: &Path) -> Connection {
        let (_config, opened) = Opened::anew(folder);
        let rows =
            "INSERT INTO removed_app (id) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 5000)
            SELECT i FROM n";
        opened.writer.sql.execute_batch(rows).unwrap();
        opened.reader
    }

    #[test]
    fn the_check_gives_way_to_the_writer_and_begins_anew_a_few_times() {
        let folder = tempfile::tempdir().unwrap();
        let mut reader = filled(folder.path());
        for wishes in [0, 1, CHECKS - 1, CHECKS, CHECKS + 3] {
            let begun = Arc::new(AtomicUsize::new(0));
            let (seen, snapshots) = (Arc::clone(&begun), Arc::clone(&reader.snapshots));
            // SQLite asks for leave when a check begins. The writer's wish comes just then.
            let wish = move |asked: AuthContext<'_>| {
                if matches!(asked.action, AuthAction::Pragma { .. }) && seen.fetch_add(1, SeqCst) < wishes {
                    snapshots.end_old();
                }
                Authorization::Allow
            };
            reader.sql.authorizer(Some(wish)).unwrap();
            let found = checked(&reader).map(Result::unwrap);
            let wanted = (wishes < CHECKS).then_some("ok");
            assert_eq!((found.as_deref(), begun.load(SeqCst)), (wanted, (wishes + 1).min(CHECKS)), "{wishes} wishes");
        }
    }
}
