//! Whether a worker without a request is idle indeed. One that computes or grows meanwhile was captured: no app's code runs
//! between two requests.
//!
//! The kernel's figures, and an allowance for the worker's whole life: what it uses without a request is added up over all the
//! times between two requests, so that small steps come to the same as a large one. Each request gives a little of it back,
//! since putting a heap back takes time after the answer. What a worker has in memory when it rests is bounded as well,
//! whichever way it came there. Policy here; the end of the worker is its keeper's.

use std::{fs, time::Duration};

use nix::{
    time::{ClockId, clock_getcpuclockid, clock_gettime},
    unistd::Pid,
};

/// Between two looks.
pub const LOOK_EVERY: Duration = Duration::from_secs(2);
/// CPU time without a request beyond which a worker is not idle.
const CPU_MOST: Duration = Duration::from_millis(500);
/// What each request gives back of it: more than putting a heap back takes, and less than a request may use itself.
const CPU_A_REQUEST: Duration = Duration::from_millis(100);
/// Memory by which it may grow without a request.
const GROWTH_MOST: u64 = 32 << 20;
/// What each request gives back of it.
const GROWTH_A_REQUEST: u64 = 1 << 20;
/// Memory that a resting worker may have beside its heap and what it was born with.
const BESIDE_THE_HEAP: u64 = 64 << 20;

/// What a worker was found to do in place of nothing.
const COMPUTES: &str = "computes";
const GROWS: &str = "grows";

/// A worker's process, as the kernel shows it.
#[derive(Debug)]
pub struct Idleness {
    pid: i32,
    clock: Option<ClockId>,
    life: Life,
}

/// A worker's life so far, of which the times without a request count.
#[derive(Debug)]
struct Life {
    /// The most that it may have in memory when it rests.
    resident_most: u64,
    /// CPU time when its last request was over; none while it has one.
    cpu_before: Option<Duration>,
    cpu_left: Duration,
    /// Memory at the last look since its last request.
    resident_before: Option<u64>,
    grown: u64,
}

impl Idleness {
    /// A worker that has just been born, whose heap may have so many bytes.
    #[must_use]
    pub fn of(pid: i32, heap_bytes: u64) -> Self {
        let clock = clock_getcpuclockid(Pid::from_raw(pid)).ok();
        let life = Life::new(cpu(clock), resident(pid).unwrap_or_default(), heap_bytes);
        Self { pid, clock, life }
    }

    /// A request begins: what the worker uses from now on is that one's.
    #[must_use]
    pub fn end(&mut self) -> Option<&'static str> {
        self.life.end(cpu(self.clock)?)
    }

    /// The request is over.
    pub fn begin(&mut self) {
        self.life.begin(cpu(self.clock));
    }

    /// Looks at the process; says what it did in place of nothing.
    #[must_use]
    pub fn look(&mut self) -> Option<&'static str> {
        self.life.look(cpu(self.clock)?, resident(self.pid)?)
    }
}

/// CPU time that a process has used since its birth; none where it is gone.
#[must_use]
pub fn used(pid: i32) -> Option<Duration> {
    cpu(clock_getcpuclockid(Pid::from_raw(pid)).ok())
}

impl Life {
    fn new(cpu: Option<Duration>, resident: u64, heap_bytes: u64) -> Self {
        Self {
            resident_most: resident.saturating_add(heap_bytes).saturating_add(BESIDE_THE_HEAP),
            cpu_before: cpu,
            cpu_left: CPU_MOST,
            resident_before: None,
            grown: 0,
        }
    }

    /// Spends what was used since it began to rest, or was last asked.
    fn spend(&mut self, now: Duration) -> Option<&'static str> {
        let before = self.cpu_before.replace(now)?;
        match self.cpu_left.checked_sub(now.saturating_sub(before)) {
            Some(left) => self.cpu_left = left,
            None => return Some(COMPUTES),
        }
        None
    }

    fn end(&mut self, now: Duration) -> Option<&'static str> {
        let found = self.spend(now);
        self.cpu_before = None;
        self.resident_before = None;
        found
    }

    fn begin(&mut self, now: Option<Duration>) {
        self.cpu_before = now;
        self.cpu_left = self.cpu_left.saturating_add(CPU_A_REQUEST).min(CPU_MOST);
        self.grown = self.grown.saturating_sub(GROWTH_A_REQUEST);
    }

    fn look(&mut self, cpu: Duration, resident: u64) -> Option<&'static str> {
        if let Some(found) = self.spend(cpu) {
            return Some(found);
        }
        if let Some(before) = self.resident_before.replace(resident) {
            self.grown = self.grown.saturating_add(resident).saturating_sub(before);
        }
        (self.grown > GROWTH_MOST || resident > self.resident_most).then_some(GROWS)
    }
}

