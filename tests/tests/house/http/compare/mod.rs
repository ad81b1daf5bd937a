//! The same odd requests to nginx and to the farm. Where the two differ, one of them may be wrong, and where both are right a
//! server of the one kind before a server of the other may be fooled: so each difference is listed in [`reasons`] with the
//! rule that explains it. One that is not listed fails, and so does one that is listed and no longer there.
//!
//! It needs nginx, which the ordinary tests do not: `scripts/compare`.

mod nginx;
mod observe;
mod reasons;
mod rows;
mod sites;

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    thread,
};

use fazt_tests::{farm::Farm, oracle::Watch, setup::Setup};
use nginx::Nginx;
use observe::Server;
use reasons::REASONS;
use sites::{SECRET, SITES};

use super::ranges::FILE;

/// Connections at one time: some requests are ended by a clock.
const CLIENTS: usize = 8;

/// What was heard of a request: from the farm, and from nginx.
type Heard = BTreeMap<String, (String, String)>;

fn farm() -> Farm {
    let farm = Setup::new(4).start();
    for (name, files) in SITES {
        farm.deploy(name, files);
    }
    farm
}

/// Asks both servers for everything.
fn ask_both(ours: &Server, theirs: &Server) -> Heard {
    let work: Mutex<Vec<_>> = Mutex::new(rows::all(ours).into_iter().zip(rows::all(theirs)).collect());
    let heard = Mutex::new(Heard::new());
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                while let Some((to_us, to_them)) = { work.lock().unwrap_or_else(PoisonError::into_inner).pop() } {
                    let both = (ours.observe(&to_us), theirs.observe(&to_them));
                    let before = heard.lock().unwrap_or_else(PoisonError::into_inner).insert(to_us.what.clone(), both);
                    assert!(before.is_none(), "two requests are called {:?}", to_us.what);
                }
            });
        }
    });
    heard.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// What the farm does otherwise, and nobody has explained; and what was explained and is not so.
fn unexplained(heard: &Heard) -> Vec<String> {
    let mut listed = BTreeMap::new();
    for (ours, theirs, requests) in REASONS.iter().flat_map(|(_, differences)| *differences) {
        for what in *requests {
            assert!(listed.insert(*what, (*ours, *theirs)).is_none(), "{what:?} is explained twice");
        }
    }
    let mut wrong = Vec::new();
    for (what, (ours, theirs)) in heard {
        let listed = listed.remove(what.as_str());
        if listed != (ours != theirs).then_some((ours.as_str(), theirs.as_str())) {
            wrong.push(format!("- {what}: the farm {ours:?}, nginx {theirs:?}, explained {listed:?}"));
        }
        if ours.contains("/api/smug") || ours.contains(SECRET) {
            wrong.push(format!("- {what}: what is hidden comes out: {ours:?}"));
        }
    }
    wrong.extend(listed.keys().map(|what| format!("- {what}: explained, and never asked")));
    wrong
}

/// The differences as a table, by the rules that explain them.
fn print(heard: &Heard) {
    let differ = heard.values().filter(|(ours, theirs)| ours != theirs).count();
    println!("{} and the farm: {} requests, {differ} of them answered otherwise", nginx::version(), heard.len());
    for (rule, differences) in REASONS {
        println!("\n{rule}");
        for (ours, theirs, requests) in *differences {
            println!("    the farm: {ours}\n    nginx:    {theirs}");
            requests.iter().for_each(|what| println!("        {what}"));
        }
    }
}

#[test]
#[ignore = "needs nginx; run by scripts/compare"]
fn what_nginx_does_otherwise_is_known_and_explained() {
    let farm = farm();
    let nginx = Nginx::start();
    let watch = Watch::over(&farm);
    let heard = ask_both(&Server::at(farm.address), &Server::at(nginx.address));
    print(&heard);
    watch.conclude(&unexplained(&heard));
}
