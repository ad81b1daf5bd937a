//! HTTP as nobody should speak it: rows of bytes, and all that may come of them. The number of answers counts as much as what
//! they say, and around every table all that must be true of a farm is watched.

mod answers;
mod compare;
mod connections;
mod files;
mod framing;
mod hosts;
mod paths;
mod ranges;
mod room;
mod slow;

use fazt_tests::{
    farm::Farm,
    http::Answer,
    oracle::Watch,
    setup::Setup,
    wire::{Heard, ask},
};

/// What was tried; the bytes; the statuses that may be heard over that connection until it is closed, one after the other, and
/// `|` between what may be.
type Row<'a> = (&'a str, String, &'a str);

/// Answers with what it was asked, and remembers each path that it ran for.
const ECHO: &str = "
module.exports = (request) => {
  const { kv } = fazt.storage
  const { method, path, text, query } = request
  if (query.ran !== undefined) return kv.list('ran:').map(({ key }) => key.slice(4))
  kv.incr('ran:' + path)
  return { method, path, text: text || '' }
}";

/// A farm with the app `echo`.
fn farm() -> Farm {
    let farm = Setup::new(2).start();
    farm.script("echo", ECHO);
    farm
}

/// Tries all rows; panics with all that went wrong.
fn check(farm: &Farm, rows: &[Row<'_>]) {
    let watch = Watch::over(farm);
    let wrong: Vec<String> = rows.iter().filter_map(|row| judge(farm, row)).collect();
    watch.conclude(&wrong);
}

fn judge(farm: &Farm, (what, bytes, wanted): &Row<'_>) -> Option<String> {
    let heard = ask(farm.address, bytes);
    let holds = wanted.split('|').any(|one| one == heard.statuses()) && heard.answers.iter().all(is_well_made);
    (!holds).then(|| format!("- {what}: wanted {wanted:?}, heard {}", tell(&heard)))
}

/// A refusal is a problem with an id, whatever was asked.
fn is_well_made(answer: &Answer) -> bool {
    let is_problem = answer.header("content-type") == Some("application/problem+json")
        && answer.header("x-request-id").is_some_and(|id| answer.text().contains(id));
    answer.status < 400 || is_problem
}

fn tell(heard: &Heard) -> String {
    let last = heard.answers.last().map(|answer| answer.text().chars().take(300).collect::<String>());
    let rest: String = String::from_utf8_lossy(&heard.rest).chars().take(100).collect();
    format!("{:?} after {:?}: {} {rest:?}", heard.statuses(), heard.took, last.unwrap_or_default())
}
