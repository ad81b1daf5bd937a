//! From an outcome to the answer on the wire: one place that names it, closes its entry, and says what HTTP must hear.

use std::{
    convert::Infallible,
    fmt::Write,
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::Arc,
    task::Poll,
};

use bytes::Bytes;
use fazt_protocol::id::RequestId;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use tower::{Service, service_fn};

use super::{
    Departure, Passage, body::Body, cors, entry::Entry, problem, record::millis, session::Session, stack::Inner,
    translate::HOP_BY_HOP,
};
use crate::{
    farm::job::Reply,
    fault::{Code, Fault},
    house::House,
    trace::{Breakdown, Outcome},
};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// What an app must not say. Framing and the request's name are the router's.
const NOT_AN_APPS: [&str; 13] = [
    "content-length",
    "x-request-id",
    // What a browser remembers of a host or its whole domain, or tells others of it, after this answer and this app are gone.
    "clear-site-data",
    "alt-svc",
    "strict-transport-security",
    "public-key-pins",
    "public-key-pins-report-only",
    "expect-ct",
    "nel",
    "report-to",
    // What a server in front of the farm takes for an order: to send files of its own (nginx's mod_zip), to work through the
    // body for more such orders.
    "x-archive-files",
    "surrogate-control",
    "edge-control",
];
/// The same of all that begin so, whatever the next version of a server makes of it.
const NOT_AN_APPS_PREFIXES: [&str; 9] = [
    "x-fazt-",
    // Orders to send a file of the server's own: lighttpd, which has a second one by parts (X-Sendfile2), and Apache's
    // mod_xsendfile, which removes one afterwards.
    "x-sendfile",
    "x-lighttpd-",
    // nginx: the same, by a path inside, and how it buffers, caches and slows what it sends.
    "x-accel-",
    // LiteSpeed and its balancer: the same, and what they keep and forget.
    "x-litespeed-",
    "x-lsadc-",
    // Perlbal: to fetch from an address inside, or a file.
    "x-reproxy-",
    // Hiawatha: what it keeps and forgets.
    "x-hiawatha-",
    // Envoy, which by one takes the whole farm for dead.
    "x-envoy-",
];

/// The layer of the book: opens a request's entry, and closes it with its answer.
pub(super) fn book<S: Inner<()>>(
    inner: S,
    house: Arc<House>,
    session: Arc<Session>,
) -> impl Service<
    Request<Incoming>,
    Response = Response<Body>,
    Error = Infallible,
    Future = impl Future<Output = Result<Response<Body>, Infallible>> + Send,
> + Clone
+ Send {
    service_fn(move |request: Request<Incoming>| {
        let mut inner = inner.clone();
        let session = Arc::clone(&session);
        let (head, body) = request.into_parts();
        let (entry, headers) = Entry::open(Arc::clone(&house), head);
        async move {
            let id = entry.id.clone();
            let passage = Passage { entry, headers, body: Some(body), session: Arc::clone(&session), target: () };
            let mut response = match contain(inner.call(passage)).await {
                Some(Ok(departure)) => depart(departure),
                Some(Err(never)) => match never {},
                None => problem::broken(&id),
            };
            name(&mut response, &id);
            if session.is_last() {
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Ok(response.map(|body| body.on(session)))
        }
    })
}

/// Turns an outcome into an answer and closes its entry.
fn depart(departure: Departure) -> Response<Body> {
    let Departure { entry, outcome } = departure;
    let (duration_us, breakdown) = entry.spent();
    let (mut response, end) = match outcome {
        Ok(response) => (response, Outcome::Answered),
        Err(fault) => (problem::answer(&fault, &entry, duration_us, &breakdown), Outcome::Faulted(fault.code)),
    };
    if let (Some(origin), Some(served)) = (&entry.cors, &entry.app)
        && let Some(rules) = &served.app.manifest.cors
    {
        cors::allow(rules, origin, response.headers_mut());
    }
    if entry.debug {
        server_timing(&breakdown, response.headers_mut());
    }
    entry.close(response.status().as_u16(), end, duration_us);
    response
}

/// An app's answer with that body, without what no app may say. `own` is the host that it came by, where that is the app's alone.
pub(super) fn from_app(reply: Reply, body: Bytes, own: Option<&str>) -> Result<Response<Body>, Fault> {
    let unfit = |what: &str| Fault::new(Code::InvalidResponse, format!("the app's answer has {what}"));
    let status = StatusCode::from_u16(reply.status).map_err(|_| unfit("a status that is none"))?;
    let mut headers = HeaderMap::with_capacity(reply.headers.len().saturating_add(4));
    for (name, value) in &reply.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unfit("a header name that is none"))?;
        let value = HeaderValue::from_str(value)
            .or_else(|_| HeaderValue::from_bytes(value.as_bytes()))
            .map_err(|_| unfit("a header value that is none"))?;
        if is_an_apps(&name, &value, own) {
            headers.append(name, value);
        }
    }
    let bodiless = matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED);
    let mut response = Response::new(if bodiless { Body::empty() } else { Body::whole(body) });
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

