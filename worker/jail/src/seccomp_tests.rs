//! The filter, run by an interpreter of the few instructions that it has, beside seccompiler's for the same list.

use std::{collections::BTreeSet, env::consts::ARCH};

use seccompiler::{TargetArch, compile_from_json};

use super::*;
use crate::{
    filter::ARCHITECTURE,
    syscalls::{Allowed, Argument},
};

const CLONE3: u32 = 435;
const KILL: u32 = libc::SECCOMP_RET_KILL_PROCESS;

type Program = Vec<(u16, u8, u8, u32)>;

/// What the kernel would do: `(code, jt, jf, k)` over a `seccomp_data`.
fn run(program: &Program, number: u32, arch: u32, arguments: [u64; 6]) -> u32 {
    let word = |offset: u32| match offset {
        0 => number,
        4 => arch,
        _ => {
            let argument = arguments[usize::try_from((offset - 16) / 8).unwrap()];
            if offset.is_multiple_of(8) { argument as u32 } else { (argument >> 32) as u32 }
        }
    };
    let (mut at, mut value) = (0, 0_u32);
    loop {
        let (code, jt, jf, k) = program[at];
        let jump = |holds: bool| usize::from(if holds { jt } else { jf });
        at += 1;
        match code {
            0x20 => value = word(k),
            0x54 => value &= k,
            0x15 => at += jump(value == k),
            0x25 => at += jump(value > k),
            0x35 => at += jump(value >= k),
            0x05 => at += usize::try_from(k).unwrap(),
            0x06 => return k,
            other => panic!("no instruction {other:#x}"),
        }
    }
}

/// A list, the file that it comes from, and what becomes of a call that is not on it.
struct Subject {
    list: &'static [Allowed],
    file: &'static [u8],
    ours: Program,
    refuse: u32,
}

fn subjects() -> [Subject; 2] {
    let worker = Subject {
        list: ALLOWED,
        file: include_bytes!("../syscalls.json"),
        ours: plain(&compile().unwrap()),
        refuse: KILL,
    };
    let store = Subject {
        list: STORE_ALLOWED,
        file: include_bytes!("../store-syscalls.json"),
        ours: plain(&compile_for_store().unwrap()),
        refuse: libc::SECCOMP_RET_ERRNO | libc::EPERM.cast_unsigned(),
    };
    [worker, store]
}

fn plain(filter: &Filter) -> Program {
    filter.0.iter().map(|step| (step.code, step.jt, step.jf, step.k)).collect()
}

impl Subject {
    /// The file as seccompiler reads it: a program for every architecture, and one for this one where it has its own part.
    fn oracle(&self) -> Vec<Program> {
        let here = TargetArch::try_from(ARCH).unwrap();
        let mut parts = compile_from_json(self.file, here).unwrap();
        let named = ["every-architecture", ARCH].into_iter().filter_map(|name| parts.remove(name));
        named.map(|program| program.iter().map(|step| (step.code, step.jt, step.jf, step.k)).collect()).collect()
    }

    /// One part that allows it is enough.
    fn ask(&self, oracle: &[Program], number: u32, arguments: [u64; 6]) -> u32 {
        let verdicts: Vec<u32> = oracle.iter().map(|program| run(program, number, ARCHITECTURE, arguments)).collect();
        *verdicts.iter().find(|verdict| **verdict != self.refuse).unwrap_or(&self.refuse)
    }

