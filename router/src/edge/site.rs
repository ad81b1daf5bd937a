//! An app's static files: found by a look-up in the version's index, never by joining paths, and served with all that
//! caches and browsers ask for.
//!
//! `Cache-Control`: pages `no-cache`, so that a deploy or a rollback is seen at once; all else is kept for a minute and then
//! asked for by tag: apps' file names rarely change with their content.

use std::{collections::HashMap, sync::Arc, time::SystemTime};

use bytes::Bytes;
use fazt_protocol::{
    builder::Encoding,
    registry::{ContentEntry, FileEntry},
};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};

use super::{
    Departure, Passage,
    body::{Body, Budget},
    contents::Taker,
    encoding,
    entry::Entry,
    preconditions, range, route,
};
use crate::{
    catalog::Served,
    fault::{Code, Fault},
};

const PAGES: HeaderValue = HeaderValue::from_static("no-cache");
const OTHERS: HeaderValue = HeaderValue::from_static("public, max-age=60, must-revalidate");
const REFUSALS: HeaderValue = HeaderValue::from_static("no-store");

/// What a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found<'a> {
    File(&'a FileEntry),
    /// The app's own page for what is not there.
    Missing(&'a FileEntry),
    Nothing,
}

/// One content about to be sent.
struct Copy<'a> {
    file: &'a FileEntry,
    content: &'a ContentEntry,
    etag: String,
    modified: SystemTime,
}

/// Serves a file, or says that there is none.
pub(super) async fn serve(passage: Passage, served: Arc<Served>) -> Departure {
    let Passage { entry, headers, target, session, .. } = passage;
    match answer(&entry, &headers, &target.path, &served, &session.budget).await {
        Ok(response) => entry.answer(response),
        Err(fault) => entry.refuse(fault),
    }
}

async fn answer(
    entry: &Entry,
    headers: &HeaderMap,
    path: &str,
    served: &Served,
    budget: &Budget,
) -> Result<Response<Body>, Fault> {
    route::only(&entry.method, &[Method::GET, Method::HEAD])?;
    let (file, missing) = match find(&served.files, served.app.manifest.spa, path) {
        Found::File(file) => (file, false),
        Found::Missing(file) => (file, true),
        Found::Nothing => return Err(Fault::new(Code::NotFound, "there is no such file")),
    };
    // Only of what is sent there are parts (RFC 9110, 14.2).
    let has_parts = !missing && entry.method == Method::GET;
    let range = headers.get(header::RANGE).and_then(|value| value.to_str().ok()).filter(|_| has_parts);
    // A range is one of the file as it was deployed, so that it means the same to everybody.
    let accept = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).filter(|_| range.is_none());
    let copy = Copy::of(file, accept, served.app.updated_at)?;
    if !missing && !preconditions::holds(headers, &copy.etag, copy.modified) {
        return Ok(copy.refusal(StatusCode::PRECONDITION_FAILED));
    }
    if !missing && preconditions::is_known(headers, &copy.etag, copy.modified) {
        return Ok(copy.response(StatusCode::NOT_MODIFIED, Body::empty()));
    }
    let range = range.filter(|_| preconditions::may_resume(headers, &copy.etag, copy.modified));
    let part = |size| range.map_or(range::Part::Whole, |range| range::part(range, size));
    let status = if missing { StatusCode::NOT_FOUND } else { StatusCode::OK };
    // Its size is known: what sends no byte of it loads none.
    let size = usize::try_from(copy.content.size).unwrap_or(usize::MAX);
    if part(size) == range::Part::Nothing {
        return Ok(copy.beyond(size));
    }
    if entry.method == Method::HEAD {
        return Ok(copy.head(status));
    }
    // A part is one of the whole content, which is loaded once for all who come for parts of it.
    let taker = Taker { app: served.app.id, room: &budget.answers };
    let bytes = entry.house.contents.get(&entry.house.store, copy.content, taker).await?;
    Ok(match part(bytes.len()) {
        range::Part::Whole => copy.response(status, Body::whole(bytes)),
        range::Part::Bytes(part) => copy.part(&bytes, part),
        range::Part::Nothing => copy.beyond(bytes.len()),
    })
}

