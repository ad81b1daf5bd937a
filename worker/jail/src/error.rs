//! Every way in which a step of the jail can fail, and what an operator can do about it.
//!
//! One variant a step, so that a refusal names its layer and the kernel's answer. The texts fit after "failed to".

use nix::errno::Errno;

use crate::layers::Layer;

/// A step of the jail that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JailError {
    /// PR_SET_PDEATHSIG, or the look at the parent, was refused.
    #[error("tie the process to its parent's life: {0}")]
    ParentDeath(Errno),
    /// The parent had ended before the process could be tied to it.
    #[error("find the parent alive")]
    Orphaned,
    /// /proc/self/oom_score_adj could not be written.
    #[error("offer itself first to the out-of-memory killer: {0}")]
    OomScore(Errno),
    /// unshare(CLONE_NEWUSER) was refused.
    #[error("enter a user namespace: {0}")]
    UserNamespace(Errno),
    /// uid_map, gid_map or setgroups could not be written.
    #[error("map user and group ids: {0}")]
    IdMap(Errno),
    /// The program could not be started again inside its user namespace.
    #[error("start itself again inside the user namespace: {0}")]
    Reexec(Errno),
    /// The argument that carries the state over the re-execution is not one of ours.
    #[error("understand the state that was handed over")]
    Arrival,
    /// /dev/null, or the pidfd of the parent, could not be opened.
    #[error("open what the children need: {0}")]
    Provision(Errno),
    /// unshare(CLONE_NEWNS) was refused.
    #[error("enter a mount namespace: {0}")]
    MountNamespace(Errno),
    /// The tmpfs, pivot_root or the release of the old root failed.
    #[error("move into an empty root: {0}")]
    EmptyRoot(Errno),
    /// unshare(CLONE_NEWNET) was refused.
    #[error("enter a net namespace: {0}")]
    NetNamespace(Errno),
    /// unshare(CLONE_NEWIPC) was refused.
    #[error("enter an ipc namespace: {0}")]
    IpcNamespace(Errno),
    /// unshare(CLONE_NEWUTS) or sethostname was refused.
    #[error("enter a uts namespace: {0}")]
    UtsNamespace(Errno),
    /// clone3, or clone where there is none, failed.
    #[error("clone a process: {0}")]
    Clone(Errno),
    /// close_range or dup2 failed.
    #[error("close inherited descriptors: {0}")]
    Descriptors(Errno),
    /// setgroups was refused.
    #[error("drop supplementary groups: {0}")]
    Groups(Errno),
    /// setresgid or setresuid was refused.
    #[error("take a user and group id of its own: {0}")]
    Ids(Errno),
    /// A capability set could not be emptied.
    #[error("give up capabilities: {0}")]
    Capabilities(Errno),
    /// setrlimit refused the named resource.
    #[error("limit {0}: {1}")]
    ResourceLimit(&'static str, Errno),
    /// PR_SET_DUMPABLE was refused.
    #[error("close itself to other processes: {0}")]
    NotDumpable(Errno),
    /// PR_SET_NO_NEW_PRIVS was refused.
    #[error("forswear new privileges: {0}")]
    NoNewPrivileges(Errno),
    /// Landlock is absent from the kernel, switched off, or refused.
    #[error("renounce files and ports (landlock): {0}")]
    Landlock(Errno),
    /// The filter could not be built or installed.
    #[error("install the system call filter: {0}")]
    Seccomp(Errno),
}

