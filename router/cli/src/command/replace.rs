//! Whether `fazt app deploy` may replace an app that only the folder's manifest names.
//!
//! A manifest comes with its folder, perhaps from a stranger; an app that is there has data and secrets, which the code that
//! replaces it can read. So the name has to be the user's own word: on the command line (`--name`, `--yes`, the folder's own
//! name), at the terminal, or by an earlier deploy of the same folder as the same app (`docs/decisions/0008-names.md`).

use std::io::{self, BufRead, IsTerminal};

use serde_json::Value;

use super::validate::{Checked, Source};
use crate::{failure::Failure, folders::Folders, output::Output};

/// Goes on, or says why not. `standing` is the app as the farm shows it, where there is one.
pub(super) fn permit(
    checked: &Checked,
    standing: Option<&Value>,
    server: &str,
    folders: &Folders,
    output: &Output,
) -> Result<(), Failure> {
    let Checked { name, folder, source, .. } = checked;
    let Some(standing) = standing.filter(|_| *source == Source::Manifest) else { return Ok(()) };
    if folders.knows(server, folder, name) {
        return Ok(());
    }
    let version = match standing.get("version").and_then(Value::as_u64) {
        Some(version) => format!("version {version}"),
        None => "no version yet".to_owned(),
    };
    let found = format!(
        "manifest.json names the app {name}, which is there already ({version}) and was not deployed from this folder last time"
    );
    let is_asked = !output.is_json() && io::stdin().is_terminal() && io::stderr().is_terminal();
    if !is_asked {
        return Err(Failure::Replaces(format!(
            "{found}: give --name {name} or --yes to replace it, or another --name for an app of its own"
        )));
    }
    output.note(&format!("{found}.\nReplace {name}? [y/N]"));
    let mut answer = String::new();
    // An answer that cannot be read is none.
    let _unread = io::stdin().lock().read_line(&mut answer);
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(Failure::Replaces(format!("{name} was not replaced: another --name makes an app of its own"))),
    }
}