/// The file of a path.
fn find<'a>(files: &'a HashMap<String, FileEntry>, spa: bool, path: &str) -> Found<'a> {
    let path = path.strip_prefix('/').unwrap_or(path);
    if is_hidden(path) {
        return missing(files);
    }
    let found = match path.strip_suffix('/') {
        _ if path.is_empty() => files.get("index.html"),
        Some(folder) => files.get(&[folder, "/index.html"].concat()),
        None => files
            .get(path)
            .or_else(|| files.get(&[path, ".html"].concat()))
            .or_else(|| files.get(&[path, "/index.html"].concat())),
    };
    let last = path.rsplit('/').next().unwrap_or_default();
    let entry_page = || files.get("index.html").filter(|_| spa && !last.contains('.'));
    found.or_else(entry_page).map_or_else(|| missing(files), Found::File)
}

fn missing(files: &HashMap<String, FileEntry>) -> Found<'_> {
    files.get("404.html").map_or(Found::Nothing, Found::Missing)
}

/// What is never a file to a browser. The index has none of these; this is the second lock.
fn is_hidden(path: &str) -> bool {
    let first = path.split('/').next().unwrap_or_default();
    first.eq_ignore_ascii_case("api")
        || first.eq_ignore_ascii_case("private")
        || path.eq_ignore_ascii_case("manifest.json")
        || path.split('/').any(|segment| segment.starts_with('.'))
}

impl<'a> Copy<'a> {
    fn of(file: &'a FileEntry, accept: Option<&str>, updated_at: i64) -> Result<Self, Fault> {
        let chosen = encoding::choose(accept, &file.contents).zip(file.contents.first());
        let (content, identity) = chosen.ok_or_else(|| Fault::new(Code::NotFound, "this file has no content"))?;
        Ok(Self { file, content, etag: etag(identity, content.encoding), modified: preconditions::moment(updated_at) })
    }

    fn response(&self, status: StatusCode, body: Body) -> Response<Body> {
        let mut response = Response::new(body);
        *response.status_mut() = status;
        let headers = response.headers_mut();
        let (kind, is_page) = kind(&self.file.path);
        insert(headers, header::ETAG, &self.etag);
        insert(headers, header::LAST_MODIFIED, &httpdate::fmt_http_date(self.modified));
        headers.insert(header::CACHE_CONTROL, if is_page { PAGES } else { OTHERS });
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        if self.file.contents.len() > 1 {
            headers.insert(header::VARY, HeaderValue::from_name(header::ACCEPT_ENCODING));
        }
        if status.is_success() || status == StatusCode::NOT_FOUND {
            insert(headers, header::CONTENT_TYPE, &kind);
            if self.content.encoding != Encoding::Identity {
                insert(headers, header::CONTENT_ENCODING, self.content.encoding.word());
            }
        }
        response
    }

    /// What is said of it, and not a byte of it.
    fn head(&self, status: StatusCode) -> Response<Body> {
        let mut response = self.response(status, Body::empty());
        response.headers_mut().insert(header::CONTENT_LENGTH, self.content.size.into());
        response
    }

    /// No byte of that range is there.
    fn beyond(&self, size: usize) -> Response<Body> {
        let mut response = self.refusal(StatusCode::RANGE_NOT_SATISFIABLE);
        insert(response.headers_mut(), header::CONTENT_RANGE, &format!("bytes */{size}"));
        response
    }

    /// Nothing of it; what it is now is said, and no cache keeps that for those who ask otherwise.
    fn refusal(&self, status: StatusCode) -> Response<Body> {
        let mut response = self.response(status, Body::empty());
        response.headers_mut().insert(header::CACHE_CONTROL, REFUSALS);
        response
    }

    fn part(&self, bytes: &Bytes, part: std::ops::Range<usize>) -> Response<Body> {
        let last = part.end.saturating_sub(1);
        let place = format!("bytes {}-{last}/{}", part.start, bytes.len());
        let mut response = self.response(StatusCode::PARTIAL_CONTENT, Body::whole(bytes.slice(part)));
        insert(response.headers_mut(), header::CONTENT_RANGE, &place);
        response
    }
}

