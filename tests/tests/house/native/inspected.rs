//! A farm looks at its workers from outside: one that reports a jail which it is not in never gets an app.

use std::fs;

use fazt_tests::{programs, setup::Setup};
use rustix::process::geteuid;
use tempfile::TempDir;

/// A farm to be whose zygote tells that lie.
fn pretending(lie: &str, by_root: bool) -> (Setup, TempDir) {
    let programs = programs::with_worker("pretender");
    fs::write(programs.path().join("lie"), lie).unwrap();
    let setup = Setup::new(1).programs(programs.path());
    (if by_root { setup } else { setup.as_nobody() }, programs)
}

/// Whom the farm can be started by here.
fn users() -> &'static [bool] {
    if geteuid().is_root() { &[true, false] } else { &[false] }
}

#[test]
fn a_zygote_that_is_not_where_it_says_is_not_believed() {
    for by_root in users() {
        let (setup, _programs) = pretending("namespaces", *by_root);
        let refusal = setup.refused();
        assert_eq!(refusal.code, Some(2), "{}", refusal.said);
        assert!(refusal.said.contains("its user namespace is ours"), "{}", refusal.said);
    }
}

#[test]
fn a_worker_that_lacks_a_layer_never_gets_an_app() {
    let rows = [
        ("N-38 no layer of its own", "nothing", "its Seccomp is \"0\""),
        ("N-38 all calls", "seccomp", "its Seccomp is \"0\""),
        ("N-38 capabilities", "capabilities", "its CapPrm is "),
        ("N-38 root's own id", "ids", "its Uid is \"0"),
    ];
    for by_root in users() {
        // Only root has ids to give, so only a child of root's lacks its own.
        for (row, lie, seen) in rows.iter().filter(|(_, lie, _)| *by_root || *lie != "ids") {
            let (setup, _programs) = pretending(lie, *by_root);
            let refusal = setup.refused();
            let named = "fazt-router: failed to find it jailed";
            let is_named = refusal.said.lines().any(|line| line.starts_with(named) && line.contains(seen));
            assert!(refusal.code == Some(2) && is_named, "{row}: {}", refusal.said);
        }
    }
}

/// The same program without a lie: what is refused above is not the program.
#[test]
fn a_zygote_that_tells_the_truth_is_believed() {
    for by_root in users() {
        let (setup, _programs) = pretending("none", *by_root);
        assert_eq!(setup.start().workers().len(), 1);
    }
}
