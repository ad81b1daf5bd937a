//! What an app may rely on, as tables: a source, a request, what must come back. All rows of a table are tried, and all that
//! fail are named.

mod answers;
mod errors;
mod forms;
mod globals;
mod modules;
mod requests;
mod storage;

use fazt_tests::{
    bundle::Bundle,
    farm::Farm,
    http::{Answer, Request},
    setup::Setup,
};
use serde_json::Value;

/// What an answer must be.
pub(crate) enum Want {
    /// 200 with this JSON.
    Json(&'static str),
    /// 200 with this text, or none.
    Text(&'static str),
    /// A status, with whatever body.
    Status(u16),
    /// A problem: status, code, and what its detail or error must say.
    Problem(u16, &'static str, &'static str),
}

/// One row: the source of `api/main.js`, and what `GET /api/` must come to.
pub(crate) type Row = (&'static str, Want);

/// A farm for tables.
pub(crate) fn farm() -> Farm {
    Setup::new(2).start()
}

/// Tries every row with a plain GET.
pub(crate) fn check(rows: &[Row]) {
    let farm = farm();
    let get = Request::new("GET", "/api/");
    let rows = rows.iter().map(|(source, want)| (vec![("api/main.js", *source)], get.clone(), want));
    report(rows.filter_map(|(files, request, want)| row(&farm, &files, &request, want)).collect());
}

/// Tries every row with its own request against one app.
pub(crate) fn ask(files: &[(&str, &str)], rows: &[(Request, Want)]) {
    let farm = farm();
    farm.deploy("row", files);
    report(rows.iter().filter_map(|(request, want)| judge(&farm, request, want)).collect());
}

/// Fails with all that went wrong.
pub(crate) fn report(wrong: Vec<String>) {
    assert!(wrong.is_empty(), "{} rows fail:\n{}", wrong.len(), wrong.join("\n"));
}

/// Tries one app with one request; says what is wrong.
pub(crate) fn row(farm: &Farm, files: &[(&str, &str)], request: &Request, want: &Want) -> Option<String> {
    let deployed = farm.try_deploy("row", Bundle::of(files).bytes());
    let source = files.first().map(|(_, source)| *source).unwrap_or_default();
    if !matches!(deployed.status, 200 | 201) {
        return Some(format!("- {source}\n    not deployed: {} {}", deployed.status, deployed.text()));
    }
    judge(farm, request, want).map(|wrong| format!("- {source}\n{wrong}"))
}

fn judge(farm: &Farm, request: &Request, want: &Want) -> Option<String> {
    let answer = match farm.app("row").try_send(request) {
        Ok(answer) => answer,
        Err(error) => return Some(format!("    {} {}: {error}", request.method, request.target)),
    };
    let wanted = want.unlike(&answer)?;
    let got = answer.text().chars().take(600).collect::<String>();
    Some(format!(
        "    {} {} {:?}\n    wanted {wanted}\n    got    {} {got}",
        request.method, request.target, request.headers, answer.status
    ))
}

impl Want {
    /// What was wanted, where the answer is something else.
    fn unlike(&self, answer: &Answer) -> Option<String> {
        match self {
            Self::Json(text) => {
                let wanted: Value = serde_json::from_str(text).unwrap();
                let got: Option<Value> = serde_json::from_slice(&answer.body).ok();
                (answer.status != 200 || got.as_ref() != Some(&wanted)).then(|| format!("200 {text}"))
            }
            Self::Text(text) => {
                (answer.status != 200 || answer.text() != *text).then(|| format!("200 {text:?} as text"))
            }
            Self::Status(status) => (answer.status != *status).then(|| format!("status {status}")),
            Self::Problem(status, code, says) => {
                let well = answer.status == *status && answer.code() == *code && answer.text().contains(says);
                (!well).then(|| format!("{status} {code}, saying {says:?}"))
            }
        }
    }
}
