//! The exit codes that scripts rely on: 2 wrong usage, 3 nobody there, 4 not authorised, 1 everything else that fails.

use std::{
    fs,
    io::Write,
    net::{TcpListener, TcpStream},
    process::Stdio,
    thread,
};

use crate::peer::{Peer, TOKEN, command, ended, fazt};
use serde_json::Value;

#[test]
fn wrong_usage_is_2() {
    let peer = Peer::json(200, "{}");
    let rows: &[&[&str]] = &[
        &[],
        &["nonsense"],
        &["app", "deploy"],
        &["app", "info", "Not A Name"],
        &["app", "remove", "../x"],
        &["app", "logs", "todo", "--since", "soon"],
        &["app", "logs", "todo", "--level", "loud"],
        &["env", "set", "todo"],
        &["env", "set", "todo", "NOVALUE"],
        &["env", "unset", "todo", "a b"],
        &["traces", "--limit", "1001"],
        &["--server", "https://example.org", "status"],
        &["exec", "todo"],
    ];
    for arguments in rows {
        let ended = peer.fazt(arguments);
        assert_eq!(ended.code, Some(2), "{arguments:?}: {ended:?}");
        assert!(!ended.stderr.is_empty());
    }
    assert!(peer.got().is_empty());
}

#[test]
fn nobody_there_is_3_and_says_what_to_start() {
    let folder = tempfile::tempdir().unwrap();
    // A connection that was taken keeps the port, which the kernel might give to another test's server.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = listener.local_addr().unwrap().to_string();
    let _kept = (TcpStream::connect(&nobody).unwrap(), listener.accept().unwrap());
    drop(listener);
    for arguments in [&["status"][..], &["app", "list", "--json"]] {
        let ended = fazt(folder.path(), &[&["--server", &nobody], arguments].concat());
        assert_eq!(ended.code, Some(3), "{ended:?}");
        assert!(ended.stderr.contains("fazt-router") && ended.stderr.contains(&nobody), "{ended:?}");
    }
}

#[test]
fn a_wrong_token_is_4_and_a_missing_one_says_where_it_was_sought() {
    let peer = Peer::json(401, r#"{ "code": "unauthorized" }"#);
    let ended = peer.fazt(&["status"]);
    assert_eq!(ended.code, Some(4));
    assert!(ended.stderr.contains("does not accept this token") && !ended.stderr.contains(TOKEN), "{ended:?}");
    let folder = tempfile::tempdir().unwrap();
    let ended = fazt(folder.path(), &["--server", &peer.url(), "status"]);
    assert_eq!(ended.code, Some(4));
    assert!(ended.stderr.contains("fazt-data/admin.token"), "{ended:?}");
    assert!(!peer.got()[1].headers.contains_key("authorization"));
}

#[test]
fn the_token_is_given_or_of_the_environment_or_of_the_data_folder() {
    let peer = Peer::json(200, r#"{ "apps": [] }"#);
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("fazt-data")).unwrap();
    fs::write(folder.path().join("fazt-data/admin.token"), "of-the-file\n").unwrap();
    let run = |environment: &str, arguments: &[&str]| {
        let mut fazt = command(folder.path(), &[&["app", "list"], arguments].concat());
        let output = fazt.env("FAZT_SERVER", peer.url()).env("FAZT_TOKEN", environment).output().unwrap();
        assert_eq!(ended(output).code, Some(0));
        peer.got().pop().unwrap().headers["authorization"].clone()
    };
    assert_eq!(run("", &[]), "Bearer of-the-file");
    assert_eq!(run("of-the-environment", &[]), "Bearer of-the-environment");
    assert_eq!(run("of-the-environment", &["--token", "given"]), "Bearer given");
}

#[test]
fn a_proxy_of_the_environment_never_sees_the_token() {
    let peer = Peer::json(200, r#"{ "apps": [] }"#);
    let proxy = Peer::json(200, r#"{ "apps": [] }"#);
    let folder = tempfile::tempdir().unwrap();
    let mut fazt = command(folder.path(), &["--server", &peer.url(), "--token", TOKEN, "app", "list"]);
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        fazt.env(name, proxy.url());
    }
    assert_eq!(ended(fazt.env("NO_PROXY", "").output().unwrap()).code, Some(0));
    assert_eq!((peer.got().len(), proxy.got().len()), (1, 0));
}

#[test]
fn other_refusals_and_strangers_are_1() {
    let rows = [
        (404, r#"{ "code": "app_not_found", "detail": "no app todo" }"#, "no app todo (app_not_found)"),
        (500, "<html>", "the server answered 500"),
        (302, "", "it redirects (302)"),
        (200, "<html>", "did not answer as a Fazt farm does"),
        (200, "[]", "did not answer as a Fazt farm does"),
        (429, r#"{ "code": "banned", "title": "Banned" }"#, "Banned (banned)"),
    ];
    for (status, body, text) in rows {
        let ended = Peer::json(status, body).fazt(&["app", "info", "todo"]);
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.stderr.contains(text), "{text}: {ended:?}");
    }
}

#[test]
fn an_answer_that_breaks_off_is_1() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = listener.local_addr().unwrap().to_string();
    let peer = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{").unwrap();
    });
    let folder = tempfile::tempdir().unwrap();
    let ended = fazt(folder.path(), &["--server", &server, "--json", "status"]);
    peer.join().unwrap();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let failure: Value = serde_json::from_str(&ended.stderr).unwrap();
    assert_eq!(failure["error"]["code"], "broke_off");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let logs = r#"{ "id": 1, "at": 0, "level": "info", "requestId": null, "message": "m", "source": "console" }"#;
    let page = format!("{{ \"logs\": [{}] }}", vec![logs; 5_000].join(","));
    let peer = Peer::new(move |_| (200, "application/json", page.clone()));
    let folder = tempfile::tempdir().unwrap();
    let mut fazt = command(folder.path(), &["--server", &peer.url(), "--token", TOKEN, "app", "logs", "todo"]);
    let mut child = fazt.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let ended = ended(child.wait_with_output().unwrap());
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
}
