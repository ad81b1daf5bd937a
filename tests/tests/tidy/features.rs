//! What tests may switch on and no program has: ways round the jail.

use std::process::Command;

use crate::sources::root;

/// Features of the jail's crate: a token without a jail, and a jail without a layer.
const ONLY_IN_TESTS: [&str; 2] = ["unjailed", "ablation"];

/// The features of the jail that cargo would switch on, by way of these kinds of dependencies, in the whole workspace.
fn switched_on(kinds: &str) -> String {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(root()).args(["tree", "--workspace", "--invert", "fazt-jail", "--edges", kinds]);
    let output = cargo.args(["--locked", "--offline"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn no_program_has_a_way_round_the_jail() {
    let (programs, tests) = (switched_on("normal,build,features"), switched_on("all,features"));
    for feature in ONLY_IN_TESTS {
        let named = format!("fazt-jail feature \"{feature}\"");
        assert!(!programs.contains(&named), "a program is built with {feature}:\n{programs}");
        assert!(tests.contains(&named), "nothing has {feature}, so this test proves nothing:\n{tests}");
    }
}
