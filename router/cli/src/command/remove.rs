//! `fazt app remove`: ends an app, with its versions and its data. An app that is not there is a failure: a script
//! that removes what it misspelt should know.

use super::path_of;
use crate::{client::Client, failure::Failure, output::Output};

/// Removes it.
pub(crate) fn run(name: &str, client: &Client, output: &Output) -> Result<(), Failure> {
    let answer = client.delete(&path_of(name)?)?;
    if output.is_json() {
        return output.value(&answer);
    }
    output.line(&format!("{name} is removed"))
}
