//! The command `fazt` against a real farm.

use std::{fs, path::Path};

use fazt_tests::{
    farm::Farm,
    programs,
    setup::Setup,
    wait::{PATIENCE, eventually},
};
use serde_json::Value;

struct Ended {
    code: i32,
    out: String,
    err: String,
}

fn fazt(farm: &Farm, arguments: &[&str]) -> Ended {
    run(&format!("http://{}", farm.address), &farm.token, arguments)
}

fn run(server: &str, token: &str, arguments: &[&str]) -> Ended {
    let output = programs::fazt(server, token).args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ended { code: output.status.code().unwrap_or(-1), out: text(&output.stdout), err: text(&output.stderr) }
}

fn done(farm: &Farm, arguments: &[&str]) -> String {
    let ended = fazt(farm, arguments);
    assert_eq!(ended.code, 0, "{arguments:?}: {} {}", ended.out, ended.err);
    ended.out
}

fn momentum() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("examples/momentum").display().to_string()
}

#[test]
fn an_app_from_its_deploy_to_its_end() {
    let farm = Setup::new(2).start();
    let said = done(&farm, &["app", "deploy", &momentum()]);
    assert!(said.contains("momentum version 1") && said.contains("http://momentum."), "{said}");
    let post = farm.app("momentum").post("/api/tasks", &serde_json::json!({ "session": "s", "text": "by hand" }));
    assert_eq!(post.status, 201);
    let listed: Value = serde_json::from_str(&done(&farm, &["--json", "app", "list"])).unwrap();
    assert!(listed.to_string().contains("momentum"), "{listed}");
    eventually(PATIENCE, "its log", || fazt(&farm, &["app", "logs", "momentum"]).out.contains("added task"));
    // It is kept once the request's end is written.
    let _kept = farm.trace(&post.id());
    let trace = done(&farm, &["trace", &post.id()]);
    assert!(trace.contains("execute"), "{trace}");
    assert!(done(&farm, &["traces", "--app", "momentum"]).contains("/api/tasks"));
    assert!(done(&farm, &["exec", "momentum", "1 + 41"]).contains("42"));
    assert!(done(&farm, &["status"]).contains("momentum"));
    done(&farm, &["app", "remove", "momentum"]);
    assert_eq!(farm.app("momentum").get("/").status, 404);
}

#[test]
fn variables_are_set_and_never_shown() {
    let farm = Setup::new(2).start();
    done(&farm, &["env", "set", "app", "KEY=hunter2", "OTHER=x"]);
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("api")).unwrap();
    fs::write(folder.path().join("api/main.js"), "respond(fazt.env.get('KEY', 'none'))").unwrap();
    done(&farm, &["app", "deploy", folder.path().to_str().unwrap(), "--name", "app", "--env", "THIRD=3"]);
    assert_eq!(farm.app("app").get("/api/").text(), "hunter2");
    let listed = done(&farm, &["env", "list", "app"]);
    assert!(listed.contains("KEY") && listed.contains("THIRD") && !listed.contains("hunter2"), "{listed}");
    done(&farm, &["env", "unset", "app", "KEY"]);
    assert_eq!(farm.app("app").get("/api/").text(), "none");
}

#[test]
fn exit_codes_say_what_went_wrong() {
    let farm = Setup::new(2).start();
    assert_eq!(fazt(&farm, &["app", "remove", "none"]).code, 1);
    assert_eq!(fazt(&farm, &["app", "paint"]).code, 2);
    assert_eq!(run("http://127.0.0.1:1", "x", &["app", "list"]).code, 3);
    assert_eq!(run(&format!("http://{}", farm.address), "wrong", &["app", "list"]).code, 4);
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("manifest.json"), "{ broken").unwrap();
    let refused = fazt(&farm, &["app", "deploy", folder.path().to_str().unwrap(), "--name", "app"]);
    assert!(refused.code == 1 && refused.err.contains("manifest.json"), "{} {}", refused.code, refused.err);
}
