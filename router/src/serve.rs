//! From the configuration to a farm that serves, and back to nothing: the order of starting and of closing.
//!
//! Starting: the listeners first (a port in use must cost nothing), then the store, then the zygote, then workers; whatever
//! refuses ends all that was started before, with one line that says what to do. Closing: no new connections, requests finish,
//! apps' log lines reach the store, the store closes its file, everything else is killed.

use std::{
    process::ExitCode,
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use tokio::{
    runtime::{Builder, Handle},
    sync::{oneshot, watch},
    time::{sleep, timeout},
};

use crate::{
    admin::token::Token,
    catalog::Catalog,
    cgroup::{self, Given},
    config::Config,
    dump,
    edge::{
        contents::Contents,
        listen::{self, Listeners},
        ready::Readiness,
    },
    farm::{
        Farm, Ground, attendant,
        birth::Zygote,
        counts::Counts,
        ground::{self, Means},
        logs::Logs,
    },
    house::House,
    signals::{Signals, Wish},
    store::{Store, supervisor::Supervisor},
    telemetry,
    trace::Traces,
};

/// How long the first worker may take until it is ready, with all births that come to nothing before it.
const FIRST_WORKER_TIMEOUT: Duration = Duration::from_secs(10);
/// What is said where it is not.
const NO_WORKER: &str = "no worker was ready within 10 seconds; the lines above say what became of them";
/// How long apps' log lines may take to reach the store when the farm closes.
const LOGS_TIMEOUT: Duration = Duration::from_secs(2);
/// Between two looks at what still runs while the farm closes.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// A thread with a runtime of its own: one accept loop, its requests, its keepers.
struct Home {
    handle: Handle,
    house: oneshot::Sender<(Arc<House>, Listeners)>,
    thread: JoinHandle<()>,
}

/// A farm that serves.
struct Running {
    house: Arc<House>,
    close: watch::Sender<bool>,
    threads: Vec<JoinHandle<()>>,
    carrying: tokio::task::JoinHandle<()>,
    close_store: watch::Sender<bool>,
    supervising: tokio::task::JoinHandle<()>,
}

/// Says in one line why the farm does not start.
pub fn refuse(why: &str) -> ExitCode {
    eprintln!("fazt-router: {why}");
    ExitCode::from(2)
}

/// Serves until a signal says to close.
pub async fn serve(config: Config) -> ExitCode {
    match start_and_run(config).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => refuse(&why),
    }
}

async fn start_and_run(config: Config) -> Result<(), String> {
    let listeners = Listeners::open(&config.edge).map_err(|error| error.to_string())?;
    let telemetry = telemetry::start(&config.telemetry).map_err(|error| format!("failed to start logging: {error}"))?;
    let signals = Signals::hear().map_err(|error| format!("failed to hear signals: {error}"))?;
    // Before any child: it would lie in the group that is to be divided.
    let given = cgroup::take_over(&config);
    let outcome = run(config, signals, listeners, &given).await;
    if let Ok(groups) = given {
        groups.leave().await;
    }
    drop(telemetry);
    outcome
}

async fn run(config: Config, mut signals: Signals, listeners: Listeners, given: &Given) -> Result<(), String> {
    let running = tokio::select! {
        biased;
        running = start(config, &listeners, given) => running?,
        // Nobody was let in yet; what was started ends with this process.
        () = signals.close() => return Ok(()),
    };
    if running.house.config.telemetry.debug {
        tokio::spawn(dump::beat(Arc::clone(&running.house)));
    }
    say_ready(&running.house, &listeners);
    // Ours would go on taking connections that nobody serves.
    drop(listeners);
    attend(&mut signals, &running.house).await;
    // From here on a second signal ends everything at once: the kernel takes the children along.
    tokio::spawn(end_at_once(signals));
    close_down(running).await;
    Ok(())
}

fn no_token(config: &Config, error: &std::io::Error) -> String {
    let advice = match error.kind() {
        // It says itself what to do.
        std::io::ErrorKind::InvalidData => "",
        _ => "; make the folder writable for this user, or choose another --data-dir",
    };
    format!("failed to open {}: {error}{advice}", config.admin.token_file.display())
}

