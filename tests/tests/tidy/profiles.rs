//! The profiles that are shipped for machines that stand in the sandbox's way.

use std::collections::BTreeSet;

use fazt_jail::syscalls::{ALLOWED, STORE_ALLOWED};
use serde_json::Value;

use crate::sources::root;

/// What making an empty place for a child takes, beside what the child itself may do.
const FOR_THE_ZYGOTE: [&str; 12] = [
    "clone3",
    "unshare",
    "mount",
    "umount2",
    "pivot_root",
    "sethostname",
    "capset",
    "setresuid",
    "setresgid",
    "landlock_create_ruleset",
    "landlock_restrict_self",
    "seccomp",
];
/// What no program in a container has any business with.
const NEVER: [&str; 17] = [
    "bpf",
    "init_module",
    "finit_module",
    "delete_module",
    "kexec_load",
    "reboot",
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "pidfd_getfd",
    "perf_event_open",
    "userfaultfd",
    "io_uring_setup",
    "keyctl",
    "open_by_handle_at",
    "clock_settime",
    "clock_settime64",
];

#[test]
fn in_a_container_the_profile_lets_through_what_the_farm_needs() {
    let text = std::fs::read_to_string(root().join("scripts/profiles/container-seccomp.json")).unwrap();
    let profile: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(profile["defaultAction"], "SCMP_ACT_ERRNO");
    let groups = profile["syscalls"].as_array().unwrap();
    assert!(groups.iter().all(|group| group["action"] == "SCMP_ACT_ALLOW"));
    let names: Vec<&str> =
        groups.iter().flat_map(|group| group["names"].as_array().unwrap()).map(|name| name.as_str().unwrap()).collect();
    let allowed: BTreeSet<&str> = names.iter().copied().collect();
    assert_eq!(allowed.len(), names.len(), "a name stands twice");
    let needed = ALLOWED.iter().chain(STORE_ALLOWED).map(|call| call.name).chain(FOR_THE_ZYGOTE);
    let missing: Vec<&str> = needed.filter(|name| !allowed.contains(name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    for name in NEVER {
        assert!(!allowed.contains(name), "{name}");
    }
}
