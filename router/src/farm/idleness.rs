//! Whether a worker without a request is idle indeed. One that computes or grows meanwhile was captured: no app's code runs
//! between two requests.
//!
//! The kernel's figures, looked at every other second; policy here, the end of the worker is its keeper's.

use std::{fs, time::Duration};

/// Between two looks.
pub const LOOK_EVERY: Duration = Duration::from_secs(2);
/// CPU time between two looks beyond which a worker is not idle. Putting a heap back takes a fraction of it.
const CPU_MS_MOST: u64 = 500;
/// Memory more than at the look before.
const GROWTH_BYTES_MOST: u64 = 32 << 20;

/// What a worker had used at one look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Used {
    cpu_ms: u64,
    resident_bytes: u64,
}

/// The look before, where there was one since the last request.
#[derive(Debug, Default)]
pub struct Idleness(Option<Used>);

impl Idleness {
    /// A request was served: what was used before counts no more.
    pub fn begin_anew(&mut self) {
        self.0 = None;
    }

    /// Looks at the process; says what it did in place of nothing.
    pub fn look(&mut self, pid: i32) -> Option<&'static str> {
        let now = used(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?;
        self.0.replace(now).and_then(|before| judge(before, now))
    }
}

fn judge(before: Used, now: Used) -> Option<&'static str> {
    if now.cpu_ms.saturating_sub(before.cpu_ms) > CPU_MS_MOST {
        return Some("computes");
    }
    (now.resident_bytes.saturating_sub(before.resident_bytes) > GROWTH_BYTES_MOST).then_some("grows")
}

/// Reads user and system time and resident pages of a `stat` file; whatever its name is, it ends with the last parenthesis.
fn used(stat: &str) -> Option<Used> {
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
    let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
    let ticks = number(11)?.saturating_add(number(12)?);
    Some(Used {
        cpu_ms: ticks.saturating_mul(1_000).checked_div(rustix::param::clock_ticks_per_second())?,
        resident_bytes: number(21)?.saturating_mul(rustix::param::page_size() as u64),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_is_nothing_and_much_has_a_name() {
        let before = Used { cpu_ms: 1_000, resident_bytes: 64 << 20 };
        let more = |cpu_ms, bytes| judge(before, Used { cpu_ms: 1_000 + cpu_ms, resident_bytes: (64 << 20) + bytes });
        assert_eq!(more(CPU_MS_MOST, GROWTH_BYTES_MOST), None);
        assert_eq!(more(CPU_MS_MOST + 1, 0), Some("computes"));
        assert_eq!(more(0, GROWTH_BYTES_MOST + 1), Some("grows"));
        assert_eq!(judge(before, Used { cpu_ms: 0, resident_bytes: 0 }), None);
    }

    #[test]
    fn our_own_file_is_read_whatever_the_name_is() {
        let own = fs::read_to_string("/proc/self/stat").unwrap();
        assert!(used(&own).unwrap().resident_bytes > 1 << 20);
        let rest = format!("S {}", (0..30).map(|at| at.to_string()).collect::<Vec<_>>().join(" "));
        let ticks = rustix::param::clock_ticks_per_second();
        assert_eq!(used(&format!("7 (a) b) {rest}")).unwrap().cpu_ms, (10 + 11) * 1_000 / ticks);
        assert_eq!(used("7 (a) S 1 2"), None);
    }

    #[test]
    fn the_first_look_after_a_request_compares_nothing() {
        let (mut idleness, own) = (Idleness::default(), std::process::id().cast_signed());
        assert_eq!((idleness.look(own), idleness.look(own)), (None, None));
        idleness.0 = Some(Used { cpu_ms: 0, resident_bytes: 0 });
        idleness.begin_anew();
        assert_eq!(idleness.0, None);
        assert_eq!(idleness.look(i32::MAX), None);
    }
}
