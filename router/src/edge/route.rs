//! Where a request goes: the farm's own pages, an app's code, or an app's files.

use std::convert::Infallible;

use http::{HeaderValue, Method, Response, StatusCode, header};

use super::{Departure, Passage, app, body::Body, ready, resolve, site};
use crate::{
    admin,
    fault::{Code, Fault},
    house::House,
};

/// Sends a request where it belongs.
pub(super) async fn route(mut passage: Passage) -> Result<Departure, Infallible> {
    let path = passage.target.path.as_str();
    if let Some(response) = own_page(&passage.entry.house, path).await {
        return Ok(passage.entry.answer(response));
    }
    if admin::owns(path) {
        // Boxed, since its pages are rare and large: every connection would otherwise carry room for them.
        return Ok(Box::pin(admin::serve(passage)).await);
    }
    let is_code = path.starts_with("/api/");
    let served = match resolve::app(&passage.target.host.name, &passage.entry.house) {
        Ok(served) => served,
        Err(fault) => return Ok(passage.entry.refuse(fault)),
    };
    passage.entry.app = Some(served.clone());
    Ok(if is_code { app::serve(passage, served).await } else { site::serve(passage, served).await })
}

/// Whether a path is the farm's own on every host.
pub(super) fn is_the_farms(path: &str) -> bool {
    matches!(path, "/healthz" | "/readyz") || admin::owns(path)
}

/// `/healthz` says that the router lives, `/readyz` that store and workers serve, or which of them does not; neither says more.
async fn own_page(house: &House, path: &str) -> Option<Response<Body>> {
    let found = match path {
        "/healthz" => Ok(()),
        "/readyz" => ready::look(house).await,
        _ => return None,
    };
    let (status, text) = match found {
        Ok(()) => (StatusCode::OK, "ok\n".to_owned()),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {why}\n")),
    };
    let mut response = Response::new(Body::whole(text));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Some(response)
}

/// Refuses all methods but those.
///
/// # Errors
/// 405.
pub(super) fn only(method: &Method, allowed: &[Method]) -> Result<(), Fault> {
    if allowed.contains(method) {
        return Ok(());
    }
    Err(Fault::new(Code::NotSupported, "this path does not answer to this method").with_status(405))
}
