//! The nest role: leaves layers out, and puts a child through what is left for each attempt.

use std::{
    env,
    ffi::CString,
    fs::File,
    io::{Read, Write, pipe},
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::net::UnixStream,
    },
    process::{ExitCode, exit},
    time::Duration,
};

use fazt_jail::{
    Arrival, Born, ID_BASE, Jailed, Kin, Layer, Layers, Limits, Nest, Newborn, Policy, Strictness, clone,
    die_with_parent, enter, start_again_inside,
};
use nix::unistd::{ForkResult, Gid, Pid, Uid, fork, setresgid, setresuid};
use rustix::process::{PidfdFlags, pidfd_open};

use crate::{
    attempts::{ATTEMPTS, Scene},
    reap::{PATIENCE_MS, ends_within, reap},
};

const FLAG: &str = "--nested";
const LIMITS: Limits =
    Limits { address_space_bytes: 512 << 20, data_bytes: 256 << 20, cpu_seconds: 2, stack_bytes: 8 << 20 };
/// A child that nothing is to end, and that is there after so long, was not ended.
const OUTLIVES_MS: u16 = 200;

/// Names of what takes more than one process to try.
pub(crate) const NEIGHBOUR: &str = "N-22 is looked into by a neighbour of the same user";
pub(crate) const ORPHAN: &str = "N-23 outlives who started it";

/// `nest LEFT_OUT ROUTER PORT SEGMENT ADDRESS FILE HOST [--nested=…]`
pub(crate) fn run(arguments: &[String]) -> ExitCode {
    let [left_out, router, port, segment, address, file, host, ..] = arguments else { panic!("nest …") };
    let left_out = Layers::from_bits(left_out.parse().unwrap());
    die_with_parent(router.parse().unwrap()).unwrap();
    let Some(arrival) = env::args().next_back().unwrap().strip_prefix("--nested=").map(str::to_owned) else {
        // Off alone leaves the user namespace out: it is what the first start is for.
        let without = left_out.contains(Layer::UserNamespace);
        let strictness = if without { Strictness::Off } else { Strictness::BestEffort };
        panic!("{}", start_again_inside(strictness, FLAG).unwrap_err());
    };
    let (secrets, mut fill) = UnixStream::pair().unwrap();
    fill.write_all(&[1; 256]).unwrap();
    let scene = Scene {
        router: router.parse().unwrap(),
        port: port.parse().unwrap(),
        segment: segment.parse().unwrap(),
        address: address.parse().unwrap(),
        file: CString::new(file.as_str()).unwrap(),
        host: CString::new(host.as_str()).unwrap(),
        secret: secrets.as_raw_fd(),
        told: -1,
    };
    // Before the nest settles, while there are files to ask.
    let by_root = arrival.split(':').nth(1) != Some("0");
    let arrival: Arrival = arrival.parse().unwrap();
    let nest = Nest::settle_without(Strictness::BestEffort, arrival, left_out, None).unwrap();
    try_all(&nest, &scene, by_root);
    drop(secrets);
    ExitCode::SUCCESS
}

fn try_all(nest: &Nest, scene: &Scene, by_root: bool) {
    let layers = look(nest, by_root);
    println!("layers {}", layers.bits());
    for attempt in ATTEMPTS.iter().filter(|attempt| (attempt.is_possible)(layers, by_root)) {
        let (told, say) = pipe().unwrap();
        let offspring = match clone(nest, Kin::Child).unwrap() {
            Born::Inside(newborn) => exit(live(newborn, say.into(), |told| {
                let scene = Scene { told: told.as_raw_fd(), ..scene.clone() };
                let through = (attempt.make)(&scene);
                told.write_all(if through { b"t" } else { b"h" }).unwrap();
            })),
            Born::Outside(offspring) => offspring,
        };
        drop(say);
        let mut said = String::new();
        File::from(OwnedFd::from(told)).read_to_string(&mut said).unwrap();
        reap(&offspring.pidfd).unwrap();
        say_of(attempt.name, said.starts_with('t'));
    }
    say_of(ORPHAN, outlives(nest, layers.contains(Layer::ParentDeath)));
}

fn say_of(name: &str, through: bool) {
    println!("{} {name}", if through { "through" } else { "held" });
}

/// In the child: through the jail, then whatever is to be done. The layers are known from the child that is looked at.
fn live(newborn: Newborn<'_>, say: OwnedFd, act: impl FnOnce(&mut File)) -> i32 {
    let keep = [say.as_fd()];
    let policy = Policy { keep: &keep, slot: 0, limits: LIMITS, slice: Duration::from_millis(20) };
    let _jailed: Jailed = enter(newborn, &policy).unwrap();
    act(&mut File::from(say));
    0
}

