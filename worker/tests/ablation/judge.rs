//! The claims: an attempt gets through exactly where none of the layers that stop it is in force, in every combination that
//! is tried, and no layer is there for nothing.

use std::{
    collections::BTreeSet,
    env, fs,
    process::Stdio,
    sync::{Mutex, OnceLock},
    thread,
};

use fazt_jail::{Layer, Layers};
use libtest_mimic::Trial;

use crate::{
    attempts::ATTEMPTS,
    looks::LOOKS,
    nest::{NEIGHBOUR, ORPHAN},
    table,
    users::{As, by_both, command},
};

/// A combination of layers, and what came of every attempt.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) left_out: Layers,
    /// What a child found in force.
    pub(crate) layers: Layers,
    pub(crate) through: BTreeSet<String>,
    pub(crate) held: BTreeSet<String>,
}

/// Every attempt and look by name, with the layers of which one is enough to stop it.
pub(crate) fn rows() -> impl Iterator<Item = (&'static str, &'static [Layer])> {
    let looks = LOOKS.iter().map(|look| (look.name, look.stopped_by));
    let pairs: [(&str, &[Layer]); 2] =
        [(NEIGHBOUR, &[Layer::NotDumpable, Layer::OwnIds]), (ORPHAN, &[Layer::ParentDeath])];
    ATTEMPTS.iter().map(|attempt| (attempt.name, attempt.stopped_by)).chain(pairs).chain(looks)
}

pub(crate) fn all() -> Vec<Trial> {
    by_both(&[
        ("with_all_layers_nothing_gets_through", with_all_layers_nothing_gets_through),
        ("an_attempt_gets_through_where_none_of_its_layers_stands", an_attempt_gets_through_where_none_stands),
        ("every_layer_alone_stops_what_is_its_own", every_layer_alone_stops_what_is_its_own),
        ("the_tables_in_the_documents_are_those_measured", the_tables_in_the_documents_are_those_measured),
    ])
}

/// All that such a user can have.
pub(crate) fn attainable(user: As) -> Layers {
    Layers::attainable(user == As::Root)
}

/// What a layer cannot be had without.
fn ground(layer: Layer, user: As) -> &'static [Layer] {
    match layer {
        Layer::EmptyRoot if user == As::Ordinary => &[Layer::MountNamespace, Layer::UserNamespace],
        Layer::EmptyRoot => &[Layer::MountNamespace],
        Layer::Landlock | Layer::Seccomp => &[Layer::NoNewPrivileges],
        // Of a process with more privilege nobody is a neighbour.
        Layer::NotDumpable if user == As::Ordinary => &[Layer::NoCapabilities, Layer::UserNamespace],
        Layer::NotDumpable => &[Layer::NoCapabilities],
        Layer::MountNamespace
        | Layer::NetNamespace
        | Layer::IpcNamespace
        | Layer::UtsNamespace
        | Layer::PidNamespace
        | Layer::NoCapabilities
            if user == As::Ordinary =>
        {
            &[Layer::UserNamespace]
        }
        _ => &[],
    }
}

fn only(layer: Layer, user: As) -> Layers {
    let kept = ground(layer, user).iter().chain([&layer]);
    kept.fold(Layers::attainable(true), |layers, kept| layers.without(*kept))
}

fn set(layers: &[Layer]) -> Layers {
    layers.iter().fold(Layers::NONE, |layers, layer| layers.with(*layer))
}

/// Nothing; each layer; all but each layer; and all that stop an attempt together.
fn combinations(user: As) -> Vec<Layers> {
    let mut all = vec![Layers::NONE];
    let there = attainable(user).iter();
    all.extend(there.flat_map(|layer| [Layers::NONE.with(layer), only(layer, user)]));
    all.extend(rows().map(|(_, stopped_by)| set(stopped_by)));
    let mut seen = BTreeSet::new();
    all.retain(|layers| seen.insert(layers.bits()));
    all
}

