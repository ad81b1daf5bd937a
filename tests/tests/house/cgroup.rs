//! Control groups: bounds that the kernel keeps for whole processes, where a part of the tree is delegated to the farm,
//! and the true reason where none is.
//!
//! A group is made as a service manager makes one for a service with `Delegate=yes`, and the router is started in it.
//! On a machine whose controllers are bound to version 1 such a group offers none; then the farm must say so, and
//! divide nothing.

use std::{
    fs,
    os::unix::fs::chown,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

use fazt_tests::{
    farm::Farm,
    process::Process,
    programs,
    setup::{NOBODY, Setup},
    wait::{PATIENCE, eventually, seconds},
};
use rustix::{
    fs::{XattrFlags, setxattr},
    process::{Signal, geteuid},
};
use tempfile::TempDir;

const CONTROLLERS: [&str; 3] = ["memory", "pids", "cpu"];
/// The heap that a worker's bound is worked out from.
const HEAP: u64 = 16 << 20;
/// Less than the impostor takes.
const GORGED: u64 = 48 << 20;

/// A group of a service, removed with all below it when it is dropped.
struct Service(PathBuf);

impl Service {
    /// Below the machine's root group, with whatever controllers that gives; none where it cannot be made.
    fn new() -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("fazt-test-{}-{}", std::process::id(), NUMBER.fetch_add(1, Relaxed));
        let folder = mount()?.join(name);
        if !geteuid().is_root() || fs::create_dir(&folder).is_err() {
            eprintln!(
                "not tried: only root can make a group as a service manager does, and only where cgroup v2 is mounted"
            );
            return None;
        }
        let service = Self(folder);
        // As systemd says that a group is not its own; some kernels know only one of the two.
        for mark in ["user.delegate", "trusted.delegate"] {
            let _unknown = setxattr(&service.0, mark, b"1", XattrFlags::empty());
        }
        Some(service)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).unwrap_or_default()
    }

    /// The controllers that can be used in it.
    fn controllers(&self) -> Vec<&'static str> {
        let offered = self.read("cgroup.controllers");
        CONTROLLERS.into_iter().filter(|name| offered.split_whitespace().any(|one| one == *name)).collect()
    }

    /// The groups below it, by name.
    fn below(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_dir());
        entries.map(|entry| entry.file_name().into_string().unwrap()).collect()
    }

    /// Leaves it to a user, as `User=` does.
    fn give(&self, user: u32) {
        for name in ["", "cgroup.procs", "cgroup.threads", "cgroup.subtree_control"] {
            chown(self.0.join(name), Some(user), Some(user)).unwrap();
        }
    }

    /// Programs of which the router is a script that goes into the group first, and on as that user.
    fn programs(&self, worker: &str, user: Option<u32>) -> TempDir {
        let programs = [("router", "fazt-router"), ("fazt-store", "fazt-store"), ("fazt-worker", worker)];
        let folder = programs::copied(&programs);
        let become_user = user.map(|id| format!("setpriv --reuid {id} --regid {id} --clear-groups"));
        let script = format!(
            "#!/bin/sh\necho $$ >{}/cgroup.procs && exec {} {}/router \"$@\"\n",
            self.0.display(),
            become_user.unwrap_or_default(),
            folder.path().display()
        );
        programs::in_place_of_the_router(folder.path(), &script);
        folder
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        for name in self.below() {
            // A group cannot be removed while a process in it ends; then it stays, empty.
            let _left = fs::remove_dir(self.0.join(name));
        }
        let _left = fs::remove_dir(&self.0);
    }
}

/// Where the hierarchy is mounted.
fn mount() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/mounts").unwrap();
    let mut fields = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    fields.find(|fields| fields.get(2) == Some(&"cgroup2")).map(|fields| PathBuf::from(fields[1]))
}

/// The group of a process, below the mount.
fn group(process: &Process) -> PathBuf {
    let text = fs::read_to_string(format!("/proc/{}/cgroup", process.pid)).unwrap_or_default();
    let path = text.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or_default();
    mount().unwrap().join(path)
}

/// What `--check` says of groups, and how to get them.
fn checked(setup: &Setup) -> String {
    let checked = setup.clone().flag("--check", "").refused();
    assert_eq!(checked.code, Some(0), "{} {}", checked.told, checked.said);
    checked.told.lines().filter(|line| line.contains("cgroup")).collect::<Vec<_>>().join("\n")
}