/// Strong: the same tag is the same bytes, so each encoding of a file has its own.
fn etag(identity: &ContentEntry, encoding: Encoding) -> String {
    let hash = identity.hash.iter().take(16).fold(String::from("\""), |text, byte| text + &format!("{byte:02x}"));
    match encoding {
        Encoding::Identity => hash + "\"",
        other => hash + "-" + other.word() + "\"",
    }
}

/// The type by extension, UTF-8 for all text, and whether it is a page.
fn kind(path: &str) -> (String, bool) {
    let guess = mime_guess::from_path(path).first_or_octet_stream();
    let essence = guess.essence_str();
    let is_page = essence == "text/html";
    let is_text = guess.type_() == "text"
        || guess.suffix().is_some_and(|suffix| suffix == "xml" || suffix == "json")
        || matches!(essence, "application/javascript" | "application/json" | "application/xml");
    (if is_text { format!("{essence}; charset=utf-8") } else { essence.to_owned() }, is_page)
}

fn insert(headers: &mut HeaderMap, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(paths: &[&str]) -> HashMap<String, FileEntry> {
        let content = ContentEntry { encoding: Encoding::Identity, hash: [7; 32], size: 1 };
        let file = |path: &&str| (path.to_string(), FileEntry { path: path.to_string(), contents: vec![content] });
        paths.iter().map(file).collect()
    }

    fn served(files: &HashMap<String, FileEntry>, spa: bool, path: &str) -> String {
        match find(files, spa, path) {
            Found::File(file) => file.path.clone(),
            Found::Missing(file) => format!("404 {}", file.path),
            Found::Nothing => "none".to_owned(),
        }
    }

    #[test]
    fn paths_lead_to_files_as_the_contract_says() {
        let plain = files(&["index.html", "about.html", "docs/index.html", "a", "a.html", "css/x.css"]);
        let rows = [
            ("/", "index.html"),
            ("/index.html", "index.html"),
            ("/about", "about.html"),
            ("/about.html", "about.html"),
            ("/docs", "docs/index.html"),
            ("/docs/", "docs/index.html"),
            ("/a", "a"),
            ("/css/x.css", "css/x.css"),
            ("/css/", "none"),
            ("/about/", "none"),
            ("//about", "none"),
            ("/About", "none"),
            ("/x", "none"),
        ];
        for (path, expected) in rows {
            assert_eq!(served(&plain, false, path), expected, "{path}");
        }
        let spa = files(&["index.html", "404.html"]);
        for (path, expected) in
            [("/deep/link", "index.html"), ("/x.js", "404 404.html"), ("/private/x", "404 404.html")]
        {
            assert_eq!(served(&spa, true, path), expected, "{path}");
        }
    }

    #[test]
    fn what_is_not_for_browsers_is_not_found_even_if_it_is_there() {
        let all = ["api/main.js", "private/seed.json", "manifest.json", ".git/config", "a/.env", "index.html", "API/x"];
        let files = files(&all);
        for path in all.iter().filter(|path| **path != "index.html") {
            assert_eq!(served(&files, true, &format!("/{path}")), "none", "{path}");
        }
        assert_eq!(served(&files, false, "/apix/../index.html"), "none");
    }

    #[test]
    fn types_and_tags() {
        for (path, expected) in [
            ("a.html", "text/html; charset=utf-8"),
            ("a.js", "text/javascript; charset=utf-8"),
            ("a.css", "text/css; charset=utf-8"),
            ("a.svg", "image/svg+xml; charset=utf-8"),
            ("a.json", "application/json; charset=utf-8"),
            ("a.png", "image/png"),
            ("a", "application/octet-stream"),
        ] {
            assert_eq!(kind(path).0, expected, "{path}");
        }
        let identity = ContentEntry { encoding: Encoding::Identity, hash: [0xab; 32], size: 1 };
        assert_eq!(etag(&identity, Encoding::Identity), format!("\"{}\"", "ab".repeat(16)));
        assert_eq!(etag(&identity, Encoding::Brotli), format!("\"{}-br\"", "ab".repeat(16)));
    }
}
