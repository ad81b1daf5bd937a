//! `fazt-router --check`: the configuration, the sandbox's layers, the store; printed, and an exit code that says whether
//! the farm would start.

use std::process::{Command, ExitCode};

use serde::Deserialize;

use crate::{
    cgroup::place,
    config::Config,
    farm::{birth::Zygote, config::Sandbox},
    store::supervisor::Supervisor,
};

/// One layer, as `fazt-worker --check-jail` reports it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Layer {
    layer: String,
    in_force: bool,
    for_root_alone: bool,
    reason: Option<String>,
    advice: Option<String>,
}

/// Checks everything that a start needs, prints it, and says whether it holds.
pub async fn check(config: Config) -> ExitCode {
    println!("configuration: {} workers, data in {}", config.farm.workers, config.data_dir.display());
    let sandbox_holds = check_sandbox(&config);
    // Before anything that is started here lies in the group beside us.
    check_cgroup();
    let sandbox_holds = sandbox_holds && check_zygote(&config).await;
    let store_holds = check_store(&config).await;
    if sandbox_holds && store_holds { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn check_sandbox(config: &Config) -> bool {
    let strict = config.farm.sandbox == Sandbox::Strict;
    println!("sandbox: {}", config.farm.sandbox.word());
    let probed = Command::new(&config.farm.worker_program)
        .args(["--check-jail", "--sandbox", config.farm.sandbox.word()])
        .output();
    let probed = match probed {
        Ok(probed) => probed,
        Err(error) => {
            println!("  ✗ failed to run {}: {error}", config.farm.worker_program.display());
            return false;
        }
    };
    let mut advice = Vec::new();
    for line in String::from_utf8_lossy(&probed.stdout).lines() {
        match serde_json::from_str::<Layer>(line) {
            Ok(layer) => print_layer(layer, &mut advice),
            Err(_not_json) => println!("  {line}"),
        }
    }
    for (layers, how) in advice {
        println!("  to get {}: {how}", layers.join(", "));
    }
    print!("{}", String::from_utf8_lossy(&probed.stderr));
    probed.status.success() || !strict
}

/// Says whether a farm that is started as this process was would have control groups. Nothing depends on them.
fn check_cgroup() {
    match place::find() {
        Ok(place) => println!("  ✓ cgroup: {place}"),
        Err(absence) => {
            println!("  ✗ cgroup: {absence} (no condition of strict: each process's own limits stand in)");
            println!("  to get cgroup: {}", absence.advice());
        }
    }
}

/// Starts a zygote as the farm would, which looks at it from outside.
async fn check_zygote(config: &Config) -> bool {
    match Zygote::start(&config.farm).await {
        Ok(zygote) => {
            println!("  tier: {}", zygote.jail.tier);
            true
        }
        Err(error) => {
            println!("  ✗ {error}");
            false
        }
    }
}

/// Layers, and how they are got.
type Advice = Vec<(Vec<String>, String)>;

/// Prints a layer's line. What helps several is said once, at the end.
fn print_layer(layer: Layer, advice: &mut Advice) {
    let Layer { layer, in_force, for_root_alone, reason, advice: how } = layer;
    let mark = if in_force { '✓' } else { '✗' };
    let why = reason.map(|why| format!(": {why}")).unwrap_or_default();
    let root = if for_root_alone && !in_force { " (only where root starts the farm)" } else { "" };
    println!("  {mark} {layer}{why}{root}");
    let Some(how) = how.filter(|_| !in_force) else { return };
    match advice.iter_mut().find(|(_, known)| *known == how) {
        Some((layers, _)) => layers.push(layer),
        None => advice.push((vec![layer], how)),
    }
}

async fn check_store(config: &Config) -> bool {
    match Supervisor::start(config.store.clone(), None).await {
        Ok((supervisor, link)) => {
            let status = link.borrow().as_ref().map(|link| link.status().clone());
            if let Some(status) = status {
                println!(
                    "store: {} ({}, synchronous {}, schema {})",
                    status.path, status.journal_mode, status.synchronous, status.schema
                );
            }
            supervisor.end().await;
            true
        }
        Err(error) => {
            println!("store: {error}");
            false
        }
    }
}