/// Store, zygote, workers, and the homes, which accept last of all: whoever is answered finds a farm that can serve.
async fn start(config: Config, listeners: &Listeners, given: &Given) -> Result<Running, String> {
    let started = Instant::now();
    let token = Token::open(&config.admin.token_file).map_err(|error| no_token(&config, &error))?;
    let groups = given.as_ref().ok().cloned();
    let store = Supervisor::start(config.store.clone(), groups.clone()).await;
    let (supervisor, link) = store.map_err(|error| error.to_string())?;
    let zygote = match Zygote::start(&config.farm).await {
        Ok(zygote) => zygote,
        Err(error) => {
            supervisor.end().await;
            return Err(error.to_string());
        }
    };
    let (store, jail) = (Store::new(link), zygote.jail.clone());
    let (births, attending) = attendant::attend(config.farm.clone(), zygote, groups);
    tokio::spawn(attending);
    let (close_store, store_may_close) = watch::channel(false);
    let supervising = tokio::spawn(supervisor.run(store_may_close));
    let counts = Arc::new(Counts::default());
    let (logs, carrying) = Logs::start(store.clone(), Arc::clone(&counts));
    let homes = homes()?;
    let handles = homes.iter().map(|home| home.handle.clone()).collect();
    let cgroup = cgroup::told(given);
    let means = Means { store: store.clone(), births, jail, cgroup, logs, counts, homes: handles };
    let ground = Ground::new(config.farm.clone(), means);
    ground.open();
    let (close, closing) = watch::channel(false);
    let farm = Farm::new(ground);
    let (contents, catalog, traces) = (Contents::new(&config.edge), Catalog::default(), Traces::default());
    let house = Arc::new(House {
        config,
        farm,
        store,
        catalog,
        traces,
        contents,
        token,
        readiness: Readiness::default(),
        started,
        closing,
    });
    house.catalog.load(&house.store).await.map_err(|error| format!("failed to read the apps: {error}"))?;
    let first = timeout(FIRST_WORKER_TIMEOUT, house.farm.first_worker()).await.map_err(|_late| NO_WORKER.to_owned())?;
    first.map_err(|shortfall| format!("failed to {shortfall}"))?;
    let threads = open(homes, &house, listeners)?;
    Ok(Running { house, close, threads, carrying, close_store, supervising })
}

/// One thread a core. Its runtime turns from the start, so that keepers can be put on it before it accepts.
fn homes() -> Result<Vec<Home>, String> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    (0..cores).map(|number| home(number).map_err(|error| format!("failed to start a runtime: {error}"))).collect()
}

fn home(number: usize) -> std::io::Result<Home> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    let (house, opened) = oneshot::channel::<(Arc<House>, Listeners)>();
    let thread = std::thread::Builder::new().name(format!("fazt-home-{number}")).spawn(move || {
        ground::settle(number);
        runtime.block_on(async move {
            if let Ok((house, listeners)) = opened.await {
                listen::serve(house, listeners).await;
            }
        });
    })?;
    Ok(Home { handle, house, thread })
}

fn open(homes: Vec<Home>, house: &Arc<House>, listeners: &Listeners) -> Result<Vec<JoinHandle<()>>, String> {
    let mut threads = Vec::new();
    for home in homes {
        let duplicate = listeners.duplicate().map_err(|error| format!("failed to duplicate a listener: {error}"))?;
        // A home that ended already shows itself when it is joined.
        let _gone = home.house.send((Arc::clone(house), duplicate));
        threads.push(home.thread);
    }
    Ok(threads)
}

fn say_ready(house: &House, listeners: &Listeners) {
    let sandbox = house.farm.sandbox();
    sandbox.warn();
    let addresses = listeners.addresses().join(", ");
    tracing::info!(
        listen = %addresses,
        data_dir = %house.config.data_dir.display(),
        workers = house.config.farm.workers,
        sandbox = sandbox.sandbox,
        sandbox_tier = sandbox.sandbox_tier,
        cgroup = sandbox.sandbox_cgroup,
        token_file = %house.config.admin.token_file.display(),
        started_ms = u64::try_from(house.started.elapsed().as_millis()).unwrap_or(u64::MAX),
        "ready"
    );
}

async fn attend(signals: &mut Signals, house: &House) {
    loop {
        match signals.next().await {
            Wish::Dump => dump::dump(house),
            Wish::Hangup => tracing::warn!("SIGHUP changes nothing: restart the farm to read its configuration again"),
            Wish::Close => return,
        }
    }
}

async fn end_at_once(mut signals: Signals) {
    while signals.next().await != Wish::Close {}
    std::process::exit(130);
}

/// No new connections; what runs may finish within its limit; then the last lines of apps, and the store.
async fn close_down(running: Running) {
    let Running { house, close, threads, carrying, close_store, supervising } = running;
    tracing::info!("closing");
    close.send_replace(true);
    finish(&threads, house.config.edge.request).await;
    drop(house);
    // The farm's ground is gone with the homes and the house, and with it the last that could write a line.
    let _late = timeout(LOGS_TIMEOUT, carrying).await;
    close_store.send_replace(true);
    // A supervisor that panicked has said so.
    let _ended = supervising.await;
    tracing::info!("closed");
}

/// Waits until every home has ended, within a whole request's limit.
async fn finish(threads: &[JoinHandle<()>], limit: Duration) {
    let until = Instant::now().checked_add(limit);
    while threads.iter().any(|thread| !thread.is_finished()) {
        if until.is_none_or(|until| Instant::now() >= until) {
            tracing::warn!("requests that did not finish in time are cut off");
            return;
        }
        sleep(LOOK_EVERY).await;
    }
}
