//! What a machine may run short of: processors, memory, processes to be made, somebody who reads the log. Neighbours are
//! served, nothing is lost that was acknowledged, and all is as before once there is enough again.

use std::{
    fs,
    hint::black_box,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    path::PathBuf,
    process::Command,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
};

use fazt_tests::{
    farm::Farm,
    http::{App, Request},
    log::Log,
    oracle::{
        Watch,
        canary::{self, Canary},
        census::Census,
    },
    process::Process,
    programs,
    setup::Setup,
    wait::{Over, PATIENCE, eventually, millis, promised, seconds},
};
use rustix::process::geteuid;

/// More lines of requests than queue and pipe hold: none of them waits for its line.
fn more_lines_than_may_wait(farm: &Farm) {
    thread::scope(|scope| {
        for _client in 0..2 {
            let site = farm.app("site").keeping();
            scope.spawn(move || {
                for _ in 0..5_500 {
                    let answer = site.get("/");
                    assert_eq!(answer.status, 200);
                    assert!(answer.took < promised(millis(500)), "{:?}", answer.took);
                }
            });
        }
    });
}

#[test]
fn a_log_that_nobody_reads_holds_up_nobody() {
    let setup = Setup::new(2).variable("FAZT_STORE_TEST_DELAY", "150..150 ms");
    let mut starting = setup.spawn();
    let mut log = BufReader::new(starting.errors());
    let listen = loop {
        let mut line = String::new();
        assert!(log.read_line(&mut line).unwrap() > 0, "the farm ended");
        let event: serde_json::Value = serde_json::from_str(&line).unwrap();
        if let Some(listen) = event["listen"].as_str() {
            break listen.to_owned();
        }
    };
    let farm = starting.serving(&listen, Log::default());
    farm.deploy("site", &[("index.html", "a page")]);
    let app = farm.script("app", "respond('here')");
    let counting = farm.script("counting", "respond(String(fazt.storage.kv.incr('n')))");
    let victim = canary::deploy(&farm);
    let census = Census::take(&farm);
    let canary = Canary::ask(victim);
    more_lines_than_may_wait(&farm);
    assert_eq!(app.get("/api/").text(), "here");
    // The store has something to say as well, of each call that is slow.
    for n in 1..=5 {
        assert_eq!(counting.get("/api/").text(), n.to_string());
    }
    canary.was_well();
    // Once it is read again, the log says how much of it is missing.
    let log = Log::follow(log);
    eventually(PATIENCE, "the loss is told", || {
        assert_eq!(app.get("/api/").text(), "here");
        log.text().contains("were lost")
    });
    census.holds(&farm);
}

/// Four that never rest, on as many cores as there are.
#[test]
fn a_machine_that_others_use_is_slow_and_not_wrong() {
    let farm = Setup::new(3).start();
    let watch = Watch::over(&farm);
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !over.load(Relaxed) {
                    black_box(());
                }
            });
        }
        let _over = Over::when_left(&over);
        watch.canary().sings(150);
    });
    watch.close();
}

/// No program to be a worker: who is there goes on, who is not gets a word on why, and nobody spins.
#[test]
fn a_farm_without_births_goes_on_with_what_it_has() {
    let programs = programs::with_worker("fazt-worker");
    let farm = Setup::new(2).flag("--queue-timeout", "300ms").programs(programs.path()).start();
    let app = farm.script("app", "respond('here')");
    farm.deploy("site", &[("index.html", "a page")]);
    assert_eq!(app.get("/api/").status, 200);
    let (worker, away) = (programs.path().join("fazt-worker"), programs.path().join("away"));
    let workers = farm.worker_processes();
    fs::rename(&worker, &away).unwrap();
    farm.child("fazt-zygote").kill();
    workers.iter().for_each(Process::kill);
    let refused = eventually(PATIENCE, "no worker is left", || {
        let answer = app.get("/api/");
        (answer.status != 200).then_some(answer)
    });
    assert!(["queue_timeout", "overloaded", "worker_crashed"].contains(&refused.code().as_str()), "{}", refused.text());
    assert_eq!(farm.app("site").get("/").text(), "a page");
    let told = |log: &str| log.contains("No such file") && log.contains("fazt-worker");
    eventually(PATIENCE, "the log says what is missing", || told(&farm.log.text()));
    let tries = || farm.log.text().matches("No such file").count();
    let (router, before, tried) = (farm.router(), farm.router().cpu_ms(), tries());
    let waited = app.get("/api/").took + app.get("/api/").took + app.get("/api/").took;
    let burnt = router.cpu_ms().saturating_sub(before);
    assert!(u128::from(burnt) < waited.as_millis() / 2 + 50, "{burnt} ms of CPU in {waited:?}");
    // On a machine that others hold it could not burn more: what it tries is counted as well.
    let tried = tries().saturating_sub(tried);
    assert!(tried as u128 <= waited.as_millis() / 5 + 50, "{tried} tries in {waited:?}");
    fs::rename(&away, &worker).unwrap();
    eventually(promised(seconds(10)), "it serves again", || app.get("/api/").status == 200);
    farm.settle();
}