/// CPU time of a process; none where it is gone.
fn cpu(clock: Option<ClockId>) -> Option<Duration> {
    clock_gettime(clock?).ok().map(Duration::from)
}

/// Resident memory of a process, what it shares with others included; none where it is gone.
fn resident(pid: i32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let pages = text.split(' ').nth(1)?.parse::<u64>().ok()?;
    pages.checked_mul(rustix::param::page_size() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;
    const HEAP: u64 = 64 * MIB;

    fn millis(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    fn born() -> Life {
        Life::new(Some(Duration::ZERO), 10 * MIB, HEAP)
    }

    #[test]
    fn little_is_nothing_and_much_has_a_name() {
        assert_eq!(born().look(CPU_MOST, 10 * MIB), None);
        assert_eq!(born().look(CPU_MOST + millis(1), 10 * MIB), Some(COMPUTES));
        let grown = |by| {
            let mut life = born();
            (life.look(Duration::ZERO, 10 * MIB), life.look(Duration::ZERO, 10 * MIB + by))
        };
        assert_eq!(grown(GROWTH_MOST), (None, None));
        assert_eq!(grown(GROWTH_MOST + 1), (None, Some(GROWS)));
    }

    #[test]
    fn small_steps_come_to_the_same_as_a_large_one() {
        let mut life = born();
        let found: Vec<_> = (1..=6).map(|look| life.look(millis(look * 100), 10 * MIB)).collect();
        assert_eq!(found, [None, None, None, None, None, Some(COMPUTES)]);
        let mut life = born();
        let found: Vec<_> = (1..=5).map(|look| life.look(Duration::ZERO, look * 10 * MIB)).collect();
        assert_eq!(found, [None, None, None, None, Some(GROWS)]);
        let mut life = born();
        let breathing = (0..100).map(|look| life.look(Duration::ZERO, (10 + look % 2 * 30) * MIB));
        assert!(breathing.eq([None; 100]), "what it gives back it has not taken");
    }

    /// A hundred requests, each of them long, and `between` used after each.
    fn served(between: Duration) -> Option<&'static str> {
        let (mut life, mut cpu) = (born(), Duration::ZERO);
        (0..100).find_map(|_| {
            let found = life.end(cpu);
            cpu += millis(900);
            life.begin(Some(cpu));
            cpu += between;
            found
        })
    }

    #[test]
    fn requests_are_not_counted_and_hide_nothing() {
        assert_eq!(served(Duration::ZERO), None);
        assert_eq!(served(CPU_A_REQUEST), None, "as if it put its heap back for so long each time");
        assert_eq!(served(CPU_A_REQUEST + millis(10)), Some(COMPUTES));
        let mut life = born();
        for _ in 0..1_000 {
            assert_eq!(life.end(Duration::ZERO), None);
            life.begin(Some(Duration::ZERO));
        }
        assert_eq!(life.look(CPU_MOST + millis(1), 0), Some(COMPUTES), "nobody saves up");
    }

    #[test]
    fn what_rests_in_memory_is_bounded_whichever_way_it_came_there() {
        let mut life = born();
        let most = 10 * MIB + HEAP + BESIDE_THE_HEAP;
        // Each time between two looks there is a request, in which it may grow as it likes.
        let mut after_a_request = |resident| {
            let _within = life.end(Duration::ZERO);
            life.begin(Some(Duration::ZERO));
            life.look(Duration::ZERO, resident)
        };
        assert_eq!((after_a_request(most / 2), after_a_request(most)), (None, None));
        assert_eq!(after_a_request(most + 1), Some(GROWS));
    }

    #[test]
    fn our_own_figures_are_read_and_those_of_nobody_are_not() {
        let own = std::process::id().cast_signed();
        let mut idleness = Idleness::of(own, HEAP);
        assert!(cpu(idleness.clock).is_some() && resident(own).unwrap() > MIB);
        assert_eq!(idleness.end(), None);
        idleness.begin();
        assert_eq!(Idleness::of(i32::MAX, HEAP).look(), None);
    }
}
