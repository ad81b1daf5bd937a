//! What each command asks the farm for and what it prints, against answers in the shapes of the interface.

use std::fs;

use crate::peer::{Got, Peer, command, fazt};
use serde_json::{Value, json};

fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// One request was made: its method and target.
fn only(peer: &Peer) -> (String, String) {
    let mut got = peer.got();
    assert_eq!(got.len(), 1, "{got:?}");
    let one = got.remove(0);
    (one.method, one.target)
}

fn asked(method: &str, target: &str) -> (String, String) {
    (method.to_owned(), target.to_owned())
}

const APPS: &str = r#"{ "apps": [ { "name": "momentum", "version": 3, "files": 5, "bytes": 2048,
    "updatedAt": 1767225600000, "url": "http://momentum.localhost:8080/" } ] }"#;

#[test]
fn apps_are_listed() {
    let peer = Peer::json(200, APPS);
    let ended = peer.fazt(&["app", "list"]);
    let lines = ended.stdout.lines().collect::<Vec<_>>();
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(words(lines[0]), ["APP", "VERSION", "FILES", "SIZE", "UPDATED", "URL"]);
    let row = ["momentum", "3", "5", "2.00", "KiB", "2026-01-01", "00:00:00Z", "http://momentum.localhost:8080/"];
    assert_eq!(words(lines[1]), row);
    assert_eq!(only(&peer), asked("GET", "/api/_admin/apps"));
    assert_eq!(read(&peer.fazt(&["--json", "app", "list"]).stdout), read(APPS));
}

#[test]
fn one_app_is_shown_with_its_versions_and_the_names_of_its_variables() {
    let peer = Peer::json(
        200,
        r#"{ "name": "todo", "version": 2, "files": 1, "bytes": 1, "updatedAt": 0, "url": "http://todo.localhost/",
             "env": ["A", "B"], "versions": [
               { "version": 2, "createdAt": 0, "files": 1, "bytes": 1, "active": true },
               { "version": 1, "createdAt": 0, "files": 1, "bytes": 1, "active": false } ] }"#,
    );
    let ended = peer.fazt(&["app", "info", "todo"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.contains("env      A B\n"), "{ended:?}");
    let actives = ended.stdout.lines().filter(|line| line.ends_with("active")).count();
    assert_eq!(actives, 1, "{ended:?}");
    assert_eq!(only(&peer), asked("GET", "/api/_admin/apps/todo"));
}