/// Measured once for all checks.
pub(crate) fn runs(user: As) -> &'static [Run] {
    static RUNS: [OnceLock<Vec<Run>>; 2] = [OnceLock::new(), OnceLock::new()];
    RUNS[usize::from(user == As::Root)].get_or_init(|| {
        let (waiting, done) = (Mutex::new(combinations(user)), Mutex::new(Vec::new()));
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    loop {
                        let Some(next) = waiting.lock().unwrap().pop() else { return };
                        let run = play(user, next);
                        done.lock().unwrap().push(run);
                    }
                });
            }
        });
        let mut done = done.into_inner().unwrap();
        done.sort_by_key(|run| (run.left_out.iter().count(), run.left_out.bits()));
        done
    })
}

fn play(user: As, left_out: Layers) -> Run {
    let mut command = command(user, &["router", &left_out.bits().to_string()]);
    let output = command.current_dir("/").stderr(Stdio::inherit()).output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "without {left_out:?}: {}\n{told}", output.status);
    let all = |word: &str| told.lines().filter_map(|line| line.strip_prefix(word)).map(str::to_owned).collect();
    let bits: BTreeSet<String> = all("layers ");
    let layers = Layers::from_bits(bits.first().unwrap().parse().unwrap());
    Run { left_out, layers, through: all("through "), held: all("held ") }
}

fn with_all_layers_nothing_gets_through(user: As) {
    let whole = &runs(user)[0];
    assert_eq!((whole.left_out, whole.layers), (Layers::NONE, attainable(user)));
    assert_eq!(whole.through, BTreeSet::new());
    let rows: BTreeSet<String> = rows().map(|(name, _)| name.to_owned()).collect();
    let unseen: Vec<&String> = rows.difference(&whole.held).collect();
    let for_root: Vec<&str> = LOOKS.iter().filter(|look| look.for_root_alone).map(|look| look.name).collect();
    println!("{user:?}: {} attempts held, not tried: {unseen:?}", whole.held.len());
    assert!(unseen.iter().all(|name| user == As::Ordinary && for_root.contains(&name.as_str())), "{unseen:?}");
}

fn an_attempt_gets_through_where_none_stands(user: As) {
    let mut wrong = Vec::new();
    for run in runs(user) {
        for (name, stopped_by) in rows() {
            let stands = stopped_by.iter().any(|layer| run.layers.contains(*layer));
            if run.through.contains(name) && stands || run.held.contains(name) && !stands {
                let how = if stands { "got through" } else { "was held" };
                wrong.push(format!("{name} {how}, of {stopped_by:?}, with {:?}", run.layers));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Switched off, it makes a difference; and what it stops, it stops alone.
fn every_layer_alone_stops_what_is_its_own(user: As) {
    for layer in attainable(user).iter() {
        let alone = runs(user).iter().find(|run| run.left_out == only(layer, user)).unwrap();
        assert!(alone.layers.contains(layer), "{layer} cannot be had alone: {alone:?}");
        let its_own: Vec<&str> = rows()
            .filter(|(name, stopped_by)| {
                let stops = stopped_by.iter().filter(|other| alone.layers.contains(**other));
                alone.held.contains(*name) && stops.eq([&layer])
            })
            .filter(|(name, stopped_by)| {
                let without = runs(user).iter().find(|run| run.left_out == set(stopped_by));
                without.is_some_and(|run| run.through.contains(*name))
            })
            .map(|(name, _)| name)
            .collect();
        assert!(!its_own.is_empty(), "{layer} alone stops nothing that gets through without it: {alone:?}");
    }
}

fn the_tables_in_the_documents_are_those_measured(user: As) {
    let (attempts, layers) = (table::of_attempts(), table::of_layers(user));
    if env::args().any(|argument| argument == "--nocapture") {
        println!("as {user:?}:\n\n{attempts}\n{layers}");
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/sandbox.md");
    let documents = fs::read_to_string(path).unwrap();
    for table in [attempts, layers] {
        assert!(documents.contains(&table), "docs/sandbox.md has another table than this, as {user:?}:\n{table}");
    }
}
