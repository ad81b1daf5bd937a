//! A zygote that lies about its jail: it reports every layer, and its children have one less, or none. Which one stands in a
//! file `lie` beside the program, where the test puts it: the router gives its zygote neither words nor environment.

#![expect(unsafe_code, reason = "takes over a descriptor by its number, and installs a filter that filters nothing")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a liar that cannot go on dies")]

use std::{
    os::fd::{AsFd, FromRawFd, OwnedFd},
    process::exit,
};

use clap::Parser;
use fazt_jail::{Born, Kin, Layers, Nest, Newborn, Offspring, Policy, Strictness, clone_into, die_with_parent, enter};
use fazt_protocol::{
    call::{FromWorker, Ready, ToWorker},
    pipe::Pipe,
    spawn::{FromZygote, Jail, Role, ToZygote},
    version::PROTOCOL,
};
use fazt_worker::flags::{Flags, NESTED};
use nix::{libc, sys::prctl::set_no_new_privs, unistd::geteuid};
use rustix::thread::{CapabilitySet, CapabilitySets};

fn main() {
    let flags = Flags::parse();
    die_with_parent(flags.parent.unwrap()).unwrap();
    let lie = std::fs::read_to_string(std::env::current_exe().unwrap().with_file_name("lie")).unwrap();
    // Where nothing is entered, it is the zygote itself that is not where it says it is.
    let strictness = if lie == "namespaces" { Strictness::Off } else { Strictness::BestEffort };
    let Some(arrival) = flags.arrival else {
        panic!("{}", fazt_jail::start_again_inside(strictness, NESTED).unwrap_err());
    };
    let by_root = geteuid().is_root() && arrival.to_string() != "0:0";
    let layers = Layers::attainable(by_root).bits();
    let nest = Nest::settle(strictness, arrival).unwrap();
    // SAFETY: the router opened it for us, and nobody else here knows its number.
    let mut router = Pipe::<ToZygote, FromZygote>::new(unsafe { OwnedFd::from_raw_fd(flags.zygote_fd.unwrap()) });
    let jail = Jail { layers, tier: "full".to_owned(), missing: Vec::new() };
    router.send(&FromZygote::Ready { protocol: PROTOCOL, jail }, None).unwrap();
    while let Ok(ToZygote::Spawn(spawn)) = router.receive(None) {
        let (call, _page) = (router.take_descriptor().unwrap(), router.take_descriptor().unwrap());
        // Into its group, where there is one: the router looks for it there before it looks at anything else.
        let group = spawn.grouped.then(|| router.take_descriptor().unwrap());
        match clone_into(&nest, Kin::Sibling, group.as_ref().map(AsFd::as_fd)).unwrap() {
            Born::Inside(newborn) => exit(live(newborn, &lie, layers, call, &flags)),
            Born::Outside(Offspring { pid, pidfd }) => {
                let answer = FromZygote::Spawned { number: spawn.number, pid };
                router.send_with(&answer, &[pidfd.as_fd()], None).unwrap();
            }
        }
    }
}

/// Says that all is well, and waits for the end.
fn live(newborn: Newborn<'_>, lie: &str, layers: u32, call: OwnedFd, flags: &Flags) -> i32 {
    let keep = [call.as_fd()];
    match lie {
        "none" => {
            let slice = std::time::Duration::from_millis(20);
            drop(enter(newborn, &Policy { keep: &keep, slot: 1, limits: flags.limits(Role::Worker), slice }).unwrap());
        }
        "namespaces" | "nothing" => {}
        // The other layers that can be seen are there, so that it is this one that is missed.
        lacking => {
            set_no_new_privs().unwrap();
            if lacking != "seccomp" {
                filter_nothing();
            }
            if lacking != "capabilities" {
                let none = CapabilitySet::empty();
                let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
                rustix::thread::set_capabilities(None, sets).unwrap();
            }
        }
    }
    let mut call = Pipe::<ToWorker, FromWorker>::new(call);
    call.send(&FromWorker::Ready(Ready { protocol: PROTOCOL, layers }), None).unwrap();
    // Its end is the conversation's: most of these have nothing else that ties them to the router.
    while call.receive(None).is_ok() {}
    0
}

/// A list of calls that allows all of them.
fn filter_nothing() {
    let mut allow = libc::sock_filter {
        code: u16::try_from(libc::BPF_RET | libc::BPF_K).unwrap(),
        jt: 0,
        jf: 0,
        k: libc::SECCOMP_RET_ALLOW,
    };
    let program = libc::sock_fprog { len: 1, filter: &raw mut allow };
    // SAFETY: the kernel copies one instruction, which lives until the call returns.
    let outcome = unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program) };
    assert_eq!(outcome, 0);
}
