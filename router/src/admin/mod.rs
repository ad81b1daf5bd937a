//! The admin interface: the farm's state, its traces, its apps. Under `/api/_debug/` and `/api/_admin/` on every host, so that
//! no app can own these paths, and behind the token. Without it, 401 and nothing else.

pub mod token;

mod apps;
mod change;
mod deploy;
mod env;
mod execute;
mod logs;
mod query;
mod runtime;
mod settings;
mod traces;

use std::{path::PathBuf, time::Instant};

use http::{HeaderValue, Method, Response, StatusCode, header};
use serde::Serialize;

use crate::{
    edge::{Departure, Passage, body::Body},
    fault::{Code, Fault},
    store::AskError,
};
use token::Verdict;

/// What the admin interface is told at its start.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the token is.
    pub token_file: PathBuf,
}

/// What a page comes to.
type Page = Result<Response<Body>, Fault>;

/// Whether a path is the admin interface's.
#[must_use]
pub fn owns(path: &str) -> bool {
    path.starts_with("/api/_debug/") || path.starts_with("/api/_admin/") || path == "/debug/runtime"
}

/// Serves a request for the admin interface.
pub async fn serve(mut passage: Passage) -> Departure {
    if let Err(fault) = admit(&passage) {
        // Its body stays unread: whoever has no token is owed no more work.
        passage.session.end_after_this();
        // Nor may an answer tell whether the token of one who has to wait was the right one.
        passage.entry.debug = passage.entry.house.config.edge.debug;
        return passage.entry.refuse(fault);
    }
    passage.entry.debug = true;
    let path = std::mem::take(&mut passage.target.path);
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    route(passage, &segments).await
}

async fn route(passage: Passage, path: &[&str]) -> Departure {
    let get = passage.entry.method == Method::GET || passage.entry.method == Method::HEAD;
    let method = passage.entry.method.clone();
    match path {
        ["debug", "runtime"] | ["api", "_debug", "runtime"] if get => runtime::show(passage).await,
        ["api", "_debug", "traces"] if get => traces::list(passage),
        ["api", "_debug", "traces", id] if get => traces::show(passage, id),
        ["api", "_debug", "execute"] if method == Method::POST => execute::execute(passage).await,
        ["api", "_admin", "config"] if get => settings::show(passage),
        ["api", "_admin", "apps"] if get => apps::list(passage),
        ["api", "_admin", "apps", name, rest @ ..] => match apps::name(name) {
            Ok(name) => app(passage, name, rest).await,
            Err(fault) => passage.entry.refuse(fault),
        },
        ["debug", "runtime"] | ["api", "_debug", "runtime" | "traces" | "execute"] => refuse_method(passage),
        ["api", "_admin", "config" | "apps"] => refuse_method(passage),
        _ => passage.entry.refuse(Fault::new(Code::NotFound, "there is no such page of the admin interface")),
    }
}

async fn app(passage: Passage, name: &str, rest: &[&str]) -> Departure {
    let method = passage.entry.method.clone();
    match (rest, method) {
        ([], Method::GET) => apps::show(passage, name).await,
        ([], Method::DELETE) => apps::remove(passage, name).await,
        (["deploy"], Method::POST) => deploy::deploy(passage, name).await,
        (["env"], Method::GET) => env::list(passage, name).await,
        (["env"], Method::PUT) => env::change(passage, name).await,
        (["logs"], Method::GET) => logs::show(passage, name).await,
        ([] | ["deploy" | "env" | "logs"], _) => refuse_method(passage),
        _ => passage.entry.refuse(Fault::new(Code::NotFound, "there is no such page of the admin interface")),
    }
}

fn admit(passage: &Passage) -> Result<(), Fault> {
    let said = passage.headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
    match passage.entry.house.token.judge(passage.session.peer, said, Instant::now()) {
        Verdict::Valid => Ok(()),
        Verdict::Wrong => Err(Fault::new(Code::Unauthorized, "this needs the admin token")),
        Verdict::Wait(wait) => {
            let fault = Fault::new(Code::RateLimited, "too many wrong tokens from this address");
            Err(Fault { retry_after: Some(wait), ..fault })
        }
    }
}

fn refuse_method(passage: Passage) -> Departure {
    passage.entry.refuse(Fault::new(Code::NotSupported, "this page does not answer to this method").with_status(405))
}

/// An answer in JSON.
fn json(status: StatusCode, value: &impl Serialize) -> Page {
    let text = serde_json::to_vec(value)
        .map_err(|error| Fault::new(Code::InvalidResponse, format!("the answer cannot be written: {error}")))?;
    let mut response = Response::new(Body::whole(text));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// What the store's word means to a client.
fn refused(error: AskError) -> Fault {
    use fazt_protocol::op::Code as StoreCode;
    match error {
        AskError::Refused(refusal) => {
            let code = match refusal.code {
                StoreCode::InvalidArgument | StoreCode::Conflict => Code::InvalidRequest,
                StoreCode::TooLarge => Code::BodyTooLarge,
                StoreCode::QuotaExceeded => Code::QuotaExceeded,
                StoreCode::RateLimited => Code::RateLimited,
                StoreCode::Timeout => Code::StorageTimeout,
                StoreCode::Unavailable => Code::StoreUnavailable,
            };
            Fault::new(code, refusal.message)
        }
        other => Fault::new(Code::StoreUnavailable, other.to_string()),
    }
}

fn no_such_app(name: &str) -> Fault {
    Fault::new(Code::NotFound, format!("there is no app `{name}`"))
}