impl JailError {
    /// The layer that is missing because of this; `None` where no layer but the process itself failed.
    #[must_use]
    pub const fn layer(self) -> Option<Layer> {
        Some(match self {
            Self::ParentDeath(_) | Self::Orphaned => Layer::ParentDeath,
            Self::OomScore(_) => Layer::OomScore,
            Self::UserNamespace(_) | Self::IdMap(_) => Layer::UserNamespace,
            Self::MountNamespace(_) => Layer::MountNamespace,
            Self::EmptyRoot(_) => Layer::EmptyRoot,
            Self::NetNamespace(_) => Layer::NetNamespace,
            Self::IpcNamespace(_) => Layer::IpcNamespace,
            Self::UtsNamespace(_) => Layer::UtsNamespace,
            Self::Clone(_) => Layer::PidNamespace,
            Self::Descriptors(_) => Layer::Descriptors,
            Self::Groups(_) => Layer::NoGroups,
            Self::Ids(_) => Layer::OwnIds,
            Self::Capabilities(_) => Layer::NoCapabilities,
            Self::ResourceLimit(..) => Layer::ResourceLimits,
            Self::NotDumpable(_) => Layer::NotDumpable,
            Self::NoNewPrivileges(_) => Layer::NoNewPrivileges,
            Self::Landlock(_) => Layer::Landlock,
            Self::Seccomp(_) => Layer::Seccomp,
            Self::Reexec(_) | Self::Arrival | Self::Provision(_) => return None,
        })
    }

    /// What the kernel answered; zero where it was not the kernel that refused.
    #[must_use]
    pub const fn errno(self) -> Errno {
        match self {
            Self::Orphaned | Self::Arrival => Errno::UnknownErrno,
            Self::ParentDeath(errno)
            | Self::OomScore(errno)
            | Self::UserNamespace(errno)
            | Self::IdMap(errno)
            | Self::Reexec(errno)
            | Self::Provision(errno)
            | Self::MountNamespace(errno)
            | Self::EmptyRoot(errno)
            | Self::NetNamespace(errno)
            | Self::IpcNamespace(errno)
            | Self::UtsNamespace(errno)
            | Self::Clone(errno)
            | Self::Descriptors(errno)
            | Self::Groups(errno)
            | Self::Ids(errno)
            | Self::Capabilities(errno)
            | Self::ResourceLimit(_, errno)
            | Self::NotDumpable(errno)
            | Self::NoNewPrivileges(errno)
            | Self::Landlock(errno)
            | Self::Seccomp(errno) => errno,
        }
    }

    /// In words that fit after "failed to": what failed, which layer is missing by it, and how an operator gets that.
    #[must_use]
    pub fn explained(self) -> String {
        let how = self.layer().map(|layer| format!(" (layer {layer}; to get it: {})", advice(layer)));
        format!("{self}{}", how.unwrap_or_default())
    }
}

/// What all namespaces need. Some systems let a user namespace be made and then give it no privilege, so it is the later
/// steps (capabilities, mounts, network) that show it.
const NAMESPACES: &str = "Ubuntu 24.04 and later: `sudo scripts/sandbox apparmor PATH` installs an AppArmor profile for the fazt-worker there; Debian: sysctl \
    kernel.unprivileged_userns_clone=1; anywhere: the user.max_*_namespaces sysctls above 0; in a container: the options \
    that `scripts/sandbox container` prints, a seccomp profile among them, and no further privilege";

/// How an operator gets a layer that is missing.
#[must_use]
pub const fn advice(layer: Layer) -> &'static str {
    match layer {
        Layer::UserNamespace
        | Layer::PidNamespace
        | Layer::MountNamespace
        | Layer::EmptyRoot
        | Layer::NetNamespace
        | Layer::IpcNamespace
        | Layer::UtsNamespace
        | Layer::NoCapabilities => NAMESPACES,
        Layer::OwnIds | Layer::NoGroups => {
            "only root can give workers ids of their own: start as root (a rootless container lacks the range)"
        }
        Layer::Landlock => {
            "kernel 5.13 or later with CONFIG_SECURITY_LANDLOCK, and `landlock` in the kernel's lsm= list (see \
             /sys/kernel/security/lsm); in a container the runtime's seccomp profile must allow landlock_*"
        }
        Layer::Seccomp => "a kernel with CONFIG_SECCOMP_FILTER; in a container the profile must allow seccomp()",
        Layer::OomScore => "/proc must be writable (in a container: not mounted read-only)",
        Layer::ResourceLimits => {
            "the hard limits of the calling shell are too low: see ulimit -H -a, or LimitSTACK= of systemd"
        }
        Layer::Descriptors => "a kernel of 5.9 or later (close_range)",
        Layer::ParentDeath | Layer::NotDumpable | Layer::NoNewPrivileges => {
            "every kernel since 3.5 has it; look for a seccomp profile that refuses prctl()"
        }
    }
}
