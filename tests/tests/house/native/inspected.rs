//! A farm looks at its workers from outside: one that reports a jail which it is not in never gets an app.

use std::{
    fs,
    process::{Child, Stdio},
};

use fazt_tests::{
    log::Log,
    programs,
    setup::Setup,
    wait::{eventually, promised, seconds},
};
use rustix::process::geteuid;
use tempfile::TempDir;

/// A farm to be whose zygote tells that lie.
fn pretending(lie: &str, by_root: bool) -> (Setup, TempDir) {
    let programs =
        programs::copied(&[("fazt-router", "fazt-router"), ("fazt-store", "fazt-store"), ("fazt-worker", "pretender")]);
    fs::write(programs.path().join("lie"), lie).unwrap();
    let setup = Setup::new(1).programs(programs.path());
    (if by_root { setup } else { setup.as_nobody() }, programs)
}

/// Ends with the test, however that ends.
struct Router(Child);

impl Drop for Router {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _ended = self.0.wait();
    }
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
            let mut router = Router(setup.command().stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap());
            let log = Log::follow(router.0.stderr.take().unwrap());
            let is_said = |what: &str| {
                log.events(0).iter().any(|event| event["message"].as_str().is_some_and(|said| said.contains(what)))
            };
            eventually(promised(seconds(10)), &format!("{row} is seen"), || is_said("failed to find it jailed"));
            drop(router);
            eventually(seconds(3), "nothing that was started lives on", || log.is_ended());
            assert!(is_said(seen), "{row}: {}", log.text());
            assert!(!log.events(0).iter().any(|event| event["listen"].is_string()), "{row}: it serves\n{}", log.text());
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
