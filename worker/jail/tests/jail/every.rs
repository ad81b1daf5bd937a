//! Every number that the kernel might know, tried from inside: one child a try, through the whole jail.

use std::{
    fmt::{self, Display},
    os::fd::AsFd,
    process::exit,
    str::FromStr,
    time::Duration,
};

use fazt_jail::{
    Born, JailError, Kin, Nest, Newborn, Policy, clone, enter,
    syscalls::{ALLOWED, Allowed, Argument},
};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};

use crate::{
    nest::{LIMITS, say},
    stage::play,
    users::As,
};

/// Past the last number of any kernel of today, with room for those to come.
const NUMBERS: i64 = 512;
/// uretprobe and uprobe of x86-64: newer kernels let them past every filter, since probes are set by root and the calls
/// work from the kernel's own trampolines alone. Elsewhere they fail or end the process; older kernels kill.
const PAST_EVERY_FILTER: [i64; 2] = [335, 336];
/// The bit that makes a number one of the x32 kind.
const X32: i64 = 0x4000_0000;
/// What a child ends with whose call came back.
const CAME_BACK: i32 = 7;

/// The way into the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    /// The `syscall` instruction.
    Native,
    /// `int 0x80`, which takes numbers of the 32-bit table.
    Old,
}

/// One try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Try {
    door: Door,
    pub(crate) number: i64,
    arguments: [u64; 6],
}

impl Display for Try {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:?} {}", self.door, self.number)?;
        self.arguments.iter().try_for_each(|argument| write!(out, " {argument}"))
    }
}

impl FromStr for Try {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut words = text.split(' ');
        let door = if words.next() == Some("Old") { Door::Old } else { Door::Native };
        let number = words.next().unwrap_or_default().parse()?;
        let mut arguments = [0; 6];
        for (place, word) in arguments.iter_mut().zip(words) {
            *place = word.parse()?;
        }
        Ok(Self { door, number, arguments })
    }
}

/// Each number with nothing and with everything in its arguments; each bound of a list kept, and broken alone.
pub(crate) fn tries(list: &[Allowed]) -> Vec<Try> {
    let native = |number, arguments| Try { door: Door::Native, number, arguments };
    let mut all = Vec::new();
    for number in (0..NUMBERS).chain([1_000, 0xffff_fff0]) {
        // Without arguments it waits for ever.
        if number != libc::SYS_ppoll {
            all.push(native(number, [0; 6]));
        }
        all.push(native(number, [u64::MAX; 6]));
        if cfg!(target_arch = "x86_64") {
            all.push(native(number | X32, [0; 6]));
            all.push(Try { door: Door::Old, number, arguments: [0; 6] });
        }
    }
    for allowed in list.iter().filter(|allowed| !allowed.only.is_empty()) {
        let kept = keep(allowed);
        all.push(native(allowed.number, kept));
        for (position, bound) in allowed.only {
            let mut broken = kept;
            broken[usize::from(*position)] ^= match bound {
                Argument::Masked(mask, _) => u64::from(*mask),
                Argument::Is(_) => 0x100,
                Argument::Whole(_) => 1 << 40,
            };
            all.push(native(allowed.number, broken));
        }
    }
    all
}

/// Arguments that a permission asks for; the others are such that no call waits. A thread begins where nothing is said of it:
/// with a place of its own that is none, the kernel would refuse it as a filter does.
fn keep(allowed: &Allowed) -> [u64; 6] {
    let mut arguments = [if allowed.number == libc::SYS_clone { 0 } else { u64::MAX }; 6];
    for (position, bound) in allowed.only {
        arguments[usize::from(*position)] = match *bound {
            Argument::Is(value) | Argument::Masked(_, value) | Argument::Whole(value) => value.into(),
        };
    }
    arguments
}

/// In the nest: a child for each, and how it ended.
pub(crate) fn try_all(nest: &Nest) -> Result<(), JailError> {
    for one in tries(ALLOWED) {
        match clone(nest, Kin::Child)? {
            Born::Inside(newborn) => exit(live(newborn, &one)),
            Born::Outside(offspring) => {
                let end = match waitid(Id::PIDFd(offspring.pidfd.as_fd()), WaitPidFlag::WEXITED).unwrap() {
                    WaitStatus::Exited(_, status) => format!("exit {status}"),
                    WaitStatus::Signaled(_, signal, _) => signal.to_string(),
                    other => panic!("{other:?}"),
                };
                say(&format!("tried {one}: {end}"));
            }
        }
    }
    Ok(())
}

fn live(newborn: Newborn<'_>, one: &Try) -> i32 {
    let policy = Policy { keep: &[], slot: 0, limits: LIMITS, slice: Duration::from_millis(20) };
    let _jailed = enter(newborn, &policy).unwrap();
    one.make();
    CAME_BACK
}

impl Try {
    /// Makes the call; what the kernel says to it, where it comes back by the usual door.
    pub(crate) fn make(&self) -> i64 {
        let [a, b, c, d, e, f] = self.arguments;
        match self.door {
            // SAFETY: it is not, and need not be: the process has no other use.
            Door::Native => unsafe { libc::syscall(self.number, a, b, c, d, e, f) },
            Door::Old => {
                through_the_old_door(self.number);
                0
            }
        }
    }

    /// Whether it knocks where a filter must kill, whatever it does with the rest.
    pub(crate) fn is_by_the_old_door(&self) -> bool {
        self.door == Door::Old
    }

    /// Whether a list permits it; what no filter is asked about is nobody's word.
    pub(crate) fn is_permitted(&self, list: &[Allowed]) -> Option<bool> {
        if self.door == Door::Native && cfg!(target_arch = "x86_64") && PAST_EVERY_FILTER.contains(&self.number) {
            return None;
        }
        Some(self.door == Door::Native && list.iter().any(|allowed| allowed.permits(self.number, &self.arguments)))
    }
}

#[cfg(target_arch = "x86_64")]
fn through_the_old_door(number: i64) {
    // SAFETY: as above.
    unsafe {
        std::arch::asm!("int 0x80", inout("rax") number => _, out("r8") _, out("r9") _, out("r10") _, out("r11") _);
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn through_the_old_door(number: i64) {
    panic!("there is no other door to {number}");
}

/// What comes back, or ends otherwise than by SIGSYS, is exactly what the list permits.
pub(crate) fn what_passes_is_exactly_the_list(user: As) {
    let told = play(user, "strict", "every");
    let mut wrong = Vec::new();
    let (mut passed, mut killed) = (0, 0);
    for line in told.all("tried") {
        let (one, end) = line.split_once(": ").unwrap();
        let one: Try = one.parse().unwrap();
        let comes_back = one.door == Door::Native && one.number == libc::SYS_clone3;
        let was_killed = end == "SIGSYS";
        if one.is_permitted(ALLOWED).is_some_and(|permitted| was_killed == (permitted || comes_back)) {
            wrong.push(line);
        }
        *if was_killed { &mut killed } else { &mut passed } += 1;
    }
    assert_eq!(wrong, [""; 0], "numbers that pass and may not, or die and should pass");
    assert_eq!(told.all("tried").len(), tries(ALLOWED).len());
    assert!(passed > ALLOWED.len() && killed > 1_000, "{passed} passed, {killed} killed");
}