fn setup(workers: usize, programs: &Path) -> Setup {
    let heap = format!("{}MiB", HEAP >> 20);
    Setup::new(workers)
        .programs(programs)
        .flag("--memory", &heap)
        .flag("--timeout", "20s")
        .flag("--request-timeout", "40s")
}

/// A farm in a service's group; none where that offers no controllers, once it is seen that the farm says so.
fn farm_in(service: &Service, setup: &Setup) -> Option<Farm> {
    let (farm, there) = (setup.start(), service.controllers());
    let told = farm.runtime()["sandboxCgroup"].as_str().unwrap().to_owned();
    let ready = farm.log.said("ready").into_iter().find(|event| event["cgroup"].is_string()).unwrap();
    assert_eq!(ready["cgroup"], told.as_str(), "ready line and status say the same");
    if !there.is_empty() {
        eprintln!("seen: {told}");
        assert!(told.starts_with(&format!("{} in {}", there.join(", "), service.0.display())), "{told}");
        return Some(farm);
    }
    eprintln!("seen: no controllers here, and {told}");
    assert!(told.starts_with("none: no controllers: "), "{told}");
    assert_eq!(service.below(), Vec::<String>::new(), "there is nothing to bound with");
    assert_eq!(group(&farm.router()), service.0);
    None
}

/// Each worker in a group of its own with its bounds, the store before the router before the workers.
fn assert_bounds(service: &Service, farm: &Farm) {
    let there = service.controllers();
    let at = |path: &Path, name: &str| fs::read_to_string(path.join(name)).unwrap_or_default().trim().to_owned();
    let number = |path: &Path, name: &str| at(path, name).parse::<u64>().unwrap_or_else(|_| panic!("{path:?} {name}"));
    let (router, store) = (service.0.join("router"), service.0.join("store"));
    assert_eq!((group(&farm.router()), group(&farm.child("fazt-zygote"))), (router.clone(), router.clone()));
    eventually(PATIENCE, "the store is in its group", || group(&farm.child("fazt-store")) == store);
    for worker in farm.worker_processes() {
        let own = group(&worker);
        assert!(
            own.starts_with(&service.0) && own.file_name().unwrap().to_str().unwrap().starts_with("worker-"),
            "{own:?}"
        );
        assert_eq!(at(&own, "cgroup.procs"), worker.pid.to_string(), "it is alone in {own:?}");
        if there.contains(&"memory") {
            let most = number(&own, "memory.max");
            assert!((2 * HEAP..256 << 20).contains(&most), "{most}");
            assert!(["0", ""].contains(&at(&own, "memory.swap.max").as_str()));
        }
        if there.contains(&"pids") {
            assert_eq!(at(&own, "pids.max"), "1");
        }
        if there.contains(&"cpu") {
            let weight = |path: &Path| number(path, "cpu.weight");
            assert!(weight(&own) < weight(&router) && weight(&router) < weight(&store));
        }
    }
}

#[test]
fn every_worker_is_born_into_a_group_with_its_bounds_and_all_are_gone_at_the_end() {
    let Some(service) = Service::new() else { return };
    let programs = service.programs("fazt-worker", None);
    let setup = setup(3, programs.path()).flag("--timeout", "500ms");
    let said = checked(&setup);
    let Some(mut farm) = farm_in(&service, &setup) else {
        assert!(said.contains("✗ cgroup: no controllers: ") && said.contains(service.0.to_str().unwrap()), "{said}");
        return;
    };
    assert!(said.contains(&format!("✓ cgroup: {}", service.controllers().join(", "))), "{said}");
    farm.settle();
    assert_bounds(&service, &farm);
    let app = farm.script("app", "if (request.query.bad) for (;;) {}; respond('here')");
    for _round in 0..8 {
        assert_eq!(app.get("/api/?bad=1").status, 504);
        assert_eq!(app.get("/api/").text(), "here");
    }
    farm.child("fazt-store").kill();
    farm.settle();
    assert_bounds(&service, &farm);
    // Three that serve, one that is on its way while another goes, a builder, the two that are trusted; no more for
    // each death.
    let below = service.below();
    assert!(below.len() <= 3 + 4, "{below:?}");
    farm.signal(Signal::TERM);
    assert!(farm.ended(seconds(20)).success());
    let below = || service.below().len() + service.read("cgroup.procs").len();
    eventually(PATIENCE, "neither a group nor a process is left", || below() == 0);
    assert_eq!(service.read("cgroup.subtree_control").trim(), "");
}

