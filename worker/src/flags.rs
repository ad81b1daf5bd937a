//! The command line of `fazt-worker`. Its caller is fazt-router, so a wrong one is a mistake of the installation.

use clap::{Parser, ValueEnum};
use fazt_jail::{Arrival, Limits, Strictness};
use fazt_protocol::spawn::Role;

use crate::engine;

/// The argument that carries what the first start reached into the second; see [`fazt_jail::start_again_inside`].
pub const NESTED: &str = "--nested";

/// Zygote and workers of a fazt farm.
///
/// Started by fazt-router, which keeps one zygote and has it clone a jailed worker whenever one is needed. There is no
/// use in starting it by hand, but for --check-jail, which tries the sandbox on this machine.
#[derive(Debug, Parser)]
#[command(name = "fazt-worker", version, arg_required_else_help = true)]
pub struct Flags {
    /// The inherited descriptor of the spawn conversation.
    #[arg(long, value_name = "N", requires = "parent", required_unless_present = "check_jail")]
    pub zygote_fd: Option<i32>,
    /// The router's process id: if it is not the parent any more, there is nobody to serve.
    #[arg(long, value_name = "PID")]
    pub parent: Option<i32>,
    /// What a missing layer means: strict, best-effort or off.
    #[arg(long, value_name = "MODE", default_value = "strict")]
    pub sandbox: Strictness,
    /// CPU seconds in a worker's whole life; the router retires it before.
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    pub cpu_seconds: u64,
    /// How a worker forgets: image (the heap is put back) or context (a new one for each request).
    #[arg(long, value_name = "HOW", default_value = "image")]
    pub fresh_state: FreshState,
    /// The most that an app's JavaScript heap may have, in bytes.
    #[arg(long, value_name = "BYTES", default_value_t = 64 << 20)]
    pub memory_bytes: u64,
    /// A worker's stack, in bytes; at least twice what scripts may use.
    #[arg(long, value_name = "BYTES", default_value_t = 8 << 20)]
    pub stack_bytes: u64,
    /// Tries every layer in a throwaway child and prints one JSON line for each. Exit 0: all that this user can have.
    #[arg(long)]
    pub check_jail: bool,
    /// How the first start of the program went; only the program itself gives this.
    #[arg(long = "nested", hide = true)]
    pub arrival: Option<Arrival>,
}

/// What a worker may write to beside its engine's arenas and image: request and answer, what the store says, the
/// compiler, the C library's heap. Measured: docs/capacity.md.
const BEYOND_ENGINE: u64 = 96 << 20;
/// The same of a builder: an archive, what it unpacks to, and three compressors' tables.
const BUILDER_BYTES: u64 = 1 << 30;
/// What cannot be written to: the program, its libraries; and the stack, which has a bound of its own.
const PROGRAM_BYTES: u64 = 64 << 20;

/// How a worker forgets what a request left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FreshState {
    /// The heap is put back from its image.
    Image,
    /// A new context for each request.
    Context,
}

impl Flags {
    /// How engines are built.
    #[must_use]
    pub fn engine(&self) -> engine::Config {
        let fresh_state = match self.fresh_state {
            FreshState::Image => engine::FreshState::Image,
            FreshState::Context => engine::FreshState::Context,
        };
        engine::Config { fresh_state, heap_bytes_most: usize::try_from(self.memory_bytes).unwrap_or(usize::MAX) }
    }

    /// The kernel's bounds on each child.
    #[must_use]
    pub fn limits(&self, role: Role) -> Limits {
        let engine = self.engine().mapped_bytes();
        let beyond = match role {
            Role::Worker => BEYOND_ENGINE,
            Role::Builder => BUILDER_BYTES,
        };
        let data_bytes = engine.saturating_add(beyond);
        Limits {
            address_space_bytes: data_bytes.saturating_add(PROGRAM_BYTES),
            data_bytes,
            cpu_seconds: self.cpu_seconds,
            stack_bytes: self.stack_bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_program_adds_for_itself_is_understood() {
        let given = ["fazt-worker", "--zygote-fd", "3", "--parent", "7", "--sandbox", "best-effort"];
        let flags = Flags::try_parse_from(given.into_iter().chain(["--nested=0:65535"])).unwrap();
        assert_eq!((flags.zygote_fd, flags.parent, flags.sandbox), (Some(3), Some(7), Strictness::BestEffort));
        assert_eq!(flags.arrival.map(|arrival| arrival.to_string()).as_deref(), Some("0:65535"));
    }

    #[test]
    fn what_a_worker_may_have_follows_its_heap() {
        let limits = |memory: &str, state: &str| {
            let given = ["fazt-worker", "--check-jail", "--memory-bytes", memory, "--fresh-state", state];
            Flags::parse_from(given).limits(Role::Worker)
        };
        let usual = limits("67108864", "image");
        assert_eq!((usual.data_bytes >> 20, usual.address_space_bytes >> 20), (256, 320));
        assert_eq!(limits("67108864", "context").data_bytes >> 20, 288);
        assert_eq!(limits("16777216", "image").data_bytes >> 20, 160);
        let most = limits("4294967296", "image");
        assert_eq!((most.data_bytes >> 20, most.address_space_bytes >> 20), (8288, 8352));
    }

    #[test]
    fn a_zygote_needs_its_conversation_and_its_router() {
        for given in [&["fazt-worker", "--zygote-fd", "3"][..], &["fazt-worker", "--parent", "7"], &["fazt-worker"]] {
            assert!(Flags::try_parse_from(given).is_err(), "{given:?}");
        }
        assert!(Flags::try_parse_from(["fazt-worker", "--sandbox", "lax", "--check-jail"]).is_err());
    }
}
