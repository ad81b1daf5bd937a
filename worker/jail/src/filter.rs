//! Turns the list of system calls into a program of classic BPF: a binary search over the numbers.
//!
//! Our own rather than a crate's, for the sake of births: the kernel runs every filter once for each of its 460 calls when
//! it is installed, then compiles it. A chain of comparisons, as seccompiler makes one, took 220 µs of a birth; the search
//! takes 65 to 110. seccompiler's program for the same list is the oracle of the tests.

use std::{collections::BTreeMap, fmt};

use crate::syscalls::{Allowed, Argument};

/// The architecture as `seccomp_data.arch` has it.
#[cfg(target_arch = "x86_64")]
pub(crate) const ARCHITECTURE: u32 = 0xc000_003e;
/// The architecture as `seccomp_data.arch` has it.
#[cfg(target_arch = "aarch64")]
pub(crate) const ARCHITECTURE: u32 = 0xc000_00b7;

/// clone3: refused with ENOSYS rather than death, so that a library that tries for a thread gets an error. No filter can
/// look at its flags, which lie in memory.
const CLONE3: u32 = 435;

/// Offsets within `struct seccomp_data` (little-endian).
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
const ARGUMENTS: u32 = 16;

const LOAD: u32 = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
const AND: u32 = libc::BPF_ALU | libc::BPF_AND | libc::BPF_K;
const IF_EQUAL: u32 = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
const IF_AT_LEAST: u32 = libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K;
const JUMP: u32 = libc::BPF_JMP | libc::BPF_JA;
const RETURN: u32 = libc::BPF_RET | libc::BPF_K;
/// How far a comparison is trusted to jump; it reaches 255 instructions, less the two that may be put in between.
const NEAR: usize = 253;

/// A program, ready to be installed.
#[derive(Clone)]
pub(crate) struct Filter(pub(crate) Vec<libc::sock_filter>);

impl fmt::Debug for Filter {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Filter({} instructions)", self.0.len())
    }
}

/// The list makes a program that is too long for its jumps, or has a number that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLong;

/// Alternatives of one call: one must hold; within one, all bounds. None at all: whatever the arguments.
type Alternatives<'a> = Vec<&'a [(u8, Argument)]>;

/// Compiles a list whose absent calls end the process.
pub(crate) fn compile<'a>(list: impl IntoIterator<Item = &'a Allowed>) -> Result<Filter, TooLong> {
    compile_or(list, libc::SECCOMP_RET_KILL_PROCESS)
}

/// Compiles a list whose absent calls get that answer. Another architecture's calls end the process in any case.
pub(crate) fn compile_or<'a>(list: impl IntoIterator<Item = &'a Allowed>, otherwise: u32) -> Result<Filter, TooLong> {
    let mut calls: BTreeMap<u32, Alternatives<'_>> = BTreeMap::new();
    for allowed in list {
        let alternatives = calls.entry(u32::try_from(allowed.number).map_err(|_| TooLong)?).or_default();
        if !allowed.only.is_empty() {
            alternatives.push(allowed.only);
        }
    }
    let mut program = Backwards::default();
    let kill = program.put(RETURN, libc::SECCOMP_RET_KILL_PROCESS);
    let refuse = program.put(RETURN, otherwise);
    let allow = program.put(RETURN, libc::SECCOMP_RET_ALLOW);
    let no_such_call = program.put(RETURN, libc::SECCOMP_RET_ERRNO | libc::ENOSYS.cast_unsigned());
    let mut leaves = vec![(CLONE3, no_such_call)];
    for (number, alternatives) in calls {
        leaves.push((number, program.alternatives(&alternatives, allow, refuse)?));
    }
    leaves.sort_unstable_by_key(|(number, _)| *number);
    program.search(&leaves, refuse)?;
    program.put(LOAD, NUMBER);
    // First of all: another architecture has other numbers (int 0x80 is one).
    let search = program.here();
    program.branch(IF_EQUAL, ARCHITECTURE, search, kill)?;
    program.put(LOAD, ARCH);
    Ok(program.finish())
}

