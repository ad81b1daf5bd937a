//! What the pieces of a group cost, for their apps to be charged.
//!
//! Each pays for its own time, and for its part of the commit by the bytes that were given with it. A commit takes long by itself
//! too, and whoever waits may be in it: nobody is kept from anything by that part, nobody pays for it. A large piece, which has it
//! alone, pays for all. What a piece changed without being given bytes, one field of a large document, say, is known by its own
//! time alone.

use std::time::{Duration, Instant};

use crate::{fair::Kind, queue::Cost};

/// A flush takes about as long by itself as so many bytes do.
const FLUSH_BYTES: u128 = 64 * 1024;

#[derive(Debug)]
pub(super) struct Bill {
    began: Instant,
    items: Vec<Item>,
    /// Until when the time is on the bill.
    until: Duration,
}

#[derive(Debug)]
struct Item {
    cost: Cost,
    bytes: usize,
}

impl Bill {
    pub(super) fn begin() -> Self {
        Self { began: Instant::now(), items: Vec::new(), until: Duration::ZERO }
    }

    /// How long the group has been at work.
    pub(super) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// A piece of that app's is done, which was given with so many bytes.
    pub(super) fn add(&mut self, app: u64, kind: Kind, bytes: usize) {
        let now = self.began.elapsed();
        let cost = Cost { app, kind, span: now.saturating_sub(self.until) };
        self.items.push(Item { cost, bytes });
        self.until = now;
    }

    /// The group is over, committed or not.
    pub(super) fn close(self, is_large: bool) -> Vec<Cost> {
        let commit = self.began.elapsed().saturating_sub(self.until);
        self.settle(commit, is_large)
    }

    fn settle(mut self, commit: Duration, is_large: bool) -> Vec<Cost> {
        if let ([only], true) = (self.items.as_mut_slice(), is_large) {
            only.cost.span = only.cost.span.saturating_add(commit);
        } else {
            share(&mut self.items, commit);
        }
        self.items.into_iter().map(|item| item.cost).collect()
    }
}

fn share(items: &mut [Item], commit: Duration) {
    let all: u128 = items.iter().map(|item| item.bytes as u128).sum::<u128>().saturating_add(FLUSH_BYTES);
    for Item { cost, bytes } in items {
        let part_ns = commit.as_nanos().saturating_mul(*bytes as u128) / all;
        cost.span = cost.span.saturating_add(Duration::from_nanos(u64::try_from(part_ns).unwrap_or(u64::MAX)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const KIND: Kind = ("kv.set", 0);

    fn settled(pieces: &[(u64, usize)], commit: Duration, is_large: bool) -> Vec<Duration> {
        let mut bill = Bill::begin();
        for (app, bytes) in pieces {
            bill.items.push(Item { cost: Cost { app: *app, kind: KIND, span: MS }, bytes: *bytes });
        }
        bill.settle(commit, is_large).into_iter().map(|cost| cost.span).collect()
    }

    #[test]
    fn who_gives_many_bytes_pays_for_the_commit_and_who_gives_few_does_not() {
        let spans = settled(&[(1, 100), (2, 1 << 20), (3, 1 << 20)], 100 * MS, false);
        assert!(spans[0] < 2 * MS, "{spans:?}");
        assert!(spans[1] > 45 * MS && spans[1] == spans[2], "{spans:?}");
        let alone = settled(&[(1, 100)], 100 * MS, false);
        assert!(alone[0] < 2 * MS, "a flush is nobody's: {alone:?}");
    }

    #[test]
    fn a_large_piece_pays_for_all() {
        assert_eq!(settled(&[(1, 100)], 100 * MS, true), [101 * MS]);
    }
}
