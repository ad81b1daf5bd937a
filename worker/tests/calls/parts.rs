//! The parts of the workout: what a worker's and a builder's life can ask of the kernel.

use std::{hint::black_box, os::fd::AsFd, panic::catch_unwind, ptr, sync::Arc};

use fazt_jail::ABORTED;
use fazt_protocol::{
    board::Phase,
    body::parts,
    builder::{FromBuilder, ToBuilder},
    call::{Assign, Before, Call, FromWorker, Limits, Request, ToWorker, Work},
    clock,
    grant::{Grant, GrantKey},
    id::RequestId,
    pipe::Pipe,
    spawn::Role,
    version::PROTOCOL,
};
use fazt_worker::{
    builder,
    engine::{Blank, Config, FreshState, Standard},
    serve,
    zygote::Birth,
};
use nix::sys::{signal::Signal, wait::WaitStatus};

use crate::router::{Child, deadline, flags};

pub(crate) struct Part {
    pub(crate) name: &'static str,
    pub(crate) role: Role,
    /// In the child.
    pub(crate) live: fn(Birth, Blank) -> i32,
    /// Outside.
    pub(crate) play: fn(Child) -> Result<(), String>,
}

/// Scripts, and what they come to.
const SCRIPTS: &[(&str, &str)] = &[
    ("1 + 1", "2"),
    ("const { kv, s3 } = fazt.storage; kv.set('k', 'v'.repeat(600000)); kv.get('k').length", "1048576"),
    ("new Promise(done => setTimeout(() => done(new Date().getTime() > 0), 30))", "true"),
    ("let all = []; for (let n = 0; n < 30; n++) all.push(new ArrayBuffer(1 << 20)); all.length", "30"),
    ("let s = 'x'; for (let n = 0; n < 22; n++) s += s; s.length", "4194304"),
    (
        "const step = () => Promise.resolve().then(step); step(); setTimeout(() => {}); throw 1",
        "ScriptError non-error thrown: 1",
    ),
    ("[Math.random(), crypto.randomUUID()].length", "2"),
    ("for (let n = 0; n < 300; n++) console.log('x'.repeat(4000)); 1", "1"),
    ("const f = () => f() + 1; try { f() } catch (e) { 'deep' }", "\"deep\""),
    ("const b = []; for (let n = 0; n < 20000; n++) b.push({ n }); b.sort((x, y) => y.n - x.n).length", "20000"),
];

pub(crate) const PARTS: &[Part] = &[
    Part { name: "scripts", role: Role::Worker, live: serve::run, play: scripts },
    Part { name: "a request with bodies", role: Role::Worker, live: serve::run, play: request },
    Part { name: "a loop without end", role: Role::Worker, live: serve::run, play: endless },
    Part { name: "memory without end", role: Role::Worker, live: serve::run, play: memory },
    Part { name: "stopped and continued", role: Role::Worker, live: serve::run, play: stopped },
    Part { name: "the store replaced", role: Role::Worker, live: serve::run, play: replaced },
    Part { name: "a context for each request", role: Role::Worker, live: in_contexts, play: scripts },
    Part { name: "an archive", role: Role::Builder, live: |birth, _| builder::run(birth), play: archive },
    Part {
        name: "an abort",
        role: Role::Worker,
        live: |_, _| std::process::abort(),
        play: |child| child.ends_with(ABORTED),
    },
    Part {
        name: "a panic",
        role: Role::Worker,
        live: |_, _| if catch_unwind(|| panic!("on purpose")).is_err() { 101 } else { 0 },
        play: |child| child.ends_with(101),
    },
    Part { name: "a crash", role: Role::Worker, live: crash, play: crashed },
];

type Router = Pipe<FromWorker, ToWorker>;

