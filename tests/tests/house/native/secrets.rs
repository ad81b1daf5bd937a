//! What the operator's environment holds is nowhere in a worker: not in its environment, its words, or any of its memory.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    os::unix::fs::FileExt,
};

use fazt_tests::{oracle::Watch, process::Process, setup::Setup};
use rustix::process::geteuid;

const SECRET: &str = "CANARY_SECRET_71c4e0";
/// The most of one mapping that is read: heaps are reserved large and used little.
const MAPPING_BYTES: u64 = 256 << 20;

/// Whether a process has the secret in its environment, its words, or anywhere in what it has mapped; none where it has ended
/// meanwhile.
fn knows(process: &Process) -> Option<bool> {
    let read = |file: &str| fs::read(format!("/proc/{}/{file}", process.pid)).ok();
    let said = [read("environ")?, read("cmdline")?].concat();
    let is_known = String::from_utf8_lossy(&said).contains(SECRET) || remembers(process)?;
    process.is_alive().then_some(is_known)
}

fn remembers(process: &Process) -> Option<bool> {
    let maps = fs::read_to_string(format!("/proc/{}/maps", process.pid)).ok()?;
    let memory = File::open(format!("/proc/{}/mem", process.pid)).ok()?;
    let mut page = vec![0; 1 << 20];
    let mut mapped = maps.lines().filter(|line| line.split(' ').nth(1).is_some_and(|rights| rights.starts_with('r')));
    Some(mapped.any(|line| {
        let (from, to) = line.split(' ').next().unwrap().split_once('-').unwrap();
        let [from, to] = [from, to].map(|number| u64::from_str_radix(number, 16).unwrap());
        let to = to.min(from + MAPPING_BYTES);
        // Pieces overlap by as much as the secret is long. What cannot be read, the process cannot read either.
        (from..to).step_by(page.len() - SECRET.len()).any(|at| {
            let length = usize::try_from(to - at).unwrap().min(page.len());
            let read = memory.read_at(&mut page[..length], at).unwrap_or_default();
            page[..read].windows(SECRET.len()).any(|window| window == SECRET.as_bytes())
        })
    }))
}

#[test]
fn no_secret_of_the_operator_is_in_a_worker_s_memory() {
    if !geteuid().is_root() {
        println!("N-21 not tried: only root may read a worker's memory");
        return;
    }
    let farm = Setup::new(3).variable("MY_SECRET", SECRET).start();
    let watch = Watch::over(&farm);
    assert_eq!(farm.script("app", "respond({ n: fazt.storage.kv.incr('n') })").get("/api/").json()["n"], 1);
    farm.settle();
    assert_eq!(remembers(&farm.router()), Some(true), "where it is, it is found");
    let mut seen = BTreeMap::new();
    let children = || farm.children("fazt-worker").into_iter().chain([farm.child("fazt-zygote")]);
    // Each look takes its time, in which another one may come in a worker's place.
    while let Some(next) = children().find(|child| !seen.contains_key(&child.pid)) {
        let known = knows(&next);
        assert_ne!(known, Some(true), "N-21 {next:?} knows the operator's secret");
        seen.insert(next.pid, known);
    }
    assert!(seen.values().flatten().count() >= 4, "{seen:?}");
    watch.close();
}
