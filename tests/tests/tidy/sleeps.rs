//! Tests of the house wait for conditions, not for time to pass.

use crate::sources::{SOURCES, none};

/// Who sleeps all the same, and why it is no wait for something to happen.
const PERMITTED: [(&str, &str); 3] = [
    ("tests/src/wait.rs", "between two looks at a condition"),
    ("tests/src/oracle/canary.rs", "the neighbour rests, so as not to be the load itself"),
    ("tests/tests/house/http/framing.rs", "a request comes in two pieces that should not be read as one"),
];

#[test]
fn nobody_sleeps_in_place_of_a_condition() {
    let call = ["sleep", "("].concat();
    let sleeps = |path: &str| SOURCES.iter().any(|source| source.path == path && source.text.contains(&call));
    let all = SOURCES.iter().map(|source| source.path.as_str()).filter(|path| path.starts_with("tests/"));
    let is_permitted = |path: &str| PERMITTED.iter().any(|(permitted, _)| *permitted == path);
    let wrong: Vec<String> = all.filter(|path| sleeps(path) && !is_permitted(path)).map(str::to_owned).collect();
    none("tests that sleep and may not", &wrong);
    let idle = PERMITTED.iter().filter(|(path, _)| !sleeps(path)).map(|(path, why)| format!("{path}: {why}"));
    none("permissions to sleep that nobody needs", &idle.collect::<Vec<_>>());
}
