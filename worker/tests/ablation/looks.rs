//! What is seen from outside, and which layer makes it so. "Got through" is here: it is not as it must be.

use std::fs;

use fazt_jail::{ID_BASE, ID_COUNT, Layer};

use Layer::*;

/// One look at a child. Nothing where this user may not look.
pub(crate) struct Look {
    pub(crate) name: &'static str,
    pub(crate) stopped_by: &'static [Layer],
    pub(crate) is_wrong: fn(&str) -> Option<bool>,
    /// Only root can give what is looked for.
    pub(crate) for_root_alone: bool,
}

macro_rules! looks {
    ($($name:literal by [$($layer:ident),*] $(for $root:ident)? => $wrong:expr;)*) => {
        pub(crate) const LOOKS: &[Look] = &[$(Look {
            name: $name, stopped_by: &[$($layer),*], is_wrong: $wrong, for_root_alone: looks!(@ $($root)?),
        }),*];
    };
    (@) => { false };
    (@ root) => { true };
}

looks! {
    "has the ids of the router's own namespace" by [UserNamespace] => |pid| {
        let map = |process: &str| fs::read_to_string(format!("/proc/{process}/uid_map")).ok();
        Some(map(pid)? == map("self")?)
    };
    "sees the machine's mounts" by [MountNamespace] => |pid| is_shared(pid, "mnt");
    "has something in its root folder" by [EmptyRoot] => |pid| {
        Some(fs::read_dir(format!("/proc/{pid}/root")).ok()?.next().is_some())
    };
    "sees the machine's network" by [NetNamespace] => |pid| is_shared(pid, "net");
    "sees the machine's shared memory" by [IpcNamespace] => |pid| is_shared(pid, "ipc");
    "sees the machine's name" by [UtsNamespace] => |pid| is_shared(pid, "uts");
    "N-09 sees other processes" by [PidNamespace] => |pid| {
        Some(field(pid, "NSpid")?.split_whitespace().nth(1) != Some("1"))
    };
    "goes late when memory runs out" by [OomScore] => |pid| {
        Some(fs::read_to_string(format!("/proc/{pid}/oom_score_adj")).ok()?.trim() != "1000")
    };
    "has an id that others have" by [OwnIds] for root => |pid| {
        let ids = field(pid, "Uid")?;
        Some(!ids.split_whitespace().all(|id| (ID_BASE..ID_BASE + ID_COUNT).contains(&id.parse().unwrap_or(0))))
    };
    "has groups of the router's" by [NoGroups] for root => |pid| Some(!field(pid, "Groups")?.trim().is_empty());
    "could be given a capability again" by [NoCapabilities] => |pid| {
        Some(["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].iter().any(|set| {
            field(pid, set).is_none_or(|set| !set.trim().trim_matches('0').is_empty())
        }))
    };
    "could gain from a set-user-id program" by [NoNewPrivileges] => |pid| Some(field(pid, "NoNewPrivs")?.trim() != "1");
    "may call whatever it likes" by [Seccomp] => |pid| Some(field(pid, "Seccomp")?.trim() != "2");
    "N-30 may hold more descriptors than it needs" by [ResourceLimits] => |pid| Some(most(pid, "Max open files")? != "16");
    "N-22 may leave its memory in a file" by [ResourceLimits] => |pid| Some(most(pid, "Max core file size")? != "0");
    "P-15 may have as many children as it likes" by [ResourceLimits] => |pid| Some(most(pid, "Max processes")? != "0");
}

/// The bound that it may not raise.
fn most(pid: &str, limit: &str) -> Option<String> {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
    limits.lines().find_map(|line| line.strip_prefix(limit)?.split_whitespace().nth(1).map(str::to_owned))
}

fn field(pid: &str, name: &str) -> Option<String> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::to_owned)
}

fn is_shared(pid: &str, kind: &str) -> Option<bool> {
    let link = |process: &str| fs::read_link(format!("/proc/{process}/ns/{kind}")).ok();
    Some(link(pid)? == link("self")?)
}