/// A cause for which no worker can be born, and what the log says then.
struct Cause {
    said: &'static str,
    begin: fn(&Process),
    end: fn(&Process),
}

/// How many pid namespaces may be made below the zygote's user namespace.
fn pid_namespaces(zygote: &Process, most: u32) {
    let write = format!("echo {most} >/proc/sys/user/max_pid_namespaces");
    let status = Command::new("nsenter")
        .args(["--preserve-credentials", "--user", "--target", &zygote.pid.to_string(), "sh", "-c", &write])
        .status();
    assert!(status.unwrap().success());
}

/// Whose limits are met while nobody is there to serve: whoever asks is told so, files are served, and it goes on afterwards.
fn births_are_refused(farm: &Farm, cause: &Cause) {
    let app = farm.script("app", "respond('here')");
    farm.deploy("site", &[("index.html", "a page")]);
    assert_eq!(app.get("/api/").status, 200);
    let watch = Watch::without_neighbour(farm);
    let (zygote, before, workers) = (farm.child("fazt-zygote"), farm.log.mark(), farm.worker_processes());
    (cause.begin)(&zygote);
    workers.iter().for_each(Process::kill);
    let refused = eventually(PATIENCE, "no worker is left", || {
        let answer = app.get("/api/");
        (answer.status != 200).then_some(answer)
    });
    assert!(["queue_timeout", "overloaded"].contains(&refused.code().as_str()), "{}", refused.text());
    assert_eq!(farm.app("site").get("/").text(), "a page");
    let tries = || farm.log.events(before).iter().filter(|event| event.to_string().contains(cause.said)).count();
    eventually(PATIENCE, "the log says why", || tries() > 0);
    let tried = tries();
    let waited = app.get("/api/").took + app.get("/api/").took + app.get("/api/").took;
    let tried = tries().saturating_sub(tried);
    assert!(tried as u128 <= waited.as_millis() / 5 + 50, "{tried} tries in {waited:?}");
    (cause.end)(&zygote);
    eventually(promised(seconds(10)), "it serves again", || app.get("/api/").status == 200);
    watch.close();
}

/// No pid namespace more: ENOSPC.
#[test]
fn a_farm_that_may_make_no_more_namespaces_says_so_and_goes_on() {
    if !geteuid().is_root() {
        eprintln!("P-11 not tried: only root may change what another one's namespaces allow");
        return;
    }
    let farm = Setup::new(2).flag("--queue-timeout", "300ms").start();
    let cause = Cause {
        said: "ENOSPC",
        begin: |zygote| pid_namespaces(zygote, 0),
        end: |zygote| pid_namespaces(zygote, 10_000),
    };
    births_are_refused(&farm, &cause);
}

/// P-22: what cannot be written is lost, and nobody waits for it.
#[test]
fn a_log_whose_disk_is_full_holds_up_nobody() {
    let programs =
        programs::copied(&[("router", "fazt-router"), ("fazt-store", "fazt-store"), ("fazt-worker", "fazt-worker")]);
    let script = format!("#!/bin/sh\nexec {}/router \"$@\" 2>/dev/full\n", programs.path().display());
    programs::in_place_of_the_router(programs.path(), &script);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let setup = Setup::new(3).programs(programs.path()).lent(listener.into());
    let starting = setup.spawn();
    eventually(seconds(20), "the farm is ready", || {
        let ready = App::at(address, "localhost").try_send(&Request::new("GET", "/readyz"));
        ready.is_ok_and(|answer| answer.status == 200)
    });
    let farm = starting.serving(&address.to_string(), Log::default());
    let app = farm.script("app", "console.log('a word'); respond(String(fazt.storage.kv.incr('n')))");
    farm.deploy("site", &[("index.html", "a page")]);
    let victim = canary::deploy(&farm);
    let census = Census::take(&farm);
    let canary = Canary::ask(victim);
    for n in 1..=100 {
        assert_eq!(app.get("/api/").text(), n.to_string());
    }
    more_lines_than_may_wait(&farm);
    assert_eq!(app.get("/api/").text(), "101");
    canary.was_well();
    census.holds(&farm);
}