#[test]
fn a_service_of_an_ordinary_user_has_the_same_groups() {
    let Some(service) = Service::new() else { return };
    service.give(NOBODY);
    let programs = service.programs("fazt-worker", Some(NOBODY));
    let setup = setup(2, programs.path());
    chown(setup.data().above(), Some(NOBODY), Some(NOBODY)).unwrap();
    let Some(farm) = farm_in(&service, &setup) else { return };
    farm.settle();
    assert_bounds(&service, &farm);
    assert_eq!(farm.script("app", "respond('here')").get("/api/").text(), "here");
}

/// It goes round the engine's limit: what it takes is beside its heap.
#[test]
fn a_worker_that_takes_more_than_its_group_may_have_is_ended_alone() {
    let Some(service) = Service::new() else { return };
    let programs = service.programs("impostor", None);
    let grouped = farm_in(&service, &setup(2, programs.path()));
    let bounded = service.controllers().contains(&"memory") && grouped.is_some();
    // Without a group the same is answered: there is room enough in the address space.
    let outside = programs::with_worker("impostor");
    let farm = grouped.unwrap_or_else(|| setup(2, outside.path()).start());
    for name in ["echo", "evil"] {
        farm.script(name, "");
    }
    assert_eq!(farm.app("echo").get("/api/?neighbour").text(), "neighbour");
    let neighbour = farm.idle_worker("echo");
    // Below the limits of the process itself, which would end it too: by a refused allocation, and not by the kernel.
    for name in service.below().iter().filter(|name| bounded && name.starts_with("worker-")) {
        fs::write(service.0.join(name).join("memory.max"), GORGED.to_string()).unwrap();
    }
    let told = farm.app("evil").get("/api/gorge?all");
    if !bounded {
        eprintln!("seen: nothing bounds a process but its address space");
        assert_eq!((told.status, told.text().as_str()), (200, "all"));
        return;
    }
    assert_eq!((told.status, told.code().as_str()), (500, "memory_limit"), "{}", told.text());
    let line = farm.log.one_finished(&told.id());
    assert_eq!((line["app"].as_str(), line["outcome"].as_str()), (Some("evil"), Some("memory_limit")), "{line}");
    assert!(farm.log.text().contains("worker out of memory"), "{}", farm.log.text());
    assert!(neighbour.is_alive() && farm.router().is_alive());
    assert_eq!(farm.app("evil").once_started("/api/honest?after").text(), "after");
}

#[test]
fn where_there_are_no_groups_check_says_why() {
    let said = checked(&Setup::new(2));
    eprintln!("seen where the tests run: {said}");
    if geteuid().is_root() && fs::read_to_string("/proc/self/cgroup").unwrap().lines().any(|line| line == "0::/") {
        assert!(said.contains("✗ cgroup: no") && said.contains("to get cgroup: "), "{said}");
    }
    let Some(service) = Service::new() else { return };
    let programs = service.programs("fazt-worker", None);
    let mut guest = Command::new("sleep").arg("100").spawn().unwrap();
    fs::write(service.0.join("cgroup.procs"), guest.id().to_string()).unwrap();
    let shared = checked(&setup(2, programs.path()));
    guest.kill().unwrap();
    guest.wait().unwrap();
    assert!(
        shared.contains("✗ cgroup: not delegated: other processes lie in") && shared.contains("Delegate=yes"),
        "{shared}"
    );
    // A user to whom the group was not given.
    let programs = service.programs("fazt-worker", Some(NOBODY));
    let setup = setup(2, programs.path());
    chown(setup.data().above(), Some(NOBODY), Some(NOBODY)).unwrap();
    let foreign = checked(&setup);
    assert!(foreign.contains("✗ cgroup: not delegated: ") && foreign.contains("Delegate=yes"), "{foreign}");
    assert_eq!(service.below(), Vec::<String>::new(), "a look changes nothing");
}
