//! How many connections there may be: for all, and for one address. What is over is turned away, never queued.

use std::{collections::HashMap, net::IpAddr, sync::Arc};

use parking_lot::Mutex;

/// The most that one address may have, whatever the descriptor limit.
const EACH_MOST: usize = 1_024;
const EACH_LEAST: usize = 8;

/// The caps, and who is inside.
#[derive(Debug)]
pub struct Caps {
    all: usize,
    each: usize,
    inside: Mutex<Inside>,
}

#[derive(Debug, Default)]
struct Inside {
    all: usize,
    by: HashMap<IpAddr, usize>,
}

/// One connection that is inside; it leaves when this is dropped.
#[derive(Debug)]
pub struct Pass {
    caps: Arc<Caps>,
    from: Option<IpAddr>,
}

impl Caps {
    /// Caps for a process that may have that many descriptors: connections get less than half of them, since workers,
    /// store and files need theirs.
    #[must_use]
    pub fn for_descriptors(limit: u64) -> Self {
        let all = usize::try_from(limit / 2).unwrap_or(usize::MAX).saturating_sub(1).max(1);
        Self::new(all, (all / 2).clamp(EACH_LEAST, EACH_MOST))
    }

    /// Caps of that size.
    #[must_use]
    pub fn new(all: usize, each: usize) -> Self {
        Self { all, each, inside: Mutex::default() }
    }

    /// Lets a connection in, or not. Who comes through a trusted proxy or a socket file has no address of its own, and
    /// counts for all only.
    #[must_use]
    pub fn admit(self: &Arc<Self>, from: Option<IpAddr>) -> Option<Pass> {
        let from = from.map(network);
        let mut inside = self.inside.lock();
        if inside.all >= self.all {
            return None;
        }
        if let Some(from) = from {
            let count = inside.by.entry(from).or_insert(0);
            if *count >= self.each {
                return None;
            }
            *count = count.saturating_add(1);
        }
        inside.all = inside.all.saturating_add(1);
        Some(Pass { caps: Arc::clone(self), from })
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut inside = self.caps.inside.lock();
        inside.all = inside.all.saturating_sub(1);
        let Some(from) = self.from else { return };
        if let Some(count) = inside.by.get_mut(&from) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                inside.by.remove(&from);
            }
        }
    }
}

/// What one client has: an address of IPv4, a network of IPv6.
#[must_use]
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(six) => IpAddr::V6((u128::from(six) & !u128::from(u64::MAX)).into()),
        four => four,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caps_hold_and_places_come_free() {
        let caps = Arc::new(Caps::new(3, 2));
        let (one, two) = ("192.0.2.1".parse().ok(), "192.0.2.2".parse().ok());
        let first = caps.admit(one).unwrap();
        let _second = caps.admit(one).unwrap();
        assert!(caps.admit(one).is_none(), "one address");
        let _third = caps.admit(two).unwrap();
        assert!(caps.admit(None).is_none(), "all together");
        drop(first);
        assert!(caps.admit(one).is_some());
    }

    #[test]
    fn one_network_of_six_is_one_client() {
        let caps = Arc::new(Caps::new(9, 1));
        let _held = caps.admit("2001:db8::1".parse().ok()).unwrap();
        assert!(caps.admit("2001:db8::2".parse().ok()).is_none());
        assert!(caps.admit("2001:db8:0:1::2".parse().ok()).is_some());
        let _mapped = caps.admit("::ffff:192.0.2.1".parse().ok()).unwrap();
        assert!(caps.admit("192.0.2.1".parse().ok()).is_none());
    }

    #[test]
    fn few_descriptors_leave_more_than_half() {
        assert!(Caps::for_descriptors(64).all < 32);
        assert_eq!(Caps::for_descriptors(64).each, 15);
        assert_eq!(Caps::for_descriptors(1 << 20).each, EACH_MOST);
    }
}
