//! Where the farm's programs are: in the folder above the test's own, which cargo put there.

use std::{
    env, fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tempfile::TempDir;

/// What a farm cannot do without.
pub const FARM: [&str; 3] = ["fazt-router", "fazt-store", "fazt-worker"];

/// The folder with the farm's programs of the profile that this test was built with.
#[must_use]
pub fn folder() -> PathBuf {
    let own = env::current_exe().unwrap();
    // A test lies in target/<profile>/deps, a program in target/<profile>.
    let beside = own.parent().unwrap();
    let folder = if beside.ends_with("deps") { beside.parent().unwrap() } else { beside };
    for name in FARM {
        assert!(
            folder.join(name).exists(),
            "{} is not there: run scripts/check, or cargo build --workspace first",
            folder.join(name).display()
        );
    }
    folder.to_owned()
}

/// One program.
#[must_use]
pub fn path(name: &str) -> PathBuf {
    let path = folder().join(name);
    assert!(path.exists(), "{} is not there: run scripts/check, or cargo build --workspace first", path.display());
    path
}

/// The farm's own in a folder that everybody can read, with another one for its workers' zygote.
#[must_use]
pub fn with_worker(program: &str) -> TempDir {
    copied(&FARM.map(|name| (name, if name == "fazt-worker" { program } else { name })))
}

/// The command `fazt`, for the farm there.
#[must_use]
pub fn fazt(server: &str, token: &str) -> Command {
    let mut command = Command::new(path("fazt"));
    command.env_clear().args(["--server", server, "--token", token]);
    command
}

/// A folder that everybody can read, with copies of the programs: `(name there, program)`.
#[must_use]
pub fn copied(programs: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    open_to_all(folder.path());
    for (name, program) in programs {
        copy(&path(program), &folder.path().join(name));
    }
    folder
}

/// Lets everybody read and enter a folder.
pub fn open_to_all(folder: &Path) {
    fs::set_permissions(folder, PermissionsExt::from_mode(0o755)).unwrap();
}

/// Puts a script where the router was. A child writes it: what this process had open to write would be open in whatever another
/// test starts at that moment, and the kernel runs no such file.
pub fn in_place_of_the_router(folder: &Path, script: &str) {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "cat >\"$0\" && chmod 755 \"$0\""]).arg(folder.join("fazt-router")).stdin(Stdio::piped());
    let mut writing = command.spawn().unwrap();
    writing.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    assert!(writing.wait().unwrap().success(), "no script could be written in {}", folder.display());
}

/// A hard link where that works, which costs nothing: programs of a debug build are large. Elsewhere a child copies, as above.
fn copy(from: &Path, to: &Path) {
    if fs::hard_link(from, to).is_err() {
        assert!(Command::new("cp").args([from, to]).status().unwrap().success(), "no copy of {}", from.display());
    }
}