fn is_an_apps(name: &HeaderName, value: &HeaderValue, own: Option<&str>) -> bool {
    let begins_so = || NOT_AN_APPS_PREFIXES.iter().any(|prefix| name.as_str().starts_with(prefix));
    if HOP_BY_HOP.contains(name) || NOT_AN_APPS.contains(&name.as_str()) || begins_so() {
        return false;
    }
    *name != header::SET_COOKIE || !is_tossed(value.as_bytes(), own)
}

/// Whether a cookie names a domain other than the app's own host: it would reach other apps, or is useless. A domain reaches all
/// hosts below it, so on a host that is not the app's alone (a base domain, with a default app) no domain may be named at all.
fn is_tossed(cookie: &[u8], own: Option<&str>) -> bool {
    cookie.split(|byte| *byte == b';').skip(1).any(|attribute| {
        let mut parts = attribute.splitn(2, |byte| *byte == b'=');
        let name = parts.next().unwrap_or_default().trim_ascii();
        let value = parts.next().unwrap_or_default().trim_ascii();
        let domain = value.strip_prefix(b".").unwrap_or(value);
        name.eq_ignore_ascii_case(b"domain")
            && !domain.is_empty()
            && own.is_none_or(|host| !domain.eq_ignore_ascii_case(host.as_bytes()))
    })
}

fn name(response: &mut Response<Body>, id: &RequestId) {
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
}

fn server_timing(parts: &Breakdown, headers: &mut HeaderMap) {
    let spans = [
        ("queue", parts.queue_us),
        ("bind", parts.bind_us),
        ("parse", parts.parse_us),
        ("inject", parts.inject_us),
        ("execute", parts.execute_us),
        ("storage", parts.storage_us),
        ("respond", parts.respond_us),
    ];
    let mut text = String::new();
    for (name, micros) in spans {
        let comma = if text.is_empty() { "" } else { ", " };
        // Writing to a String cannot fail.
        let _written = write!(text, "{comma}{name};dur={:.3}", millis(micros));
    }
    if let Ok(value) = HeaderValue::from_str(&text) {
        headers.insert(HeaderName::from_static("server-timing"), value);
    }
}

/// What a future comes to, or nothing where it panicked.
async fn contain<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(output)) => Poll::Ready(Some(output)),
        Err(_panic) => Poll::Ready(None),
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(headers: &[(&str, &str)]) -> Vec<String> {
        kept_on(Some("a.localhost"), headers)
    }

    fn kept_on(own: Option<&str>, headers: &[(&str, &str)]) -> Vec<String> {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let response = from_app(Reply { status: 200, headers, body: Vec::new() }, Bytes::new(), own).unwrap();
        response.headers().iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect()
    }

    #[test]
    fn an_app_says_what_is_its_to_say() {
        let dropped = [
            ("Content-Length", "9"),
            ("Transfer-Encoding", "chunked"),
            ("Connection", "close"),
            ("Keep-Alive", "timeout=9"),
            ("Upgrade", "h2c"),
            ("Clear-Site-Data", "*"),
            ("Alt-Svc", "h3"),
            ("Strict-Transport-Security", "max-age=1"),
            ("X-Request-Id", "mine"),
            ("X-Fazt-App", "b"),
            ("X-Accel-Redirect", "/etc/passwd"),
            ("X-Sendfile2", "/etc/passwd 0-"),
            ("X-LIGHTTPD-send-tempfile", "/etc/passwd"),
            ("X-LiteSpeed-Purge", "*"),
            ("NEL", "{}"),
        ];
        assert!(kept(&dropped).is_empty());
        assert_eq!(kept(&[("X-A", "1"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2; Path=/")]).len(), 3);
    }

    #[test]
    fn a_cookie_reaches_no_other_host() {
        for tossed in ["a=1; Domain=localhost", "a=1;domain=.LOCALHOST ", "a=1; Secure; Domain = b.localhost"] {
            assert!(kept(&[("set-cookie", tossed)]).is_empty(), "{tossed}");
        }
        for own in ["a=1; Domain=a.localhost", "a=Domain=x", "a=1; Domain=", "domain=localhost"] {
            assert_eq!(kept(&[("set-cookie", own)]).len(), 1, "{own}");
        }
        assert!(kept_on(None, &[("set-cookie", "a=1; Domain=localhost")]).is_empty(), "a base domain is everybody's");
        assert_eq!(kept_on(None, &[("set-cookie", "a=1")]).len(), 1);
    }

    #[test]
    fn what_is_no_answer_is_a_fault() {
        let bad = |status, name: &str, value: &str| {
            from_app(
                Reply { status, headers: vec![(name.to_owned(), value.to_owned())], body: Vec::new() },
                Bytes::new(),
                Some("a"),
            )
        };
        for (status, name, value) in [(99, "a", "b"), (200, "a b", "c"), (200, "a", "b\r\nc: d"), (200, "", "")] {
            assert_eq!(bad(status, name, value).unwrap_err().code, Code::InvalidResponse);
        }
    }

    #[tokio::test]
    async fn a_panic_is_contained() {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| {}));
        let output = contain(async { panic!("on purpose") }).await;
        std::panic::set_hook(hook);
        let output: Option<()> = output;
        assert!(output.is_none());
        assert_eq!(contain(async { 7 }).await, Some(7));
    }
}
