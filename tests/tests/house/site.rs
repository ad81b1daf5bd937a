//! Static files: found as browsers ask for them, with all that caches need, and never what is not for a browser.

use fazt_tests::{
    farm::Farm,
    http::{Answer, App, Request},
    setup::Setup,
};

const FILES: &[(&str, &str)] = &[
    ("index.html", "<h1>index"),
    ("about.html", "about"),
    ("docs/index.html", "docs"),
    ("css/site.css", "body { color: red }"),
    ("js/app.js", "export {}"),
    ("photo.png", "\u{1}png"),
    ("404.html", "my own 404"),
    ("private/seed.json", "SECRET"),
    (".env", "SECRET"),
    ("a/.git/config", "SECRET"),
    ("api/main.js", "respond('code') // SECRET"),
    ("api/lib/x.js", "// SECRET"),
    ("manifest.json", r#"{ "name": "site" }"#),
];

fn site() -> (Farm, App) {
    let farm = Setup::new(2).start();
    farm.deploy(
        "site",
        &FILES.iter().copied().filter(|(path, _)| !path.contains("/.") && !path.starts_with('.')).collect::<Vec<_>>(),
    );
    let app = farm.app("site");
    (farm, app)
}

fn with(app: &App, name: &str, value: &str) -> Answer {
    app.send(&Request::new("GET", "/css/site.css").header(name, value))
}

#[test]
fn paths_lead_to_files() {
    let (_farm, app) = site();
    let rows = [
        ("/", 200, "text/html; charset=utf-8", "<h1>index"),
        ("/index.html", 200, "text/html; charset=utf-8", "<h1>index"),
        ("/about", 200, "text/html; charset=utf-8", "about"),
        ("/docs", 200, "text/html; charset=utf-8", "docs"),
        ("/docs/", 200, "text/html; charset=utf-8", "docs"),
        ("/css/site.css", 200, "text/css; charset=utf-8", "body { color: red }"),
        ("/js/app.js?v=1", 200, "text/javascript; charset=utf-8", "export {}"),
        ("/photo.png", 200, "image/png", "\u{1}png"),
        ("/none", 404, "text/html; charset=utf-8", "my own 404"),
        ("/none.css", 404, "text/html; charset=utf-8", "my own 404"),
    ];
    for (path, status, mime, body) in rows {
        let answer = app.get(path);
        assert_eq!(
            (answer.status, answer.header("content-type"), answer.text().as_str()),
            (status, Some(mime), body),
            "{path}"
        );
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
    }
}

#[test]
fn what_is_not_for_a_browser_is_not_there() {
    let (_farm, app) = site();
    let paths = [
        "/private/seed.json",
        "/manifest.json",
        "/.env",
        "/a/.git/config",
        "/api",
        "/PRIVATE/seed.json",
        "/private",
        "/./private/seed.json",
        "/css/../private/seed.json",
        "/%70rivate/seed.json",
        "/private%2fseed.json",
        "//private/seed.json",
        "/css/%2e%2e/private/seed.json",
        "/..%5cprivate/seed.json",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/css/..;/private/seed.json",
        "/private/seed.json%00.html",
        "/%c0%ae%c0%ae/private/seed.json",
        "/css%2f..%2fprivate%2fseed.json",
        "/api/../private/seed.json",
    ];
    for path in paths {
        let answer = app.get(path);
        assert!([400, 404].contains(&answer.status), "{path}: {}", answer.status);
        assert!(!answer.text().contains("SECRET"), "{path} shows what it must not");
    }
    // Code answers below its path, whatever the path's last part is called.
    for path in ["/api/main.js", "/api/lib/x.js"] {
        assert_eq!(app.get(path).text(), "code", "{path}");
    }
}

#[test]
fn caches_are_told_and_believed() {
    let (_farm, app) = site();
    let first = app.get("/css/site.css");
    let (tag, modified) = (first.header("etag").unwrap().to_owned(), first.header("last-modified").unwrap().to_owned());
    assert!(tag.starts_with('"') && first.header("cache-control").is_some(), "{first:?}");
    for (name, value) in [("If-None-Match", tag.as_str()), ("If-None-Match", "*"), ("If-Modified-Since", &modified)] {
        let known = with(&app, name, value);
        assert_eq!(
            (known.status, known.body.len(), known.header("etag")),
            (304, 0, Some(tag.as_str())),
            "{name}: {value}"
        );
    }
    for (name, value) in [("If-None-Match", "\"other\""), ("If-Modified-Since", "Thu, 01 Jan 1970 00:00:00 GMT")] {
        assert_eq!(with(&app, name, value).status, 200, "{name}: {value}");
    }
    let head = app.send(&Request::new("HEAD", "/css/site.css"));
    assert_eq!((head.status, head.body.len(), head.header("content-length")), (200, 0, Some("19")));
    let post = app.send(&Request::new("POST", "/css/site.css"));
    assert!(post.status == 405 && post.header("allow").is_some(), "{}", post.status);
}

#[test]
fn one_range_is_a_part() {
    let (_farm, app) = site();
    let rows = [
        ("bytes=0-3", 206, "body", Some("bytes 0-3/19")),
        ("bytes=-3", 206, "d }", Some("bytes 16-18/19")),
        ("bytes=5-", 206, "{ color: red }", Some("bytes 5-18/19")),
        ("bytes=99-", 416, "", Some("bytes */19")),
        ("bytes=5-2", 200, "body { color: red }", None),
        ("lines=1-2", 200, "body { color: red }", None),
    ];
    for (range, status, body, place) in rows {
        let answer = with(&app, "Range", range);
        let wanted = (status, body.to_owned(), place);
        assert_eq!((answer.status, answer.text(), answer.header("content-range")), wanted, "{range}");
    }
    let many = with(&app, "Range", &format!("bytes={}", ["0-1"; 1000].join(",")));
    assert!(
        [200, 416].contains(&many.status) && many.body.len() < 100,
        "{} with {} bytes",
        many.status,
        many.body.len()
    );
}

#[test]
fn files_are_compressed_once_and_sent_as_asked() {
    let farm = Setup::new(2).start();
    let page = "<p>compressible</p>".repeat(2_000);
    farm.deploy("site", &[("index.html", &page), ("small.html", "tiny")]);
    let app = farm.app("site");
    let get = |accept: &str| app.send(&Request::new("GET", "/").header("Accept-Encoding", accept));
    let mut tags = vec![get("identity").header("etag").unwrap().to_owned()];
    for coding in ["br", "zstd", "gzip"] {
        let answer = get(coding);
        assert_eq!((answer.status, answer.header("content-encoding")), (200, Some(coding)));
        assert!(answer.body.len() < page.len() / 10 && answer.header("vary").is_some(), "{coding}");
        tags.push(answer.header("etag").unwrap().to_owned());
    }
    assert_eq!(zstd::decode_all(get("zstd").body.as_slice()).unwrap(), page.as_bytes());
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), 4, "each coding has its tag");
    assert_eq!(get("br;q=0, deflate").header("content-encoding"), None);
    assert_eq!(get("gzip;q=0.1, br;q=0.9").header("content-encoding"), Some("br"));
}

#[test]
fn a_single_page_app_answers_every_page() {
    let farm = Setup::new(2).start();
    farm.deploy("site", &[("index.html", "page"), ("manifest.json", r#"{ "spa": true }"#)]);
    let app = farm.app("site");
    assert_eq!((app.get("/deep/link").text().as_str(), app.get("/deep/link").status), ("page", 200));
    assert_eq!(
        (app.get("/none.js").status, app.get("/private/x").status, app.get("/api/x").code().as_str()),
        (404, 404, "no_handler")
    );
}

#[test]
fn an_app_without_code_has_files_only() {
    let farm = Setup::new(2).start();
    farm.deploy("site", &[("index.html", "page")]);
    let app = farm.app("site");
    assert_eq!(app.get("/").text(), "page");
    let none = app.get("/api/x");
    assert_eq!((none.status, none.code().as_str()), (404, "no_handler"));
    let missing = app.get("/none");
    assert_eq!((missing.status, missing.code().as_str()), (404, "not_found"));
}
