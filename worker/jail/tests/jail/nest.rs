//! The nest role: enters, clones as many children as the scenario wants, and tells the router each one's number.

use std::{
    env,
    io::Write,
    os::fd::{AsFd, AsRawFd, OwnedFd},
    process::{ExitCode, exit},
    time::Duration,
};

use fazt_jail::{Born, JailError, Kin, Limits, Nest, Newborn, Policy, Strictness, clone, die_with_parent, enter};
use nix::poll::{PollTimeout, poll};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
};

use crate::{every, inside, router::PATIENCE_MS};

const FLAG: &str = "--nested";
pub(crate) const LIMITS: Limits =
    Limits { address_space_bytes: 256 << 20, data_bytes: 128 << 20, cpu_seconds: 1, stack_bytes: 8 << 20 };
/// Enough to see leaks of descriptors, processes and ids.
const MANY: u64 = 200;

pub(crate) fn run(arguments: &[String]) -> ExitCode {
    let [strictness, scenario, parent, refused, ..] = arguments else {
        panic!("nest STRICTNESS SCENARIO PARENT REFUSED")
    };
    // The second start finds the filter in force.
    if arguments.len() == 4 {
        refuse(refused);
    }
    match serve(strictness.parse().unwrap(), scenario, parent.parse().unwrap()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("refused {error}"));
            ExitCode::FAILURE
        }
    }
}

fn serve(strictness: Strictness, scenario: &str, parent: i32) -> Result<(), JailError> {
    die_with_parent(parent)?;
    let Some(arrival) =
        env::args().next_back().and_then(|last| Some(last.strip_prefix(FLAG)?.strip_prefix('=')?.parse()))
    else {
        return Err(start_again(strictness));
    };
    let nest = Nest::settle(strictness, arrival?)?;
    if scenario == "probe" {
        for report in fazt_jail::probe(&nest, LIMITS)? {
            say(&format!("report {} {:?} {:?}", report.layer, report.missing, report.advice()));
        }
        return Ok(());
    }
    if scenario == "every" {
        return every::try_all(&nest);
    }
    let before = free_descriptor();
    for slot in 0..if scenario == "many" { MANY } else { 1 } {
        match clone(&nest, Kin::Sibling)? {
            Born::Outside(offspring) => say(&format!("born {}", offspring.pid)),
            Born::Inside(newborn) => exit(live(newborn, slot, scenario)),
        }
    }
    say(&format!("free-descriptor {before} {}", free_descriptor()));
    if scenario == "orphan" {
        poll(&mut [], PollTimeout::from(PATIENCE_MS)).unwrap();
    }
    Ok(())
}

/// The number that the next descriptor has. Whatever is left open takes it.
fn free_descriptor() -> i32 {
    std::io::stdin().as_fd().try_clone_to_owned().unwrap().as_raw_fd()
}

/// Makes the kernel refuse a call from here on, as a container's profile would.
fn refuse(call: &str) {
    let mut rules = Vec::new();
    let number = match call {
        "nothing" => return,
        "unshare" => libc::SYS_unshare,
        // All namespaces but this one, as where user.max_user_namespaces is 0.
        "user-namespace" => {
            let wanted = u64::from(libc::CLONE_NEWUSER.cast_unsigned());
            let holds = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(wanted), wanted);
            rules.push(SeccompRule::new(vec![holds.unwrap()]).unwrap());
            libc::SYS_unshare
        }
        "pivot_root" => libc::SYS_pivot_root,
        "clone3" => libc::SYS_clone3,
        "capset" => libc::SYS_capset,
        "landlock" => libc::SYS_landlock_create_ruleset,
        "seccomp" => libc::SYS_seccomp,
        other => panic!("no number for {other}"),
    };
    let refusal = SeccompAction::Errno(libc::EPERM.cast_unsigned());
    let here = TargetArch::try_from(env::consts::ARCH).unwrap();
    let filter = SeccompFilter::new([(number, rules)].into(), SeccompAction::Allow, refusal, here).unwrap();
    seccompiler::apply_filter(&BpfProgram::try_from(filter).unwrap()).unwrap();
}

fn start_again(strictness: Strictness) -> JailError {
    match fazt_jail::start_again_inside(strictness, FLAG) {
        Ok(never) => match never {},
        Err(error) => error,
    }
}

/// The child keeps two descriptors: `told` to speak on, `hold` to wait on.
fn live(newborn: Newborn<'_>, slot: u64, scenario: &str) -> i32 {
    let [hold, told]: [OwnedFd; 2] = [
        std::io::stdin().as_fd().try_clone_to_owned().unwrap(),
        std::io::stdout().as_fd().try_clone_to_owned().unwrap(),
    ];
    let keep = [hold.as_fd(), told.as_fd()];
    let policy = Policy { keep: &keep, slot, limits: LIMITS, slice: Duration::from_millis(20) };
    match enter(newborn, &policy) {
        Ok(jailed) => inside::act(&jailed, scenario, hold, told.into()),
        Err(error) => {
            inside::tell(&mut told.into(), &format!("refused {error}"));
            2
        }
    }
}

pub(crate) fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").unwrap();
    out.flush().unwrap();
}
