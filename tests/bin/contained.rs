//! Runs a program where some system calls are refused, as under a container's seccomp profile or on a kernel that lacks them:
//! `contained EPERM=unshare,mount ENOSYS=clone3 -- PROGRAM [ARGUMENT]...`. `clone-apart` is clone(2) into a namespace of its own.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a container that cannot be made is no container")]

use std::{collections::BTreeMap, env::consts::ARCH, os::unix::process::CommandExt, process::Command};

use nix::{
    errno::Errno,
    libc::{self, c_long},
    sys::prctl::set_no_new_privs,
};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    apply_filter,
};

/// CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET.
const APART: [i32; 7] = [
    libc::CLONE_NEWNS,
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
];

fn main() {
    let mut arguments = std::env::args().skip(1);
    set_no_new_privs().unwrap();
    for refusal in arguments.by_ref().take_while(|argument| argument != "--") {
        let (errno, calls) = refusal.split_once('=').expect("ERRNO=CALL,CALL");
        apply_filter(&filter(errno, calls.split(','))).unwrap();
    }
    let program = arguments.next().expect("-- PROGRAM");
    panic!("failed to run {program}: {}", Command::new(&program).args(arguments).exec());
}

/// Refuses these calls in that way, and no other.
fn filter<'a>(errno: &str, calls: impl Iterator<Item = &'a str>) -> BpfProgram {
    let errno = match errno {
        "EPERM" => Errno::EPERM,
        "ENOSYS" => Errno::ENOSYS,
        other => panic!("{other} is none of EPERM, ENOSYS"),
    };
    let rules: BTreeMap<c_long, Vec<SeccompRule>> = calls.map(rule).collect();
    let refusal = SeccompAction::Errno((errno as i32).cast_unsigned());
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, refusal, ARCH.try_into().unwrap());
    filter.unwrap().try_into().unwrap()
}

fn rule(call: &str) -> (c_long, Vec<SeccompRule>) {
    let number = match call {
        "clone-apart" => return (libc::SYS_clone, APART.map(with_flag).into()),
        "clone3" => libc::SYS_clone3,
        "landlock_create_ruleset" => libc::SYS_landlock_create_ruleset,
        "mount" => libc::SYS_mount,
        "pivot_root" => libc::SYS_pivot_root,
        "seccomp" => libc::SYS_seccomp,
        "setns" => libc::SYS_setns,
        "umount2" => libc::SYS_umount2,
        "unshare" => libc::SYS_unshare,
        other => panic!("{other} is not known here"),
    };
    (number, Vec::new())
}

fn with_flag(flag: i32) -> SeccompRule {
    let flag = u64::from(flag.cast_unsigned());
    let has = SeccompCondition::new(0, SeccompCmpArgLen::Qword, SeccompCmpOp::MaskedEq(flag), flag);
    SeccompRule::new(vec![has.unwrap()]).unwrap()
}
