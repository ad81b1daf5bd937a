//! Runs a scenario under a user and collects what router, nest and children said.

use std::process::Stdio;

use crate::users::{As, command};

/// All lines of one scenario.
#[derive(Debug)]
pub(crate) struct Told(pub(crate) Vec<String>);

impl Told {
    /// What follows `key` and a space on the first line that starts so.
    pub(crate) fn first(&self, key: &str) -> &str {
        self.all(key).first().copied().unwrap_or_else(|| panic!("nobody said {key:?}:\n{}", self.0.join("\n")))
    }

    pub(crate) fn all(&self, key: &str) -> Vec<&str> {
        let of = |line: &'_ String| line.strip_prefix(key).is_some_and(|rest| rest.starts_with([' ', '\t']));
        self.0.iter().filter(|line| of(line)).map(|line| line[key.len() + 1..].trim()).collect()
    }

    pub(crate) fn says(&self, line: &str) -> bool {
        self.0.iter().any(|said| said == line)
    }
}

/// Starts the router role and reads it to its end.
pub(crate) fn play(user: As, strictness: &str, scenario: &str) -> Told {
    play_without(user, strictness, scenario, "nothing")
}

/// As [`play`], on a machine whose kernel refuses the named call with EPERM.
pub(crate) fn play_without(user: As, strictness: &str, scenario: &str, call: &str) -> Told {
    let output = command(user, &["router", strictness, scenario, call]).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "the router ended with {}", output.status);
    Told(String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect())
}
