//! Under whom things are started: each check once as root, where the tests are root's, and once as anybody. For the tests
//! that play router and nest themselves, each by a copy of its own program.

use std::{
    env,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::PathBuf,
    process::{Command, Stdio},
    sync::OnceLock,
};

use libtest_mimic::{Failed, Trial};
use nix::unistd::geteuid;

/// Whom the router is started by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum As {
    Root,
    /// Whoever runs the tests, or nobody where that is root.
    Ordinary,
}

/// Asserts something of what such a user starts.
pub(crate) type Check = fn(As);

/// The id of `nobody` on every distribution.
const NOBODY: u32 = 65_534;

/// Each check for each user.
pub(crate) fn by_both(checks: &[(&str, Check)]) -> Vec<Trial> {
    let users = [As::Root, As::Ordinary];
    users.iter().flat_map(|user| checks.iter().map(move |(name, check)| by(*user, name, *check))).collect()
}

/// A check for one of them.
pub(crate) fn by(user: As, name: &str, check: Check) -> Trial {
    let user_name = if user == As::Root { "root" } else { "ordinary" };
    Trial::test(format!("{user_name}::{name}"), move || -> Result<(), Failed> {
        check(user);
        Ok(())
    })
    .with_ignored_flag(user == As::Root && !geteuid().is_root())
}

/// This program in another role.
pub(crate) fn command(user: As, arguments: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.args(arguments).stdin(Stdio::null());
    if user == As::Ordinary && geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

/// A copy that any user may read: the folder that tests are built in may be closed to others.
fn program() -> &'static PathBuf {
    static COPY: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = COPY.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let path = folder.path().join("roles");
        std::fs::copy(env::current_exe().unwrap(), &path).unwrap();
        (folder, path)
    });
    path
}
