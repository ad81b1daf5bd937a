//! How many connections there may be: for all, and for one address. What is over is turned away, never queued.
//!
//! A few places beyond the caps are kept for the farm's own pages: whoever comes when all else is taken gets one of these for
//! one request, within a short patience, and is heard only where it asks for the admin interface or the farm's health.

use std::{collections::HashMap, net::IpAddr, sync::Arc};

use parking_lot::Mutex;

/// The most that one address may have, whatever the descriptor limit.
const EACH_MOST: usize = 1_024;
const EACH_LEAST: usize = 8;
/// The most that is kept for the farm's own pages.
const KEPT_MOST: usize = 16;
const KEPT_LEAST: usize = 2;

/// The caps, and who is inside.
#[derive(Debug)]
pub struct Caps {
    all: usize,
    each: usize,
    kept: usize,
    inside: Mutex<Inside>,
}

#[derive(Debug, Default)]
struct Inside {
    usual: Count,
    kept: Count,
}

/// Connections of one kind. Who comes through a trusted proxy or a socket file has no address of its own.
#[derive(Debug, Default)]
struct Count {
    all: usize,
    by: HashMap<Option<IpAddr>, usize>,
}

/// One connection that is inside; it leaves when this is dropped.
#[derive(Debug)]
pub struct Pass {
    caps: Arc<Caps>,
    from: Option<IpAddr>,
    is_kept: bool,
}

impl Caps {
    /// Caps for a process that may have that many descriptors: connections get less than half of them, since workers,
    /// store and files need theirs.
    #[must_use]
    pub fn for_descriptors(limit: u64) -> Self {
        let half = usize::try_from(limit / 2).unwrap_or(usize::MAX).saturating_sub(1);
        let kept = (half / 8).clamp(KEPT_LEAST, KEPT_MOST);
        let all = half.saturating_sub(kept).max(1);
        Self::new(all, (all / 2).clamp(EACH_LEAST, EACH_MOST), kept)
    }

    /// Caps of that size.
    #[must_use]
    pub fn new(all: usize, each: usize, kept: usize) -> Self {
        Self { all, each, kept, inside: Mutex::default() }
    }

    /// Lets a connection in, or not. One without an address counts for all only.
    #[must_use]
    pub fn admit(self: &Arc<Self>, from: Option<IpAddr>) -> Option<Pass> {
        let from = from.map(network);
        let mut inside = self.inside.lock();
        let each = if from.is_some() { self.each } else { usize::MAX };
        let is_kept = !inside.usual.takes(from, self.all, each);
        // A crowd that comes from one address must leave something of these as well.
        if is_kept && !inside.kept.takes(from, self.kept, (self.kept / 4).max(1)) {
            return None;
        }
        Some(Pass { caps: Arc::clone(self), from, is_kept })
    }
}

impl Count {
    fn takes(&mut self, from: Option<IpAddr>, all: usize, each: usize) -> bool {
        let held = self.by.get(&from).copied().unwrap_or_default();
        let fits = self.all < all && held < each;
        if fits {
            self.by.insert(from, held.saturating_add(1));
            self.all = self.all.saturating_add(1);
        }
        fits
    }

    fn gives_back(&mut self, from: Option<IpAddr>) {
        self.all = self.all.saturating_sub(1);
        match self.by.get_mut(&from) {
            Some(held) if *held > 1 => *held = held.saturating_sub(1),
            _ => drop(self.by.remove(&from)),
        }
    }
}

impl Pass {
    /// Whether it is one of the places that are kept for the farm's own pages.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.is_kept
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut inside = self.caps.inside.lock();
        if self.is_kept { &mut inside.kept } else { &mut inside.usual }.gives_back(self.from);
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
        let caps = Arc::new(Caps::new(3, 2, 0));
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
        let caps = Arc::new(Caps::new(9, 1, 0));
        let _held = caps.admit("2001:db8::1".parse().ok()).unwrap();
        assert!(caps.admit("2001:db8::2".parse().ok()).is_none());
        assert!(caps.admit("2001:db8:0:1::2".parse().ok()).is_some());
        let _mapped = caps.admit("::ffff:192.0.2.1".parse().ok()).unwrap();
        assert!(caps.admit("192.0.2.1".parse().ok()).is_none());
    }

    #[test]
    fn a_crowd_leaves_the_farm_its_own_places() {
        let caps = Arc::new(Caps::new(2, 2, 16));
        let (one, two) = ("192.0.2.1".parse().ok(), "192.0.2.2".parse().ok());
        let crowd: Vec<_> = (0..100).filter_map(|_| caps.admit(one)).collect();
        assert_eq!((crowd.len(), crowd.iter().filter(|pass| pass.is_kept()).count()), (6, 4));
        assert!(caps.admit(two).unwrap().is_kept(), "another address is heard all the same");
        drop(crowd);
        assert!(!caps.admit(one).unwrap().is_kept());
        assert!(
            caps.inside.lock().usual.by.is_empty() && caps.inside.lock().kept.by.is_empty(),
            "nobody is remembered"
        );
    }

    #[test]
    fn few_descriptors_leave_more_than_half() {
        for limit in [64, 1_024, 20_000, 1 << 20] {
            let caps = Caps::for_descriptors(limit);
            assert!(((caps.all + caps.kept) as u64) < limit / 2, "{caps:?}");
        }
        let few = Caps::for_descriptors(64);
        assert_eq!((few.all, few.each, few.kept), (28, 14, 3));
        assert_eq!(Caps::for_descriptors(1 << 20).each, EACH_MOST);
    }
}
