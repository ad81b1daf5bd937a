//! The sandbox as the kernel sees it from outside, and the farm as an ordinary user.

use fazt_tests::{
    oracle::{canary::Canary, census::Census},
    programs,
    setup::{NOBODY, Setup},
    wait::PATIENCE,
};
use rustix::process::geteuid;

/// Whatever a worker says of itself: the kernel's word counts.
#[test]
fn every_worker_is_jailed() {
    let farm = Setup::new(2).start();
    farm.script("app", "respond(200, 1)").get("/api/");
    let (router, workers) = (farm.router(), farm.worker_processes());
    assert_eq!(workers.len(), 2 + 1, "a spare one too");
    let own = |kind: &str| std::fs::read_link(format!("/proc/self/ns/{kind}")).unwrap();
    for worker in workers {
        let status = |field: &str| worker.status(field).unwrap_or_default();
        assert_eq!((status("Seccomp").as_str(), status("NoNewPrivs").as_str()), ("2", "1"), "{worker:?}");
        for set in ["CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb"] {
            assert_eq!(u64::from_str_radix(&status(set), 16), Ok(0), "{set} of {worker:?}");
        }
        assert!(status("NSpid").split_whitespace().count() >= 2, "a pid namespace of its own");
        for kind in ["user", "mnt", "net", "ipc", "uts", "pid"] {
            // Of an ordinary user the kernel may refuse to show them even to us.
            if let Ok(theirs) = std::fs::read_link(format!("/proc/{}/ns/{kind}", worker.pid)) {
                assert_ne!(theirs, own(kind), "{kind} of {worker:?}");
            }
        }
        assert_eq!(worker.parent, router.pid, "the router's own child");
        if geteuid().is_root() {
            let uid: u32 = status("Uid").split_whitespace().next().unwrap().parse().unwrap();
            assert!(uid > NOBODY, "a uid of its own, not {uid}");
        }
    }
}

#[test]
fn as_root_no_two_workers_are_one_user() {
    if !geteuid().is_root() {
        eprintln!("not tried: only root can give workers ids of their own");
        return;
    }
    let farm = Setup::new(4).start();
    let mut users: Vec<String> = farm.worker_processes().iter().filter_map(|worker| worker.status("Uid")).collect();
    users.sort();
    let all = users.len();
    users.dedup();
    assert_eq!((users.len(), all), (4 + 1, 4 + 1), "a spare one too");
}

#[test]
fn no_secret_reaches_a_worker() {
    let farm = Setup::new(2).variable("MY_SECRET", "CANARY_SECRET_7").start();
    farm.script("app", "respond(200, 1)").get("/api/");
    let (zygote, workers) = (farm.child("fazt-zygote"), farm.worker_processes());
    assert_eq!(workers.len(), 2 + 1, "a spare one too");
    for process in workers.iter().chain([&zygote]) {
        let environment = std::fs::read(format!("/proc/{}/environ", process.pid));
        let (Ok(environment), Some(descriptors)) = (environment, process.descriptors()) else {
            assert!(!geteuid().is_root(), "root may look into {process:?}");
            eprintln!("not tried: this user may not look into {process:?}");
            continue;
        };
        assert!(!String::from_utf8_lossy(&environment).contains("CANARY"), "{process:?}");
        assert!(descriptors <= 8, "{process:?} holds {descriptors} descriptors");
    }
}

/// The whole of it, by a user who owns nothing but the data folder.
#[test]
fn an_ordinary_user_has_the_same_farm() {
    let programs = programs::with_worker("fazt-worker");
    let setup = Setup::new(3).as_nobody().programs(programs.path());
    let mut farm = setup.start();
    let canary = Canary::release(&farm);
    let evil = farm.script("evil", "for(;;){}");
    let census = Census::take(&farm);
    assert_eq!(evil.get("/api/").code(), "timeout");
    canary.sings(20);
    canary.was_well();
    farm.settle();
    if geteuid().is_root() {
        for worker in farm.worker_processes() {
            assert!(worker.status("Uid").unwrap_or_default().starts_with(&NOBODY.to_string()), "{worker:?}");
            assert_eq!(worker.status("Seccomp").as_deref(), Some("2"));
        }
    }
    census.holds(&farm);
    farm.kill(PATIENCE);
}
