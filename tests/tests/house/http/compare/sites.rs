//! What both servers have: the same files under the same hosts, and code that says what it was asked.

/// What an app's code says: who it is, and what it was given of the request.
const CODE: &str =
    "respond(fazt.app.name + ' ran ' + request.method + ' ' + request.path + ' ' + (request.text || '').length)";

/// What only those may see who can read an app's private files or its code.
pub(super) const SECRET: &str = "SECRET";

/// Each app's name and files. One name begins with another.
pub(super) const SITES: &[(&str, &[(&str, &str)])] = &[
    ("echo", &[("api/main.js", CODE), ("probe.txt", "probe")]),
    ("one", &[("api/main.js", CODE)]),
    ("two", &[("api/main.js", CODE)]),
    (
        "app1",
        &[
            ("api/main.js", CODE),
            ("api/lib/x.js", "// SECRET"),
            ("index.html", "app1"),
            ("app.js", "1"),
            ("public/a.txt", "a"),
            ("private/seed.json", "\"SECRET\""),
            ("manifest.json", "{ \"name\": \"app1\", \"env\": { \"KEY\": \"SECRET\" } }"),
        ],
    ),
    ("app10", &[("api/main.js", CODE), ("private/seed.json", "\"SECRET\"")]),
    (
        "site",
        &[
            ("a.txt", super::FILE),
            ("b c.txt", "b c"),
            ("empty.txt", ""),
            ("index.html", "home"),
            ("about.html", "about"),
            ("docs/index.html", "docs"),
        ],
    ),
];