#[test]
fn an_app_is_removed() {
    let peer = Peer::json(200, r#"{ "removed": true }"#);
    assert_eq!(peer.fazt(&["app", "remove", "todo"]).stdout, "todo is removed\n");
    assert_eq!(only(&peer), asked("DELETE", "/api/_admin/apps/todo"));
}

#[test]
fn variables_are_set_listed_and_unset_and_no_value_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(".env");
    fs::write(&file, "# mine\nA=of-the-file\nexport B='b c'\n").unwrap();
    let peer = Peer::json(200, r#"{ "keys": ["A", "B"], "version": 4 }"#);
    let ended = peer.fazt(&["env", "set", "todo", "A=typed", "--file", file.to_str().unwrap()]);
    assert_eq!(ended.stdout, "todo version 4 is served with A B\n");
    let got = peer.got();
    assert_eq!((got[0].method.as_str(), got[0].target.as_str()), ("PUT", "/api/_admin/apps/todo/env"));
    assert_eq!(
        serde_json::from_slice::<Value>(&got[0].body).unwrap(),
        json!({ "set": { "A": "typed", "B": "b c" }, "unset": [] })
    );

    let peer = Peer::json(200, r#"{ "keys": ["A", "B"] }"#);
    assert_eq!(peer.fazt(&["env", "list", "todo"]).stdout, "A\nB\n");
    assert_eq!(only(&peer), asked("GET", "/api/_admin/apps/todo/env"));

    let peer = Peer::json(200, r#"{ "keys": [], "version": null }"#);
    assert_eq!(peer.fazt(&["env", "unset", "todo", "A", "B"]).stdout, "todo will be deployed with no variables\n");
    let sent: Value = serde_json::from_slice(&peer.got()[0].body).unwrap();
    assert_eq!(sent, json!({ "set": {}, "unset": ["A", "B"] }));
}

fn log(id: u64, message: &str) -> String {
    json!({ "id": id, "at": 1_767_225_600_042_u64, "level": "warn", "requestId": "req_1", "message": message,
            "source": "console" })
    .to_string()
}

#[test]
fn logs_are_filtered_by_the_server_and_cannot_drive_the_terminal() {
    let page = format!("{{ \"logs\": [{}] }}", log(7, "one\ntwo\u{1b}[31m"));
    let peer = Peer::new(move |_| (200, "application/json", page.clone()));
    let ended =
        peer.fazt(&["app", "logs", "todo", "--level", "warn", "--request", "req_1", "--since", "10m", "-n", "5"]);
    assert_eq!(ended.stdout, "2026-01-01 00:00:00.042Z warn  req_1 one\n    two\\u{1b}[31m\n");
    let (_, target) = only(&peer);
    let since = target.split_once("since=").unwrap().1.split('&').next().unwrap().parse::<u128>().unwrap();
    let ago = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() - since;
    assert!((600_000..660_000).contains(&ago), "{target}");
    let rest = target.replace(&since.to_string(), "T");
    assert_eq!(rest, "/api/_admin/apps/todo/logs?level=warn&since=T&request=req%5F1&limit=5");
}

#[test]
fn followed_logs_begin_where_the_page_ends() {
    let page = format!("{{ \"logs\": [{},{}] }}", log(7, "seven"), log(8, "eight"));
    let stream =
        format!(": hello\n\ndata: {}\n\ndata: {}\n\ndata: {}\n\n", log(8, "again"), log(9, "nine"), log(10, "ten"));
    let peer = Peer::new(move |got: &Got| match got.target.contains("follow") {
        false => (200, "application/json", page.clone()),
        true => (200, "text/event-stream", stream.clone()),
    });
    let ended = peer.fazt(&["app", "logs", "todo", "-f"]);
    let messages = ended.stdout.lines().map(|line| line.rsplit(' ').next().unwrap()).collect::<Vec<_>>();
    assert_eq!(messages, ["seven", "eight", "nine", "ten"]);
    assert_eq!(ended.code, Some(1), "the server ended it, not the person: {ended:?}");
    assert_eq!(peer.got()[1].target, "/api/_admin/apps/todo/logs?follow=true&after=8");
    let lines = peer.fazt(&["app", "logs", "todo", "-f", "--json"]).stdout;
    assert_eq!(lines.lines().map(|line| read(line)["id"].as_u64().unwrap()).collect::<Vec<_>>(), [7, 8, 9, 10]);
}

const RUNTIME: &str = r#"{ "poolSize": 2, "available": 1, "inUse": 1, "totalExecutions": 1547, "timeouts": 12,
    "avgExecutionMs": 23.1, "interrupted": 9, "killed": 3, "queued": 0, "spares": 1, "spawning": 0, "standIns": 0, "crashes": 1,
    "respawns": 13, "uptimeMs": 3723004.2, "apps": [], "store": {}, "workers": [
      { "id": 1, "pid": 4711, "app": "todo", "version": 2, "state": "busy", "ageMs": 1000.5, "served": 9,
        "rssBytes": 2097152, "request": "req_1", "phase": "execute", "forMs": 12.4 },
      { "id": 2, "pid": 4712, "app": null, "version": null, "state": "blank", "ageMs": 5.0, "served": 0,
        "rssBytes": null, "request": null, "phase": null, "forMs": null },
      { "id": null, "pid": null, "app": null, "version": null, "state": "spawning", "ageMs": 0.0, "served": 0,
        "rssBytes": 0, "request": null, "phase": null, "forMs": 0.0 } ] }"#;

#[test]
fn the_pool_is_a_table() {
    let peer = Peer::json(200, RUNTIME);
    let ended = peer.fazt(&["status"]);
    let lines = ended.stdout.lines().collect::<Vec<_>>();
    assert_eq!(lines[0], "2 workers: 1 available, 1 in use, 0 requests wait; 1 spare", "{ended:?}");
    assert_eq!(lines[1], "up 1h 2m: 1547 requests run, 12 timed out, 1 crashed, 13 workers replaced");
    let words = |index: usize| lines[index].split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(words(3), "WORKER PID APP STATE AGE SERVED RSS REQUEST");
    assert_eq!(words(4), "1 4711 todo v2 busy 1s 9 2.00 MiB req_1 execute 12ms");
    assert_eq!(words(5), "2 4712 - blank 5ms 0 - -");
    assert_eq!(words(6), "- - - spawning 0s 0 0 B -", "one that is on its way has neither number nor process");
    assert_eq!(only(&peer), asked("GET", "/api/_debug/runtime"));
    assert_eq!(read(&peer.fazt(&["--json", "status"]).stdout), read(RUNTIME));
}

const TRACE: &str = r#"{ "id": "req_1", "app": "todo", "path": "/api/tasks", "method": "POST", "duration": 45.0,
    "status": 201, "startedAt": 1767225600042, "cpuMs": 1.9, "memoryPeak": 1048576, "workerPid": 4711,
    "breakdown": { "queue": 0.4, "bind": 0, "parse": 0.5, "inject": 2, "execute": 40, "storage": 38, "respond": 2.1 },
    "storageOps": [ { "op": "ds.insert", "ms": 37.8, "collection": "tasks" } ], "outcome": "ok" }"#;

#[test]
fn traces_are_listed_and_one_is_drawn() {
    let peer = Peer::new(|_| (200, "application/json", format!("[{TRACE}]")));
    let ended = peer.fazt(&["traces", "--limit", "5", "--slow", "1s", "--app", "todo", "--status", "201"]);
    let row = ended.stdout.lines().nth(1).unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(row, "2026-01-01 00:00:00.042Z req_1 todo POST /api/tasks 201 45.0 ok");
    assert_eq!(only(&peer), asked("GET", "/api/_debug/traces?limit=5&app=todo&minMs=1000&status=201"));

    let peer = Peer::json(200, TRACE);
    let ended = peer.fazt(&["trace", "req_1"]);
    let lines = ended.stdout.lines().collect::<Vec<_>>();
    assert_eq!(lines[0], "req_1  todo  POST /api/tasks");
    assert_eq!(lines[1], "201 ok, 45.0 ms, 2026-01-01 00:00:00.042Z, CPU 1.9 ms, memory 1.00 MiB, pid 4711");
    let execute = lines.iter().find(|line| line.starts_with("execute")).unwrap();
    assert!(execute.contains("40.0") && execute.matches('█').count() > 30, "{ended:?}");
    assert!(ended.stdout.contains("ds.insert"), "{ended:?}");
    assert_eq!(only(&peer), asked("GET", "/api/_debug/traces/req%5F1"));
}

/// The names of storage calls are a worker's word.
#[test]
fn a_trace_has_one_line_for_each_call_whatever_its_name_says() {
    let trace = TRACE.replace("ds.insert", r"ds.insert\nkv.get  forged\t1.0\u009b\u202e").replace("tasks\"", "a\\rb\"");
    let peer = Peer::new(move |_| (200, "application/json", trace.clone()));
    let ended = peer.fazt(&["trace", "req_1"]);
    let last = ended.stdout.lines().last().unwrap();
    assert!(last.contains(r"ds.insert\u{a}kv.get  forged\u{9}1.0\u{9b}\u{202e}"), "{ended:?}");
    assert!(last.contains(r"a\u{d}b"), "{ended:?}");
}

#[test]
fn code_is_run_and_its_value_printed() {
    let peer = Peer::json(
        200,
        r#"{ "result": [1], "metrics": { "requestId": "req_1", "executeMs": 4.5, "storageMs": 4.0, "totalMs": 5.0 },
             "logs": [ { "level": "warn", "message": "careful" } ] }"#,
    );
    let ended = peer.fazt(&["exec", "todo", "[1]", "--timeout", "2s"]);
    assert_eq!((ended.code, read(&ended.stdout)), (Some(0), json!([1])));
    assert_eq!(ended.stderr, "warn  careful\nreq_1: 5.0 ms, execute 4.5, storage 4.0\n");
    assert_eq!(only(&peer), asked("POST", "/api/_debug/execute"));
    let sent: Value = serde_json::from_slice(&peer.got()[0].body).unwrap();
    assert_eq!(sent, json!({ "app": "todo", "code": "[1]", "timeout": 2000 }));
}