/// A program written from its end, since jumps only go forward: a target is how many instructions stand from it to the
/// end.
#[derive(Default)]
struct Backwards {
    steps: Vec<libc::sock_filter>,
    /// For a target that was once too far for a comparison: the latest jump to it.
    stepping_stones: BTreeMap<Target, Target>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Target(usize);

impl Backwards {
    fn here(&self) -> Target {
        Target(self.steps.len())
    }

    fn distance(&self, target: Target) -> usize {
        self.steps.len() - target.0
    }

    /// The target, or a jump to it, within a comparison's reach.
    fn near(&mut self, target: Target) -> Result<Target, TooLong> {
        let stone = self.stepping_stones.get(&target).copied().unwrap_or(target);
        if self.distance(stone) <= NEAR {
            return Ok(stone);
        }
        let distance = u32::try_from(self.distance(target)).map_err(|_| TooLong)?;
        let stone = self.put(JUMP, distance);
        self.stepping_stones.insert(target, stone);
        Ok(stone)
    }

    fn put(&mut self, code: u32, k: u32) -> Target {
        self.steps.push(libc::sock_filter { code: code as u16, jt: 0, jf: 0, k });
        self.here()
    }

    /// A comparison with where to go if it holds and if not.
    fn branch(&mut self, code: u32, k: u32, holds: Target, fails: Target) -> Result<Target, TooLong> {
        let (holds, fails) = (self.near(holds)?, self.near(fails)?);
        let distance = |target: Target| u8::try_from(self.distance(target)).map_err(|_| TooLong);
        let (jt, jf) = (distance(holds)?, distance(fails)?);
        self.steps.push(libc::sock_filter { code: code as u16, jt, jf, k });
        Ok(self.here())
    }

    /// Goes to `allow` if one of the alternatives holds, else to `refuse`.
    fn alternatives(&mut self, all: &Alternatives<'_>, allow: Target, refuse: Target) -> Result<Target, TooLong> {
        if all.is_empty() {
            return Ok(allow);
        }
        all.iter().rev().try_fold(refuse, |next, bounds| {
            bounds.iter().rev().try_fold(allow, |holds, (position, bound)| self.bound(*position, *bound, holds, next))
        })
    }

    fn bound(&mut self, position: u8, bound: Argument, holds: Target, fails: Target) -> Result<Target, TooLong> {
        let low = ARGUMENTS + 8 * u32::from(position);
        match bound {
            Argument::Is(value) => {
                self.branch(IF_EQUAL, value, holds, fails)?;
            }
            Argument::Masked(mask, value) => {
                self.branch(IF_EQUAL, value, holds, fails)?;
                self.put(AND, mask);
            }
            Argument::Whole(value) => {
                self.branch(IF_EQUAL, 0, holds, fails)?;
                let high = self.put(LOAD, low + 4);
                self.branch(IF_EQUAL, value, high, fails)?;
            }
        }
        Ok(self.put(LOAD, low))
    }

    /// Halves the numbers until one is left, which must be the one.
    fn search(&mut self, leaves: &[(u32, Target)], refuse: Target) -> Result<Target, TooLong> {
        match leaves {
            [] => Ok(refuse),
            [(number, leaf)] => self.branch(IF_EQUAL, *number, *leaf, refuse),
            _ => {
                let (below, above) = leaves.split_at(leaves.len() / 2);
                let first_above = above.first().map_or(0, |(number, _)| *number);
                let right = self.search(above, refuse)?;
                let left = self.search(below, refuse)?;
                self.branch(IF_AT_LEAST, first_above, right, left)
            }
        }
    }

    fn finish(mut self) -> Filter {
        self.steps.reverse();
        Filter(self.steps)
    }
}
