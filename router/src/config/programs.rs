//! Finds the farm's other programs: beside the router's own binary, then in `PATH`.

use std::{
    env,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use super::error::ConfigError;

/// Where that program is.
pub(super) fn find(name: &'static str) -> Result<PathBuf, ConfigError> {
    let own = env::current_exe().ok();
    let beside = own.as_deref().and_then(Path::parent).unwrap_or(Path::new(".")).to_owned();
    let path = env::var_os("PATH").unwrap_or_default();
    let found = first(name, std::iter::once(beside.clone()).chain(env::split_paths(&path)));
    found.ok_or(ConfigError::Program { name, beside })
}

fn first(name: &str, folders: impl Iterator<Item = PathBuf>) -> Option<PathBuf> {
    folders.map(|folder| folder.join(name)).find(|program| is_program(program))
}

fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_first_that_can_be_run() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(one.path().join("fazt-store"), "").unwrap();
        let program = two.path().join("fazt-store");
        std::fs::write(&program, "").unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let folders = || [one.path().to_owned(), two.path().to_owned()].into_iter();
        assert_eq!(first("fazt-store", folders()), Some(program));
        assert_eq!(first("fazt-worker", folders()), None);
    }
}
