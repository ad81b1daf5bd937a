//! An app's hostile JavaScript, as tables: what it tries, how its request ends, and what becomes of its worker. Over every
//! table the neighbour is served, the log has a line for each request, and afterwards all is as before.

mod answers;
mod endless;
mod engine;
mod floods;
mod memory;
mod reach;
mod recursion;
mod residue;
mod throws;

use std::time::Duration;

use fazt_tests::{
    farm::Farm,
    http::{Answer, App, Request},
    oracle::Watch,
    process,
    setup::Setup,
    wait::{PATIENCE, eventually, millis, promised},
};

/// The hostile app's name.
const EVIL: &str = "evil";
/// Its code: whatever a request brings, or, for `?calm`, an answer. So one worker meets all rows, as long as it lives.
const MAIN: &str = "if (request.query.calm) respond('calm')\nelse (0, eval)(request.text)";
/// The grace between the soft clock and the hard one, and what a machine under load takes for the rest.
const GRACE: Duration = millis(250);

/// What becomes of the worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It serves on.
    Kept,
    /// It serves nobody any more.
    Retired,
    /// It had to be killed, for its time was over.
    Killed,
    /// One of these two, as the race between the clocks has it.
    Gone,
}

/// A row: what is tried, how, the outcomes that are right (`ok` or a problem's code), and the worker's fate.
type Row = (&'static str, &'static str, &'static [&'static str], Fate);

/// What the hostile app may use.
#[derive(Debug, Clone, Copy)]
struct Limits {
    run_ms: u64,
    heap_mib: u64,
}

/// The hostile app on a farm with a neighbour.
struct Evil<'a> {
    farm: &'a Farm,
    app: App,
    limits: Limits,
}

impl<'a> Evil<'a> {
    /// Deploys it, and has it answer once.
    fn new(farm: &'a Farm, limits: Limits) -> Self {
        Self::with(farm, limits, &[("api/main.js", MAIN)])
    }

    /// The same with files of its own.
    fn with(farm: &'a Farm, limits: Limits, files: &[(&str, &str)]) -> Self {
        let manifest = format!(r#"{{ "timeoutMs": {}, "memoryMb": {} }}"#, limits.run_ms, limits.heap_mib);
        farm.deploy(EVIL, &[files, &[("manifest.json", manifest.as_str())]].concat());
        let evil = Self { farm, app: farm.app(EVIL), limits };
        evil.is_calm();
        evil
    }

    /// Runs a script.
    fn run(&self, script: &str) -> Answer {
        self.app.send(&Request::new("POST", "/api/").body("text/plain", script))
    }

    /// Has it answer as any app; gives the worker that did. What a machine under load cuts off is asked again.
    fn is_calm(&self) -> i32 {
        let mut answer = self.app.get("/api/?calm=1");
        for _ in 0..2 {
            if answer.code() == "timeout" {
                answer = self.app.get("/api/?calm=1");
            }
        }
        assert_eq!((answer.status, answer.text().as_str()), (200, "calm"));
        self.worker_of(&answer)
    }

    /// The worker that a request ran in, as the log says.
    fn worker_of(&self, answer: &Answer) -> i32 {
        let line = self.farm.log.one_finished(&answer.id());
        i32::try_from(line["worker"].as_i64().unwrap_or_else(|| panic!("no worker in {line}"))).unwrap()
    }

    /// Tries a row; says what is wrong. The engine's clock and the keeper's are 50 ms apart, which a machine under load may
    /// take for nothing, and there a worker's place may be wanted meanwhile: what should have been interrupted and was killed,
    /// or kept and was retired, is tried again.
    fn judge(&self, row: &Row) -> Option<String> {
        let may_be_load = |met| [(Fate::Retired, Some(Fate::Killed)), (Fate::Kept, Some(Fate::Retired))].contains(&met);
        let (mut wrong, mut met) = self.try_row(row);
        for _again in 0..2 {
            if may_be_load((row.3, met)) {
                (wrong, met) = self.try_row(row);
            }
        }
        wrong
    }

    fn try_row(&self, row: &Row) -> (Option<String>, Option<Fate>) {
        let (what, script, outcomes, fate) = row;
        let killed = self.killed();
        let answer = self.run(script);
        let outcome = answer.outcome();
        let text: String = answer.text().chars().take(200).collect();
        if !outcomes.contains(&outcome.as_str()) {
            return (Some(format!("- {what}\n    {} {text}", answer.status)), None);
        }
        if answer.took > promised(millis(self.limits.run_ms) + GRACE) {
            return (Some(format!("- {what}\n    took {:?}", answer.took)), None);
        }
        let met = self.fate_of(&answer, killed);
        let well = met == *fate || (*fate == Fate::Gone && matches!(met, Fate::Retired | Fate::Killed));
        let wrong =
            (!well).then(|| format!("- {what}\n    its worker: {met:?}, not {fate:?}, after {outcome}: {text}"));
        (wrong, Some(met))
    }

    /// What became of the worker that a request ran in, by what the next request meets.
    fn fate_of(&self, answer: &Answer, killed: u64) -> Fate {
        let pid = self.worker_of(answer);
        let is_gone = || !process::is_worker(pid);
        let is_idle = || {
            let runtime = self.farm.runtime();
            runtime["workers"].as_array().unwrap().iter().any(|row| row["pid"] == pid && row["state"] == "idle")
        };
        eventually(PATIENCE, "its worker rests or is gone", || is_gone() || is_idle());
        if self.is_calm() == pid {
            return Fate::Kept;
        }
        eventually(PATIENCE, "a worker that serves no more is gone", is_gone);
        if self.killed() > killed { Fate::Killed } else { Fate::Retired }
    }

    fn killed(&self) -> u64 {
        self.farm.runtime()["killed"].as_u64().unwrap()
    }
}

/// A farm that lets an app run as long as these limits say, and its neighbour longer.
fn farm_for(limits: Limits) -> Farm {
    let (run, heap) = (format!("{}ms", limits.run_ms.max(5_000)), format!("{}MiB", limits.heap_mib.max(64)));
    Setup::new(3).flag("--timeout", &run).flag("--request-timeout", "40s").flag("--memory", &heap).start()
}

/// Tries every row on one farm, all oracles on.
fn table(limits: Limits, rows: &[Row]) {
    let farm = farm_for(limits);
    let evil = Evil::new(&farm, limits);
    let watch = Watch::over(&farm);
    let wrong: Vec<String> = rows.iter().filter_map(|row| evil.judge(row)).collect();
    watch.conclude(&wrong);
}