    fn is_judged_as_by_the_oracle(&self) {
        let oracle = self.oracle();
        for number in (0..1_000).chain([0x4000_0000, 0x4000_0000 | 39, u32::MAX]).filter(|number| *number != CLONE3) {
            let verdict = run(&self.ours, number, ARCHITECTURE, [0; 6]);
            assert_eq!(verdict, self.ask(&oracle, number, [0; 6]), "{number}");
        }
        for number in self.list.iter().map(|allowed| u32::try_from(allowed.number).unwrap()) {
            let same = || self.list.iter().filter(|one| one.number == i64::from(number));
            let positions: BTreeSet<usize> = same().flat_map(|one| one.only).map(|(at, _)| usize::from(*at)).collect();
            let mut all = vec![[0; 6]];
            for place in positions {
                let values = values(same(), place);
                let with = |arguments: [u64; 6], value| {
                    let mut arguments = arguments;
                    arguments[place] = value;
                    arguments
                };
                all = all.iter().flat_map(|one| values.iter().map(move |value| with(*one, *value))).collect();
            }
            for arguments in all {
                let verdict = run(&self.ours, number, ARCHITECTURE, arguments);
                assert_eq!(verdict, self.ask(&oracle, number, arguments), "{number} {arguments:x?}");
                let permitted = self.list.iter().any(|allowed| allowed.permits(number.into(), &arguments));
                assert_eq!(verdict == libc::SECCOMP_RET_ALLOW, permitted, "{number} {arguments:x?}");
            }
        }
    }
}

/// Every value that a bound on that argument names, and those around and beyond it.
fn values<'a>(list: impl Iterator<Item = &'a Allowed>, place: usize) -> BTreeSet<u64> {
    let bounds = list.flat_map(|allowed| allowed.only).filter(|(at, _)| usize::from(*at) == place);
    let named = bounds.flat_map(|(_, bound)| match *bound {
        Argument::Is(value) | Argument::Whole(value) => vec![value],
        Argument::Masked(mask, value) => vec![mask, value, !mask, !mask | value],
    });
    let near = named.flat_map(|value| [value.wrapping_sub(1), value, value.wrapping_add(1)]).map(u64::from);
    near.flat_map(|value| [value, value | 1 << 32, value | 1 << 63]).chain([u64::MAX]).collect()
}

#[test]
fn every_call_is_judged_as_the_oracle_judges_it() {
    subjects().iter().for_each(Subject::is_judged_as_by_the_oracle);
}

#[test]
fn clone3_is_no_such_call_and_other_architectures_are_death() {
    assert_eq!(libc::SYS_clone3, i64::from(CLONE3));
    let no_such_call = libc::SECCOMP_RET_ERRNO | libc::ENOSYS.cast_unsigned();
    for Subject { ours, refuse, .. } in &subjects() {
        assert_eq!(run(ours, CLONE3, ARCHITECTURE, [0; 6]), no_such_call);
        for number in 0..1_000 {
            // AUDIT_ARCH_I386 and a nonsense.
            assert_eq!(run(ours, number, 0x4000_0003, [0; 6]), KILL);
            assert_eq!(run(ours, number, 0, [0; 6]), KILL);
            assert_eq!(run(ours, number | 0x4000_0000, ARCHITECTURE, [0; 6]), *refuse, "x32 {number}");
        }
    }
}

#[test]
fn without_its_line_a_call_is_death() {
    for removed in ALLOWED.iter().filter(|allowed| allowed.only.is_empty()) {
        let rest = filter::compile(ALLOWED.iter().filter(|allowed| allowed.number != removed.number)).unwrap();
        let program: Vec<_> = rest.0.iter().map(|step| (step.code, step.jt, step.jf, step.k)).collect();
        let number = u32::try_from(removed.number).unwrap();
        assert_eq!(run(&program, number, ARCHITECTURE, [0; 6]), KILL, "{}", removed.name);
    }
}

#[test]
fn every_permission_has_a_reason_and_a_way_of_its_own() {
    for Subject { list, .. } in &subjects() {
        let mut seen = BTreeSet::new();
        let open: BTreeSet<i64> =
            list.iter().filter(|allowed| allowed.only.is_empty()).map(|allowed| allowed.number).collect();
        for allowed in *list {
            assert!(allowed.reason.len() > 4, "{}", allowed.name);
            assert!(seen.insert((allowed.number, format!("{:?}", allowed.only))), "{} twice", allowed.name);
            // A call that is open and bound at once would be open only by the way it is compiled.
            assert!(allowed.only.is_empty() || !open.contains(&allowed.number), "{}", allowed.name);
        }
    }
}
