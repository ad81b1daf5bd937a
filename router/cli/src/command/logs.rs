//! `fazt app logs`: what an app logged, oldest first, and, with `--follow`, what it logs from now on.
//!
//! The lines that are there and the stream of new ones are two questions; the id of the last line joins them, so none
//! is missed or shown twice.

use serde::Deserialize;
use serde_json::Value;

use super::{path_of, shape};
use crate::{
    args::{Level, Logs},
    client::{Client, query},
    failure::Failure,
    output::{Output, plain},
    time,
};

#[derive(Deserialize)]
struct Page {
    logs: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    id: u64,
    at: u64,
    level: String,
    #[serde(default)]
    request_id: Option<String>,
    message: String,
}

/// Prints them.
pub(crate) fn run(logs: &Logs, client: &Client, output: &Output) -> Result<(), Failure> {
    let path = format!("{}/logs", path_of(&logs.name)?);
    let since = logs.since.map(|since| time::ago(since.into()).to_string());
    let filter = [
        ("level", logs.level.map(Level::word).map(str::to_owned)),
        ("since", since),
        ("request", logs.request.clone()),
    ];
    let first = [&filter[..], &[("limit", Some(logs.limit.to_string()))]].concat();
    let answer = client.get(&format!("{path}{}", query(&first)))?;
    let page: Page = shape(&answer, client)?;
    if output.is_json() && !logs.follow {
        return output.value(&answer);
    }
    let mut last = None;
    for line in &page.logs {
        last = Some(print(line, client, output)?);
    }
    if !logs.follow {
        return Ok(());
    }
    let rest =
        [&[("follow", Some("true".to_owned()))], &filter[..], &[("after", last.map(|id| id.to_string()))]].concat();
    client.follow(&format!("{path}{}", query(&rest)), |line| {
        let id = shape::<Line>(&line, client)?.id;
        if last.is_none_or(|last| id > last) {
            last = Some(print(&line, client, output)?);
        }
        Ok(())
    })?;
    Err(client.broke_off("the server ended the stream"))
}

/// Prints a line, and gives its id.
fn print(value: &Value, client: &Client, output: &Output) -> Result<u64, Failure> {
    let line: Line = shape(value, client)?;
    if output.is_json() {
        output.compact(value)?;
        return Ok(line.id);
    }
    let request = line.request_id.unwrap_or_else(|| "-".to_owned());
    // A message of several lines stays one entry: what follows is set in.
    let message = line.message.replace('\n', "\n    ");
    let text = format!("{} {:<5} {request} {message}", time::instant(line.at), line.level);
    output.line(&plain(&text))?;
    Ok(line.id)
}
