//! A farm that serves: its apps, its admin interface, its processes. Dropped, it is killed, and no process may be left.

use std::{
    net::SocketAddr,
    process::{Child, ExitStatus},
    sync::Arc,
    thread,
    time::Duration,
};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::{
    bundle::Bundle,
    http::{Answer, App, Request},
    log::Log,
    process::{self, Process},
    setup::Data,
    wait::{PATIENCE, eventually, seconds},
};

/// A running farm.
#[derive(Debug)]
pub struct Farm {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    /// The admin token.
    pub token: String,
    /// What it has said.
    pub log: Log,
    data: Arc<Data>,
}

impl Farm {
    /// Takes charge of a router.
    #[must_use]
    pub(crate) fn new(child: Child, address: SocketAddr, token: String, log: Log, data: Arc<Data>) -> Self {
        Self { child, address, token, log, data }
    }

    /// An app, by its host.
    #[must_use]
    pub fn app(&self, name: &str) -> App {
        App::at(self.address, &format!("{name}.localhost"))
    }

    /// The admin interface, with the token.
    #[must_use]
    pub fn admin(&self) -> App {
        App::at(self.address, "localhost").with_token(&self.token)
    }

    /// Where its data is.
    #[must_use]
    pub fn data(&self) -> &Data {
        &self.data
    }

    /// Deploys an app of these files; panics where it is refused.
    pub fn deploy(&self, name: &str, files: &[(&str, &str)]) -> Value {
        let answer = self.try_deploy(name, Bundle::of(files).bytes());
        assert!(matches!(answer.status, 200 | 201), "deploy of {name}: {} {}", answer.status, answer.text());
        answer.json()
    }

    /// Deploys an app that is one `api/main.js`.
    pub fn script(&self, name: &str, source: &str) -> App {
        self.deploy(name, &[("api/main.js", source)]);
        self.app(name)
    }

    /// Uploads bytes as an app, whatever they are.
    #[must_use]
    pub fn try_deploy(&self, name: &str, archive: Vec<u8>) -> Answer {
        let target = format!("/api/_admin/apps/{name}/deploy");
        self.admin().send(&Request::new("POST", &target).body("application/x-tar", archive))
    }

    /// The pool, as the farm tells of it.
    #[must_use]
    pub fn runtime(&self) -> Value {
        self.admin().get("/api/_debug/runtime").json()
    }

    /// Waits for the trace of a request.
    #[must_use]
    pub fn trace(&self, id: &str) -> Value {
        eventually(PATIENCE, &format!("a trace of {id}"), || {
            let answer = self.admin().get(&format!("/api/_debug/traces/{id}"));
            (answer.status == 200).then(|| answer.json())
        })
    }

    /// The worker that served a request.
    #[must_use]
    pub fn worker_of(&self, answer: &Answer) -> i32 {
        let trace = self.trace(&answer.id());
        i32::try_from(trace["workerPid"].as_i64().unwrap_or_else(|| panic!("no worker in {trace}"))).unwrap()
    }

    /// Runs code in an app's context.
    #[must_use]
    pub fn execute(&self, app: &str, code: &str) -> Value {
        let answer = self.admin().post("/api/_debug/execute", &json!({ "app": app, "code": code }));
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    /// The router's process.
    #[must_use]
    pub fn router(&self) -> Process {
        Process::find(i32::try_from(self.child.id()).unwrap()).unwrap()
    }

    /// The one child of that name: `fazt-store`, `fazt-zygote`.
    #[must_use]
    pub fn child(&self, name: &str) -> Process {
        eventually(PATIENCE, &format!("a child {name}"), || self.children(name).into_iter().next())
    }

    /// The living children of that name.
    #[must_use]
    pub fn children(&self, name: &str) -> Vec<Process> {
        let all = process::children(i32::try_from(self.child.id()).unwrap());
        all.into_iter().filter(|child| child.name == name && !child.is_zombie()).collect()
    }

    /// The processes of all workers, the spare one too, once the pool is at rest: nobody is half way into its jail.
    #[must_use]
    pub fn worker_processes(&self) -> Vec<Process> {
        self.settle();
        self.children("fazt-worker")
    }

    /// The pids of the workers that the pool holds, in order.
    #[must_use]
    pub fn workers(&self) -> Vec<i32> {
        let runtime = self.runtime();
        let rows = runtime["workers"].as_array().unwrap_or_else(|| panic!("no workers in {runtime}"));
        rows.iter().filter_map(|row| i32::try_from(row["pid"].as_i64()?).ok()).collect()
    }

    /// The worker that runs an app's code right now, as the pool says.
    pub fn busy_worker(&self, app: &str) -> Process {
        self.one_worker(app, |row| row["state"] == "busy" && row["phase"] == "execute")
    }

    /// A worker that waits for an app's next request.
    #[must_use]
    pub fn idle_worker(&self, app: &str) -> Process {
        self.one_worker(app, |row| row["state"] == "idle")
    }

    fn one_worker(&self, app: &str, is_wanted: impl Fn(&Value) -> bool) -> Process {
        eventually(PATIENCE, &format!("the worker of {app} that is wanted"), || {
            let runtime = self.runtime();
            let row = runtime["workers"].as_array()?.iter().find(|row| row["app"] == app && is_wanted(row))?;
            Process::find(i32::try_from(row["pid"].as_i64()?).ok()?)
        })
    }

    /// Waits until every place of the pool has a worker that rests, a spare one is there, and no process is left of those before.
    pub fn settle(&self) {
        eventually(PATIENCE, "the pool is whole and at rest", || {
            let runtime = self.runtime();
            let count = |of: &str| usize::try_from(runtime[of].as_u64()?).ok();
            let (size, spares) = (count("poolSize")?, count("spares")?);
            let is_whole = self.workers().len() == size && self.children("fazt-worker").len() == size + spares;
            let rests = runtime["inUse"] == 0 && runtime["queued"] == 0 && runtime["spawning"] == 0;
            (is_whole && rests).then_some(())
        });
    }

    /// Sends the router a signal.
    pub fn signal(&self, signal: Signal) {
        self.router().signal(signal);
    }

    /// Waits for the router's end, and until all is read that it has said.
    #[must_use]
    pub fn ended(&mut self, within: Duration) -> ExitStatus {
        let status = eventually(within, "the router has ended", || self.child.try_wait().unwrap());
        // Its children hold the log too, and may be on their way after it.
        eventually(PATIENCE, "its log has ended", || self.log.is_ended());
        status
    }

    /// Kills the router with -9 and waits until no process of the farm is left; panics where one lives on.
    pub fn kill(&mut self, within: Duration) {
        let children = process::children(i32::try_from(self.child.id()).unwrap());
        // It may have ended by itself.
        let _gone = self.child.kill();
        let _ended = self.child.wait();
        eventually(within, "no process of the farm is left", || !children.iter().any(Process::is_alive));
    }
}

impl Drop for Farm {
    fn drop(&mut self) {
        let children = process::children(i32::try_from(self.child.id()).unwrap());
        let _gone = self.child.kill();
        let _ended = self.child.wait();
        if thread::panicking() {
            eprintln!("the farm's log:\n{}", self.log.text());
            for child in children {
                child.signal(Signal::KILL);
            }
            return;
        }
        eventually(seconds(10), "no process of the farm is left", || !children.iter().any(Process::is_alive));
    }
}
