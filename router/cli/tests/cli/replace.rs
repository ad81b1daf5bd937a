//! A folder whose manifest names an app that is there already: it is replaced where the user's own word says so.

use std::{
    fs::{self, File},
    io::{Read, Write},
    path::Path,
};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use serde_json::Value;
use tempfile::TempDir;

use crate::peer::{Ended, Got, Peer, TOKEN, command, ended};

/// A farm with the app shop, in its third version, and no other.
fn farm() -> Peer {
    Peer::new(|got: &Got| match got.method.as_str() {
        "POST" => {
            let app = got.target.split('/').nth(4).unwrap();
            let body = format!(r#"{{ "app": "{app}", "version": 4, "active": true, "files": 1, "bytes": 1 }}"#);
            (201, "application/json", body)
        }
        _ if got.target == "/api/_admin/apps/shop" => (200, "application/json", r#"{ "version": 3 }"#.to_owned()),
        _ => (404, "application/problem+json", r#"{ "code": "not_found" }"#.to_owned()),
    })
}

/// A folder that somebody gave away; it says that it is `named`.
fn given(at: &Path, named: &str) {
    fs::create_dir_all(at).unwrap();
    fs::write(at.join("index.html"), "").unwrap();
    fs::write(at.join("manifest.json"), format!(r#"{{ "name": "{named}" }}"#)).unwrap();
}

/// A home, with such a folder in it.
fn home(folder: &str, named: &str) -> TempDir {
    let home = tempfile::tempdir().unwrap();
    given(&home.path().join(folder), named);
    home
}

fn deploy(peer: &Peer, home: &TempDir, arguments: &[&str]) -> Ended {
    let url = peer.url();
    let arguments = [&["--server", &url, "--token", TOKEN, "app", "deploy"], arguments].concat();
    ended(command(home.path(), &arguments).output().unwrap())
}

/// The same at a terminal, where somebody types `answer`; gives what stands on it afterwards.
fn deploy_at_terminal(peer: &Peer, home: &TempDir, answer: &str) -> (Option<i32>, String) {
    let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&controller).unwrap();
    unlockpt(&controller).unwrap();
    let path = ptsname(&controller, Vec::new()).unwrap().into_string().unwrap();
    let terminal = || File::options().read(true).write(true).open(&path).unwrap();
    let mut controller = File::from(controller);
    let url = peer.url();
    let mut fazt = command(home.path(), &["--server", &url, "--token", TOKEN, "app", "deploy", "toy"]);
    fazt.stdin(terminal()).stderr(terminal());
    controller.write_all(answer.as_bytes()).unwrap();
    let output = fazt.output().unwrap();
    // Its last holder closes the terminal, which ends what can be read of it.
    drop(fazt);
    let mut shown = Vec::new();
    let _closed = controller.read_to_end(&mut shown);
    (output.status.code(), String::from_utf8(shown).unwrap())
}

fn uploads(peer: &Peer) -> Vec<String> {
    peer.got().into_iter().filter(|got| got.method == "POST").map(|got| got.target).collect()
}

#[test]
fn an_app_that_a_manifest_alone_names_is_not_replaced() {
    let (peer, home) = (farm(), home("toy", "shop"));
    let refused = deploy(&peer, &home, &["toy"]);
    assert_eq!(refused.code, Some(1));
    for part in ["manifest.json names the app shop", "version 3", "--name shop", "--yes"] {
        assert!(refused.stderr.contains(part), "{part}: {refused:?}");
    }
    let refused = deploy(&peer, &home, &["toy", "--json"]);
    let said: Value = serde_json::from_str(&refused.stderr).unwrap();
    assert_eq!((refused.code, &said["error"]["code"]), (Some(1), &"would_replace".into()));
    assert_eq!(uploads(&peer), Vec::<String>::new());
}

#[test]
fn the_users_own_word_replaces_it() {
    let (toy, shop) = (home("toy", "shop"), home("shop", "shop"));
    let rows: [(&TempDir, &[&str]); 4] =
        [(&toy, &["toy", "--yes"]), (&toy, &["toy", "--name", "shop"]), (&shop, &["shop"]), (&shop, &["./shop/."])];
    for (home, arguments) in rows {
        // Nothing is remembered of the row before.
        let (peer, _) = (farm(), fs::remove_dir_all(home.path().join(".local")));
        let done = deploy(&peer, home, arguments);
        assert_eq!((done.code, uploads(&peer).len()), (Some(0), 1), "{arguments:?}: {done:?}");
    }
}

#[test]
fn a_name_that_is_free_is_the_manifests_to_choose() {
    let (peer, home) = (farm(), home("toy", "new"));
    assert_eq!(deploy(&peer, &home, &["toy"]).code, Some(0));
    assert_eq!(uploads(&peer), ["/api/_admin/apps/new/deploy?activate=true"]);
}

/// And no other folder, nor the same one once its manifest names another app, nor on another farm.
#[test]
fn who_deployed_a_folder_deploys_it_again_without_a_word() {
    let (peer, home) = (farm(), home("toy", "shop"));
    given(&home.path().join("other"), "shop");
    assert_eq!(deploy(&peer, &home, &["toy"]).code, Some(1));
    assert_eq!(deploy(&peer, &home, &["toy", "--name", "shop"]).code, Some(0));
    assert_eq!(deploy(&peer, &home, &["./toy/../toy"]).code, Some(0));
    assert_eq!(deploy(&peer, &home, &["other"]).code, Some(1));
    assert_eq!(deploy(&farm(), &home, &["toy"]).code, Some(1));
    assert_eq!(deploy(&peer, &home, &["toy", "--name", "mine"]).code, Some(0));
    assert_eq!(deploy(&peer, &home, &["toy"]).code, Some(1), "it was deployed as another app since");
}

#[test]
fn at_a_terminal_it_is_asked() {
    for (answer, code, sent) in [("n\n", 1, 0), ("\n", 1, 0), ("\u{4}", 1, 0), ("yes\n", 0, 1), ("Y\n", 0, 1)] {
        let (peer, home) = (farm(), home("toy", "shop"));
        let (ended, shown) = deploy_at_terminal(&peer, &home, answer);
        assert_eq!((ended, uploads(&peer).len()), (Some(code), sent), "{answer:?}: {shown}");
        assert!(shown.contains("names the app shop") && shown.contains("Replace shop? [y/N]"), "{shown}");
    }
}