fn told(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn grant(sequence: u64) -> Grant {
    GrantKey::new([1; 32]).grant(1, sequence, RequestId::generate(), clock::now_ns() + 10_000_000_000)
}

/// A worker that has loaded its app.
fn loaded(child: &mut Child) -> Result<Router, String> {
    let mut router = Router::new(child.call.try_clone().map_err(told)?);
    let FromWorker::Ready(_) = router.receive(deadline()).map_err(told)? else { return Err("not ready".to_owned()) };
    let limits = Limits {
        heap_bytes: 64 << 20,
        stack_bytes: 512 << 10,
        answer_bytes: 16 << 20,
        storage_calls: 100,
        storage_ms: 5_000,
    };
    let assign =
        Assign { protocol: PROTOCOL, app: "app".to_owned(), version: 1, env: Vec::new(), limits, grant: grant(1) };
    let op = child.ops.remove(0);
    router.send_with(&ToWorker::Assign(Box::new(assign)), &[op.as_fd()], deadline()).map_err(told)?;
    match router.receive(deadline()).map_err(told)? {
        FromWorker::Assigned(assigned) if assigned.failure.is_none() => Ok(router),
        other => Err(format!("{other:?}")),
    }
}

fn send(router: &mut Router, number: u64, work: Work, run_ms: u64, body: &[u8]) -> Result<(), String> {
    let (first, rest) = parts(body);
    let (run_us, spent) = (run_ms * 1_000, Before::default());
    let call = Call { number, grant: grant(number + 1), run_us, work, spent, debug: false, body: first };
    router.send(&ToWorker::Call(Box::new(call)), deadline()).map_err(told)?;
    rest.into_iter().try_for_each(|part| router.send(&ToWorker::Chunk(part), deadline()).map_err(told))
}

/// What comes of the call in hand: its body, or the kind of fault.
fn hear(router: &mut Router) -> Result<String, String> {
    let mut said = String::new();
    loop {
        match router.receive(deadline()).map_err(told)? {
            FromWorker::Reply(reply) => said = String::from_utf8_lossy(&reply.body.bytes).into_owned(),
            FromWorker::Chunk(part) => said.push_str(&String::from_utf8_lossy(&part.bytes)),
            FromWorker::Fault(fault) => said = format!("{:?} {}", fault.kind, fault.message),
            FromWorker::Done(_) => return Ok(said),
            _ => {}
        }
    }
}

fn run(router: &mut Router, number: u64, script: &str, expected: &str) -> Result<(), String> {
    send(router, number, Work::Execute, 5_000, script.as_bytes())?;
    let came = hear(router).map_err(|why| format!("{script}: {why}"))?;
    if came == expected { Ok(()) } else { Err(format!("{script}: {came}")) }
}

fn scripts(mut child: Child) -> Result<(), String> {
    let mut router = loaded(&mut child)?;
    for round in 0..2_u64 {
        for (number, (script, expected)) in (1..).zip(SCRIPTS) {
            run(&mut router, round * 100 + number, script, expected)?;
        }
    }
    drop(router);
    child.ends_with(0)
}

fn request(mut child: Child) -> Result<(), String> {
    let mut router = loaded(&mut child)?;
    let text = |text: &str| text.to_owned();
    let work = Work::Request(Arc::new(Request {
        method: text("POST"),
        url: text("http://app.localhost/api/"),
        path: text("/api/"),
        query: String::new(),
        host: text("app.localhost"),
        ip: text("127.0.0.1"),
        headers: vec![(text("content-type"), text("text/plain"))],
        has_body: true,
    }));
    send(&mut router, 1, work, 5_000, &vec![b'x'; 3 << 20])?;
    let came = hear(&mut router)?;
    drop(router);
    if came.contains("3145728") { child.ends_with(0) } else { Err(came) }
}

fn endless(mut child: Child) -> Result<(), String> {
    let mut router = loaded(&mut child)?;
    send(&mut router, 1, Work::Execute, 50, b"for(;;){}")?;
    let came = hear(&mut router)?;
    drop(router);
    if came.starts_with("SoftTimeout") { child.ends_with(0) } else { Err(came) }
}

fn memory(mut child: Child) -> Result<(), String> {
    let mut router = loaded(&mut child)?;
    send(&mut router, 1, Work::Execute, 5_000, b"const all = []; for (;;) all.push({}, 'x'.repeat(9999))")?;
    let came = hear(&mut router)?;
    drop(router);
    if came.starts_with("Memory") { child.ends_with(0) } else { Err(came) }
}

/// In each wait that a worker knows: for a timer, for the router.
fn stopped(mut child: Child) -> Result<(), String> {
    let mut router = loaded(&mut child)?;
    send(&mut router, 1, Work::Execute, 5_000, b"new Promise(done => setTimeout(() => done(7), 300))")?;
    child.pause(Phase::Execute)?;
    let came = hear(&mut router)?;
    child.pause(Phase::Idle)?;
    run(&mut router, 2, "2", "2")?;
    drop(router);
    if came == "7" { child.ends_with(0) } else { Err(came) }
}

fn replaced(mut child: Child) -> Result<(), String> {
    let mut router = loaded(&mut child)?;
    let op = child.ops.remove(0);
    router.send_with(&ToWorker::Rebind { grant: None }, &[op.as_fd()], deadline()).map_err(told)?;
    run(&mut router, 1, "fazt.storage.kv.get('k').length", "1048576")?;
    drop(router);
    child.ends_with(0)
}

fn archive(child: Child) -> Result<(), String> {
    let mut archive = tar::Builder::new(Vec::new());
    let text = "<p>a page that says the same thing again and again</p>\n".repeat(20_000);
    for (path, content) in [("index.html", text.as_str()), ("api/main.js", "respond(1)"), ("app.js", "let a = 1\n")] {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, path, content.as_bytes()).map_err(told)?;
    }
    let bytes = archive.into_inner().map_err(told)?;
    let mut router = Pipe::<FromBuilder, ToBuilder>::new(child.call.try_clone().map_err(told)?);
    let (body, rest) = parts(&bytes);
    router.send(&ToBuilder::Begin { protocol: PROTOCOL, body }, deadline()).map_err(told)?;
    for part in rest {
        router.send(&ToBuilder::Chunk(part), deadline()).map_err(told)?;
    }
    loop {
        match router.receive(deadline()).map_err(told)? {
            FromBuilder::Built(_) => break,
            FromBuilder::Refused { file, rule } => return Err(format!("{file}: {rule}")),
            _ => {}
        }
    }
    drop(router);
    child.ends_with(0)
}

/// As where `--fresh-state context` is given; a queue that was left full costs the next request a new runtime.
fn in_contexts(birth: Birth, _: Blank) -> i32 {
    let config = Config { fresh_state: FreshState::Context, ..flags().engine() };
    serve::run(birth, Blank::make(&Standard::compile().unwrap(), config).unwrap())
}

fn crash(_: Birth, _: Blank) -> i32 {
    black_box([0; 64]);
    // SAFETY: it is not; that is the part. Nobody maps page zero.
    unsafe { ptr::read_volatile(ptr::without_provenance::<u8>(8)) };
    unreachable!()
}

fn crashed(child: Child) -> Result<(), String> {
    match child.end()? {
        WaitStatus::Signaled(_, Signal::SIGSEGV, _) => Ok(()),
        other => Err(format!("it ended with {other:?}")),
    }
}