/// One child that waits while the router looks at it, and a neighbour after the router.
fn look(nest: &Nest, by_root: bool) -> Layers {
    let (told, say) = pipe().unwrap();
    let (held, hold) = pipe().unwrap();
    let offspring = match clone(nest, Kin::Child).unwrap() {
        Born::Inside(newborn) => {
            let keep = [say.as_fd(), held.as_fd()];
            let policy = Policy { keep: &keep, slot: 0, limits: LIMITS, slice: Duration::from_millis(20) };
            let jailed = enter(newborn, &policy).unwrap();
            // Else it would wait for itself.
            if !jailed.layers().contains(Layer::Descriptors) {
                drop(hold);
            }
            File::from(OwnedFd::from(say)).write_all(&jailed.layers().bits().to_le_bytes()).unwrap();
            // Nothing comes; its other end is closed.
            rustix::event::poll(&mut [rustix::event::PollFd::new(&held, rustix::event::PollFlags::IN)], None).unwrap();
            exit(0)
        }
        Born::Outside(offspring) => offspring,
    };
    drop(say);
    let mut bits = [0; 4];
    File::from(OwnedFd::from(told)).read_exact(&mut bits).unwrap();
    let layers = Layers::from_bits(u32::from_le_bytes(bits));
    println!("look {}", offspring.pid);
    std::io::stdin().read_exact(&mut [0]).unwrap();
    // One with more privilege than a child has is no neighbour.
    if layers.contains(Layer::NoCapabilities) {
        let own_ids =
            layers.contains(Layer::OwnIds).then_some(if layers.contains(Layer::UserNamespace) { 1 } else { ID_BASE });
        say_of(NEIGHBOUR, neighbour_sees(offspring.pid, own_ids.filter(|_| by_root)));
    }
    drop(hold);
    reap(&offspring.pidfd).unwrap();
    layers
}

/// A process outside of the jail, of the child's user and with no capability, asks for what only one who may look inside is
/// told.
fn neighbour_sees(pid: i32, id: Option<u32>) -> bool {
    // SAFETY: this process has one thread.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            if let Some(id) = id {
                let (uid, gid) = (Uid::from_raw(id), Gid::from_raw(id));
                setresgid(gid, gid, gid).unwrap();
                setresuid(uid, uid, uid).unwrap();
            }
            let none = rustix::thread::CapabilitySet::empty();
            let sets = rustix::thread::CapabilitySets { effective: none, permitted: none, inheritable: none };
            rustix::thread::set_capabilities(None, sets).unwrap();
            let (mut head, mut length) = (0_usize, 0_usize);
            // SAFETY: the kernel fills two words, which live through the call.
            let seen = unsafe { libc::syscall(libc::SYS_get_robust_list, pid, &raw mut head, &raw mut length) };
            exit(i32::from(seen == 0))
        }
        ForkResult::Parent { child } => ended_with(child) == 1,
    }
}

fn ended_with(child: Pid) -> i32 {
    match nix::sys::wait::waitpid(child, None).unwrap() {
        nix::sys::wait::WaitStatus::Exited(_, status) => status,
        other => panic!("{other:?}"),
    }
}

/// A process between starts a child and ends; the child must go with it, where that layer is in force.
fn outlives(nest: &Nest, is_tied: bool) -> bool {
    // Orphans come to us, not to the machine's first process.
    // SAFETY: plain numbers.
    unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1) };
    let (mut born, mut tell) = pipe().unwrap();
    let (mut go_on, mut go) = pipe().unwrap();
    // SAFETY: this process has one thread.
    let between = match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            let (told, say) = pipe().unwrap();
            let offspring = match clone(nest, Kin::Child).unwrap() {
                Born::Inside(newborn) => exit(live(newborn, say.into(), |told| {
                    told.write_all(b"!").unwrap();
                    rustix::event::poll(&mut [], None).unwrap();
                })),
                Born::Outside(offspring) => offspring,
            };
            File::from(OwnedFd::from(told)).read_exact(&mut [0]).unwrap();
            tell.write_all(&offspring.pid.to_le_bytes()).unwrap();
            // Not before somebody holds a handle to it.
            go_on.read_exact(&mut [0]).unwrap();
            exit(0)
        }
        ForkResult::Parent { child } => child,
    };
    let mut pid = [0; 4];
    born.read_exact(&mut pid).unwrap();
    let orphan = pidfd_open(rustix::process::Pid::from_raw(i32::from_le_bytes(pid)).unwrap(), PidfdFlags::empty());
    let orphan = orphan.unwrap();
    go.write_all(b"!").unwrap();
    ended_with(between);
    let is_gone = ends_within(orphan.as_fd(), if is_tied { PATIENCE_MS } else { OUTLIVES_MS });
    if !is_gone {
        rustix::process::pidfd_send_signal(&orphan, rustix::process::Signal::KILL).unwrap();
    }
    reap(&orphan).unwrap();
    !is_gone
}
