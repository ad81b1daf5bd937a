//! `fazt-router --check`: the configuration, the sandbox's layers, the store; printed, and an exit code that says whether
//! the farm would start.

use std::process::{Command, ExitCode};

use serde::Deserialize;

use crate::{
    cgroup::place,
    config::Config,
    farm::{birth::Zygote, config::Sandbox, sandbox::Report},
    store::supervisor::Supervisor,
};

/// What `fazt-worker --check-jail` says, a line each.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Line {
    Layer(Layer),
    Tier { tier: String },
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Layer {
    layer: String,
    in_force: bool,
    /// Whether `strict` may do without it.
    enough: bool,
    for_root_alone: bool,
    reason: Option<String>,
    /// What there is of a layer that this kernel has in part.
    note: Option<String>,
    advice: Option<String>,
}

/// Layers, and how they are got.
type Advice = Vec<(Vec<String>, String)>;

/// Checks everything that a start needs, prints it, and says whether it holds.
pub async fn check(config: Config) -> ExitCode {
    println!("configuration: {} workers, data in {}", config.farm.workers, config.data_dir.display());
    let mut obstacles = check_sandbox(&config);
    // Before anything that is started here lies in the group beside us.
    check_cgroup();
    let store_missing = match check_store(&config).await {
        Ok(missing) => missing,
        Err(obstacle) => {
            obstacles.push(obstacle);
            String::new()
        }
    };
    // What stands in its way it would only say again.
    if obstacles.is_empty() {
        obstacles.extend(check_zygote(&config, store_missing).await.err());
    }
    if obstacles.is_empty() {
        println!("the farm would start");
        return ExitCode::SUCCESS;
    }
    println!("the farm would not start: {}", obstacles.join("; "));
    ExitCode::FAILURE
}

/// Prints the table of layers; returns what keeps the farm from starting.
fn check_sandbox(config: &Config) -> Vec<String> {
    let mode = config.farm.sandbox;
    println!("sandbox: {}", mode.word());
    let probed = Command::new(&config.farm.worker_program).args(["--check-jail", "--sandbox", mode.word()]).output();
    let probed = match probed {
        Ok(probed) => probed,
        Err(error) => return vec![format!("failed to run {}: {error}", config.farm.worker_program.display())],
    };
    let (mut advice, mut lacking, mut tier) = (Advice::new(), Vec::new(), None);
    for line in String::from_utf8_lossy(&probed.stdout).lines() {
        match serde_json::from_str::<Line>(line) {
            Ok(Line::Layer(layer)) => {
                if !layer.enough {
                    lacking.push(layer.layer.clone());
                }
                print_layer(layer, &mut advice);
            }
            Ok(Line::Tier { tier: found }) => tier = Some(found),
            Err(_not_json) => println!("  {line}"),
        }
    }
    for (layers, how) in advice {
        println!("  to get {}: {how}", layers.join(", "));
    }
    let Some(tier) = tier else {
        return vec![format!("the sandbox could not be tried: {}", String::from_utf8_lossy(&probed.stderr).trim())];
    };
    println!("  tier: {tier}");
    match mode {
        Sandbox::Strict if !lacking.is_empty() => vec![format!("--sandbox strict lacks {}", lacking.join(", "))],
        Sandbox::Strict | Sandbox::BestEffort | Sandbox::Off => Vec::new(),
    }
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
async fn check_zygote(config: &Config, store_missing: String) -> Result<(), String> {
    let zygote = Zygote::start(&config.farm).await.map_err(|error| error.to_string())?;
    let report = Report::of(config.farm.sandbox, &zygote.jail, store_missing, "");
    if let Some(warning) = report.sandbox_warning {
        println!("warning: {warning}");
    }
    Ok(())
}

/// Prints a layer's line. What helps several is said once, at the end.
fn print_layer(layer: Layer, advice: &mut Advice) {
    let Layer { layer, in_force, enough: _, for_root_alone, reason, note, advice: how } = layer;
    let mark = if in_force { '✓' } else { '✗' };
    let why = reason.or(note).map(|why| format!(": {why}")).unwrap_or_default();
    let root = if for_root_alone && !in_force { " (only where root starts the farm)" } else { "" };
    println!("  {mark} {layer}{why}{root}");
    let Some(how) = how.filter(|_| !in_force) else { return };
    match advice.iter_mut().find(|(_, known)| *known == how) {
        Some((layers, _)) => layers.push(layer),
        None => advice.push((vec![layer], how)),
    }
}

/// Starts a store as the farm would; returns what its own jail lacks.
async fn check_store(config: &Config) -> Result<String, String> {
    let (supervisor, link) =
        Supervisor::start(config.store.clone(), None).await.map_err(|error| format!("store: {error}"))?;
    let status = link.borrow().as_ref().map(|link| link.status().clone());
    supervisor.end().await;
    let status = status.ok_or_else(|| "store: it went away".to_owned())?;
    println!(
        "store: {} ({}, synchronous {}, schema {})",
        status.path, status.journal_mode, status.synchronous, status.schema
    );
    match status.sandbox_missing.as_str() {
        "" => println!("  ✓ its own jail: not-dumpable, no-new-privileges, landlock, seccomp"),
        missing => println!("  ✗ its own jail: without {missing}"),
    }
    Ok(status.sandbox_missing)
}