/// The same address always ends its worker: its requests end with their reason, all others are served.
#[test]
fn a_poisoned_address_harms_its_own_requests_alone() {
    let farm = Setup::new(3).start();
    let source = "if (request.query.bad) for (;;) {}; respond('good')";
    farm.deploy("app", &[("api/main.js", source), ("manifest.json", r#"{"timeoutMs": 500}"#)]);
    let app = farm.app("app");
    let watch = Watch::over(&farm);
    for _round in 0..10 {
        let bad = app.get("/api/?bad=1");
        assert_eq!((bad.status, bad.code().as_str()), (504, "timeout"), "{}", bad.text());
        let good = app.get("/api/");
        assert_eq!((good.status, good.text().as_str()), (200, "good"), "{}", good.text());
    }
    watch.close();
}

/// Both versions of the kernel's memory controller: where its groups are, the file of the bound, and that of what it ended.
const CONTROLLERS: [[&str; 3]; 2] = [
    ["/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.oom_control"],
    ["/sys/fs/cgroup", "memory.max", "memory.events"],
];

/// A group of the memory controller, removed when it is dropped.
struct Group {
    folder: PathBuf,
    events: &'static str,
}

impl Group {
    /// Where this user may make one, with so much memory.
    fn with(bytes: u64) -> Option<Self> {
        CONTROLLERS.iter().find_map(|[folder, most, events]| {
            let folder = PathBuf::from(folder).join(format!("fazt-test-{}", std::process::id()));
            fs::create_dir(&folder).ok()?;
            let group = Self { folder, events: *events };
            // Without making a file: the folder may be a mere folder.
            let mut most = fs::OpenOptions::new().write(true).open(group.folder.join(most)).ok()?;
            most.write_all(bytes.to_string().as_bytes()).ok()?;
            Some(group)
        })
    }

    fn count(&self, word: &str) -> u64 {
        let events = fs::read_to_string(self.folder.join(self.events)).unwrap_or_default();
        events.lines().find_map(|line| line.strip_prefix(word)?.trim().parse().ok()).unwrap_or_default()
    }

    fn admit(&self, pid: i32) {
        fs::write(self.folder.join("cgroup.procs"), pid.to_string()).unwrap();
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Who is left in it goes first; a group that cannot be removed stays, empty.
        let _left = fs::remove_dir(&self.folder);
    }
}

/// When memory runs out, the kernel ends a worker, and neither the router nor the store.
#[test]
fn when_memory_runs_out_a_worker_goes_first() {
    let group = if geteuid().is_root() { Group::with(160 << 20) } else { None };
    let Some(group) = group else {
        eprintln!("not tried: no group of the memory controller can be made here");
        return;
    };
    let mut farm =
        Setup::new(4).flag("--app-max-workers", "4").flag("--timeout", "8s").flag("--request-timeout", "20s").start();
    let greedy = "const all = []; for (let i = 0; i < 55; i++) all.push(new Uint8Array(1 << 20).fill(1));
        const until = Date.now() + 1500; while (Date.now() < until); respond(String(all.length))";
    let app = farm.script("greedy", greedy);
    // A neighbour's worker might be the one that goes.
    let watch = Watch::without_neighbour(&farm);
    let (router, store) = (farm.router(), farm.child("fazt-store"));
    let zygote = farm.child("fazt-zygote");
    // Children that are born from now on are in it too.
    for process in farm.worker_processes().iter().chain([&router, &store, &zygote]) {
        group.admit(process.pid);
    }
    let answers: Vec<_> = thread::scope(|scope| {
        let asking: Vec<_> = (0..4).map(|_| scope.spawn(|| app.again().get("/api/"))).collect();
        asking.into_iter().map(|asking| asking.join().unwrap()).collect()
    });
    assert!(group.count("oom_kill ") > 0, "memory did not run out: {answers:?}");
    for answer in &answers {
        let known = answer.status == 200 || ["worker_crashed", "timeout"].contains(&answer.code().as_str());
        assert!(known, "{} {}", answer.status, answer.text());
    }
    assert!(answers.iter().any(|answer| answer.code() == "worker_crashed"), "{answers:?}");
    assert!(router.is_alive() && store.is_alive(), "router {router:?}, store {store:?}");
    let small = farm.script("small", "respond(fazt.storage.kv.incr('n') === 1)");
    eventually(promised(seconds(10)), "others are served", || small.get("/api/").status == 200);
    watch.close();
    farm.kill(seconds(5));
}
