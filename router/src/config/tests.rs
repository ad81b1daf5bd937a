//! What a start is told, where that comes from, and what it refuses.

use super::*;

fn given(arguments: &[&str], variables: &[(&str, &str)]) -> Result<Config, String> {
    let arguments = std::iter::once("fazt-router").chain(arguments.iter().copied()).chain(["--print-config"]);
    let variables = variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    load(arguments.map(OsString::from), variables).map_err(|error| match error {
        LoadError::CommandLine(error) => error.to_string(),
        LoadError::Config(error) => error.to_string(),
    })
}

fn file(text: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fazt.toml");
    std::fs::write(&path, text).unwrap();
    (folder, path.to_str().unwrap().to_owned())
}

#[test]
fn flag_wins_over_variable_over_file_over_default() {
    let (_folder, path) = file("workers = 5\nqueue-depth = 7\n\ntimeout = \"250ms\"\n");
    let variables = [("FAZT_WORKERS", "6"), ("FAZT_QUEUE_DEPTH", "8")];
    let config = given(&["--config", &path, "--workers", "9"], &variables).unwrap();
    assert_eq!((config.farm.workers, config.farm.queue_depth), (9, 8));
    assert_eq!(config.edge.run, std::time::Duration::from_millis(250));
    let printed = config.settings.to_string();
    for line in [
        "workers = 9  # flag",
        "queue-depth = 8  # env FAZT_QUEUE_DEPTH",
        &format!("timeout = \"250ms\"  # {path}:4"),
        "memory = \"64MiB\"  # default",
        "listen = [\"127.0.0.1:8080\"]  # default",
        "app-max-workers = 8  # default",
    ] {
        assert!(printed.lines().any(|printed| printed == line), "{line} in {printed}");
    }
    // What is printed can be kept as a file and says the same.
    let (_again, kept) = file(&printed.replace("log-format = ", "# log-format = "));
    assert_eq!(given(&["--config", &kept], &[]).unwrap().farm.workers, 9);
}

#[test]
fn lists_come_from_every_source() {
    let (_folder, path) =
        file("listen = [\":1\", \"unix:/run/a\"]\ntrust-proxy = \"10.0.0.0/8\"\naccess_log = false\n");
    let config = given(&["--config", &path, "--domain", "a.test", "--domain", "B.test"], &[]).unwrap();
    let listen: Vec<String> = config.edge.listen.iter().map(ToString::to_string).collect();
    assert_eq!(listen, ["0.0.0.0:1", "unix:/run/a"]);
    assert_eq!(config.edge.domains, ["a.test", "b.test"]);
    assert_eq!(config.edge.trusted.len(), 1);
    assert!(!config.telemetry.access_log);
    let config = given(&[], &[("FAZT_LISTEN", "localhost:1, [::1]:2"), ("FAZT_RUNTIME_DEBUG", "1")]).unwrap();
    assert_eq!(config.edge.listen.len(), 2);
    assert!(config.edge.debug && config.telemetry.debug);
}

#[test]
fn what_is_wrong_is_named_with_its_place_and_the_nearest_name() {
    let rows: &[(&str, &[&str])] = &[
        ("wokers = 3", &["fazt.toml:1", "`wokers`", "did you mean `workers`?"]),
        ("\n\nqueue_deph = 3", &["fazt.toml:3", "did you mean `queue-depth`?"]),
        ("nonsense = 3", &["fazt.toml:1", "there is no setting `nonsense`"]),
        ("workers = 0", &["fazt.toml:1", "workers", "`0`", "from 1 to 1024"]),
        ("workers = 1.5", &["fazt.toml:1", "`1.5`", "float"]),
        ("a = \n", &["fazt.toml:1"]),
        ("\n[workers]\nn = 1", &["fazt.toml:2", "table"]),
        ("timeout = \"soon\"", &["fazt.toml:1", "timeout", "`soon`", "500ms"]),
        ("timeout = \"2h\"", &["between 1ms and 1h"]),
        ("memory = \"1KiB\"", &["memory", "between"]),
        ("sandbox = \"strickt\"", &["sandbox", "strict, best-effort, off", "did you mean `strict`?"]),
        ("listen = \"everywhere\"", &["listen", "127.0.0.1:8080"]),
        ("store = \"postgres:x\"", &["store", "sqlite:PATH"]),
        ("default-app = \"Admin\"", &["default-app", "`Admin`"]),
        ("domain = \"a b\"", &["domain", "`a b`"]),
        ("trust-proxy = \"ten\"", &["trust-proxy", "`ten`", "10.0.0.0/8"]),
    ];
    for (text, parts) in rows {
        let (_folder, path) = file(text);
        let error = given(&["--config", &path], &[]).unwrap_err();
        assert!(parts.iter().all(|part| error.contains(part)), "{text}: {error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
    let flag = given(&["--workers", "many"], &[]).unwrap_err();
    assert!(flag.starts_with("--workers:"), "{flag}");
    let variable = given(&[], &[("FAZT_MEMORY", "much")]).unwrap_err();
    assert!(variable.starts_with("FAZT_MEMORY:"), "{variable}");
    let slip = given(&[], &[("FAZT_WORKRES", "3")]).unwrap_err();
    assert!(slip.contains("did you mean `FAZT_WORKERS`?"), "{slip}");
    assert!(given(&[], &[("FAZT_SOMETHING_ELSE", "3")]).is_ok());
    assert!(given(&["--config", "/nowhere/fazt.toml"], &[]).unwrap_err().contains("/nowhere/fazt.toml"));
    assert!(given(&["--wrokers", "3"], &[]).unwrap_err().contains("--workers"));
}

#[test]
fn values_must_go_together_and_defaults_follow() {
    let error = given(&["--workers", "4", "--app-max-workers", "5"], &[]).unwrap_err();
    assert!(error.contains("app-max-workers = 5 (flag)") && error.contains("workers = 4 (flag)"), "{error}");
    let error = given(&["--request-timeout", "1s", "--timeout", "2s"], &[]).unwrap_err();
    assert!(error.contains("timeout = 2s (flag)") && error.contains("request-timeout = 1s (flag)"), "{error}");
    let config = given(&["--request-timeout", "300ms"], &[]).unwrap();
    assert_eq!(config.edge.run, config.edge.request);
    assert_eq!(config.farm.queue_timeout, config.edge.request);
    assert_eq!(given(&["--workers", "1"], &[]).unwrap().farm.app_max_workers, 1);
}
