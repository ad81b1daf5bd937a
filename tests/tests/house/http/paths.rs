//! Where a path leads: to a file of this app's version that is meant for browsers, to the app's code, or nowhere. However it is
//! written, nothing that is private, another app's or outside is shown.

use std::fs;

use fazt_tests::{farm::Farm, http::Request, oracle::Watch, setup::Setup};

/// One name begins with another, and a third is its neighbour.
const APPS: [&str; 3] = ["app1", "app10", "app1-x"];
const OUTSIDE: &str = "MARKER-OUTSIDE";

/// Paths that lead to nothing, each under the name of its trick; `OTHER` is another app's name.
pub(super) const PATHS: &[(&str, &str)] = &[
    ("H-13 up", "/../private/seed.json"),
    ("H-13 up and down", "/public/../private/seed.json"),
    ("H-13 up and out", "/../../../../../../marker.txt"),
    ("H-13 to another app", "/../OTHER/private/seed.json"),
    ("H-13 from code to another", "/api/../../OTHER/private/seed.json"),
    ("H-13 the rest of a name", "0/private/seed.json"),
    ("H-13 encoded dots", "/%2e%2e/private/seed.json"),
    ("H-13 encoded dots in upper case", "/%2E%2E/private/seed.json"),
    ("H-13 one encoded dot", "/.%2e/private/seed.json"),
    ("H-13 encoded twice", "/%252e%252e/private/seed.json"),
    ("H-13 encoded thrice", "/%25252e%25252e/private/seed.json"),
    ("H-13 an encoded slash", "/..%2fprivate%2fseed.json"),
    ("H-13 a slash encoded twice", "/..%252fprivate%252fseed.json"),
    ("H-13 an encoded backslash", "/..%5cprivate%5cseed.json"),
    ("H-13 a backslash", "/..\\private\\seed.json"),
    ("H-13 overlong dots", "/%c0%ae%c0%ae/private/seed.json"),
    ("H-13 an overlong slash", "/public%c0%afprivate/seed.json"),
    ("H-13 overlong dots of three bytes", "/%e0%80%ae%e0%80%ae/private/seed.json"),
    ("H-13 wide dots", "/%ef%bc%8e%ef%bc%8e/private/seed.json"),
    ("H-13 escapes of another kind", "/%u002e%u002e/private/seed.json"),
    ("H-13 a broken escape", "/%2/private/seed.json"),
    ("H-13 this folder", "/./private/seed.json"),
    ("H-13 this folder, encoded", "/%2e/private/seed.json"),
    ("H-13 two slashes", "//private/seed.json"),
    ("H-13 slashes within", "/public//..//private/seed.json"),
    ("H-13 a parameter before", "/;/../private/seed.json"),
    ("H-13 a parameter within", "/public/..;/private/seed.json"),
    ("H-13 a parameter behind", "/private;x=1/seed.json"),
    ("H-13 a zero byte", "/private/seed.json%00.html"),
    ("H-13 a zero byte in front", "/%00/private/seed.json"),
    ("H-13 a new line", "/public%0aprivate/seed.json"),
    ("H-13 a drive", "/C:/private/seed.json"),
    ("H-13 a stream of a file", "/private/seed.json::$DATA"),
    ("H-13 a dot at the end", "/private./seed.json"),
    ("H-13 a space at the end", "/private%20/seed.json"),
    ("H-13 a share", "//127.0.0.1/private/seed.json"),
    ("H-13 a file's URL", "/file:///etc/passwd"),
    ("H-13 the root's files", "/etc/passwd"),
    ("H-13 the process's files", "/proc/self/environ"),
    ("H-13 a home", "/~root/.ssh/id_rsa"),
    ("H-14 what is private", "/private/seed.json"),
    ("H-14 in upper case", "/PRIVATE/seed.json"),
    ("H-14 by an escape", "/%70rivate/seed.json"),
    ("H-14 the folder itself", "/private/"),
    ("H-14 the manifest", "/manifest.json"),
    ("H-14 the code's folder", "/api"),
    ("H-14 the code in upper case", "/API/main.js"),
    ("H-14 a repository", "/.git/config"),
    ("H-14 an environment", "/.env"),
    ("H-14 a hidden folder within", "/public/.svn/entries"),
    ("H-14 what other servers have", "/.htaccess"),
    ("H-14 a list of a folder", "/public/"),
    ("H-14 a copy that an editor keeps", "/index.html~"),
    ("H-14 a copy by hand", "/index.html.bak"),
    ("H-14 a swap file", "/.index.html.swp"),
    ("H-14 a source map", "/app.js.map"),
    ("H-14 the farm's database", "/fazt.db"),
    ("H-14 the farm's token", "/admin.token"),
];

/// Paths that lead to the app's code, which says what it was given.
pub(super) const CODE: &[(&str, &str)] = &[
    ("H-14 the code's source", "/api/main.js"),
    ("H-14 a module's source", "/api/lib/x.js"),
    ("H-14 a map of it", "/api/main.js.map"),
    ("H-13 escapes that decode to escapes", "/api/%252e%252e/private/seed.json"),
    ("H-13 slashes that mean nothing", "/api///private/seed.json"),
];

fn three_apps() -> Farm {
    let farm = Setup::new(4).start();
    fs::write(farm.data().above().join("marker.txt"), OUTSIDE).unwrap();
    for name in APPS {
        let secret = format!("SECRET of {name}");
        let code = format!("respond('code of ' + fazt.app.name) // {secret}");
        farm.deploy(
            name,
            &[
                ("index.html", name),
                ("app.js", "1"),
                ("public/a.txt", "a"),
                ("private/seed.json", &secret),
                ("api/main.js", &code),
                ("api/lib/x.js", &format!("// {secret}")),
                ("manifest.json", &format!(r#"{{ "name": "{name}", "env": {{ "KEY": "{secret}" }} }}"#)),
            ],
        );
    }
    farm
}

#[test]
fn no_way_of_writing_a_path_leads_out() {
    let farm = three_apps();
    let watch = Watch::over(&farm);
    let mut wrong = Vec::new();
    for (at, name) in APPS.iter().enumerate() {
        let app = farm.app(name).keeping();
        for (what, path) in PATHS {
            let path = path.replace("OTHER", APPS[(at + 1) % APPS.len()]);
            let answer = app.send(&Request::new("GET", &path));
            let text = answer.text();
            if ![400, 404].contains(&answer.status) || text.contains("SECRET") || text.contains(OUTSIDE) {
                wrong.push(format!("- {name}: {what}: {path}: {} {text}", answer.status));
            }
        }
        for (what, path) in CODE {
            let answer = app.send(&Request::new("GET", path));
            if answer.text() != format!("code of {name}") {
                wrong.push(format!("- {name}: {what}: {path}: {} {}", answer.status, answer.text()));
            }
        }
        assert_eq!((app.get("/").text().as_str(), app.get("/public/a.txt").text().as_str()), (*name, "a"));
    }
    watch.conclude(&wrong);
}