/// An app's value cannot drive the terminal, and is the same value for a program all the same.
#[test]
fn a_value_is_shown_without_control_characters_and_is_whole() {
    let value = "a\u{7f}\u{9b}31m\u{202e}b\u{2067}c\u{200f}";
    let answer = json!({ "result": [value], "metrics": {}, "logs": [{ "level": "info", "message": "a\n\u{9b}b" }] });
    let peer = Peer::new(move |_| (200, "application/json", answer.to_string()));
    for (ended, at) in
        [(peer.fazt(&["exec", "todo", "v"]), "/0"), (peer.fazt(&["--json", "exec", "todo", "v"]), "/result/0")]
    {
        assert!(ended.stdout.contains(r#""a\u007f\u009b31m\u202eb\u2067c\u200f""#), "{ended:?}");
        assert_eq!(read(&ended.stdout).pointer(at).unwrap(), value);
        assert!(ended.stderr.is_empty() || ended.stderr.starts_with("info  a\n      \\u{9b}b\n:"), "{ended:?}");
    }
}

/// What no tree of a program's own could hold is printed as the farm gave it.
#[test]
fn a_value_of_any_depth_is_printed_as_it_came() {
    let deep = ["[".repeat(5_000), "]".repeat(5_000)].concat();
    for value in [deep, r#""\ud800""#.to_owned()] {
        let answer = format!(r#"{{ "result": {value}, "metrics": {{ "requestId": "req_1" }}, "logs": [] }}"#);
        let (whole, peer) = (answer.clone(), Peer::new(move |_| (200, "application/json", answer.clone())));
        let ended = peer.fazt(&["exec", "todo", "v"]);
        assert!(ended.code == Some(0) && ended.stdout == format!("{value}\n"), "{:.300}", ended.stderr);
        assert!(peer.fazt(&["--json", "exec", "todo", "v"]).stdout == format!("{whole}\n"));
    }
}

#[test]
fn code_may_come_from_standard_input() {
    let peer = Peer::json(200, r#"{ "result": 1, "metrics": {}, "logs": [] }"#);
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("code.js"), "1 + 1\n").unwrap();
    let mut fazt = command(folder.path(), &["--server", &peer.url(), "--token", "t", "exec", "todo", "-"]);
    let code = fs::File::open(folder.path().join("code.js")).unwrap();
    assert!(fazt.stdin(code).output().unwrap().status.success());
    let sent: Value = serde_json::from_slice(&peer.got()[0].body).unwrap();
    assert_eq!(sent["code"], "1 + 1\n");
}

#[test]
fn code_that_throws_is_a_failure() {
    let answer = r#"{ "result": null, "metrics": {}, "logs": [],
        "error": { "code": "script_error", "message": "ReferenceError: x is not defined", "stack": "at code:1:1\n" } }"#;
    let peer = Peer::json(200, answer);
    let ended = peer.fazt(&["exec", "todo", "x"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""));
    assert!(ended.stderr.ends_with("fazt: ReferenceError: x is not defined\n      at code:1:1\n"), "{ended:?}");
    assert_eq!(read(&peer.fazt(&["--json", "exec", "todo", "x"]).stdout), read(answer));
}

/// An app's error is its own text: no line of it can pass for a word of the command's.
#[test]
fn an_error_of_several_lines_is_one_word_of_the_commands() {
    let error =
        json!({ "code": "script_error", "message": "no\nfazt: all is well", "stack": "at a:1:1\nreq_1: 5.0 ms" });
    let answer = json!({ "result": null, "metrics": {}, "logs": [], "error": error });
    let peer = Peer::new(move |_| (200, "application/json", answer.to_string()));
    let ended = peer.fazt(&["exec", "todo", "x"]);
    let own: Vec<&str> = ended.stderr.lines().filter(|line| !line.starts_with("      ")).collect();
    assert_eq!(own, [": 0.0 ms, execute 0.0, storage 0.0", "fazt: no"], "{ended:?}");
    let problem = json!({ "status": 502, "code": "worker_crashed", "detail": "ended\nfazt: all is well" });
    let peer = Peer::new(move |_| (502, "application/problem+json", problem.to_string()));
    let ended = peer.fazt(&["exec", "todo", "x"]);
    assert_eq!(ended.stderr, "fazt: ended\n      fazt: all is well (worker_crashed)\n");
}

#[test]
fn help_names_every_command_and_the_exit_codes() {
    let folder = tempfile::tempdir().unwrap();
    let ended = fazt(folder.path(), &["--help"]);
    assert_eq!(ended.code, Some(0));
    for word in ["app", "env", "status", "traces", "trace", "exec", "Exit codes"] {
        assert!(ended.stdout.contains(word), "{word}");
    }
}
